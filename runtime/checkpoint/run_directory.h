// Folders of runs: runs/NAME-1, runs/NAME-2, …, made for one run each and never used again.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "runtime/error.h"

namespace nnc {

// Makes root/NAME-K with the lowest K that is above all there are, and `root` where it is missing. Characters of `name`
// that do not suit a file name become `_`. Errors: E651, E652.
tl::expected<std::string, RuntimeError> create_run_directory(const std::string& root, std::string_view name);

// Removes files that a process left behind which ended while it wrote run.json, config.nn or fitted.json
// (replace_file). Requires: the lock on the run, so that nobody is writing them.
void remove_unfinished(const std::string& directory);

// Files in a run's folder.
constexpr const char* run_info_file = "run.json";
constexpr const char* run_model_file = "config.nn";
constexpr const char* run_fitted_file = "fitted.json";
constexpr const char* run_last_folder = "last";
constexpr const char* run_best_folder = "best";

}  // namespace nnc
