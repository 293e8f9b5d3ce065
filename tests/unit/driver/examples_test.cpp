// The examples, as whoever first meets nnc uses them: checked, trained, looked at, and put to work on tables.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "page_checker.h"
#include "run.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string credit = "examples/data/german_credit.csv";
const std::string temperature_table = "examples/data/daily_min_temperatures.csv";
const std::string digit_images = "examples/data/mnist-images-idx3-ubyte.gz";

std::string read(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The cells of a line without quotes.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line);
  for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
  return cells;
}

// A folder of its own with a run of the example in it.
struct TrainedExample {
  ModelFile folder{""};
  std::string run_folder;
  std::vector<json> events;

  TrainedExample(const std::string& name, const std::vector<std::string>& settings = {}) {
    run_folder = folder.folder + "/" + name + "-1";
    std::vector<std::string> words = {"train", "examples/" + name + ".nn", "--json", "--run-dir=" + folder.folder};
    words.insert(words.end(), settings.begin(), settings.end());
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
    if (ran.code == 0) events = ran.json();
  }
  std::vector<json> epochs() const {
    std::vector<json> found;
    std::copy_if(events.begin(), events.end(), std::back_inserter(found),
                 [](const json& event) { return event["event"] == "epoch"; });
    return found;
  }
  const json& end() const { return events.back(); }
  json info() const { return json::parse(read(run_folder + "/run.json")); }

  // With the weights kept, eval finds what training ended with.
  void expect_same_measures() const {
    const Ran ran = run({"eval", run_folder, "--json"});
    ASSERT_EQ(ran.code, 0) << ran.err;
    const json parts = ran.json().at(0), known = info();
    for (const char* part : {"val", "test"}) {
      if (!known.contains(part) || known[part].empty()) continue;
      for (const auto& [name, value] : known[part].items()) {
        const json& measured = parts[part]["measures"].at(name);
        if (!value.is_number()) {
          EXPECT_EQ(measured, value) << name;
        } else {
          EXPECT_NEAR(measured.get<double>(), value.get<double>(), 1e-9) << part << "." << name;
        }
      }
    }
  }

  // The page of `nnc report`, which is well formed and names `charts`.
  void expect_report(const std::vector<std::string>& charts) const {
    const Ran ran = run({"report", run_folder});
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.out, run_folder + "/report.html\n");
    const std::string page = read(run_folder + "/report.html");
    EXPECT_EQ(nnc::test::trouble_in(page), "");
    for (const std::string& chart : charts) EXPECT_NE(page.find(chart), std::string::npos) << chart;
  }

  // The lines of the table that predict writes, the header first.
  std::vector<std::string> predict(const std::string& input) const {
    const std::string output = folder.folder + "/predicted.csv";
    const Ran ran = run({"predict", run_folder, "--input", input, "--output", output});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.out, "");
    std::vector<std::string> lines = lines_of(read(output));
    EXPECT_FALSE(lines.empty());
    if (lines.empty()) lines.emplace_back();
    return lines;
  }
};

TEST(Examples, AreAllChecked) {
  int found = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(NNC_SOURCE_DIR) / "examples")) {
    if (entry.path().extension() != ".nn") continue;
    ++found;
    const Ran ran = run({"check", entry.path().string()});
    EXPECT_EQ(ran.code, 0) << entry.path() << ran.err;
    EXPECT_EQ(ran.err, "") << entry.path() << " has a warning";
    const Ran lost = run({"check", entry.path().string(), "data.source=csv(\"nowhere.csv\")", "--json"});
    EXPECT_EQ(lost.code, 3) << entry.path() << lost.out;
    EXPECT_EQ(lost.json().size(), 1u) << "only the data are wrong: " << lost.out;
  }
  EXPECT_GE(found, 6);
}

TEST(Examples, BcnetIsTheWholeCourse) {
  const TrainedExample bcnet("bcnet");
  ASSERT_FALSE(bcnet.events.empty());
  EXPECT_EQ(bcnet.end()["status"], "stopped_early");
  EXPECT_EQ(bcnet.end()["restored"], true);
  const auto epochs = bcnet.epochs();
  EXPECT_LT(epochs.size(), 100u);
  const json best = epochs.at(bcnet.end()["best_epoch"].get<size_t>() - 1);
  EXPECT_GE(best["val"]["auc"], 0.75);
  EXPECT_LT(epochs.back()["train"]["bce"], epochs.front()["train"]["bce"]);
  bcnet.expect_same_measures();
  bcnet.expect_report({"ROC", "alibration", "onfusion", "<figcaption>auc", "<figcaption>loss", "fc1.weight", "amount",
                       "best epoch", "learning rate"});

  const auto lines = bcnet.predict(credit);
  EXPECT_EQ(lines[0], "p,predicted_risk");
  ASSERT_EQ(lines.size(), 1001u);
  const auto table = lines_of(read(fs::path(NNC_SOURCE_DIR) / credit));
  int right = 0;
  for (size_t row = 1; row < lines.size(); ++row) {
    const auto cells = cells_of(lines[row]);
    EXPECT_EQ(cells.at(1), std::stod(cells.at(0)) > 0.5 ? "2" : "1");
    right += cells.at(1) == std::string(1, table.at(row).back());
  }
  EXPECT_GE(right, 740) << "of 1000, of which 700 are of one class";
}

// New rows know no target: their cells may be empty, or the column absent, and other columns may stand in any order.
TEST(Examples, PredictionNeedsNoTarget) {
  const TrainedExample bcnet("bcnet", {"train.epochs=2"});
  const auto table = lines_of(read(fs::path(NNC_SOURCE_DIR) / credit));
  const auto all = bcnet.predict(credit);
  std::string empty = table[0] + "\n", absent = table[0].substr(0, table[0].rfind(',')) + "\n", turned;
  for (size_t row = 1; row <= 20; ++row) {
    const std::string inputs = table[row].substr(0, table[row].rfind(','));
    empty += inputs + ",\n";
    absent += inputs + "\n";
  }
  for (size_t row = 0; row <= 20; ++row) {
    auto cells = cells_of(table[row]);
    std::reverse(cells.begin(), cells.end());
    turned += fmt::format("{}\n", fmt::join(cells, ","));
  }
  for (const std::string& text : {empty, absent, turned}) {
    std::ofstream(bcnet.folder.folder + "/new.csv", std::ios::binary) << text;
    const auto lines = bcnet.predict(bcnet.folder.folder + "/new.csv");
    ASSERT_EQ(lines.size(), 21u);
    for (size_t row = 0; row <= 20; ++row) {
      const auto near = [&](const std::string& line) { return std::stod(line); };
      if (row == 0) {
        EXPECT_EQ(lines[0], all[0]);
      } else {
        EXPECT_NEAR(near(lines[row]), near(all[row]), 1e-5);
      }
    }
  }
}

TEST(Examples, TemperaturesAreForecast) {
  const TrainedExample temperatures("temperatures");
  ASSERT_FALSE(temperatures.events.empty());
  const json best = temperatures.epochs().at(temperatures.end()["best_epoch"].get<size_t>() - 1);
  EXPECT_GE(best["val"]["r2"], 0.6);
  temperatures.expect_same_measures();
  temperatures.expect_report({"esiduals", "R²", "RMSE", "<figcaption>r2", "<figcaption>mae"});

  // A window a line; the last one ends with the table's last day and forecasts the day after it.
  const auto lines = temperatures.predict(temperature_table);
  EXPECT_EQ(lines[0], "temperature,predicted_Temp");
  const auto table = lines_of(read(fs::path(NNC_SOURCE_DIR) / temperature_table));
  const size_t days = table.size() - 1;
  ASSERT_EQ(lines.size() - 1, days - 14 + 1);
  // In degrees, near what came: line k forecasts day k + 14.
  double sum = 0;
  for (size_t k = 0; k + 14 < days; ++k) {
    const double came = std::stod(cells_of(table[1 + k + 14]).at(1));
    const double error = std::stod(cells_of(lines[1 + k]).at(1)) - came;
    sum += error * error;
  }
  EXPECT_LT(std::sqrt(sum / static_cast<double>(days - 14)), 2.6) << "the series itself has a deviation of 4.1 degrees";
}

TEST(Examples, MultilabelHasAProbabilityALabel) {
  const TrainedExample multilabel("multilabel", {"train.epochs=20"});
  ASSERT_FALSE(multilabel.events.empty());
  const auto epochs = multilabel.epochs();
  EXPECT_LT(epochs.back()["val"]["cce"].get<double>(), 0.8 * epochs.front()["val"]["cce"].get<double>());
  EXPECT_GT(epochs.back()["val"]["accuracy"].get<double>(), 0.8);
  multilabel.expect_same_measures();
  multilabel.expect_report({"y: telephone", "y: other_plans", "<figcaption>micro_f1"});
  const auto lines = multilabel.predict(credit);
  EXPECT_EQ(lines[0], "p_telephone,p_foreign_worker,p_housing,p_other_plans");
  EXPECT_EQ(lines.size(), 1001u);
  EXPECT_EQ(cells_of(lines[1]).size(), 4u);
}

TEST(Examples, DigitsAreRecognised) {
  const TrainedExample digits("digits", {"train.epochs=1", "hidden=32"});
  ASSERT_FALSE(digits.events.empty());
  EXPECT_GT(digits.epochs().back()["val"]["accuracy"].get<double>(), 0.85);
  EXPECT_GT(digits.epochs().back()["val"]["top3"].get<double>(), 0.95);
  digits.expect_same_measures();
  digits.expect_report({"onfusion", "<figcaption>accuracy", "<figcaption>top3", "linear.weight"});
  const auto lines = digits.predict("images=" + digit_images);
  EXPECT_EQ(lines[0],
            "probs_0,probs_1,probs_2,probs_3,probs_4,probs_5,probs_6,probs_7,probs_8,probs_9,predicted_labels");
  ASSERT_EQ(lines.size(), 12001u);
  const auto cells = cells_of(lines[1]);
  double sum = 0;
  size_t largest = 0;
  for (size_t k = 0; k < 10; ++k) {
    sum += std::stod(cells.at(k));
    if (std::stod(cells[k]) > std::stod(cells[largest])) largest = k;
  }
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_EQ(cells.at(10), std::to_string(largest));
}

TEST(Examples, TheOthersLearn) {
  const std::map<std::string, std::vector<std::string>> others = {{"breast_cancer", {"train.epochs=10"}},
                                                                  {"mnist_mlp", {"train.epochs=1"}}};
  for (const auto& [name, settings] : others) {
    const TrainedExample example(name, settings);
    ASSERT_FALSE(example.events.empty()) << name;
    EXPECT_GT(example.epochs().back()["val"]["accuracy"].get<double>(), 0.85) << name;
  }
}

}  // namespace
