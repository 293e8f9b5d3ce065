// Ways to touch memory: masks, strides, gathers, booleans, scalars under a condition.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "harness.h"

namespace nnc::test {
namespace {

constexpr DType all_types[] = {DType::boolean, DType::i32, DType::i64, DType::bf16, DType::f32, DType::f64};

// x[first + lane * step] under a mask of the lanes whose number is in [low, high), copied to y[lane] under it too.
// `turns` > 1 moves the mask and the place with the loop, so that neither is known when the kernel is compiled.
Kernel masked_copy(const Target& target, DType dtype, int64_t step, int64_t low, int64_t high, int64_t turns) {
  KernelBuilder b(target);
  const int64_t lanes = target.lanes, extent = 64 * lanes;
  const BufferId x = b.buffer("x", dtype, {extent}, LoopBuffer::in);
  const BufferId y = b.buffer("y", dtype, {turns * lanes}, LoopBuffer::inout);
  const VarId n = b.var("n", LoopVar::loop, 0, turns);
  const ValueId mask = b.value("m", DType::boolean, true), value = b.value("v", dtype, true);
  LoopStmt within = b.define(mask, LoopOp::within, {});
  within.affine = Affine::of(n);
  within.low = low;
  within.high = high;
  LoopStmt load = b.load(value, x, Affine::of(16 * lanes) + Affine::of(n));
  load.access.lane_step = step;
  load.access.mask = mask;
  LoopStmt store = b.store(y, Affine::of(n, lanes), value);
  store.access.mask = mask;
  b.once({b.loop(n, {within, load, store})});
  b.kernel.name = fmt::format("copy_{}_step{}_{}_{}", name_of(dtype), step, low, high);
  return b.kernel;
}

TEST(Access, MaskedStridedReversedAndRepeated) {
  for (const Target& target : targets()) {
    std::vector<Case> cases;
    for (DType dtype : all_types) {
      for (int64_t step : {1, -1, 0, 2, -3}) {
        for (auto [low, high] : {std::pair<int64_t, int64_t>{0, 1000}, {0, 5}, {2, 4}, {500, 600}}) {
          cases.push_back(
              {masked_copy(target, dtype, step, low, high, 3), {special_elements(dtype, 64 * target.lanes, 3)}});
        }
      }
    }
    expect_bit_equal(cases);
  }
}

TEST(Access, MaskKnownAtCompileTimeFoldsAway) {
  const Target target = targets().front();
  const std::string all = emit_llvm(module_of({masked_copy(target, DType::f32, 1, 0, 1000, 3)}));
  EXPECT_EQ(all.find("masked"), std::string::npos);
  const std::string none = emit_llvm(module_of({masked_copy(target, DType::f32, 1, 500, 600, 3)}));
  EXPECT_EQ(none.find("store"), std::string::npos);
  const std::string some = emit_llvm(module_of({masked_copy(target, DType::f32, 1, 0, 5, 3)}));
  EXPECT_NE(some.find("masked.load"), std::string::npos);
  EXPECT_NE(some.find("masked.store"), std::string::npos);
}

// y[lane] = x[row, index[lane]] and, if `scatter`, z[index[lane], 0] = y[lane]; masked or not.
Kernel gather(const Target& target, DType dtype, bool masked, bool scatter) {
  KernelBuilder b(target);
  const int64_t lanes = target.lanes;
  const BufferId x = b.buffer("x", dtype, {3, 40}, LoopBuffer::in);
  const BufferId at = b.buffer("at", DType::i32, {lanes}, LoopBuffer::in);
  const BufferId y = b.buffer("y", dtype, {3, lanes}, LoopBuffer::out);
  const BufferId z = b.buffer("z", dtype, {40, 2}, LoopBuffer::inout);
  const VarId row = b.var("row", LoopVar::loop, 0, 3);
  const ValueId index = b.value("i", DType::i32, true), value = b.value("v", dtype, true),
                mask = b.value("m", DType::boolean, true);
  LoopStmt within = b.define(mask, LoopOp::within, {});
  within.affine = Affine::of(row);
  within.high = lanes - 1;
  LoopStmt load = b.load(value, x, Affine::of(row));
  load.access.indices.push_back({Affine::of(1), index});
  load.access.lane_step = 0;
  LoopStmt store = b.store(y, Affine::of(row), value);
  store.access.indices.push_back({});
  LoopStmt put = b.store(z, Affine::of(0), value);
  put.access.indices[0].dynamic = index;
  put.access.indices.push_back({Affine::of(1), {}});
  put.access.lane_step = 0;
  if (masked) load.access.mask = put.access.mask = mask;
  std::vector<LoopStmt> body = {within, load, store};
  if (scatter) body.push_back(put);
  b.once({b.load(index, at, Affine::of(0)), b.loop(row, body)});
  b.kernel.name = fmt::format("gather_{}{}{}", name_of(dtype), masked ? "_masked" : "", scatter ? "_scatter" : "");
  return b.kernel;
}

TEST(Access, GatherAndScatter) {
  for (const Target& target : targets()) {
    std::vector<int32_t> at;
    for (int lane = 0; lane < target.lanes; ++lane) at.push_back((lane * 7) % 37);
    std::vector<Case> cases;
    for (DType dtype : all_types) {
      for (bool masked : {false, true}) {
        for (bool scatter : {false, true}) {
          cases.push_back({gather(target, dtype, masked, scatter), {special_elements(dtype, 120, 5), bytes_of(at)}});
        }
      }
    }
    expect_bit_equal(cases);
  }
}

// A row chosen by a scalar read from memory, copied as a vector; scalars read and written where a condition holds.
TEST(Access, DynamicRowsAndConditionalScalars) {
  for (const Target& target : targets()) {
    for (DType dtype : {DType::i32, DType::i64}) {
      KernelBuilder b(target);
      const int64_t lanes = target.lanes;
      const BufferId x = b.buffer("x", DType::f32, {9, lanes}, LoopBuffer::in);
      const BufferId rows = b.buffer("rows", dtype, {5}, LoopBuffer::in);
      const BufferId y = b.buffer("y", DType::f32, {5, lanes}, LoopBuffer::out);
      const BufferId z = b.buffer("z", DType::f32, {5}, LoopBuffer::inout);
      const VarId k = b.var("k", LoopVar::loop, 0, 5);
      const ValueId row = b.value("row", dtype, false), value = b.value("v", DType::f32, true);
      const ValueId even = b.value("c", DType::boolean, false), one = b.value("s", DType::f32, false);
      LoopStmt load = b.load(value, x, Affine::of(0));
      load.access.indices[0].dynamic = row;
      load.access.indices.push_back({});
      LoopStmt store = b.store(y, Affine::of(k), value);
      store.access.indices.push_back({});
      LoopStmt compare = b.define(even, LoopOp::compare, {{row, 0}, {{}, 4}});
      compare.comparison = Comparison::lt;
      LoopStmt pick = b.load(one, x, Affine::of(0));
      pick.access.indices[0].dynamic = row;
      pick.access.indices.push_back({Affine::of(1), {}});
      pick.access.mask = even;
      LoopStmt put = b.store(z, Affine::of(k), one);
      LoopStmt put_some = b.store(z, Affine::of(k), one);
      put_some.access.mask = even;
      b.once({b.loop(k, {b.load(row, rows, Affine::of(k)), load, store, compare, pick, put_some})});
      const Bytes numbers = dtype == DType::i32 ? bytes_of(std::vector<int32_t>{8, 0, 3, 7, 1})
                                                : bytes_of(std::vector<int64_t>{8, 0, 3, 7, 1});
      expect_bit_equal({{b.kernel, {special_elements(DType::f32, 9 * lanes, 9), numbers}}});
      b.kernel.body[0].body[0].body.back() = put;
      expect_bit_equal({{b.kernel, {special_elements(DType::f32, 9 * lanes, 9), numbers}}});
    }
  }
}

}  // namespace
}  // namespace nnc::test
