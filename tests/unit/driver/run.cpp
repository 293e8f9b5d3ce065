#include "run.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <algorithm>
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
  const auto given = [&](const std::string& option) {
    return std::any_of(words.begin(), words.end(), [&](const std::string& word) { return word.starts_with(option); });
  };
  if (words.size() > 1 && words[1] == "train" && !given("--run-dir") && !given("--help")) words.push_back("--no-save");
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

Ran run_limited(int64_t bytes, const std::vector<std::string>& arguments) {
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit = {static_cast<rlim_t>(bytes), before.rlim_max};
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  Ran ran = run(arguments);
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  return ran;
}

ModelFile::ModelFile(const std::string& text, const std::string& csv) {
  std::string pattern = (std::filesystem::temp_directory_path() / "nnc-driver-XXXXXX").string();
  folder = mkdtemp(pattern.data());
  path = folder + "/net.nn";
  std::ofstream(path) << text;
  if (!csv.empty()) std::ofstream(folder + "/data.csv") << csv;
}

ModelFile::~ModelFile() { std::filesystem::remove_all(folder); }
