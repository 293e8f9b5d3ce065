// Where training broke: the epoch's steps done again from its start, up to the one that made the first number that is
// not finite.
#pragma once

#include <cstdint>
#include <functional>

#include "runtime/session.h"

namespace nnc {

// Whether all trained parameters are finite.
bool parameters_finite(const Session& session);

struct BrokenStep {
  int64_t step = 0;          // of the epoch, from 0
  bool loss_finite = false;  // what broke is a parameter
  bool found = false;        // else the same steps did not break again, or `stop` said so
};

// Runs the steps first … last (from 0) again on `session`, whose state is that before step `first`. `run_step` does one
// step and returns whether its losses are finite. Ensures: the session's state is that before the broken step; where
// none is found, that after the last step run.
BrokenStep replay_to_break(Session& session, AlignedBuffer& before, int64_t first, int64_t last,
                           const std::function<bool(int64_t)>& run_step, const std::function<bool()>& stop);

}  // namespace nnc
