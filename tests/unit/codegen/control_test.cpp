// Loops, items, unrolled families, folds, lane reductions and random numbers in whole kernels.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "harness.h"

namespace nnc::test {
namespace {

// A register-tiled product with rows and columns that do not divide, and K = 7 in turns of `unroll`.
std::string product_text(int lanes, int unroll) {
  return fmt::format(R"({{
  buf x : f32[12,7] in
  buf w : f32[3,7,{n}] in
  buf h : f32[12,{pitch}] out valid(d1<{valid})
  for n in 0..3 {{
    [j<2] q[j] = within {n}*n + {v}*j step 1 in 0..{valid} : boolx{v}
    items r in 0..4 of 4 {{
      [i<3 j<2] var a[i,j] = splat 0 : f32x{v}
      for k in 0..7 unroll {unroll} {{
        [j<2] b[j] = load w[n, k, {v}*j] : f32x{v}
        [i<3] e[i] = load x[3*r + i, k] : f32
        [i<3 j<2] a[i,j] := fma e[i] b[j] a[i,j]
      }}
      [i<3 j<2] store h[3*r + i, {n}*n + {v}*j] a[i,j] mask q[j]
    }}
  }}
}})",
                     fmt::arg("n", 2 * lanes), fmt::arg("v", lanes), fmt::arg("pitch", 6 * lanes),
                     fmt::arg("valid", 5 * lanes + 1), fmt::arg("unroll", unroll));
}

TEST(Control, ProductWithTails) {
  for (const Target& target : targets()) {
    std::vector<Case> cases;
    for (int unroll : {1, 2, 3, 4, 7, 8}) {
      cases.push_back({parse(product_text(target.lanes, unroll), target, 4),
                       {random_elements(DType::f32, 84, -1, 1, 1),
                        random_elements(DType::f32, 3 * 7 * 2 * target.lanes, -1, 1, 2)}});
    }
    for (int64_t threads : {1, 2, 3, 7}) expect_bit_equal(cases, threads);
  }
}

// Where three neighbours are all zero, 1 is not added; `any` reads what was loaded and what was computed.
std::string skipping_text(std::string_view dtype, bool computed) {
  return fmt::format(R"({{
  buf x : {0}[60] in
  buf c : i32[60] inout
  items r in 0..20 of 20 {{
    var n = splat 1 : i32
    [i<3] e[i] = load x[3*r + i] : {0}
    [i<3] f[i] = {1} e[i] : {0}
    q = any over i f[i] : bool
    when q {{
      n := add n 1
      for k in 0..5 unroll 2 {{
        o = load c[3*r + 1] : i32
        m = compare gt o 3 : bool
        when m {{
          n := add n o
        }}
      }}
    }}
    store c[3*r] n
  }}
}})",
                     dtype, computed ? "detach" : "splat");
}

TEST(Control, WhenAnyIsNotZero) {
  for (const Target& target : targets()) {
    std::vector<Case> cases;
    for (DType dtype : {DType::f32, DType::f64, DType::i32, DType::i64, DType::bf16}) {
      for (bool computed : {false, true}) {
        Bytes elements = special_elements(dtype, 60, 5);
        const auto bytes = static_cast<size_t>(size_of(dtype));
        for (size_t group = 0; group < 20; group += 2) {
          std::fill_n(elements.begin() + static_cast<std::ptrdiff_t>(3 * group * bytes), 3 * bytes, std::byte{0});
          if (group % 4 == 0) elements[(3 * group + 2) * bytes - 1] = std::byte{0x80};  // the sign of the second
        }
        cases.push_back({parse(skipping_text(name_of(dtype), computed), target, 20),
                         {elements, random_elements(DType::i32, 60, 0, 9, 6)}});
      }
    }
    for (int64_t threads : {1, 3}) {
      const auto left = expect_bit_equal(cases, threads);
      for (size_t k = 0; k < cases.size(); ++k) {
        for (size_t group = 0; group < 20; ++group) {
          int32_t count = 0;
          std::memcpy(&count, left[k][1].data() + 12 * group, 4);
          const bool whole = k / 2 == 2 || k / 2 == 3;  // of an integer, the sign counts
          const bool adds = group % 4 == 0 && whole;
          if (group % 2 == 0) {
            EXPECT_EQ(count > 1, adds) << k << " " << group;
          }
        }
      }
    }
  }
}

// The sums of a product, and what is computed beside them from other memory; where a mask makes it branch, it is not
// woven but right all the same.
std::string weaving_text(int lanes, int steps, bool masked) {
  return fmt::format(R"({{
  buf x : f32[24,6] in
  buf w : f32[24,{two}] in
  buf m : f32[4,{two}] inout
  buf h : f32[6,{two}] out
  items r in 0..2 of 2 {{
    q = within {v}*r step 1 in 0..{valid} : boolx{v}
    [i<3 j<2] var a[i,j] = splat 0 : f32x{v}
    for p in 0..4 {{
      weave {{
        for k in 0..{steps} unroll {steps} {{
          [j<2] b[j] = load w[{steps}*p + k, {v}*j] : f32x{v}
          [i<3] e[i] = load x[{steps}*p + k, 3*r + i] : f32
          [i<3 j<2] a[i,j] := fma e[i] b[j] a[i,j]
        }}
        n = load m[p, {v}*r]{mask} : f32x{v}
        s = mul n n : f32x{v}
        t = add s 1 : f32x{v}
        u = sqrt t : f32x{v}
        o = div n u : f32x{v}
        store m[p, {v}*r] o{mask}
      }}
    }}
    [i<3 j<2] store h[3*r + i, {v}*j] a[i,j]
  }}
}})",
                     fmt::arg("two", 2 * lanes), fmt::arg("v", lanes), fmt::arg("steps", steps),
                     fmt::arg("valid", 2 * lanes - 1), fmt::arg("mask", masked ? " mask q" : ""));
}

TEST(Control, WeavesTwoComputations) {
  for (const Target& target : targets()) {
    std::vector<Case> cases;
    for (int steps : {1, 2, 6}) {
      for (bool masked : {false, true}) {
        cases.push_back({parse(weaving_text(target.lanes, steps, masked), target, 2),
                         {random_elements(DType::f32, 24 * 6, -1, 1, 1),
                          random_elements(DType::f32, 24 * 2 * target.lanes, -1, 1, 2),
                          random_elements(DType::f32, 4 * 2 * target.lanes, -1, 1, 3)}});
      }
    }
    for (int64_t threads : {1, 2}) expect_bit_equal(cases, threads);
  }
}

// Two items statements cut one grid of 5 x 4: columns 0 … 2 add 1 to their cell, column 3 adds 100.
TEST(Control, ItemsInTwoDimensions) {
  for (const Target& target : targets()) {
    KernelBuilder b(target);
    const BufferId cells = b.buffer("cells", DType::i32, {5, 4}, LoopBuffer::inout);
    for (int part = 0; part < 2; ++part) {
      const VarId row = b.var(fmt::format("s{}", part), LoopVar::item, 0, 5);
      const VarId column = b.var(fmt::format("r{}", part), LoopVar::item, part == 0 ? 0 : 3, part == 0 ? 3 : 4);
      const ValueId old = b.value(fmt::format("old{}", part), DType::i32, false);
      const ValueId sum = b.value(fmt::format("sum{}", part), DType::i32, false);
      LoopStmt load = b.load(old, cells, Affine::of(row));
      load.access.indices.push_back({Affine::of(column), {}});
      LoopStmt store = b.store(cells, Affine::of(row), sum);
      store.access.indices.push_back({Affine::of(column), {}});
      LoopStmt items;
      items.kind = LoopStmt::items;
      items.vars = {row, column};
      items.inner_count = 4;
      items.body = {load, b.define(sum, LoopOp::add, {{old, 0}, {{}, part == 0 ? 1.0 : 100.0}}), store};
      b.kernel.body.push_back(items);
    }
    b.kernel.items = 20;
    for (int64_t threads : {1, 2, 3, 7, 20, 33}) {
      const Bytes result = expect_bit_equal({{b.kernel, {bytes_of(std::vector<int32_t>(20, 5))}}}, threads)[0][0];
      for (size_t cell = 0; cell < 20; ++cell) {
        int32_t value = 0;
        std::memcpy(&value, result.data() + 4 * cell, 4);
        EXPECT_EQ(value, cell % 4 == 3 ? 105 : 6) << "cell " << cell << " with " << threads << " threads";
      }
    }
  }
}

// out = lanes(fold over three members of x), and the fold itself.
Kernel reduction(const Target& target, DType dtype, Reduction reduction) {
  KernelBuilder b(target);
  const int64_t lanes = target.lanes;
  const BufferId x = b.buffer("x", dtype, {3 * lanes}, LoopBuffer::in);
  const BufferId folded = b.buffer("folded", dtype, {lanes}, LoopBuffer::out);
  const BufferId out = b.buffer("out", dtype, {1}, LoopBuffer::out);
  const VarId i = b.var("i", LoopVar::unroll, 0, 3);
  const ValueId value = b.value("v", dtype, true), sum = b.value("f", dtype, true), total = b.value("t", dtype, false);
  b.kernel[value].family = {i};
  LoopStmt loads;
  loads.kind = LoopStmt::unroll;
  loads.vars = {i};
  loads.body = {b.load(value, x, Affine::of(i, lanes))};
  LoopStmt fold = b.define(sum, LoopOp::fold, {{value, 0}});
  fold.over = i;
  fold.reduction = reduction;
  LoopStmt across = b.define(total, LoopOp::lanes, {{sum, 0}});
  across.reduction = reduction;
  b.once({loads, fold, b.store(folded, Affine::of(0), sum), across, b.store(out, Affine::of(0), total)});
  b.kernel.name = fmt::format("reduce_{}_{}", name_of(reduction), name_of(dtype));
  return b.kernel;
}

TEST(Control, FoldsAndLanes) {
  for (const Target& target : targets()) {
    std::vector<Case> cases;
    for (DType dtype : {DType::f32, DType::i32, DType::f64, DType::i64}) {
      for (Reduction kind : {Reduction::sum, Reduction::prod, Reduction::max, Reduction::min}) {
        const Kernel kernel = reduction(target, dtype, kind);
        cases.push_back({kernel, {random_elements(dtype, 3 * target.lanes, -3, 3, 11)}});
        for (uint32_t seed = 1; seed < 4; ++seed) {
          cases.push_back({kernel, {special_elements(dtype, 3 * target.lanes, seed)}});
        }
      }
    }
    expect_bit_equal(cases);
  }
}

// Bits of elements 0 … 199 of a site, and what is made of them.
TEST(Control, RandomNumbers) {
  for (const Target& target : targets()) {
    for (bool vector : {true, false}) {
      KernelBuilder b(target);
      const int64_t step = vector ? target.lanes : 1;
      const BufferId counters = b.buffer("counters", DType::i64, {2}, LoopBuffer::in);
      const BufferId bits = b.buffer("bits", DType::i32, {208}, LoopBuffer::out),
                     gauss = b.buffer("gauss", DType::f32, {208}, LoopBuffer::out);
      const VarId n = b.var("n", LoopVar::loop, 0, 208 / step);
      const ValueId seed = b.value("seed", DType::i64, false), turn = b.value("step", DType::i64, false);
      const ValueId element = b.value("e", DType::i32, vector), word = b.value("w", DType::i32, vector),
                    normal = b.value("g", DType::f32, vector);
      LoopStmt index = b.define(element, LoopOp::index, {});
      index.affine = Affine::of(n, step);
      LoopStmt philox = b.define(word, LoopOp::philox, {{element, 0}, {seed, 0}, {turn, 0}});
      philox.site = 0x89abcdef;
      b.once({b.load(seed, counters, Affine::of(0)), b.load(turn, counters, Affine::of(1)),
              b.loop(n, {index, philox, b.store(bits, Affine::of(n, step), word),
                         b.define(normal, LoopOp::normal, {{word, 0}}), b.store(gauss, Affine::of(n, step), normal)})});
      expect_bit_equal({{b.kernel, {bytes_of(std::vector<int64_t>{0x123456789abcdef0, -7})}}});
    }
  }
}

// Scalars meet vectors, literals take their neighbours' type, a var is carried around a loop and masks choose.
TEST(Control, MixedOperandsAndVars) {
  for (const Target& target : targets()) {
    KernelBuilder b(target);
    const int64_t lanes = target.lanes;
    const BufferId x = b.buffer("x", DType::f32, {8 * lanes}, LoopBuffer::in),
                   s = b.buffer("s", DType::f32, {8}, LoopBuffer::in);
    const BufferId out = b.buffer("out", DType::f32, {8 * lanes}, LoopBuffer::out);
    const VarId n = b.var("n", LoopVar::loop, 0, 8);
    const ValueId sum = b.value("sum", DType::f32, true), one = b.value("one", DType::f32, true),
                  factor = b.value("factor", DType::f32, false);
    const ValueId larger = b.value("larger", DType::boolean, true), kept = b.value("kept", DType::f32, true),
                  relu = b.value("relu", DType::f32, true);
    b.kernel[sum].is_var = true;
    LoopStmt grow = b.define(sum, LoopOp::fma, {{one, 0}, {factor, 0}, {sum, 0}});
    grow.kind = LoopStmt::assign;
    LoopStmt compare = b.define(larger, LoopOp::compare, {{sum, 0}, {{}, 0.25}});
    compare.comparison = Comparison::ge;
    b.once({b.define(sum, LoopOp::splat, {{{}, 0.5}}),
            b.loop(n,
                   {b.load(one, x, Affine::of(n, lanes)), b.load(factor, s, Affine::of(n)), grow, compare,
                    b.define(relu, LoopOp::max, {{{}, 0.0}, {sum, 0}}),
                    b.define(kept, LoopOp::select, {{larger, 0}, {relu, 0}, {{}, -2.0}}),
                    b.store(out, Affine::of(n, lanes), kept)},
                   3)});
    expect_bit_equal(
        {{b.kernel, {random_elements(DType::f32, 8 * lanes, -1, 1, 4), random_elements(DType::f32, 8, -1, 1, 5)}},
         {b.kernel, {special_elements(DType::f32, 8 * lanes, 4), special_elements(DType::f32, 8, 5)}}});
  }
}

}  // namespace
}  // namespace nnc::test
