// Metrics through the whole program: scikit-learn's values for any batch length, and for every way to run the same
// program.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>

#include "run.h"

namespace {

using Json = nlohmann::json;

// What is measured does not depend on the weight that is trained.
constexpr const char* kModel = R"(
model M {
  input  p: [batch]
  target y: [batch]
  param w: [] = zeros()
  loss   fit = mean((p - y) ** 2) + (w - 1) ** 2
  loss   log = log_loss(p, y)
  metric area = roc_auc(p, y)
  metric hits = binary_accuracy(p, y)
  metric f = f1(p, y)
  metric steps = pr_auc(p, y)
  metric twice = 2 * f
  metric wide = exp(log)
  metric root = rmse(p, y)
  metric counts = confusion_matrix(p, y)
}
data {
  source = csv("data.csv")
  split = sequential(val = 0.5)
  p = col("p")
  y = col("y")
}
train {
  optimizer = SGD(lr = 0.1)
  epochs = 1
}
)";

std::string table(const std::vector<double>& p, const std::vector<double>& y, int copies) {
  std::string text = "p,y\n";
  for (int copy = 0; copy < copies; ++copy) {
    for (size_t k = 0; k < p.size(); ++k) text += fmt::format("{},{}\n", p[k], y[k]);
  }
  return text;
}

// The last line of training.
Json trained(const ModelFile& model, std::vector<std::string> words) {
  std::vector<std::string> all = {"train", model.path, "--json"};
  all.insert(all.end(), words.begin(), words.end());
  const Ran ran = run(all);
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  const auto lines = ran.json();
  return lines.empty() ? Json() : lines.back();
}

TEST(Metrics, AreScikitLearnsOverAllRowsForAnyBatch) {
  const Json goldens = Json::parse(std::ifstream(std::string(NNC_SOURCE_DIR) + "/tests/goldens/sklearn/metrics.json"));
  for (const Json& golden : goldens["cases"]) {
    if (golden["name"] != "ties_97") continue;
    const std::vector<double> p = golden["p"], y = golden["y"];
    const ModelFile model(kModel, table(p, y, 2));
    const Json& expected = golden["expected"];
    for (const char* batch : {"full()", "mini(32)", "mini(97)", "mini(13)", "stochastic()"}) {
      const Json end = trained(model, {fmt::format("train.batch={}", batch)});
      for (const char* part : {"train", "val"}) {
        const Json& measures = end[part];
        auto near = [&](const char* name, double wanted) {
          EXPECT_NEAR(measures[name].get<double>(), wanted, 1e-6 * std::max(1.0, wanted))
              << batch << " " << part << " " << name;
        };
        near("area", expected["roc_auc"]);
        near("hits", expected["binary_accuracy"]);
        near("f", expected["f1"]);
        near("steps", expected["pr_auc"]);
        near("twice", 2 * expected["f1"].get<double>());
        near("log", expected["log_loss"]);
        near("wide", std::exp(expected["log_loss"].get<double>()));
        std::vector<double> counts;
        for (const Json& row : measures["counts"]) counts.insert(counts.end(), row.begin(), row.end());
        EXPECT_EQ(counts, expected["confusion_matrix"].get<std::vector<double>>()) << batch << " " << part;
      }
    }
  }
}

TEST(Metrics, AreTheSameForAnyThreadsAndInterpreter) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> values(0, 1);
  std::vector<double> p, y;
  for (int k = 0; k < 61; ++k) {
    p.push_back(std::floor(values(random) * 20) / 20);
    y.push_back(values(random) < p.back() ? 1 : 0);
  }
  const ModelFile model(kModel, table(p, y, 2));
  const Json native = trained(model, {"train.batch=mini(16)"});
  for (const char* how : {"--threads=2", "--interpret=loop"}) {
    const Json other = trained(model, {"train.batch=mini(16)", how});
    EXPECT_EQ(other["train"], native["train"]) << how;
    EXPECT_EQ(other["val"], native["val"]) << how;
  }
  const Json graph = trained(model, {"train.batch=mini(16)", "--interpret=graph"});
  for (const auto& [name, value] : native["val"].items()) {
    if (value.is_number()) {
      EXPECT_NEAR(graph["val"][name].get<double>(), value.get<double>(), 1e-6) << name;
    }
  }
}

// A batch's sums weigh as many rows as it has: 97 rows in batches of 32 end with one row.
TEST(Metrics, LossesAreMeansOverRows) {
  std::vector<double> p, y;
  double squares = 0;
  for (int k = 0; k < 97; ++k) {
    p.push_back(k == 96 ? 0.0 : 0.5);  // the last row is as wrong as can be
    y.push_back(1);
    squares += (p.back() - 1) * (p.back() - 1);
  }
  const ModelFile model(
      "model M {\n input p: [batch]\n target y: [batch]\n param w: [] = zeros()\n loss fit = mse(p + 0 * w, y)\n}\n"
      "data {\n source = csv(\"data.csv\")\n split = sequential(val = 0.5)\n p = col(\"p\")\n y = col(\"y\")\n}\n"
      "train { optimizer = SGD(lr = 0.1)  epochs = 1 }\n",
      table(p, y, 2));
  for (const char* batch : {"full()", "mini(32)", "mini(96)", "stochastic()"}) {
    const Json end = trained(model, {fmt::format("train.batch={}", batch)});
    for (const char* part : {"train", "val"})
      EXPECT_NEAR(end[part]["fit"].get<double>(), squares / 97, 1e-7) << batch << " " << part;
  }
}

TEST(Metrics, EarlyStopWatchesThem) {
  const ModelFile model(kModel, table({0.1, 0.9, 0.4, 0.6, 0.3}, {0, 1, 1, 0, 0}, 2));
  const Ran ran = run({"train", model.path, "--json", "train.epochs=9",
                       "train.stop=early(\"val.area\", patience = 2, mode = \"max\")"});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_EQ(ran.json().back()["epochs"], 3);
  const Ran table_watched = run({"train", model.path, "train.stop=early(\"val.counts\", patience = 2)"});
  EXPECT_NE(table_watched.err.find("E607"), std::string::npos) << table_watched.err;
}

TEST(Metrics, StandInTheOrderOfTheModel) {
  const ModelFile model(kModel, table({0.1, 0.9, 0.4, 0.6, 0.3}, {0, 1, 1, 0, 0}, 2));
  const std::string out = run({"train", model.path, "--json"}).out;
  const std::string last = out.substr(out.rfind('\n', out.size() - 2) + 1);
  const auto end = nlohmann::ordered_json::parse(last);
  std::vector<std::string> names;
  for (const auto& [name, value] : end.at("val").items()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"loss", "fit", "log", "area", "hits", "f", "steps", "twice", "wide",
                                             "root", "counts"}));
}

TEST(Metrics, MatricesStandBelowTheTable) {
  const ModelFile model(kModel, table({0.1, 0.9, 0.4, 0.6, 0.3}, {0, 1, 1, 0, 0}, 2));
  const Ran ran = run({"train", model.path});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("counts (val)\n  2  1\n  1  1\n"), std::string::npos) << ran.out;
}

}  // namespace
