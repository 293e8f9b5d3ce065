// A program in memory, ready to run: its segments, its team of threads, and its entries bound to the fields of a
// dataset.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "runtime/data/dataset.h"
#include "runtime/executable.h"
#include "runtime/measuring.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

namespace nnc {

// The counters of an entry compiled to be profiled.
struct EntryTicks {
  std::vector<std::vector<uint64_t>> threads;  // as nnc_context::ticks
  int64_t calls = 0;                           // of the entry so far
};

struct Session {
  const Executable* executable = nullptr;  // outlives the session
  AlignedBuffer state, arena, scratch;
  std::unique_ptr<Team> team;
  std::vector<nnc_context> contexts;  // one a thread
  std::vector<EntryTicks> ticks;      // one an entry; empty unless compiled to be profiled
};

// Allocates all a program needs; E650 where that does not fit. threads ≥ 1.
tl::expected<Session, RuntimeErrors> open_session(const Executable& executable, int64_t threads);

// Writes `seed` and step 0 into the states of those names, and calls the entry "initialize" where there is one.
void initialize(Session& session, uint64_t seed);

// Sets a scalar state; false if there is none of that name.
bool set_scalar_state(Session& session, std::string_view name, double value);

// One call of the entry by all threads. `io` as in Entry::io. Allocates nothing, locks nothing.
void run_entry(Session& session, const Entry& entry, void* const* io);

// An entry with memory for its io. What it reads from the dataset has two buffers, so that one can be filled while the
// other is read.
struct BoundEntry {
  struct Feed {
    size_t io;
    const DataField* field;
  };
  struct Scalar {
    IoTensor::Role role;  // loss or metric
    std::string name;
    const float* value;
  };
  const Entry* entry = nullptr;
  AlignedBuffer memory;
  std::vector<void*> io[2];
  std::vector<Feed> feeds;
  std::vector<Scalar> scalars;
  std::vector<CollectedTensor> collected;
  // Set by open_pass where metrics are computed from all rows of a pass.
  const Measuring::Function* measuring = nullptr;
};

// Inputs and targets are fed by the dataset's fields of their names; E611 where one is missing or of another type or
// shape.
tl::expected<BoundEntry, RuntimeErrors> bind_entry(const Entry& entry, const Dataset& dataset);

// Copies the rows (as many as the entry's batch) of each field into one of the two sides. `following`: those of the
// batch after it.
void fill_batch(const BoundEntry& bound, std::span<const uint32_t> rows, size_t side,
                std::span<const uint32_t> following = {});

}  // namespace nnc
