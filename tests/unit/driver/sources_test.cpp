// Every source of data, through the whole program: a small network learns from it.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "run.h"
#include "tests/unit/runtime/data_files.h"

namespace {

using namespace nnc::test;

std::string classifier(const std::string& data, int hidden = 24) {
  return "model Net {\n  input x: [batch, features]\n  target y: i32<classes>[batch]\n  logits = x |> Linear(" +
         std::to_string(hidden) +
         ") |> tanh |> Linear(classes)\n  loss ce = cross_entropy(logits, y)\n"
         "  metric accuracy = mean(argmax(logits) == y)\n}\n"
         "data {\n" +
         data + "\n}\ntrain { optimizer = Adam(lr = 0.02) batch = mini(20) epochs = 30 }\n";
}

// The last line of `nnc train --json`; what went wrong if that failed.
nlohmann::json trained(const ModelFile& model) {
  const Ran ran = run({"train", model.path, "--json"});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  const auto lines = ran.json();
  return lines.empty() ? nlohmann::json{} : lines.back();
}

double accuracy(const ModelFile& model) { return trained(model)["train"]["accuracy"].get<double>(); }

TEST(Sources, MadeUpData) {
  EXPECT_GT(accuracy(ModelFile(classifier("source = blobs(300, seed = 4)\n x = col(\"x\") y = col(\"y\")"))), 0.95);
  EXPECT_GT(accuracy(ModelFile(classifier("source = moons(300, noise = 0.1)\n x = col(\"x\") y = col(\"y\")"))), 0.95);
  EXPECT_GT(accuracy(ModelFile(classifier("source = spirals(300)\n x = col(\"x\") * 3\n y = col(\"y\")"))), 0.8);
}

TEST(Sources, Regression) {
  const ModelFile model(
      "model Net {\n  input x: [batch, features]\n  target y: [batch]\n  p = x |> Linear(1) |> squeeze(-1)\n"
      "  loss mse = mse(p, y)\n}\ndata {\n  source = regression(rows = 200, features = 3)\n  x = col(\"x\")\n"
      "  y = col(\"y\") |> standard()\n}\ntrain { optimizer = SGD(lr = 0.1) batch = mini(20) epochs = 10 }\n");
  EXPECT_LT(trained(model)["train"]["mse"].get<double>(), 0.05);
}

// Points whose first value says their class.
void write_arrays(const std::string& folder) {
  std::vector<double> x;
  std::vector<int64_t> y;
  for (int i = 0; i < 120; ++i) {
    y.push_back(i * 7 % 3);
    x.insert(x.end(), {static_cast<double>(y.back()) - 1, std::sin(i)});
  }
  const std::string features = npy(">f8", "(120, 2)", raw(x, true)), labels = npy("<i8", "(120,)", raw(y));
  std::ofstream(folder + "/x.npy", std::ios::binary) << features;
  std::ofstream(folder + "/y.npy", std::ios::binary) << labels;
  write_zip(folder + "/all.npz",
            {{"features.npy", features}, {"y.npy", labels}, {"more.npy", npy("|u1", "(1,)", "a")}});
}

TEST(Sources, Arrays) {
  const ModelFile files(
      classifier("source = npy(x = \"x.npy\", y = \"y.npy\")\n"
                 " split = random(val = 0.2, stratify = \"y\")\n x = col(\"x\") y = col(\"y\")"));
  write_arrays(files.folder);
  EXPECT_GT(accuracy(files), 0.95);
  const ModelFile archive(classifier("source = npz(\"all.npz\")\n x = col(\"features\") y = col(\"y\")"));
  write_arrays(archive.folder);
  EXPECT_GT(accuracy(archive), 0.95);
}

TEST(Sources, ImageFolders) {
  const ModelFile model(
      classifier("source = images(\"shapes\", size = [6, 6])\n"
                 " x = col(\"images\") / 255 |> reshape(-1)\n y = col(\"labels\")"));
  for (int i = 0; i < 40; ++i) {
    const bool wide = i % 2 == 1;
    nnc::Image image{12, 12, 1, std::vector<uint8_t>(144, static_cast<uint8_t>(3 * i))};
    for (int k = 0; k < 12; ++k)
      image.pixels[static_cast<size_t>(wide ? (i % 10 + 1) * 12 + k : k * 12 + i % 10 + 1)] = 255;
    const std::string folder = model.folder + (wide ? "/shapes/wide" : "/shapes/high");
    std::filesystem::create_directories(folder);
    const std::string path = folder + "/" + std::to_string(i);
    i % 4 < 2 ? write_png(path + ".png", image) : write_jpeg(path + ".jpg", image);
  }
  EXPECT_GT(accuracy(model), 0.9);
}

TEST(Sources, Text) {
  const ModelFile model(
      "model Net {\n  input ids: i32<vocab>[batch, 4]\n  target next: i32<vocab>[batch, 4]\n"
      "  logits = Embedding(8)(ids) |> Linear(vocab)\n  loss ce = cross_entropy(logits, next)\n}\n"
      "data {\n  source = text(\"t.txt\")\n  split = sequential(val = 0.1)\n"
      "  ids, next = chars() |> windows(length = 4, shift = 1)\n}\n"
      "train { optimizer = Adam(lr = 0.05) batch = mini(16) epochs = 5 }\n");
  std::ofstream text(model.folder + "/t.txt");
  for (int i = 0; i < 60; ++i) text << "één dag ";
  text.close();
  EXPECT_LT(trained(model)["train"]["ce"].get<double>(), 0.8);
}

}  // namespace
