// A kernel resolved for stepping: names, types and addresses are looked up once, statements are function pointers.
// Internal to ir/loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ir/loop/loop.h"

namespace nnc {

// Told of every byte range of a buffer that a kernel touches.
struct AccessLog {
  void* context = nullptr;
  void (*touch)(void* context, size_t buffer, int64_t offset, int64_t bytes, bool write) = nullptr;
};

struct Machine {
  int64_t* vars = nullptr;       // current value of each variable
  std::byte* storage = nullptr;  // all values
  std::byte* const* buffers = nullptr;
  int lanes = 1;
  int64_t lo = 0, hi = 0;
  const AccessLog* log = nullptr;
};

// constant + sum of coefficient * variable; in bytes of `storage`, or elements of a buffer.
struct Sum {
  int64_t constant = 0;
  std::vector<std::pair<uint32_t, int64_t>> terms;

  int64_t at(const Machine& m) const {
    int64_t sum = constant;
    for (const auto& [var, coefficient] : terms) sum += m.vars[var] * coefficient;
    return sum;
  }
};

// Where a value (or a literal) lies, and whether its lanes differ.
struct ValueRef {
  Sum place;
  int lane_stride = 0;  // 0: one element for all lanes; 1: a vector

  template <class T>
  T* in(const Machine& m) const {
    return reinterpret_cast<T*>(m.storage + place.at(m));
  }
};

struct Step {
  void (*run)(const Step&, Machine&) = nullptr;
  const LoopStmt* stmt = nullptr;
  int lanes = 1;  // elements computed: 1 or Target::lanes
  DType dtype = DType::f32;
  ValueRef result;
  std::vector<ValueRef> operands;
  Sum affine;  // index, within; of an access: elements from the buffer's base

  // Accesses.
  struct Dynamic {
    ValueRef value;
    bool wide = false;      // i64
    Sum affine;             // the rest of the index
    int64_t lane_step = 0;  // of this axis
    int64_t stride = 0, extent = 0;
  };
  size_t buffer = 0;
  int64_t lane_elements = 0;  // from lane to lane
  std::vector<Dynamic> dynamic;
  bool masked = false;
  ValueRef mask;

  // Tiles: the result, the left and the right factor; `affine` as of an access, `row` elements from row to row.
  struct Block {
    size_t buffer = 0;
    Sum affine;
    int64_t row = 0;
  };
  std::vector<Block> blocks;

  // Blocks.
  std::vector<uint32_t> vars;
  std::vector<std::pair<int64_t, int64_t>> ranges;
  std::vector<Step> body;
};

using StepFunction = void (*)(const Step&, Machine&);

struct ResolvedKernel {
  const Kernel* kernel = nullptr;
  std::vector<Step> body;
  std::vector<std::byte> initial;  // storage: literals in place, all else zero
};

// Requires: verify(kernel) is empty. The kernel outlives the result.
ResolvedKernel resolve(const Kernel& kernel);

// Runs items [lo, hi). The caller flushes denormals.
void run(const ResolvedKernel& kernel, std::span<void* const> buffers, int64_t lo, int64_t hi,
         const AccessLog* log = nullptr);

// interpret_arithmetic.cpp: map ops of one dtype (f32, f64, i32, i64), results like operands.
StepFunction arithmetic_function(LoopOp op, DType dtype, bool fused);
// interpret_functions.cpp: comparisons, casts, selections, random numbers, reductions.
StepFunction compare_function(Comparison comparison, DType dtype);
StepFunction cast_function(DType from, DType to);
StepFunction select_function(DType dtype);
StepFunction copy_function(DType dtype);
StepFunction fold_function(Reduction reduction, DType dtype);
StepFunction lanes_function(Reduction reduction, DType dtype);
StepFunction column_function(DType dtype);
StepFunction any_function(DType operand);
StepFunction other_function(LoopOp op, DType dtype, bool fused);
// interpret_tiles.cpp
void run_tiles(const Step& step, Machine& machine);
// interpret_access.cpp
StepFunction load_function(DType dtype);
StepFunction store_function(DType dtype);

}  // namespace nnc
