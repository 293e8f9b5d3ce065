// Executables (native, or interpreters dressed as such) run with guarded memory: io tensors lie at the smallest
// alignment allowed between guard bytes, arena and scratch hold NaNs before every call.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "frontend/frontend.h"
#include "passes/pipeline.h"
#include "runtime/session.h"
#include "tests/unit/passes/lowering_harness.h"

namespace nnc::testing {

// The program of a model's text at these batch lengths. Diagnostics fail the test; the program is empty then.
Program program_of(const std::string& text, const std::vector<FieldType>& fields, const std::vector<int64_t>& batches);

// Both keep `lowered` alive or copy what they need. An error of compilation aborts.
Executable native(const LoopModule& module);
Executable interpreted(std::shared_ptr<const Lowered> lowered);

// A test for each target by name, skipped where this machine cannot run it.
class OnTarget : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override;
  Target target;
};

class Runner {
 public:
  Runner(Executable executable, int64_t threads);

  // Seed and step 0, then the entry "initialize".
  void start(uint64_t seed);
  // `values`: row-major bytes of the state's type. Mirrors of the state are stale until the entry "refresh".
  void set_state(const std::string& name, const Bytes& values);
  Bytes state(const std::string& name) const;
  // Every state's bytes in row-major order, one after another.
  std::vector<std::byte> states_in_order() const;
  const std::vector<StateTensor>& states() const { return executable_->states; }

  bool has(const std::string& entry, int64_t batch) const { return executable_->find(entry, batch) != nullptr; }
  // As LoopRunner::run. A write beside an io tensor fails the test.
  void run(const std::string& entry, int64_t batch, LoopRunner::Io& io);

 private:
  std::unique_ptr<Executable> executable_;  // where the session finds it
  Session session_;
};

// "" or the first element of `type` whose bits differ. Any NaN equals any other, a denormal the zero of its sign.
std::string compare_bits(DType dtype, const Bytes& expected, const Bytes& got);

}  // namespace nnc::testing
