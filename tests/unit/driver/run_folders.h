// Runs on disk, and processes that are interrupted while they write one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace nnc::test {

// The file's text; "" if there is none.
std::string read_text(const std::filesystem::path& path);

// A csv file of `rows` rows: numbers a and b, and kind, good or bad, that follows from them.
std::string two_class_table(int rows);

// The newest sound checkpoint in last/ or best/ of a run; "" if there is none.
std::string newest_checkpoint(const std::string& run, const char* folder);

// The states with which a run ended: weights and slots, the last and those of the best epoch. Fails the test where one
// is missing.
std::string final_states(const std::string& run);

// metrics.csv without the seconds, which no two runs share.
std::string metrics_without_seconds(const std::string& run);

// Runs nnc in a process of its own, which gets `signal` a while after its first checkpoint of this start. Returns its
// exit code, or minus the signal that killed it.
int run_and_signal(const std::vector<std::string>& arguments, const std::string& run, int signal, int milliseconds);

}  // namespace nnc::test
