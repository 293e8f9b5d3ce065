// tests/goldens/data/NAME.nn, checked beside its data, against NAME.expected. NNC_BLESS=1 rewrites the expectations.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "run.h"
#include "runtime/error.h"

namespace {

namespace fs = std::filesystem;

const fs::path goldens = fs::path(NNC_SOURCE_DIR) / "tests" / "goldens" / "data";

std::string read(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<fs::path> models() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(goldens)) {
    if (entry.path().extension() == ".nn") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

TEST(DataGoldens, MatchTheirExpectations) {
  ASSERT_FALSE(models().empty());
  for (const fs::path& model : models()) {
    SCOPED_TRACE(model.string());
    const Ran ran = run_in("tests/goldens/data", {"check", model.filename().string()});
    EXPECT_EQ(ran.out, "");
    const std::string actual = ran.err + "exit " + std::to_string(ran.code) + "\n";
    const fs::path expectation = fs::path(model).replace_extension(".expected");
    if (std::getenv("NNC_BLESS") != nullptr) {
      std::ofstream(expectation, std::ios::binary) << actual;
    } else {
      EXPECT_EQ(read(expectation), actual) << "NNC_BLESS=1 accepts the new text";
    }
  }
}

TEST(DataGoldens, CoverEveryErrorOfTheRuntime) {
  std::string all;
  for (const fs::path& model : models()) all += read(fs::path(model).replace_extension(".expected"));
  // Those of runs and checkpoints: runs_test.cpp.
  for (const auto& entry : fs::directory_iterator(goldens.parent_path() / "run_errors")) all += read(entry.path());
  for (const nnc::ErrorCode code : nnc::all_error_codes()) {
    EXPECT_NE(all.find("[" + std::string(nnc::name_of(code)) + "]"), std::string::npos) << nnc::name_of(code);
    EXPECT_EQ(run({"explain", std::string(nnc::name_of(code))}).code, 0) << nnc::name_of(code);
  }
}

}  // namespace
