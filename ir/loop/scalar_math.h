// The builder of ir/loop/math.h on plain floats: the Loop interpreter's. Runs under FlushDenormals, as native code
// does.
#pragma once

#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstdint>

namespace nnc {

// Sets flush-to-zero and denormals-are-zero for its lifetime.
class FlushDenormals {
 public:
  FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(saved_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned saved_;
};

template <bool fused_multiply_add>
struct ScalarMath {
  using F = float;
  using I = uint32_t;
  using M = bool;

  F f(float x) const { return x; }
  I i(uint32_t x) const { return x; }
  bool fused() const { return fused_multiply_add; }

  F add(F a, F b) const { return a + b; }
  F sub(F a, F b) const { return a - b; }
  F mul(F a, F b) const { return a * b; }
  F div(F a, F b) const { return a / b; }
  F fma(F a, F b, F c) const {
    if constexpr (fused_multiply_add) return std::fmaf(a, b, c);
    const F product = a * b;
    return product + c;
  }
  F neg(F a) const { return real(bits(a) ^ 0x80000000u); }
  F abs(F a) const { return real(bits(a) & 0x7fffffffu); }
  F sqrt(F a) const { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(a))); }

  M lt(F a, F b) const { return a < b; }
  M le(F a, F b) const { return a <= b; }
  M gt(F a, F b) const { return a > b; }
  M ge(F a, F b) const { return a >= b; }
  M eq(F a, F b) const { return a == b; }
  M ne(F a, F b) const { return a != b; }
  M eq(I a, I b) const { return a == b; }
  M ult(I a, I b) const { return a < b; }
  F select(M m, F a, F b) const { return m ? a : b; }
  I select(M m, I a, I b) const { return m ? a : b; }
  M land(M a, M b) const { return a && b; }
  M lor(M a, M b) const { return a || b; }
  M lnot(M a) const { return !a; }

  I bits(F a) const { return std::bit_cast<uint32_t>(a); }
  F real(I a) const { return std::bit_cast<float>(a); }
  I add(I a, I b) const { return a + b; }
  I sub(I a, I b) const { return a - b; }
  I mul(I a, I b) const { return a * b; }
  I band(I a, I b) const { return a & b; }
  I bor(I a, I b) const { return a | b; }
  I bxor(I a, I b) const { return a ^ b; }
  I shl(I a, I b) const { return a << b; }
  I lshr(I a, I b) const { return a >> b; }
  I ashr(I a, I b) const { return static_cast<uint32_t>(static_cast<int32_t>(a) >> b); }
  I umulhi(I a, I b) const { return static_cast<uint32_t>((uint64_t{a} * b) >> 32); }
  F to_float(I a) const { return static_cast<float>(static_cast<int32_t>(a)); }
  I to_int(F a) const { return static_cast<uint32_t>(_mm_cvttss_si32(_mm_set_ss(a))); }
};

}  // namespace nnc
