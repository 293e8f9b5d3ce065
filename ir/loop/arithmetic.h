// Element arithmetic of the Loop interpreter: what one lane of native code does. Internal to ir/loop.
#pragma once

#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "ir/graph/type.h"

namespace nnc {

// The C++ type that holds an element of a dtype. bf16 is its bits, bool is 0 or 1.
template <DType dtype>
struct ElementOf;
template <>
struct ElementOf<DType::boolean> {
  using type = uint8_t;
};
template <>
struct ElementOf<DType::i32> {
  using type = int32_t;
};
template <>
struct ElementOf<DType::i64> {
  using type = int64_t;
};
template <>
struct ElementOf<DType::bf16> {
  using type = uint16_t;
};
template <>
struct ElementOf<DType::f32> {
  using type = float;
};
template <>
struct ElementOf<DType::f64> {
  using type = double;
};
template <DType dtype>
using Element = typename ElementOf<dtype>::type;

// Integers wrap around.
template <class T>
T plus(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(std::make_unsigned_t<T>(a) + std::make_unsigned_t<T>(b));
  else
    return a + b;
}
template <class T>
T minus(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(std::make_unsigned_t<T>(a) - std::make_unsigned_t<T>(b));
  else
    return a - b;
}
template <class T>
T multiply(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(uint64_t(a) * uint64_t(b));
  else
    return a * b;
}
// Of integers: truncated; by zero it is zero, and the least integer over -1 is itself.
template <class T>
T divide(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return b == 0 ? 0 : b == -1 ? minus(T{0}, a) : a / b;
  else
    return a / b;
}
template <class T>
bool is_nan(T a) {
  return a != a;
}
template <class T>
T greater_of(T a, T b) {
  return a > b || is_nan(a) ? a : b;
}
template <class T>
T lesser_of(T a, T b) {
  return a < b || is_nan(a) ? a : b;
}
template <class T>
T sign_of(T a) {
  return a > 0 ? T{1} : a < 0 ? T{-1} : T{0};
}
template <class T>
T negate(T a) {
  if constexpr (std::is_integral_v<T>)
    return minus(T{0}, a);
  else
    return -a;
}
template <class T>
T magnitude(T a) {
  if constexpr (std::is_integral_v<T>)
    return a < 0 ? minus(T{0}, a) : a;
  else
    return std::fabs(a);
}

inline float widen_bf16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }
inline uint16_t round_to_bf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// As the machine converts: truncation, the least integer for what does not fit.
template <DType from, DType to>
Element<to> convert(Element<from> x) {
  if constexpr (from == to)
    return x;
  else if constexpr (from == DType::bf16)
    return convert<DType::f32, to>(widen_bf16(x));
  else if constexpr (to == DType::bf16)
    return round_to_bf16(convert<from, DType::f32>(x));
  else if constexpr (to == DType::boolean)
    return x != 0;
  else if constexpr (from == DType::f32 && to == DType::i32)
    return _mm_cvttss_si32(_mm_set_ss(x));
  else if constexpr (from == DType::f32 && to == DType::i64)
    return _mm_cvttss_si64(_mm_set_ss(x));
  else if constexpr (from == DType::f64 && to == DType::i32)
    return _mm_cvttsd_si32(_mm_set_sd(x));
  else if constexpr (from == DType::f64 && to == DType::i64)
    return _mm_cvttsd_si64(_mm_set_sd(x));
  else
    return static_cast<Element<to>>(x);
}

// Calls `use` with the dtype as a compile-time constant.
template <class Use>
auto with_dtype(DType dtype, Use use) {
  switch (dtype) {
    case DType::boolean:
      return use(std::integral_constant<DType, DType::boolean>());
    case DType::i32:
      return use(std::integral_constant<DType, DType::i32>());
    case DType::i64:
      return use(std::integral_constant<DType, DType::i64>());
    case DType::bf16:
      return use(std::integral_constant<DType, DType::bf16>());
    case DType::f32:
      return use(std::integral_constant<DType, DType::f32>());
    default:
      return use(std::integral_constant<DType, DType::f64>());
  }
}

}  // namespace nnc
