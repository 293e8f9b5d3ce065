// Where a step's time goes: per kernel with its lines of the model, against what this machine can do.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "driver/limits.h"
#include "runtime/session.h"

namespace nnc {

struct ProfiledRegion {
  std::string kernel;
  std::string source;  // "net.nn:8,12"
  double us = 0;       // of a call of the entry: the mean over calls and threads
  double wait_us = 0;  // at the barrier behind it, where it is the last of its phase
  double gflops = 0;   // of all threads together
  double gbytes = 0;   // bytes it must touch at least, each once
};

struct StepProfile {
  std::string entry;
  int64_t batch = 0, calls = 0, threads = 0;
  double us = 0;                        // of a call
  std::vector<ProfiledRegion> regions;  // the slowest first
};

// What the session's counters say about an entry. Requires: the executable was compiled to be profiled, and the entry
// called at least once.
StepProfile read_profile(const Session& session, const Entry& entry);

// As a table, with the share of the nearer limit: of the multiply-adds or of the memory's bandwidth.
std::string print_profile(const StepProfile& profile, const MachineLimits& limits);
nlohmann::json profile_json(const StepProfile& profile, const MachineLimits& limits);

}  // namespace nnc
