// What a run shows while it trains: plain lines, JSON, a terminal, and how numbers are written.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/logs/progress.h"
#include "trainer_workbench.h"

namespace nnc {
namespace {

using test::Workbench;

struct Capture {
  std::FILE* file = std::tmpfile();
  ~Capture() { std::fclose(file); }
  std::string text() {
    std::string out;
    std::rewind(file);
    for (int c; (c = std::fgetc(file)) != EOF;) out += static_cast<char>(c);
    return out;
  }
};

TEST(Progress, PlainLinesAndTable) {
  Workbench setup(40, 10);
  setup.config.epochs = 2;
  Capture progress, results;
  Progress shown({ProgressStyle::plain, false, 80, progress.file, results.file});
  shown.finish(setup.run(shown.hooks()).result);
  const std::string lines = progress.text();
  EXPECT_EQ(lines.find('\r'), std::string::npos);
  EXPECT_EQ(lines.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  EXPECT_NE(lines.find("epoch 1/2  train.mse 19.500  train.odd 0.5000  val.mse 44.500"), std::string::npos) << lines;
  const std::string table = results.text();
  EXPECT_NE(table.find("mse       19.500      44.500"), std::string::npos) << table;
  EXPECT_NE(table.find("2 epochs, 4 steps in "), std::string::npos) << table;
}

TEST(Progress, JsonLinesParse) {
  Workbench setup(40, 0);
  setup.config.epochs = 3;
  setup.fake.break_at = 5;
  Capture progress, results;
  Progress shown({ProgressStyle::json, false, 80, progress.file, results.file});
  shown.finish(setup.run(shown.hooks()).result);
  EXPECT_EQ(progress.text(), "");
  std::istringstream lines(results.text());
  std::vector<nlohmann::json> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(objects.size(), 3u);
  EXPECT_EQ(objects[0]["schema"], json_schema);
  EXPECT_EQ(objects[0]["event"], "epoch");
  EXPECT_NEAR(objects[0]["train"]["mse"].get<double>(), 19.5, 1e-5);
  EXPECT_EQ(objects[2]["status"], "diverged");
  EXPECT_EQ(objects[2]["diverged"]["loss"], "mse");
}

TEST(Progress, TerminalRedrawsAtMostTwentyTimesASecond) {
  Capture progress;
  Progress shown({ProgressStyle::terminal, false, 60, progress.file, progress.file});
  const auto start = std::chrono::steady_clock::now();
  StepReport report{1, 1, 0, 1000000, 0.5};
  while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(400)) {
    if (++report.step > report.steps) report.step = 1;
    shown.step(report);
  }
  EXPECT_GE(shown.redraws(), 2);
  EXPECT_LE(shown.redraws(), 9);
  const std::string text = progress.text();
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(text.find("\x1b[3"), std::string::npos);  // no colour
}

TEST(Progress, Numbers) {
  EXPECT_EQ(format_seconds(1.234), "1.23 s");
  EXPECT_EQ(format_seconds(245), "4 min 05 s");
  EXPECT_EQ(format_seconds(3 * 3600 + 120), "3 h 02 min");
  EXPECT_EQ(format_measure(0.12345), "0.1235");
  EXPECT_EQ(format_measure(1e-6), "1.000e-06");
  EXPECT_EQ(format_measure(0), "0.0000");
}

}  // namespace
}  // namespace nnc
