// The Loop interpreter against loops written by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "ir/loop/arithmetic.h"
#include "ir/loop/math.h"
#include "ir/loop/scalar_math.h"
#include "ir/loop/text.h"
#include "loop_samples.h"

namespace nnc {
namespace {

Kernel kernel_of(std::string_view text) {
  Kernel kernel;
  EXPECT_EQ(parse_kernel(text, kernel), "");
  EXPECT_EQ(verify(kernel), std::vector<std::string>{});
  return kernel;
}

std::vector<float> random_floats(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> result(count);
  for (float& x : result) x = static_cast<float>(random()) * 0x1p-31f - 1.0f;
  return result;
}

TEST(LoopInterpreter, product_tile) {
  const Kernel kernel = kernel_of(kProduct);
  std::vector<float> x = random_floats(12 * 7, 1), w = random_floats(2 * 7 * 16, 2), c = random_floats(32, 3),
                     h(12 * 24, -7.0f);
  void* buffers[] = {x.data(), w.data(), c.data(), h.data()};
  interpret(kernel, buffers, 0, 3);
  for (int row = 0; row < 12; ++row) {
    for (int column = 0; column < 24; ++column) {
      float sum = 0;
      for (int k = 0; k < 7; ++k)
        sum = column < 20 ? std::fmaf(x[row * 7 + k], w[(column / 16 * 7 + k) * 16 + column % 16], sum) : 0;
      // Item 3, rows 9 to 11, was not asked for; columns from 20 on are masked.
      const float expected = row >= 9 || column >= 20 ? -7.0f : std::max(sum + c[column], 0.0f);
      ASSERT_EQ(h[row * 24 + column], expected) << row << " " << column;
    }
  }
}

TEST(LoopInterpreter, steps_left_out) {
  const Kernel kernel = kernel_of(kSkips);
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  std::vector<float> x = random_floats(30, 9), w = random_floats(20, 10), h(24, -7.0f), s(8, -7.0f);
  for (int k : {1, 3}) x[k] = x[5 + k] = x[10 + k] = 0;
  x[5 + 3] = -0.0f;  // a sign alone is a zero
  x[0] = 0;
  x[15 + 2] = nan;
  // What is left out does not matter: the infinities meet zeros of the first tile alone.
  for (int lane = 0; lane < 4; ++lane) w[4 + lane] = w[12 + lane] = inf;
  void* buffers[] = {x.data(), w.data(), h.data(), s.data()};
  interpret(kernel, buffers, 0, 2);
  for (int row = 0; row < 6; ++row) {
    for (int lane = 0; lane < 4; ++lane) {
      float sum = 0, first = 0;
      for (int k = 0; k < 5; ++k) {
        if (row < 3 && (k == 1 || k == 3)) continue;
        sum = ScalarMath<false>().fma(x[row * 5 + k], w[k * 4 + lane], sum);
        if (x[row * 5 + k] != 0) first = ScalarMath<false>().fma(x[row * 5 + k], w[k * 4 + lane], first) + 1;
      }
      const auto same = [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); };
      ASSERT_TRUE(same(h[row * 4 + lane], sum)) << row;
      ASSERT_TRUE(row >= 3 || !std::isnan(sum)) << row;
      ASSERT_TRUE(row % 3 != 0 || same(s[row / 3 * 4 + lane], first)) << row;
    }
  }
}

TEST(LoopInterpreter, adam) {
  const Kernel kernel = kernel_of(kAdam);
  std::vector<float> k = {0.01f, 1.5f}, g = random_floats(64, 4), p = random_floats(64, 5), m = random_floats(64, 6),
                     v = random_floats(64, 7);
  for (float& x : v) x = std::fabs(x);
  std::vector<float> p1 = p, m1 = m, v1 = v;
  for (size_t e = 32; e < 64; ++e) {
    m1[e] = std::fmaf(m[e], 0.9f, g[e] * 0.1f);
    v1[e] = std::fmaf(v[e], 0.999f, g[e] * g[e] * 0.001f);
    p1[e] = p[e] - m1[e] * k[0] / (std::sqrt(v1[e] * k[1]) + 1e-8f);
  }
  void* buffers[] = {k.data(), g.data(), p.data(), m.data(), v.data()};
  interpret(kernel, buffers, 1, 2);
  EXPECT_EQ(m, m1);
  EXPECT_EQ(v, v1);
  EXPECT_EQ(p, p1);
}

TEST(LoopInterpreter, softmax_rows) {
  const Kernel kernel = kernel_of(kSoftmax);
  std::vector<float> x = random_floats(5 * 16, 8), y(5 * 16, -1.0f);
  x[2 * 16 + 3] = std::numeric_limits<float>::quiet_NaN();
  void* buffers[] = {x.data(), y.data()};
  interpret(kernel, buffers, 0, 5);
  ScalarMath<true> b;
  for (int row = 0; row < 5; ++row) {
    const float* in = &x[row * 16];
    const float* out = &y[row * 16];
    if (row == 2) {
      EXPECT_TRUE(std::all_of(out, out + 10, [](float p) { return std::isnan(p); }));
      continue;
    }
    const float most = *std::max_element(in, in + 10);
    float lanes[8];
    for (int l = 0; l < 8; ++l) lanes[l] = math::exp(b, in[l] - most) + (l < 2 ? math::exp(b, in[8 + l] - most) : 0.0f);
    for (int half = 4; half > 0; half /= 2)
      for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    for (int column = 0; column < 10; ++column) EXPECT_EQ(out[column], math::exp(b, in[column] - most) / lanes[0]);
    EXPECT_EQ(out[10], -1.0f);
  }
}

TEST(LoopInterpreter, gathers) {
  const Kernel kernel = kernel_of(kGather);
  std::vector<float> table = random_floats(72, 9), rows(48), column(8, -1.0f);
  std::vector<int32_t> ids = {3, 0, 8, 8, 1, 5};
  void* buffers[] = {table.data(), ids.data(), rows.data(), column.data()};
  interpret(kernel, buffers, 0, 6);
  for (size_t row = 0; row < 6; ++row) {
    for (size_t k = 0; k < 8; ++k) EXPECT_EQ(rows[row * 8 + k], table[static_cast<size_t>(ids[row]) * 8 + k]);
    EXPECT_EQ(column[row], table[static_cast<size_t>(ids[row]) * 8 + 3]);
  }
  EXPECT_EQ(column[6], -1.0f);
}

TEST(LoopInterpreter, scalars_of_every_type) {
  const Kernel kernel = kernel_of(kOps);
  std::vector<int64_t> steps = {4, (int64_t{7} << 32) + 11};
  std::vector<float> scale(2), noise(12);
  std::vector<uint16_t> half = {0x3f80, 0x4049, 0xc2f7, 0x7f80};
  std::vector<uint8_t> flags = {0, 1, 0, 1};
  std::vector<int32_t> draws(4);
  std::vector<float> expected_half;
  for (uint16_t h : half) expected_half.push_back(widen_bf16(round_to_bf16(widen_bf16(h) * 1.0009765625f)));
  void* buffers[] = {steps.data(), scale.data(), half.data(), flags.data(), noise.data(), draws.data()};
  interpret(kernel, buffers, 0, 1);
  EXPECT_EQ(steps[0], 5);
  EXPECT_EQ(scale[0], static_cast<float>(0.001 / (1 - std::pow(0.9, 5.0))));
  EXPECT_EQ(scale[1], 1.0f);
  for (size_t k = 0; k < 4; ++k) {
    EXPECT_EQ(widen_bf16(half[k]), expected_half[k]);
    EXPECT_EQ(flags[k], k % 2 == 0 ? 1 : 0);
    ScalarMath<false> b;
    const uint32_t bits = math::philox(b, static_cast<uint32_t>(k) + 3, 11u, 7u, 4u, 0u, 99u);
    EXPECT_EQ(noise[k], static_cast<float>(bits >> 8) * 0x1p-24f);
    EXPECT_EQ(noise[4 + k], math::normal(b, bits));
    EXPECT_EQ(noise[8 + k], noise[4 + k] > 0 ? 1.0f : -1.0f);
    EXPECT_EQ(draws[k], static_cast<int32_t>((uint64_t{bits} * 10) >> 32));
  }
}

TEST(LoopInterpreter, simple_semantics) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(greater_of(nan, 1.0f)) && std::isnan(greater_of(1.0f, nan)));
  EXPECT_TRUE(std::isnan(lesser_of(nan, 1.0f)) && std::isnan(lesser_of(1.0f, nan)));
  EXPECT_FALSE(std::signbit(greater_of(-0.0f, 0.0f)));
  EXPECT_TRUE(std::signbit(greater_of(0.0f, -0.0f)));
  EXPECT_FALSE(std::signbit(sign_of(-0.0f)));
  EXPECT_EQ(sign_of(nan), 0.0f);
  EXPECT_EQ((convert<DType::f32, DType::i32>(-2.9f)), -2);
  volatile float large = 3e9f, unknown = nan;  // volatile: the machine converts, not the compiler
  volatile double huge = -1e300;
  EXPECT_EQ((convert<DType::f32, DType::i32>(large)), INT32_MIN);
  EXPECT_EQ((convert<DType::f32, DType::i32>(unknown)), INT32_MIN);
  EXPECT_EQ((convert<DType::f64, DType::i64>(huge)), INT64_MIN);
  EXPECT_EQ(plus(INT32_MAX, 1), INT32_MIN);
  EXPECT_EQ(multiply(1 << 20, 1 << 20), 0);
  EXPECT_EQ(divide(7, 0), 0);
  EXPECT_EQ(divide(INT32_MIN, -1), INT32_MIN);
  EXPECT_EQ(round_to_bf16(1.0f + 0x1p-8f), 0x3f80);  // a tie goes to even
  EXPECT_EQ(round_to_bf16(1.0f + 3 * 0x1p-8f), 0x3f82);
  EXPECT_EQ(round_to_bf16(nan) & 0x7fc0, 0x7fc0);
}

TEST(LoopInterpreter, without_fused_multiply_add_it_rounds_twice) {
  const auto run_on = [](const char* target) {
    const Kernel kernel =
        kernel_of(std::string("kernel k target=") + target +
                  " v=4 items=1 { buf x : f32[3] in buf y : f32[1] out\n"
                  "items r in 0..1 of 1 { a = load x[0] : f32 b = load x[1] : f32 c = load x[2] : f32\n"
                  "d = fma a b c : f32 store y[0] d } }");
    float x[3] = {1.0f + 0x1p-12f, 1.0f + 0x1p-12f, -1.0f}, y = 0;
    void* buffers[] = {x, &y};
    interpret(kernel, buffers, 0, 1);
    return y;
  };
  EXPECT_EQ(run_on("sse2"), 0x1p-11f);
  EXPECT_EQ(run_on("avx2"), 0x1p-11f + 0x1p-24f);
}

// Two phases over 8 rows: y = 2 x, then z[r] = y[r] + y[7 - r], which needs the barrier.
LoopModule two_phases(bool barrier) {
  LoopModule module;
  module.name = "m";
  module.target = target_sse2();
  module.kernels.push_back(
      kernel_of("kernel twice target=sse2 v=4 items=8 { buf x : f32[8] in buf y : f32[8] out\n"
                "items r in 0..8 of 8 { a = load x[r] : f32 b = mul a 2 : f32 store y[r] b } }"));
  module.kernels.push_back(kernel_of(
      "kernel mirror target=sse2 v=4 items=8 { buf y : f32[8] in buf z : f32[8] out\n"
      "items r in 0..8 of 8 { a = load y[r] : f32 b = load y[7 - r] : f32 c = add a b : f32 store z[r] c } }"));
  module.arena_bytes = 64;
  LoopEntry entry;
  entry.name = "step";
  entry.io = {{Root::output, true, false, "x", {DType::f32, 0, {8}}},
              {Root::output, false, false, "z", {DType::f32, 0, {8}}}};
  const KernelCall first{KernelId(size_t{0}), {{BufferBinding::io, 0}, {BufferBinding::arena, 0}}, {}};
  const KernelCall second{KernelId(size_t{1}), {{BufferBinding::arena, 0}, {BufferBinding::io, 1}}, {}};
  entry.phases = barrier ? std::vector<LoopPhase>{{{first}}, {{second}}} : std::vector<LoopPhase>{{{first, second}}};
  module.entries.push_back(entry);
  EXPECT_EQ(verify(module), std::vector<std::string>{});
  return module;
}

TEST(LoopInterpreter, entries_give_the_same_at_any_number_of_threads) {
  const LoopModule module = two_phases(true);
  std::vector<float> x = random_floats(8, 10), z(8), arena(16);
  for (int64_t threads : {1, 2, 3, 7, 20}) {
    std::fill(z.begin(), z.end(), 0.0f);
    void* io[] = {x.data(), z.data()};
    interpret(module, module.entries[0], nullptr, arena.data(), nullptr, io, threads);
    for (size_t r = 0; r < 8; ++r) EXPECT_EQ(z[r], 2 * x[r] + 2 * x[7 - r]);
    EXPECT_EQ(find_races(module, module.entries[0], nullptr, arena.data(), nullptr, io, threads),
              std::vector<std::string>{});
  }
}

TEST(LoopInterpreter, a_missing_barrier_is_a_race) {
  const LoopModule module = two_phases(false);
  std::vector<float> x = random_floats(8, 11), z(8), arena(16);
  void* io[] = {x.data(), z.data()};
  EXPECT_TRUE(find_races(module, module.entries[0], nullptr, arena.data(), nullptr, io, 1).empty());
  const std::vector<std::string> races = find_races(module, module.entries[0], nullptr, arena.data(), nullptr, io, 2);
  ASSERT_FALSE(races.empty());
  EXPECT_EQ(races[0], "phase 0: byte 16 of y in twice: thread 1 writes what another thread read");
}

}  // namespace
}  // namespace nnc
