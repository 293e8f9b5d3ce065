// tests/goldens/diagnostics/NAME.nn against NAME.expected. NNC_BLESS=1 rewrites the expectations.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include "frontend/diagnostics.h"
#include "render_diagnostics.h"

namespace {

namespace fs = std::filesystem;

const fs::path goldens = fs::path(NNC_SOURCE_DIR) / "tests" / "goldens";

std::string read(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<fs::path> files_with(const fs::path& folder, const std::string& extension) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == extension) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

TEST(DiagnosticGoldens, MatchTheirExpectations) {
  bool bless = std::getenv("NNC_BLESS") != nullptr;
  std::vector<fs::path> inputs = files_with(goldens / "diagnostics", ".nn");
  ASSERT_FALSE(inputs.empty());
  for (const fs::path& input : inputs) {
    SCOPED_TRACE(input.string());
    // A file that another golden imports has no expectation of its own.
    if (input.stem().string().starts_with("imported_")) continue;
    std::string actual = render_all_diagnostics(input.string());
    EXPECT_FALSE(actual.empty()) << "the golden shows no diagnostic";
    fs::path expectation = fs::path(input).replace_extension(".expected");
    if (bless) {
      std::ofstream(expectation, std::ios::binary) << actual;
    } else {
      EXPECT_EQ(read(expectation), actual) << "NNC_BLESS=1 accepts the new text";
    }
  }
}

// What a diagnostic says and where, without the help that follows: its first line.
std::set<std::string> first_lines(const std::string& rendered) {
  std::set<std::string> lines;
  std::istringstream text(rendered);
  for (std::string line; std::getline(text, line);) {
    if (line.find(": error[") != std::string::npos) lines.insert(line);
  }
  return lines;
}

// Where the data cannot be read, mistakes that need the data are not found; all that are found are mistakes.
TEST(DiagnosticGoldens, WithoutTheDataNothingElseIsSaid) {
  size_t found = 0, all = 0;
  for (const fs::path& input : files_with(goldens / "diagnostics", ".nn")) {
    SCOPED_TRACE(input.string());
    if (input.stem().string().starts_with("imported_")) continue;
    const std::set<std::string> known = first_lines(render_all_diagnostics(input.string()));
    const std::set<std::string> unknown = first_lines(render_all_diagnostics(input.string(), DataTypes::unknown));
    for (const std::string& line : unknown) EXPECT_TRUE(known.contains(line)) << line;
    found += unknown.size();
    all += known.size();
  }
  EXPECT_GT(2 * found, all) << "most mistakes show without the data";
}

TEST(DiagnosticGoldens, CoverEveryKind) {
  std::string all;
  for (const fs::path& expectation : files_with(goldens, ".expected")) all += read(expectation);
  for (const nnc::DiagnosticInfo& kind : nnc::all_diagnostic_kinds()) {
    EXPECT_NE(all.find("[" + std::string(kind.code) + "]"), std::string::npos)
        << kind.code << " " << kind.name << " is in no file below tests/goldens";
  }
}

TEST(DiagnosticKinds, HaveTheirOwnCodeAndAnExplanation) {
  for (const nnc::DiagnosticInfo& kind : nnc::all_diagnostic_kinds()) {
    EXPECT_EQ(kind.code.size(), 4u) << kind.code;
    EXPECT_EQ(kind.code[0], kind.severity == nnc::Severity::error ? 'E' : 'W') << kind.code;
    EXPECT_GT(kind.explanation.size(), 40u) << kind.code;
    for (const nnc::DiagnosticInfo& other : nnc::all_diagnostic_kinds()) {
      EXPECT_TRUE(&kind == &other || kind.code != other.code) << kind.code << " is used twice";
    }
  }
}

}  // namespace
