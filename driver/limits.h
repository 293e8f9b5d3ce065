// What this machine can do at most, measured there and then: the roofline that a step is held against.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>

#include "ir/target.h"

namespace nnc {

struct MachineLimits {
  double gflops = 0;      // fused multiply-adds of f32 in registers, counted as two operations each
  double gbytes = 0;      // GB/s of a triad over 96 MiB: two streams read, one written
  double barrier_us = 0;  // for all threads to meet: grows tenfold where cores do not share a cache; 0 for one thread
};

// All threads of a team of so many together. Takes some tens of milliseconds. Errors: what LLVM or the loader said, or
// no memory.
tl::expected<MachineLimits, std::string> measure_limits(const Target& target, int64_t threads);

}  // namespace nnc
