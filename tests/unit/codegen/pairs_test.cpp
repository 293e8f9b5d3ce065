// Transpositions in registers, pairs of bf16 and their dot products: native code against the interpreter, bit for bit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "harness.h"

namespace nnc::test {
namespace {

TEST(Pairs, ASquareIsTransposed) {
  for (const Target& target : targets()) {
    const int64_t v = target.lanes;
    const std::string text = fmt::format(R"({{
  buf x : f32[{v},{v}] in
  buf h : f32[{v},{v}] out
  items r0 in 0..1 of 1 {{
  [e<{v}] r[e] = load x[e, 0] : f32x{v}
  [t<{v}] c[t] = column t over e r[e] : f32x{v}
  [t<{v}] store h[t, 0] c[t]
  }}
}})",
                                         fmt::arg("v", v));
    const Bytes from = random_elements(DType::f32, v * v, -1, 1, 3);
    const Bytes result = expect_bit_equal({{parse(text, target, 1), {from}}}, 1)[0][1];
    for (int64_t i = 0; i < v; ++i) {
      for (int64_t j = 0; j < v; ++j)
        EXPECT_EQ(std::memcmp(result.data() + 4 * (i * v + j), from.data() + 4 * (j * v + i), 4), 0) << i << " " << j;
    }
  }
}

// Even and odd columns rounded, paired and multiplied: the dot product of pairs is two fused steps, the even one first.
TEST(Pairs, ADotProductOfPairsIsTwoSteps) {
  for (const Target& target : targets()) {
    const int64_t v = target.lanes;
    const std::string text = fmt::format(R"({{
  buf x : f32[4,{v}] in
  buf z : f32[{v}] in
  buf h : f32[2,{v}] out
  items r0 in 0..1 of 1 {{
  a = load x[0, 0] : f32x{v}
  b = load x[1, 0] : f32x{v}
  c = load x[2, 0] : f32x{v}
  d = load x[3, 0] : f32x{v}
  s = load z[0] : f32x{v}
  ra = cast a : bf16x{v}
  rb = cast b : bf16x{v}
  rc = cast c : bf16x{v}
  rd = cast d : bf16x{v}
  p = pair ra rb : i32x{v}
  q = pair rc rd : i32x{v}
  sum = dot2 p q s : f32x{v}
  fa = cast ra : f32x{v}
  fb = cast rb : f32x{v}
  fc = cast rc : f32x{v}
  fd = cast rd : f32x{v}
  first = fma fa fc s : f32x{v}
  second = fma fb fd first : f32x{v}
  store h[0, 0] sum
  store h[1, 0] second
  }}
}})",
                                         fmt::arg("v", v));
    std::vector<Case> cases;
    for (uint32_t seed = 0; seed < 40; ++seed) {
      // Some products and sums leave the range of normal numbers.
      const double limit = seed % 4 == 0 ? 1e-19 : seed % 4 == 1 ? 1e-30 : seed % 4 == 2 ? 1 : 1e18;
      cases.push_back({parse(text, target, 1),
                       {random_elements(DType::f32, 4 * v, -limit, limit, seed),
                        random_elements(DType::f32, v, -limit * limit, limit * limit, 100 + seed)}});
    }
    for (const auto& results : expect_bit_equal(cases, 1)) {
      const Bytes& h = results[2];
      EXPECT_EQ(std::memcmp(h.data(), h.data() + 4 * v, static_cast<size_t>(4 * v)), 0) << target.name;
    }
  }
}

}  // namespace
}  // namespace nnc::test
