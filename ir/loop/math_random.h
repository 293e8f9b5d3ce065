// Counter-based random numbers for ir/loop/math.h; the numbering stands at RandomAttr in ir/graph/attributes.h.
#pragma once

namespace nnc::math {

// 32 random bits of element `e`. Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
template <class B>
typename B::I philox(B& b, typename B::I e, typename B::I seed_low, typename B::I seed_high, typename B::I step_low,
                     typename B::I step_high, typename B::I site) {
  using I = typename B::I;
  const I block = b.shl(b.lshr(e, b.i(6)), b.i(4));
  I c0 = b.bor(block, b.band(e, b.i(15)));
  I c1 = site, c2 = step_low, c3 = step_high;
  I key0 = seed_low, key1 = seed_high;
  for (int round = 0; round < 10; ++round) {
    const I high0 = b.umulhi(c0, b.i(0xd2511f53)), low0 = b.mul(c0, b.i(0xd2511f53));
    const I high1 = b.umulhi(c2, b.i(0xcd9e8d57)), low1 = b.mul(c2, b.i(0xcd9e8d57));
    c0 = b.bxor(b.bxor(high1, c1), key0);
    c1 = low1;
    c2 = b.bxor(b.bxor(high0, c3), key1);
    c3 = low0;
    key0 = b.add(key0, b.i(0x9e3779b9));
    key1 = b.add(key1, b.i(0xbb67ae85));
  }
  const I word = b.band(b.lshr(e, b.i(4)), b.i(3));
  const I low = b.select(b.eq(word, b.i(0)), c0, c1);
  const I high = b.select(b.eq(word, b.i(2)), c2, c3);
  return b.select(b.ult(word, b.i(2)), low, high);
}

// [0, 1), a multiple of 2^-24.
template <class B>
typename B::F uniform(B& b, typename B::I bits) {
  return b.mul(b.to_float(b.lshr(bits, b.i(8))), b.f(0x1p-24f));
}

// Standard normal: sqrt(2) * erfinv(u), u an odd multiple of 2^-24 in (-1, 1).
template <class B>
typename B::F normal(B& b, typename B::I bits) {
  const auto odd = b.sub(b.bor(b.shl(b.lshr(bits, b.i(8)), b.i(1)), b.i(1)), b.i(1u << 24));
  const auto u = b.mul(b.to_float(odd), b.f(0x1p-24f));
  const auto w = b.neg(log(b, b.mul(b.sub(b.f(1.0f), u), b.add(b.f(1.0f), u))));
  const auto central = b.lt(w, b.f(erfinv_split));
  const auto t = b.select(central, b.sub(w, b.f(erfinv_central_shift)), b.sub(b.sqrt(w), b.f(erfinv_tail_shift)));
  auto p = b.select(central, b.f(erfinv_central[0]), b.f(erfinv_tail[0]));
  for (size_t k = 1; k < erfinv_central.size(); ++k)
    p = b.fma(p, t, b.select(central, b.f(erfinv_central[k]), b.f(erfinv_tail[k])));
  return b.mul(b.mul(p, u), b.f(1.41421356f));
}

// [0, bound).
template <class B>
typename B::I integer(B& b, typename B::I bits, uint32_t bound) {
  return b.umulhi(bits, b.i(bound));
}

}  // namespace nnc::math
