// sin and cos for ir/loop/math.h. The argument is reduced in integers (Payne and Hanek): right for every finite float,
// and alike with and without fused multiply-add.
#pragma once

namespace nnc::math {

// |x| = (quadrant + fraction) * pi/2; the remainder is head + tail, in [-pi/4, pi/4] up to rounding.
template <class B>
struct Angle {
  typename B::I quadrant;
  typename B::F head, tail;
};

// 32 bits of 0, 2/pi from bit `offset` (6 … 134) on, and the two words behind them.
template <class B>
struct Window {
  typename B::I word[3];
};
template <class B>
Window<B> two_over_pi_at(B& b, typename B::I offset) {
  static constexpr uint32_t digits[] = {0,          0xa2f9836e, 0x4e441529, 0xfc2757d1,
                                        0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab};
  const auto index = b.lshr(offset, b.i(5));
  const auto shift = b.band(offset, b.i(31));
  const auto back = b.sub(b.i(31), shift);
  typename B::I chosen[4] = {b.i(digits[0]), b.i(digits[1]), b.i(digits[2]), b.i(digits[3])};
  for (uint32_t k = 1; k <= 4; ++k) {
    const auto here = b.eq(index, b.i(k));
    for (uint32_t j = 0; j < 4; ++j) chosen[j] = b.select(here, b.i(digits[k + j]), chosen[j]);
  }
  Window<B> window = {{chosen[0], chosen[0], chosen[0]}};
  for (int j = 0; j < 3; ++j)
    window.word[j] = b.bor(b.shl(chosen[j], shift), b.lshr(b.lshr(chosen[j + 1], b.i(1)), back));
  return window;
}

// For |x| >= 1/2, finite. With |x| = m 2^(E-150): m times the 96-bit window of 2/pi whose first bit is worth 2 after
// the scaling is |x| * 2/pi mod 4 in units of 2^-94.
template <class B>
Angle<B> reduce_angle(B& b, typename B::F x) {
  const auto bits = b.band(b.bits(x), b.i(0x7fffffff));
  const auto m = b.bor(b.band(bits, b.i(0x007fffff)), b.i(0x00800000));
  const auto w = two_over_pi_at(b, b.sub(b.lshr(bits, b.i(23)), b.i(120)));
  const auto low = b.umulhi(m, w.word[2]);
  const auto middle = b.add(b.mul(m, w.word[1]), low);
  const auto carry = b.select(b.ult(middle, low), b.i(1), b.i(0));
  const auto high = b.add(b.add(b.mul(m, w.word[0]), b.umulhi(m, w.word[1])), carry);

  const auto quadrant = b.lshr(b.add(high, b.i(1u << 29)), b.i(30));
  // The signed fraction in units of 2^-64, then its magnitude (off by one unit where it was negative).
  const auto f0 = b.bor(b.shl(high, b.i(2)), b.lshr(middle, b.i(30)));
  const auto sign = b.ashr(f0, b.i(31));
  const auto g0 = b.bxor(f0, sign);
  const auto g1 = b.bxor(b.shl(middle, b.i(2)), sign);
  // 12 bits, whose product with 8 bits of pi/2 is exact, and the rest in two pieces that convert exactly.
  const auto head = b.mul(b.to_float(b.band(g0, b.i(0xfff00000))), b.f(0x1p-32f));
  const auto next = b.bor(b.shl(b.band(g0, b.i(0x000fffff)), b.i(4)), b.lshr(g1, b.i(28)));
  const auto last = b.band(g1, b.i(0x0fffffff));
  const auto rest = b.add(b.mul(b.to_float(next), b.f(0x1p-36f)), b.mul(b.to_float(last), b.f(0x1p-64f)));

  const auto product = b.mul(head, b.f(1.5703125f));
  auto correction = b.mul(rest, b.f(-4.37113883e-08f));
  correction = b.fma(head, b.f(0.000483826792f), correction);
  const auto remainder = b.fma(rest, b.f(1.57079637f), correction);
  const auto sum = b.add(product, remainder);
  const auto lost = b.sub(remainder, b.sub(sum, product));
  const auto flip = b.band(sign, b.i(0x80000000));
  return {quadrant, b.real(b.bxor(b.bits(sum), flip)), b.real(b.bxor(b.bits(lost), flip))};
}

// sin(|x| + shift * pi/2), before the sign of x.
template <class B>
typename B::F sine_of_quadrant(B& b, typename B::F x, uint32_t shift) {
  const auto a = b.abs(x);
  auto angle = reduce_angle(b, x);
  const auto near = b.lt(a, b.f(0.75f));
  const auto quadrant = b.add(b.select(near, b.i(0), angle.quadrant), b.i(shift));
  const auto r = b.select(near, a, angle.head);
  const auto tail = b.select(near, b.f(0.0f), angle.tail);

  const auto z = b.mul(r, r);
  const auto ps = horner(b, z, {-0.166666672f, 0.0083333794f, -0.000198530048f, 2.83124336e-06f});
  const auto sine = b.add(r, b.fma(b.mul(z, r), ps, tail));

  const auto half = b.mul(z, b.f(0.5f));
  const auto whole = b.sub(b.f(1.0f), half);
  const auto lost = b.sub(b.sub(b.f(1.0f), whole), half);
  const auto pc = horner(b, z, {0.0416666456f, -0.00138873013f, 2.44306702e-05f});
  const auto cosine = b.add(whole, b.fma(b.mul(z, z), pc, b.fma(b.neg(r), tail, lost)));

  const auto odd = b.eq(b.band(quadrant, b.i(1)), b.i(1));
  const auto flip = b.shl(b.band(quadrant, b.i(2)), b.i(30));
  const auto y = b.real(b.bxor(b.bits(b.select(odd, cosine, sine)), flip));
  return b.select(b.lt(a, b.f(__builtin_inff())), y, b.sub(x, x));  // infinity and NaN give NaN
}

template <class B>
typename B::F sin(B& b, typename B::F x) {
  const auto y = sine_of_quadrant(b, x, 0);
  return b.real(b.bxor(b.bits(y), b.band(b.bits(x), b.i(0x80000000))));
}

template <class B>
typename B::F cos(B& b, typename B::F x) {
  return sine_of_quadrant(b, x, 1);
}

}  // namespace nnc::math
