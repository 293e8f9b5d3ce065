// The ABI between compiled code and whoever runs it: plain C data, no compiler in sight.
//
// A model compiles to one persistent segment (`state`), one scratch segment (`arena`) and entry points. All threads of
// a team call the same entry with their own `thread`; they meet at barriers the compiler placed. Nothing inside
// allocates or locks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

extern "C" {

// Passed to every entry point. One per thread, alike but for `thread` and `scratch`.
struct nnc_context {
  void* state;      // state_bytes, 64-byte aligned
  void* arena;      // arena_bytes, 64-byte aligned
  void* scratch;    // scratch_bytes of this thread, 64-byte aligned
  void* const* io;  // per io tensor of the entry, in the order of Entry::io; row-major, any alignment of the element
  int64_t thread;   // 0 … threads - 1
  int64_t threads;
  void* team;  // argument of `barrier`
  void (*barrier)(void* team,
                  int64_t thread);  // all threads of the team arrive before any leaves; null when threads == 1
  void* closure;    // of a caller that stands in for compiled code (an interpreter); compiled code never looks at it
  uint64_t* ticks;  // of entries compiled to be profiled: this thread's counters, one for each of Entry::calls, then
                    // one for the barrier behind each phase, in ticks of the time stamp counter
};

typedef void (*nnc_entry)(const nnc_context*);
}

namespace nnc {

enum class ElementType : uint8_t { boolean, i32, i64, bf16, f32, f64 };
int64_t element_size(ElementType type);

// A tensor that the caller passes in or gets back.
struct IoTensor {
  enum Role : uint8_t { input, target, loss, metric, output, gradient, saved, collected };
  Role role = input;
  std::string name;
  ElementType type = ElementType::f32;
  std::vector<int64_t> dims;
  bool written = false;  // by the compiled code; else read
};

// Where a state lies in the segment, and how. Logical element (i0, i1, …) lies at element
// sum over `layout` of ((i[axis] / divisor) % extent) * stride.
struct StateTensor {
  struct Factor {
    int64_t axis, divisor, extent, stride;
  };
  std::string name;
  ElementType type = ElementType::f32;
  std::vector<int64_t> dims;
  int64_t offset = 0;  // bytes from the start of the segment
  int64_t bytes = 0;
  std::vector<Factor> layout;
  bool trained = false;
  std::string slot_of;  // of an optimizer slot: its parameter
};

// A kernel that an entry calls, as a profile names it.
struct EntryCall {
  std::string kernel;
  std::string source;  // "net.nn:8,12"
  int64_t phase = 0;
  double flops = 0, bytes = 0;  // operations; bytes of the buffers it touches, each once
};

struct Entry {
  std::string name;   // "initialize", "step", "forward", "backward", "update", "evaluate", "predict", "refresh"
  int64_t batch = 0;  // rows it takes; 0 where it takes none
  nnc_entry call = nullptr;
  std::vector<IoTensor> io;
  double flops = 0;  // floating-point operations of one call, a fused multiply-add counting as two
  int64_t barriers = 0;
  void* closure = nullptr;       // handed to `call` in its context
  std::vector<EntryCall> calls;  // in order; only where it was compiled to be profiled
};

struct Measuring;  // runtime/measuring.h

// Native code ready to be called, with what is needed to call it. `code` keeps it alive.
struct Executable {
  std::string model;
  std::vector<StateTensor> states;
  std::vector<Entry> entries;
  int64_t state_bytes = 0, arena_bytes = 0,
          scratch_bytes = 0;  // scratch is per thread; arena is the largest of all entries
  std::shared_ptr<void> code;
  std::shared_ptr<const Measuring> measuring;  // of metrics that entries only collect for; null where there are none

  const Entry* find(std::string_view name, int64_t batch) const;  // null if there is none
};

// Copies a state between its layout in the segment and row-major order. `logical` has product(dims) elements.
void read_state(const StateTensor& tensor, const void* segment, void* logical);
void write_state(const StateTensor& tensor, const void* logical, void* segment);

}  // namespace nnc
