// Training through the whole program: it learns, and every way to run the same program computes the same.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "codegen/codegen.h"
#include "run.h"

namespace {

const std::string example = "examples/breast_cancer.nn";

// The measures of each epoch, as printed; "" if the run failed.
std::string measures(std::vector<std::string> words) {
  std::vector<std::string> all = {"train", example, "--json", "hidden=12", "train.epochs=2"};
  all.insert(all.end(), words.begin(), words.end());
  const Ran ran = run(all);
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  std::string text;
  for (const auto& line : ran.json()) {
    if (line["event"] == "epoch") text += line["train"].dump() + line["val"].dump() + "\n";
  }
  return text;
}

TEST(Training, ReachesItsAccuracy) {
  const auto lines = run({"train", example, "--json"}).json();
  ASSERT_GE(lines.size(), 3u);
  EXPECT_EQ(lines.front()["event"], "start");
  EXPECT_EQ(lines.front()["parameters"], 4097);
  EXPECT_GT(lines.front()["flops_per_step"], 5e5);
  EXPECT_GT(lines.front()["arena_bytes"], 0);
  EXPECT_EQ(lines.back()["event"], "end");
  double best = 0;
  for (const auto& line : lines) {
    if (line["event"] == "epoch") best = std::max(best, line["val"]["accuracy"].get<double>());
  }
  EXPECT_GE(best, 0.95);
  EXPECT_GE(lines.back()["train"]["accuracy"], 0.95);
}

TEST(Training, IsTheSameForAnyThreadsAndPasses) {
  const std::string native = measures({});
  EXPECT_NE(native, "");
  EXPECT_EQ(measures({}), native);
  EXPECT_EQ(measures({"--threads=2"}), native);
  EXPECT_EQ(measures({"--threads=3"}), native);
  EXPECT_EQ(measures({"--disable-pass=form_regions"}), native);
  EXPECT_EQ(measures({"--disable-pass=schedule", "--disable-pass=plan_buffers", "--disable-pass=choose_layouts"}),
            native);
  EXPECT_NE(measures({"train.seed=5"}), native);
}

TEST(Training, LoopsInterpretedAreTheNativeBits) {
  for (const nnc::Target& target : nnc::detect_host().targets) {
    const std::string cpu = "--cpu=" + target.name;
    EXPECT_EQ(measures({cpu, "--interpret=loop", "train.epochs=1"}), measures({cpu, "train.epochs=1"})) << cpu;
  }
}

TEST(Training, StaysCloseToTheOracle) {
  const auto losses = [](const std::vector<std::string>& words) {
    std::vector<std::string> all = {"train", example, "--json", "hidden=12", "train.epochs=2"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<double> values;
    for (const auto& line : run(all).json()) {
      if (line["event"] == "epoch") values.insert(values.end(), {line["train"]["bce"], line["val"]["bce"]});
    }
    return values;
  };
  const std::vector<double> exact = losses({"--interpret=graph"});
  ASSERT_EQ(exact.size(), 4u);
  for (const nnc::Target& target : nnc::detect_host().targets) {
    const std::vector<double> native = losses({"--cpu=" + target.name});
    ASSERT_EQ(native.size(), exact.size());
    for (size_t k = 0; k < exact.size(); ++k)
      EXPECT_NEAR(native[k], exact[k], 1e-5 * std::abs(exact[k])) << target.name;
  }
}

TEST(Training, BatchesOfAllSizes) {
  for (const char* batch : {"full()", "stochastic()", "mini(455)", "mini(1000000)", "mini(454)"}) {
    const Ran ran =
        run({"train", example, std::string("train.batch=") + batch, "train.epochs=1", "--json", "hidden=4"});
    EXPECT_EQ(ran.code, 0) << batch << ran.err;
    EXPECT_EQ(ran.json().at(1)["rows"], 455) << batch;
  }
}

TEST(Training, DropLastLeavesTheShortBatchOut) {
  const Ran ran =
      run({"train", example, "train.batch=mini(32, drop_last = true)", "train.epochs=1", "--json", "hidden=4"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json().at(1)["rows"], 448);
  EXPECT_EQ(ran.json().at(1)["steps"], 14);
}

// Train losses are of the weights before each update, so they agree as far as the updates do.
TEST(Training, AccumulatedBatchesAreOneLargerBatch) {
  const auto losses = [](const std::vector<std::string>& words) {
    std::vector<std::string> all = {"train",     example,          "--json",
                                    "hidden=12", "train.epochs=3", "train.stop=early(\"val.loss\", patience = 9)"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<double> values;
    const Ran ran = run(all);
    EXPECT_EQ(ran.code, 0) << ran.err;
    for (const auto& line : ran.json()) {
      if (line["event"] == "epoch") values.insert(values.end(), {line["train"]["bce"], line["val"]["bce"]});
    }
    return values;
  };
  // 455 rows: 11 groups of 40 and one of 15, whose last batch has 5.
  for (const std::string clip : {"train.clip=value(1e9)", "train.clip=norm(0.1)"}) {
    const std::vector<double> large = losses({"train.batch=mini(40)", clip});
    const std::vector<double> small = losses({"train.batch=mini(10)", "train.accumulate=4", clip});
    ASSERT_EQ(large.size(), 6u);
    ASSERT_EQ(small.size(), 6u);
    for (size_t k = 0; k < 6; ++k) EXPECT_NEAR(small[k], large[k], 2e-5 * large[k]) << clip << " " << k;
  }
}

TEST(Training, ClippedAndAveragedIsTheSameForAnyThreadsAndPasses) {
  const std::vector<std::vector<std::string>> settings = {{"train.clip=norm(0.1)"},
                                                          {"train.clip=value(0.001)"},
                                                          {"train.average=ema(0.9)"},
                                                          {"train.clip=norm(0.1)", "train.accumulate=3"}};
  const std::string plain = measures({});
  for (const auto& words : settings) {
    SCOPED_TRACE(words.back());
    const auto with = [&](const std::string& more) {
      std::vector<std::string> all = words;
      if (!more.empty()) all.push_back(more);
      return measures(all);
    };
    const std::string native = with("");
    EXPECT_NE(native, plain);
    EXPECT_EQ(with("--threads=2"), native);
    EXPECT_EQ(with("--disable-pass=form_regions"), native);
  }
}

// The diagnostic about the step that broke.
Ran diverging(const std::string& loss, const std::string& optimizer = "SGD(lr = 0.1)") {
  const std::string path = ::testing::TempDir() + "diverging.nn";
  std::ofstream(path)
      << "model M {\n  input x: [batch, 2]\n  target y: [batch]\n  p = x |> Linear(1) |> squeeze(-1)\n  " << loss
      << "\n}\ndata {\n  source = moons(64, seed = 1)\n  x = col(\"x\")\n  y = col(\"y\")\n}\ntrain "
         "{ optimizer = "
      << optimizer << " batch = mini(16) epochs = 40 }\n";
  const Ran ran = run({"train", path});
  std::filesystem::remove(path);
  EXPECT_EQ(ran.code, 4) << ran.out << ran.err;
  return ran;
}

// tests/goldens/diverged/NAME.nn against NAME.expected. NNC_BLESS=1 rewrites the expectations.
TEST(Training, DivergenceGoldens) {
  namespace fs = std::filesystem;
  int files = 0;
  for (const auto& entry : fs::directory_iterator(NNC_SOURCE_DIR "/tests/goldens/diverged")) {
    if (entry.path().extension() != ".nn") continue;
    ++files;
    SCOPED_TRACE(entry.path().filename().string());
    const Ran ran = run_in("tests/goldens/diverged", {"train", entry.path().filename().string(), "--quiet"});
    EXPECT_EQ(ran.code, 4);
    const fs::path expectation = fs::path(entry.path()).replace_extension(".expected");
    if (std::getenv("NNC_BLESS") != nullptr) std::ofstream(expectation) << ran.err;
    std::ifstream file(expectation);
    EXPECT_EQ(ran.err, std::string(std::istreambuf_iterator<char>(file), {})) << "NNC_BLESS=1 accepts the new text";
  }
  EXPECT_EQ(files, 5);
}

TEST(Training, DivergenceNamesTheOperationAndItsLine) {
  const Ran logarithm = diverging("loss l = mean(log(p - p)) + 0 * sum(y)");
  EXPECT_NE(logarithm.err.find("diverging.nn:5:17: error[E901]: `log` of 0 gave -infinity in epoch 1, step 1"),
            std::string::npos)
      << logarithm.err;
  EXPECT_NE(logarithm.err.find("log(max(p, 1e-7))"), std::string::npos) << logarithm.err;
  EXPECT_NE(logarithm.err.find(" of the data"), std::string::npos) << logarithm.err;
  const Ran quotient = diverging("loss l = mean((p - p) / (y - y))");
  EXPECT_NE(quotient.err.find("`div` of 0 and 0 gave NaN in epoch 1, step 1"), std::string::npos) << quotient.err;
}

TEST(Training, AnInfiniteConstantIsNotToBlame) {
  const Ran ran = diverging("masked = max(p - p, -inf)\n  loss l = mean(log(masked)) + 0 * sum(y)");
  EXPECT_NE(ran.err.find("diverging.nn:6:17: error[E901]: `log` of 0"), std::string::npos) << ran.err;
}

TEST(Training, AParameterThatBreaksBeforeTheLossIsNamed) {
  // The loss is finite, its gradient is not: the root's slope at 0.
  const Ran ran = diverging("loss l = mean(sqrt(p * 0)) + 0 * sum(y)");
  EXPECT_NE(ran.err.find("error[E901]"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("in epoch 1, step 1, in the gradient of this expression"), std::string::npos) << ran.err;
}

TEST(Training, DivergenceIsExitCode4) {
  const Ran ran = run({"train", example, "train.optimizer=SGD(lr = 1e30)", "train.epochs=5"});
  EXPECT_EQ(ran.code, 4) << ran.err;
  EXPECT_NE(ran.out.find("diverged"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("train.optimizer.lr="), std::string::npos) << ran.out;
  EXPECT_NE(ran.err.find("error[E901]"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("a smaller learning rate"), std::string::npos) << ran.err;
}

TEST(Training, ValuesOfTheFirstStepAgree) {
  const Ran graph = run({"ir", example, "--interpret=graph"});
  const Ran loop = run({"ir", example, "--interpret=loop"});
  EXPECT_EQ(graph.code, 0);
  EXPECT_EQ(loop.code, 0);
  const std::string first = graph.out.substr(0, graph.out.find('\n'));
  EXPECT_EQ(first.substr(0, 10), "loss \"bce\"");
  // Six digits of the first loss and all names and shapes are alike.
  EXPECT_EQ(std::count(graph.out.begin(), graph.out.end(), '\n'), std::count(loop.out.begin(), loop.out.end(), '\n'));
  EXPECT_EQ(first.substr(first.rfind(' ') + 1, 6), loop.out.substr(loop.out.find('\n') - 8, 6));
}

TEST(Bench, MeasuresTheStep) {
  const auto lines = run({"bench", example, "--seconds=0.05", "--json"}).json();
  ASSERT_EQ(lines.size(), 1u);
  const auto& result = lines[0];
  EXPECT_EQ(result["schema"], 1);
  EXPECT_EQ(result["batch"], 32);
  EXPECT_EQ(result["parameters"], 4097);
  EXPECT_EQ(result["threads"], 1);
  EXPECT_GT(result["step_us"], 0.0);
  EXPECT_LE(result["min_us"], result["step_us"]);
  EXPECT_GT(result["compile_ms"], 0.0);
  EXPECT_GE(result["first_step_ms"].get<double>() + 20, result["compile_ms"].get<double>());
  EXPECT_GT(result["data_ms"], 0.0);
  EXPECT_GT(result["arena_bytes"], 0);
  EXPECT_GT(result["flops_per_step"], 5e5);
  EXPECT_NE(run({"bench", example, "--seconds=0.05", "--threads=2"}).out.find("2 threads"), std::string::npos);
}

}  // namespace
