// pow for ir/loop/math.h: exp2(y * log2(x)) with the logarithm and the product in pairs of floats.
#pragma once

namespace nnc::math {

// An unevaluated sum, |low| <= half an ULP of high.
template <class B>
struct Pair {
  typename B::F high, low;
};

// a * b without error. Without fused multiply-add the factors are halved into 12 and 12 bits, whose products are exact.
template <class B>
Pair<B> exact_product(B& b, typename B::F x, typename B::F y) {
  const auto p = b.mul(x, y);
  if (b.fused()) return {p, b.fma(x, y, b.neg(p))};
  const auto xh = b.real(b.band(b.bits(x), b.i(0xfffff000))), yh = b.real(b.band(b.bits(y), b.i(0xfffff000)));
  const auto xl = b.sub(x, xh), yl = b.sub(y, yh);
  auto low = b.sub(b.mul(xh, yh), p);
  low = b.add(low, b.mul(xh, yl));
  low = b.add(low, b.mul(xl, yh));
  return {p, b.add(low, b.mul(xl, yl))};
}

// x + y without error. Requires |x| >= |y|, or x == 0.
template <class B>
Pair<B> exact_sum(B& b, typename B::F x, typename B::F y) {
  const auto s = b.add(x, y);
  return {s, b.sub(y, b.sub(s, x))};
}

template <class B>
Pair<B> product(B& b, Pair<B> x, Pair<B> y) {
  const auto p = exact_product(b, x.high, y.high);
  const auto cross = b.fma(x.high, y.low, b.mul(x.low, y.high));
  return exact_sum(b, p.high, b.add(p.low, cross));
}

// log2(x) of a positive, normal, finite x, to about 2^-35. With s = f / (2 + f): log2(1 + f) = 2/ln2 * (s + s^3/3 +
// s^5/5 + …).
template <class B>
Pair<B> log2_pair(B& b, typename B::F x) {
  const auto m = split_exponent(b, x);
  const auto divisor = exact_sum(b, b.f(2.0f), m.f);
  const auto quotient = b.div(m.f, divisor.high);
  const auto back = exact_product(b, quotient, divisor.high);
  auto residue = b.sub(b.sub(m.f, back.high), back.low);
  residue = b.sub(residue, b.mul(quotient, divisor.low));
  const Pair<B> s = exact_sum(b, quotient, b.div(residue, divisor.high));

  const auto z = product(b, s, s);
  const auto q = horner(b, z.high, {0.577077985f, 0.412205935f, 0.320011795f, 0.281711966f});
  auto inner = exact_sum(b, b.f(0.961796701f), b.mul(z.high, q));
  inner.low = b.add(inner.low, b.f(-7.02846181e-09f));
  const auto second = product(b, z, inner);
  auto factor = exact_sum(b, b.f(2.88539004f), second.high);
  factor.low = b.add(factor.low, b.add(second.low, b.f(3.85192607e-08f)));
  const auto fraction = product(b, s, factor);

  const auto sum = exact_sum(b, m.k, fraction.high);  // |fraction| <= 1/2
  return exact_sum(b, sum.high, b.add(sum.low, fraction.low));
}

// 2^(p.high + p.low), infinite or zero when out of range.
template <class B>
typename B::F exp2_pair(B& b, Pair<B> p) {
  const auto inside = b.lt(b.abs(p.high), b.f(150.0f));
  const auto bound = b.select(b.gt(p.high, b.f(0.0f)), b.f(129.0f), b.f(-150.0f));
  const auto high = b.select(b.lt(p.high, b.f(129.0f)), b.select(inside, p.high, bound), bound);
  const auto low = b.select(inside, p.low, b.f(0.0f));
  const auto n = round_small(b, high);
  const auto r = b.add(b.sub(high, n.real), low);
  const auto q = horner(
      b, r,
      {0.693147182f, 0.240226507f, 0.0555040576f, 0.00961808953f, 0.00133372121f, 0.000154412177f, 1.45117092e-05f});
  return scale(b, b.fma(r, q, b.f(1.0f)), n.integer);
}

// C99's special cases, over y = the power of |x|.
template <class B>
typename B::F pow_special(B& b, typename B::F x, typename B::F y, typename B::F power) {
  const auto zero = b.f(0.0f), one = b.f(1.0f), infinity = b.f(__builtin_inff()), nan = b.f(__builtin_nanf(""));
  const auto a = b.abs(x), size = b.abs(y);
  const auto negative = b.lt(y, zero);
  power = b.select(b.eq(a, zero), b.select(negative, infinity, zero), power);
  power = b.select(b.eq(a, infinity), b.select(negative, zero, infinity), power);
  const auto grows = b.select(b.gt(a, one), b.bits(one), b.bits(zero));
  const auto falls = b.select(negative, b.bits(one), b.bits(zero));
  const auto at_infinity = b.select(b.eq(a, one), one, b.select(b.eq(grows, falls), zero, infinity));
  power = b.select(b.eq(size, infinity), at_infinity, power);

  const auto truncated = b.to_int(y);
  const auto even_size = b.ge(size, b.f(16777216.0f));  // infinity among them
  const auto whole = b.lor(even_size, b.eq(b.to_float(truncated), y));
  const auto odd = b.land(b.land(whole, b.lnot(even_size)), b.eq(b.band(truncated, b.i(1)), b.i(1)));
  const auto flipped = b.real(b.bxor(b.bits(power), b.band(b.bits(x), b.i(0x80000000))));
  power = b.select(odd, flipped, power);
  const auto below = b.land(b.lt(x, zero), b.gt(x, b.neg(infinity)));
  power = b.select(b.land(below, b.lnot(whole)), nan, power);
  power = b.select(b.lor(b.ne(x, x), b.ne(y, y)), b.add(x, y), power);
  return b.select(b.lor(b.eq(y, zero), b.eq(x, one)), one, power);
}

template <class B>
typename B::F pow(B& b, typename B::F x, typename B::F y) {
  const auto logarithm = log2_pair(b, b.abs(x));
  const auto p = exact_product(b, y, logarithm.high);
  const auto low = b.fma(y, logarithm.low, p.low);
  const auto finite = b.lt(b.abs(p.high), b.f(1e6f));
  return pow_special(b, x, y, exp2_pair(b, exact_sum(b, p.high, b.select(finite, low, b.f(0.0f)))));
}

}  // namespace nnc::math
