// The folders' layering and the size of files, checked over the text of the sources.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace nnc {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLines = 500;

struct SourceFile {
  std::string path;  // from the root of the sources
  std::vector<std::string> lines;
};

struct Include {
  std::string path;
  std::string target;
};

// What a folder may include of ours: folders end in '/', others are files.
struct Rule {
  std::string_view folder;
  std::vector<std::string_view> allowed;
};

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = {
      {"ir", {"ir/"}},
      {"frontend", {"frontend/", "ir/"}},
      {"passes", {"passes/", "ir/"}},
      {"codegen", {"codegen/", "ir/", "runtime/executable.h"}},
      {"runtime", {"runtime/"}},
      {"driver", {"driver/", "frontend/", "passes/", "codegen/", "runtime/", "ir/"}},
  };
  return all;
}

std::vector<SourceFile> read_folder(std::string_view folder) {
  std::vector<SourceFile> files;
  const fs::path root = NNC_SOURCE_DIR;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / folder)) {
    const std::string extension = entry.path().extension();
    if (extension != ".cpp" && extension != ".h" && extension != ".def") continue;
    SourceFile file{fs::relative(entry.path(), root).string(), {}};
    std::ifstream text(entry.path());
    for (std::string line; std::getline(text, line);) file.lines.push_back(line);
    files.push_back(std::move(file));
  }
  return files;
}

// Includes written with quotes, or with angle brackets if `angled`.
std::vector<Include> includes_of(const SourceFile& file, bool angled) {
  std::vector<Include> includes;
  for (const std::string& line : file.lines) {
    const size_t first = line.find_first_not_of(" \t");
    if (first == std::string::npos || line[first] != '#') continue;
    const size_t word = line.find_first_not_of(" \t", first + 1);
    if (word == std::string::npos || line.compare(word, 7, "include") != 0) continue;
    const size_t open = line.find(angled ? '<' : '"', word);
    const size_t close = open == std::string::npos ? open : line.find(angled ? '>' : '"', open + 1);
    if (close != std::string::npos) includes.push_back({file.path, line.substr(open + 1, close - open - 1)});
  }
  return includes;
}

bool is_llvm(const std::string& target) { return target.rfind("llvm/", 0) == 0 || target.rfind("llvm-c/", 0) == 0; }

bool is_ours(const std::string& target) { return fs::exists(fs::path(NNC_SOURCE_DIR) / target); }

bool may_include(const Rule& rule, const std::string& target) {
  return std::any_of(rule.allowed.begin(), rule.allowed.end(), [&](std::string_view allowed) {
    return allowed.back() == '/' ? target.rfind(allowed, 0) == 0 : target == allowed;
  });
}

TEST(IncludeRules, folders_include_only_what_lies_below_them) {
  for (const Rule& rule : rules()) {
    size_t seen = 0;
    for (const SourceFile& file : read_folder(rule.folder)) {
      for (const Include& include : includes_of(file, false)) {
        if (is_llvm(include.target)) continue;
        ++seen;
        EXPECT_TRUE(is_ours(include.target))
            << include.path << " includes " << include.target << ", which is not written from the root";
        EXPECT_TRUE(may_include(rule, include.target)) << include.path << " may not include " << include.target;
      }
      for (const Include& include : includes_of(file, true)) {
        EXPECT_FALSE(is_ours(include.target))
            << include.path << " includes <" << include.target << ">; ours are quoted";
      }
    }
    EXPECT_GT(seen, 20u) << rule.folder;
  }
}

TEST(IncludeRules, llvm_stays_inside_codegen) {
  size_t seen = 0;
  for (const Rule& rule : rules()) {
    for (const SourceFile& file : read_folder(rule.folder)) {
      for (const bool angled : {false, true}) {
        for (const Include& include : includes_of(file, angled)) {
          if (!is_llvm(include.target)) continue;
          ++seen;
          EXPECT_TRUE(rule.folder == "codegen" && file.path != "codegen/codegen.h")
              << file.path << " includes " << include.target;
        }
      }
    }
  }
  EXPECT_GT(seen, 10u);
}

// Nor does codegen's public header reach LLVM by way of a private one.
TEST(IncludeRules, the_public_header_of_codegen_includes_no_other_of_it) {
  size_t seen = 0;
  for (const SourceFile& file : read_folder("codegen")) {
    if (file.path != "codegen/codegen.h") continue;
    for (const Include& include : includes_of(file, false)) {
      ++seen;
      EXPECT_NE(include.target.rfind("codegen/", 0), 0u) << include.target;
    }
  }
  EXPECT_GT(seen, 0u);
}

TEST(SourceFiles, are_short) {
  for (const char* folder : {"ir", "frontend", "passes", "codegen", "runtime", "driver", "tests", "bench"}) {
    for (const SourceFile& file : read_folder(folder)) {
      EXPECT_LE(file.lines.size(), kMostLines) << file.path;
    }
  }
}

}  // namespace
}  // namespace nnc
