// Series and texts through the whole program: two fields at once, windows, what the model's free sizes become.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "run.h"

namespace {

const std::string forecast = R"(
model Forecast {
  input  x: [batch, days]
  target y: [batch]
  z = x |> Linear(16) |> relu |> Linear(1) |> squeeze(-1)
  output forecast = z
  loss err = mse(z, y)
}
data {
  source = csv("data.csv")
  split  = sequential(val = 0.25)
  x, y = col("t") |> standard() |> windows(length = 12, after = 1)
}
train { optimizer = Adam(lr = 1e-2)  batch = mini(32)  epochs = 20 }
)";

std::string waves(int rows) {
  std::string out = "t\n";
  for (int i = 0; i < rows; ++i) out += std::to_string(std::sin(i * 0.5) + 0.3 * std::sin(i * 0.21)) + "\n";
  return out;
}

TEST(Series, AForecastIsLearnt) {
  const ModelFile model(forecast, waves(400));
  const Ran ran = run({"train", model.path, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.out << ran.err;
  const auto lines = ran.json();
  EXPECT_LT(lines.back()["val"]["err"].get<double>(), 0.1) << ran.out;
}

TEST(Series, MistakesPointAtTheModelFile) {
  std::string wrong = forecast;
  wrong.replace(wrong.find("x, y ="), 6, "x, y, z =");
  const ModelFile model(wrong, waves(40));
  const Ran ran = run({"check", model.path});
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("error[E633]: 3 names for a value with 2 results"), std::string::npos) << ran.err;
  const ModelFile scattered(forecast, waves(40));
  const Ran random = run({"check", scattered.path, "data.split=random(val = 0.2)"});
  EXPECT_NE(random.err.find("error[E631]"), std::string::npos) << random.err;
}

}  // namespace
