#include "run_folders.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "driver/commands.h"
#include "runtime/checkpoint/checkpoint.h"

namespace nnc::test {

namespace fs = std::filesystem;

std::string two_class_table(int rows) {
  std::string text = "a,b,kind\n";
  for (int k = 0; k < rows; ++k) {
    const double a = std::sin(k * 12.9898) * 3, b = std::cos(k * 78.233) * 2;
    text += fmt::format("{},{},{}\n", a, b, a * b + std::sin(k * 3.7) > 0 ? "good" : "bad");
  }
  return text;
}

std::string read_text(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string newest_checkpoint(const std::string& run, const char* folder) {
  const nnc::FoundCheckpoints found = nnc::find_checkpoints(run + "/" + folder);
  return found.sound.empty() ? "" : found.sound[0].path;
}

std::string final_states(const std::string& run) {
  std::string all;
  for (const char* folder : {"last", "best"}) {
    const std::string path = newest_checkpoint(run, folder);
    EXPECT_NE(path, "") << run << "/" << folder;
    all += path.substr(path.rfind('/')) + read_text(path + "/model.safetensors") +
           read_text(path + "/optimizer.safetensors");
  }
  return all;
}

std::string metrics_without_seconds(const std::string& run) {
  std::string kept;
  std::istringstream lines(read_text(run + "/metrics.csv"));
  for (std::string line; std::getline(lines, line);) {
    const size_t second = line.find(',', line.find(',') + 1);
    kept += line.substr(0, second) + line.substr(line.find(',', second + 1)) + "\n";
  }
  return kept;
}

int run_and_signal(const std::vector<std::string>& arguments, const std::string& run, int signal, int milliseconds) {
  const std::string before = newest_checkpoint(run, "last");
  const pid_t child = fork();
  if (child == 0) {
    const int nothing = open("/dev/null", O_WRONLY);
    dup2(nothing, 1);
    dup2(nothing, 2);
    std::vector<std::string> words = {"nnc"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    _exit(nnc::run_nnc(static_cast<int>(words.size()), argv.data()));
  }
  int status = 0;
  for (int waited = 0; waited < 60000; waited += 2) {
    if (waitpid(child, &status, WNOHANG) == child) return WEXITSTATUS(status);
    if (newest_checkpoint(run, "last") != before) break;
    usleep(2000);
  }
  usleep(static_cast<useconds_t>(milliseconds) * 1000);
  kill(child, signal);
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace nnc::test
