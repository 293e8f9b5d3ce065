// The elementary functions of ir/loop/math.h against the double precision libm, over the whole range of f32,
// with fused and with separate multiply-add. NNC_EXHAUSTIVE=1 in the environment tries every bit pattern.
#include "ir/loop/math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "ir/loop/scalar_math.h"

namespace nnc {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kSmallest = std::numeric_limits<float>::min();

uint32_t bits_of(float x) { return std::bit_cast<uint32_t>(x); }

// The distance in units of the last place of f32 at `exact`; tiny results may be flushed to zero.
double ulp_error(float got, double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e30;
  if (std::isnan(got)) return 1e30;
  const double size = std::fabs(exact);
  if (size < kSmallest) return std::fabs(got) <= kSmallest ? 0 : 1e30;
  if (got == 0 && size < kSmallest * (1 + 4e-7)) return 0;
  constexpr double largest = 3.4028235677973366e38;  // halfway between the largest float and 2^128
  if (size >= largest) return std::isinf(got) && (got > 0) == (exact > 0) ? 0 : std::fabs(got) > 3.402823e38 ? 1 : 1e30;
  if (std::isinf(got)) return size > 3.402823e38 ? 1 : 1e30;
  int exponent = 0;
  std::frexp(exact, &exponent);
  return std::fabs(got - exact) / std::ldexp(1.0, exponent - 24);
}

double flushed(float x) { return std::fabs(x) < kSmallest ? std::copysign(0.0, x) : x; }

struct Worst {
  double error = 0;
  float at = 0, got = 0;
};

template <class Function, class Reference>
void try_pattern(uint32_t pattern, Function function, Reference reference, Worst& worst) {
  const float x = std::bit_cast<float>(pattern);
  float got;
  {
    FlushDenormals flush;
    got = function(x);
  }
  const double error = ulp_error(got, reference(std::isnan(x) || std::isinf(x) ? x : flushed(x)));
  if (error > worst.error) worst = {error, x, got};
}

// A stride over all patterns, and every pattern close to the points where functions change.
template <class Function, class Reference>
Worst sweep(Function function, Reference reference) {
  Worst worst;
  const char* exhaustive = std::getenv("NNC_EXHAUSTIVE");  // 1: all; larger: every so many
  const uint64_t stride = exhaustive ? std::max<uint64_t>(1, std::strtoull(exhaustive, nullptr, 10)) : 4999;
  for (uint64_t pattern = 0; pattern < (uint64_t{1} << 32); pattern += stride)
    try_pattern(static_cast<uint32_t>(pattern), function, reference, worst);
  for (float point :
       {0.0f,    kSmallest,   1e-4f,       0.3465736f, 0.5f,        0.625f,    0.70710678f,  0.75f,    0.92f,
        1.0f,    1.41421356f, 1.57079637f, 2.0f,       3.14159274f, 4.0f,      9.0f,         16.0f,    17.5f,
        87.336f, 88.72284f,   89.0f,       104.0f,     8388608.0f,  102943.7f, 3.402823e38f, kInfinity})
    for (int offset = -200; offset <= 200; ++offset)
      for (uint32_t sign : {0u, 0x80000000u})
        try_pattern((bits_of(point) + static_cast<uint32_t>(offset)) ^ sign, function, reference, worst);
  return worst;
}

template <class B>
struct LoopMath : testing::Test {
  B b;
  template <class Function, class Reference>
  void expect_within(double ulp, Function function, Reference reference) {
    const Worst worst = sweep([&](float x) { return function(b, x); }, reference);
    RecordProperty("ulp", std::to_string(worst.error));
    EXPECT_LE(worst.error, ulp) << "at " << worst.at << " (" << std::hex << bits_of(worst.at) << "): " << worst.got;
  }
};
using Builders = testing::Types<ScalarMath<true>, ScalarMath<false>>;
TYPED_TEST_SUITE(LoopMath, Builders);

#define FUNCTION_TEST(name, reference)                                                                              \
  TYPED_TEST(LoopMath, name) {                                                                                      \
    this->expect_within(                                                                                            \
        2.0, [](TypeParam& b, float x) { return math::name(b, x); }, [](double x) -> double { return reference; }); \
  }
FUNCTION_TEST(exp, std::exp(x))
FUNCTION_TEST(expm1, std::expm1(x))
FUNCTION_TEST(log, std::log(x))
FUNCTION_TEST(log1p, std::log1p(x))
FUNCTION_TEST(tanh, std::tanh(x))
FUNCTION_TEST(sigmoid, (x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x))))
FUNCTION_TEST(erf, std::erf(x))
FUNCTION_TEST(sin, std::sin(x))
FUNCTION_TEST(cos, std::cos(x))
FUNCTION_TEST(rsqrt, 1 / std::sqrt(x))
#undef FUNCTION_TEST

TYPED_TEST(LoopMath, round_and_floor_are_exact) {
  const Worst round =
      sweep([&](float x) { return math::round(this->b, x); }, [](double x) { return std::nearbyint(x); });
  EXPECT_EQ(round.error, 0) << round.at;
  const Worst floor = sweep([&](float x) { return math::floor(this->b, x); }, [](double x) { return std::floor(x); });
  EXPECT_EQ(floor.error, 0) << floor.at;
  EXPECT_EQ(bits_of(math::floor(this->b, -0.0f)), bits_of(-0.0f));
  EXPECT_EQ(bits_of(math::round(this->b, -0.25f)), bits_of(-0.0f));
}

TYPED_TEST(LoopMath, pow_over_the_plane) {
  Worst worst;
  float worst_y = 0;
  const bool exhaustive = std::getenv("NNC_EXHAUSTIVE") != nullptr;
  const auto attempt = [&](float x, float y) {
    float got;
    {
      FlushDenormals flush;
      got = math::pow(this->b, x, y);
    }
    const double error = ulp_error(got, std::pow(flushed(x), flushed(y)));
    if (error > worst.error) worst = {error, x, got}, worst_y = y;
  };
  uint64_t state = 1;
  const auto next = [&] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state >> 32);
  };
  for (int turn = 0; turn < (exhaustive ? 200000000 : 400000); ++turn) {
    const float x = std::bit_cast<float>(next()), y = std::bit_cast<float>(next());
    attempt(x, y);
    // Results spread evenly over the exponents.
    const float base =
        std::ldexp(1.0f + static_cast<float>(next() >> 8) * 0x1p-24f, static_cast<int>(next() % 250) - 125);
    const float target = static_cast<float>(static_cast<int32_t>(next())) * (127.5f / 2147483648.0f);
    attempt(base, static_cast<float>(target / std::log2(double{base})));
    // Close to one, with large exponents.
    const float close =
        std::bit_cast<float>(0x3f800000u + static_cast<uint32_t>(static_cast<int32_t>(next()) >> (8 + next() % 23)));
    if (close > 0 && close != 1) attempt(close, static_cast<float>(target / std::log2(double{close})));
  }
  for (float x : {0.5f, 2.0f, 3.0f, -3.0f, 10.0f, 0.1f, 0.9f, 0.999f, 1.5f, 7.0f})
    for (int y = -60; y <= 60; ++y) attempt(x, static_cast<float>(y)), attempt(x, static_cast<float>(y) / 2);
  this->RecordProperty("ulp", std::to_string(worst.error));
  EXPECT_LE(worst.error, 2.0) << worst.at << " to the " << worst_y << ": " << worst.got;
}

TYPED_TEST(LoopMath, pow_special_cases) {
  const std::vector<float> points = {0.0f,      -0.0f,       1.0f,         -1.0f,       0.5f,        -0.5f,     2.0f,
                                     -2.0f,     3.0f,        -3.0f,        1.5f,        -1.5f,       1e-20f,    1e20f,
                                     -1e20f,    16777215.0f, -16777215.0f, 16777216.0f, 33554432.0f, 3e38f,     -3e38f,
                                     kInfinity, -kInfinity,  kNan,         kSmallest,   -kSmallest,  8388607.5f};
  for (float x : points)
    for (float y : points) {
      const float got = math::pow(this->b, x, y);
      const double exact = std::pow(double{x}, double{y});
      EXPECT_LE(ulp_error(got, exact), 2.0) << x << " to the " << y << ": " << got << ", not " << exact;
      if (!std::isnan(exact)) {
        EXPECT_EQ(std::signbit(got), std::signbit(exact)) << x << " to the " << y;
      }
    }
}

TYPED_TEST(LoopMath, signed_zeros) {
  for (float zero : {0.0f, -0.0f}) {
    EXPECT_EQ(bits_of(math::expm1(this->b, zero)), bits_of(zero));
    EXPECT_EQ(bits_of(math::log1p(this->b, zero)), bits_of(zero));
    EXPECT_EQ(bits_of(math::tanh(this->b, zero)), bits_of(zero));
    EXPECT_EQ(bits_of(math::erf(this->b, zero)), bits_of(zero));
    EXPECT_EQ(bits_of(math::sin(this->b, zero)), bits_of(zero));
    EXPECT_EQ(math::cos(this->b, zero), 1.0f);
    EXPECT_EQ(math::exp(this->b, zero), 1.0f);
    EXPECT_EQ(math::sigmoid(this->b, zero), 0.5f);
    EXPECT_EQ(math::log(this->b, zero), -kInfinity);
    EXPECT_EQ(math::rsqrt(this->b, zero), zero < 0 || std::signbit(zero) ? -kInfinity : kInfinity);
  }
}

TYPED_TEST(LoopMath, denormals_count_as_zero) {
  FlushDenormals flush;
  volatile uint32_t pattern = 0x00400000u;  // volatile: the compiler's own arithmetic does not flush
  const float denormal = std::bit_cast<float>(uint32_t{pattern});
  EXPECT_EQ(math::log(this->b, denormal), -kInfinity);
  EXPECT_EQ(bits_of(math::sin(this->b, denormal)) & 0x7fffffffu, 0u);
  EXPECT_EQ(bits_of(math::tanh(this->b, -denormal)), 0x80000000u);
  EXPECT_EQ(bits_of(math::exp(this->b, -88.0f)), 0u);
  EXPECT_EQ(math::pow(this->b, denormal, -1.0f), kInfinity);
}

TYPED_TEST(LoopMath, large_angles) {
  // Arguments close to multiples of pi/2, from continued fractions of pi.
  for (float x : {16367173.0f * 0x1p72f, 51471.8516f, 710.0f, 355.0f / 2, 103993.0f / 2, 5.0706024e9f, 1e30f,
                  3.4028235e38f, 6381956970095103.0f * 0x1p75f}) {
    EXPECT_LE(ulp_error(math::sin(this->b, x), std::sin(double{x})), 2.0) << x;
    EXPECT_LE(ulp_error(math::cos(this->b, x), std::cos(double{x})), 2.0) << x;
  }
}

// Known answers of Random123's philox4x32 with 10 rounds, through the numbering of elements.
TEST(LoopRandom, philox_known_answers) {
  ScalarMath<true> b;
  // Counter 0 0 0 0, key 0 0.
  const uint32_t zeros[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  for (uint32_t word = 0; word < 4; ++word) EXPECT_EQ(math::philox(b, word * 16, 0u, 0u, 0u, 0u, 0u), zeros[word]);
}

TEST(LoopRandom, elements_differ_and_follow_the_counter) {
  ScalarMath<false> b;
  std::set<uint32_t> seen;
  for (uint32_t e = 0; e < 4096; ++e) seen.insert(math::philox(b, e, 42u, 0u, 7u, 0u, 0x1234u));
  EXPECT_GE(seen.size(), 4095u);
  EXPECT_NE(math::philox(b, 0u, 42u, 0u, 7u, 0u, 1u), math::philox(b, 0u, 42u, 0u, 8u, 0u, 1u));
  EXPECT_NE(math::philox(b, 0u, 42u, 1u, 7u, 0u, 1u), math::philox(b, 0u, 42u, 0u, 7u, 0u, 1u));
}

TYPED_TEST(LoopMath, distributions) {
  double sum = 0, squares = 0, uniform = 0;
  constexpr int count = 1 << 18;
  std::vector<int> counts(10);
  for (uint32_t e = 0; e < count; ++e) {
    const uint32_t word = math::philox(this->b, e, 3u, 0u, 0u, 0u, 9u);
    const float normal = math::normal(this->b, word);
    sum += normal, squares += double{normal} * normal;
    uniform += math::uniform(this->b, word);
    ++counts[math::integer(this->b, word, 10u)];
  }
  EXPECT_NEAR(sum / count, 0, 0.01);
  EXPECT_NEAR(squares / count, 1, 0.015);
  EXPECT_NEAR(uniform / count, 0.5, 0.003);
  for (int times : counts) EXPECT_NEAR(times, count / 10, 800);
  EXPECT_EQ(math::uniform(this->b, 0xffffffffu), 1.0f - 0x1p-24f);
  EXPECT_EQ(math::normal(this->b, 0u), -math::normal(this->b, 0xffffffffu));
}

// erf(normal / sqrt 2) gives back the uniform number.
TYPED_TEST(LoopMath, normal_inverts_the_distribution) {
  for (uint32_t top = 0; top < (1u << 24); top += 1013) {
    const double u = (2.0 * top + 1) / (1 << 24) - 1;
    const double z = math::normal(this->b, top << 8);
    EXPECT_NEAR(std::erf(z / std::sqrt(2.0)), u, 4e-7);
  }
}

}  // namespace
}  // namespace nnc
