#include "run.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "driver/commands.h"

std::vector<nlohmann::json> Ran::json() const {
  std::vector<nlohmann::json> lines;
  std::istringstream stream(out);
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

Ran run_in(const std::string& folder, const std::vector<std::string>& arguments) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(std::filesystem::path(NNC_SOURCE_DIR) / folder);
  std::vector<std::string> words = {"nnc"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Ran ran;
  ran.code = nnc::run_nnc(static_cast<int>(words.size()), argv.data());
  ran.out = testing::internal::GetCapturedStdout();
  ran.err = testing::internal::GetCapturedStderr();
  std::filesystem::current_path(before);
  return ran;
}

Ran run(const std::vector<std::string>& arguments) { return run_in(".", arguments); }

ModelFile::ModelFile(const std::string& text, const std::string& csv) {
  std::string pattern = (std::filesystem::temp_directory_path() / "nnc-driver-XXXXXX").string();
  folder = mkdtemp(pattern.data());
  path = folder + "/net.nn";
  std::ofstream(path) << text;
  if (!csv.empty()) std::ofstream(folder + "/data.csv") << csv;
}

ModelFile::~ModelFile() { std::filesystem::remove_all(folder); }
