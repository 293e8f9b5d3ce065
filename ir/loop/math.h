// Elementary functions in f32, each written once over an abstract builder `B`: codegen instantiates them to emit vector
// code, the Loop interpreter on plain floats (ScalarMath). Both do the same operations in the same order: the same
// bits.
//
// Error: at most 2 ULP over the whole range, with fused and with separate multiply-add
// (tests/unit/ir/loop_math_test.cpp). Infinities, NaN and signed zeros as in C99. Denormals count as zero, in and out
// (FTZ and DAZ are on).
//
// B offers F (f32), I (32-bit integer), M (mask) and, all without side effects:
//   f(float) i(uint32_t); add sub mul div (F and I alike, div only F); fma(x, y, z) = x*y + z, rounded twice if
//   !fused(); neg abs (sign bit only) sqrt; lt le gt ge eq (ordered) ne (unordered) of F; eq of I, ult of I (unsigned);
//   select(M, F, F) select(M, I, I); land lor lnot of M; bits(F) -> I, real(I) -> F (same bits);
//   band bor bxor of I; shl lshr ashr of I by I (0 … 31); umulhi (upper half of the unsigned product);
//   to_float(I) (signed) -> F; to_int(F) -> I (truncates; out of range and NaN give 0x80000000); fused() -> bool.
//
// Semantics of the simple ops, which codegen and interpreter write out by hand, in f32 as in f64 and integers:
//   max(a, b) = (a > b || a != a) ? a : b      so NaN passes and equal values give b
//   min(a, b) = (a < b || a != a) ? a : b
//   sign(x)   = x > 0 ? 1 : x < 0 ? -1 : 0     so 0 for NaN and for both zeros, as in PyTorch
//   round     half to even; floor and round of a denormal give a zero of its sign (roundps with DAZ)
//   compare   false with NaN, but `ne` true; cast to bool: x != 0; cast to integers: as to_int; to bf16: to nearest
//   even neg, abs  the sign bit; select, load, store: bits unchanged, denormals kept
#pragma once

#include <cstddef>
#include <cstdint>

#include "ir/ops/normal.h"

namespace nnc::math {

// c[0] + x * (c[1] + x * (…)): coefficients lowest power first.
template <class B, size_t N>
typename B::F horner(B& b, typename B::F x, const float (&c)[N]) {
  typename B::F sum = b.f(c[N - 1]);
  for (size_t k = N - 1; k-- > 0;) sum = b.fma(sum, x, b.f(c[k]));
  return sum;
}

// magnitude of x with the sign of s.
template <class B>
typename B::F copysign(B& b, typename B::F x, typename B::F s) {
  return b.real(b.bor(b.band(b.bits(x), b.i(0x7fffffff)), b.band(b.bits(s), b.i(0x80000000))));
}

// 2^k for k in -126 … 127; 0 for -127.
template <class B>
typename B::F power_of_two(B& b, typename B::I k) {
  return b.real(b.shl(b.add(k, b.i(127)), b.i(23)));
}

// x to the nearest integer, for |x| < 2^22: as a float and as an integer.
template <class B>
struct Rounded {
  typename B::F real;
  typename B::I integer;
};
template <class B>
Rounded<B> round_small(B& b, typename B::F x) {
  const auto magic = b.f(12582912.0f);  // 1.5 * 2^23: the sum's last bit is worth 1
  const auto shifted = b.add(x, magic);
  return {b.sub(shifted, magic), b.sub(b.bits(shifted), b.i(0x4b400000))};
}

// floor and round for targets without such an instruction; any x.
template <class B>
typename B::F round(B& b, typename B::F x) {
  const auto magnitude = b.abs(x);
  const auto big = b.f(8388608.0f);
  const auto whole = b.sub(b.add(magnitude, big), big);
  return b.select(b.lt(magnitude, big), copysign(b, whole, x), x);
}
template <class B>
typename B::F floor(B& b, typename B::F x) {
  const auto nearest = round(b, x);
  const auto below = b.select(b.gt(nearest, x), b.sub(nearest, b.f(1.0f)), nearest);
  return b.select(b.lt(b.abs(x), b.f(8388608.0f)), copysign(b, below, x), x);
}

// x = n ln 2 + r, |r| <= 0.347. ln 2 is split so that n times its head is exact.
template <class B>
typename B::F reduce_by_ln2(B& b, typename B::F x, typename B::F n) {
  return b.fma(n, b.f(2.12194440e-4f), b.fma(n, b.f(-0.693359375f), x));
}

// y * 2^n, n in -150 … 129, in two steps so that neither factor leaves the range.
template <class B>
typename B::F scale(B& b, typename B::F y, typename B::I n) {
  const auto half = b.ashr(n, b.i(1));
  return b.mul(b.mul(y, power_of_two(b, half)), power_of_two(b, b.sub(n, half)));
}

template <class B>
typename B::F exp(B& b, typename B::F x) {
  x = b.select(b.gt(x, b.f(89.0f)), b.f(89.0f), x);
  x = b.select(b.lt(x, b.f(-104.0f)), b.f(-104.0f), x);
  const auto n = round_small(b, b.mul(x, b.f(1.44269504f)));
  const auto r = reduce_by_ln2(b, x, n.real);
  const auto q = horner(b, r, {0.49999994f, 0.166665196f, 0.0416684598f, 0.00836889911f, 0.00138091389f});
  return scale(b, b.add(b.fma(b.mul(r, r), q, r), b.f(1.0f)), n.integer);
}

template <class B>
typename B::F expm1(B& b, typename B::F x) {
  auto c = b.select(b.gt(x, b.f(89.0f)), b.f(89.0f), x);
  c = b.select(b.lt(c, b.f(-18.0f)), b.f(-18.0f), c);
  auto n = round_small(b, b.mul(c, b.f(1.44269504f)));
  const auto near = b.lt(b.abs(c), b.f(0.5f));  // one term, no cancellation
  const auto turns = b.select(near, b.f(0.0f), n.real);
  const auto r = reduce_by_ln2(b, c, turns);
  const auto q = horner(b, r, {0.50000006f, 0.166666687f, 0.0416651964f, 0.0083330879f, 0.0014002166f, 0.000199873f});
  const auto p = b.fma(b.mul(r, r), q, r);  // e^r - 1
  // 2 * (2^(n-1) p + (2^(n-1) - 1/2)): n may be 128.
  const auto half = power_of_two(b, b.sub(b.select(near, b.i(0), n.integer), b.i(1)));
  const auto y = b.fma(p, half, b.sub(half, b.f(0.5f)));
  return copysign(b, b.select(near, p, b.add(y, y)), x);
}

// u = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2). u positive, normal and finite.
template <class B>
struct Mantissa {
  typename B::F f, k;
  typename B::I exponent;
};
template <class B>
Mantissa<B> split_exponent(B& b, typename B::F u) {
  const auto root_half = b.i(0x3f3504f3);
  const auto shifted = b.sub(b.bits(u), root_half);
  const auto exponent = b.ashr(shifted, b.i(23));
  const auto m = b.real(b.add(b.band(shifted, b.i(0x007fffff)), root_half));
  return {b.sub(m, b.f(1.0f)), b.to_float(exponent), exponent};
}

// log(1 + f) + k ln 2.
template <class B>
typename B::F log_of(B& b, typename B::F f, typename B::F k) {
  const auto p = horner(b, f,
                        {0.333333105f, -0.249999866f, 0.200021446f, -0.166692168f, 0.14220053f, -0.123855755f,
                         0.118649162f, -0.117804743f, 0.0692126378f});
  const auto square = b.mul(f, f);
  auto low = b.fma(b.mul(square, f), p, b.mul(k, b.f(-2.12194440e-4f)));
  low = b.fma(square, b.f(-0.5f), low);
  return b.add(b.mul(k, b.f(0.693359375f)), b.add(f, low));
}

// The special cases of a logarithm whose argument, 1 off or not, is `x`.
template <class B>
typename B::F log_special(B& b, typename B::F x, typename B::F zero_at, typename B::F y) {
  y = b.select(b.eq(x, zero_at), b.f(-__builtin_inff()), y);
  y = b.select(b.lt(x, zero_at), b.f(__builtin_nanf("")), y);
  return b.select(b.lt(x, b.f(__builtin_inff())), y, b.add(x, x));  // infinity and NaN
}

template <class B>
typename B::F log(B& b, typename B::F x) {
  const auto m = split_exponent(b, x);
  return log_special(b, x, b.f(0.0f), log_of(b, m.f, m.k));
}

template <class B>
typename B::F log1p(B& b, typename B::F x) {
  const auto one = b.f(1.0f);
  const auto u = b.add(x, one);
  // What the sum lost: x - (u - 1), or 1 - (u - x) where x is the larger.
  const auto lost = b.select(b.gt(x, one), b.sub(one, b.sub(u, x)), b.sub(x, b.sub(u, one)));
  const auto m = split_exponent(b, u);
  const auto matters = b.lt(x, b.f(1e9f));  // beyond, 2^-k may leave the range
  const auto unit = b.select(matters, power_of_two(b, b.sub(b.i(0), m.exponent)), b.f(0.0f));
  const auto f = b.fma(lost, unit, m.f);
  const auto y = log_of(b, b.select(b.eq(m.k, b.f(0.0f)), x, f), m.k);
  const auto signed_zero = copysign(b, y, x);
  return log_special(b, x, b.f(-1.0f), signed_zero);
}

template <class B>
typename B::F tanh(B& b, typename B::F x) {
  const auto a = b.abs(x);
  const auto z = b.mul(x, x);
  const auto p =
      horner(b, z, {-0.333333313f, 0.133332223f, -0.0539484583f, 0.0217087045f, -0.00819492247f, 0.00215744623f});
  const auto small = b.fma(b.mul(z, a), p, a);
  const auto e = exp(b, b.add(a, a));
  const auto large = b.sub(b.f(1.0f), b.div(b.f(2.0f), b.add(e, b.f(1.0f))));
  return copysign(b, b.select(b.lt(a, b.f(0.625f)), small, large), x);
}

template <class B>
typename B::F sigmoid(B& b, typename B::F x) {
  const auto one = b.f(1.0f);
  const auto z = exp(b, b.neg(b.abs(x)));  // in (0, 1]
  const auto sum = b.add(one, z);
  const auto lost = b.sub(z, b.sub(sum, one));
  const auto negative = b.lt(x, b.f(0.0f));
  const auto quotient = b.div(b.select(negative, z, one), sum);
  const auto inverse = b.select(negative, b.sub(one, quotient), quotient);  // 1 / sum
  return b.fma(b.neg(b.mul(quotient, inverse)), lost, quotient);
}

template <class B>
typename B::F erf(B& b, typename B::F x) {
  const auto a = b.abs(x);
  const auto z = b.mul(x, x);
  const auto p = horner(
      b, z,
      {0.128379166f, -0.376126289f, 0.112836242f, -0.0268555842f, 0.00519192265f, -0.000804395066f, 7.97447065e-05f});
  // a * p may flush where a is tiny and the sum is rounded twice.
  const auto small = b.select(b.lt(a, b.f(1e-6f)), b.mul(a, b.f(1.12837917f)), b.fma(a, p, a));
  const auto c = b.select(b.gt(a, b.f(4.0f)), b.f(4.0f), a);
  // -log(erfc(c)); at 4 the complement is below half an ULP of 1.
  const auto q = horner(b, c,
                        {-0.000175881869f, 1.12952089f, 0.633334458f, 0.108294211f, -0.0251288321f, 0.00417474471f,
                         -0.000435249094f, 2.11658971e-05f});
  const auto large = b.sub(b.f(1.0f), exp(b, b.neg(q)));
  return copysign(b, b.select(b.lt(a, b.f(0.92f)), small, large), x);
}

template <class B>
typename B::F rsqrt(B& b, typename B::F x) {
  return b.div(b.f(1.0f), b.sqrt(x));
}

}  // namespace nnc::math

#include "ir/loop/math_pow.h"
#include "ir/loop/math_random.h"
#include "ir/loop/math_trigonometry.h"
