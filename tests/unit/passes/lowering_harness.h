// Runs lowered programs through the interpreter of the Loop IR, and op samples against the Graph's interpreter.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ir/loop/loop.h"
#include "ir/ops/op.h"
#include "passes/pipeline.h"
#include "tests/unit/passes/graph_testing.h"

namespace nnc::testing {

// 64-byte aligned memory.
struct Line {
  alignas(64) std::byte bytes[64];
};
class Bytes {
 public:
  Bytes() = default;
  // Requires: size >= 0. Filled with `fill`.
  explicit Bytes(int64_t size, int fill = 0);
  std::byte* data() { return lines_.empty() ? nullptr : lines_[0].bytes; }
  const std::byte* data() const { return lines_.empty() ? nullptr : lines_[0].bytes; }
  int64_t size() const { return size_; }

 private:
  int64_t size_ = 0;
  std::vector<Line> lines_;
};

// One element as it lies in memory; values are rounded to the dtype.
double read_element(DType dtype, const std::byte* at);
void write_element(DType dtype, std::byte* at, double value);
Bytes to_bytes(const ReferenceTensor& tensor);
ReferenceTensor from_bytes(const TensorType& type, const Bytes& bytes);

// The optional passes of the Plan in their trivial forms.
std::set<std::string> plan_passes();

// One persistent segment and whatever its entries need besides. Arena and scratch hold NaNs before every run.
class LoopRunner {
 public:
  // `module` outlives the runner.
  explicit LoopRunner(const LoopModule& module);

  // Writes states in their layouts, and rebuilds mirrors.
  void set_states(const States& states);
  ReferenceTensor state(StateId id) const;
  // Every state's bytes in row-major order, one after another.
  std::vector<std::byte> states_in_order() const;

  using Io = std::map<std::string, Bytes>;
  // Runs an entry; io tensors that it reads are looked up in `io` by name, those it writes are put there;
  // saved values and gradients as "saved:NAME" and "gradient:NAME", as the functions that read them call them.
  void run(const std::string& entry, Io& io, int64_t threads = 1);
  std::vector<std::string> races(const std::string& entry, Io& io, int64_t threads);

 private:
  const LoopEntry* find(const std::string& entry) const;
  std::vector<void*> pointers(const LoopEntry& entry, Io& io);

  const LoopModule& module_;
  Bytes state_, arena_, scratch_;
};

// A sample as function "predict" of a program of its own. `fuse` false: every pass of the Plan is trivial.
Lowered lower_sample(const OpSample& sample, const Target& target, bool fuse);
// Uniform from the sample's ranges, rounded to the inputs' dtypes.
Inputs sample_inputs(const OpSample& sample, uint32_t seed);
// Root "y" of the sample by the oracle.
ReferenceTensor expected_of(const OpSample& sample, const Inputs& inputs);
// "" or the first element that lies farther from the oracle's than the sample allows.
std::string compare(const OpSample& sample, const ReferenceTensor& expected, const ReferenceTensor& got);

}  // namespace nnc::testing
