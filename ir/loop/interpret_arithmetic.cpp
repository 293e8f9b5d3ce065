#include "ir/check.h"
#include "ir/loop/arithmetic.h"
#include "ir/loop/interpreter.h"
#include "ir/loop/math.h"
#include "ir/loop/scalar_math.h"

namespace nnc {
namespace {

template <class T, class F>
void run1(const Step& s, Machine& m) {
  T* r = s.result.in<T>(m);
  const T* a = s.operands[0].in<T>(m);
  const int sa = s.operands[0].lane_stride;
  for (int l = 0; l < s.lanes; ++l) r[l] = F()(a[l * sa]);
}

template <class T, class F>
void run2(const Step& s, Machine& m) {
  T* r = s.result.in<T>(m);
  const T *a = s.operands[0].in<T>(m), *b = s.operands[1].in<T>(m);
  const int sa = s.operands[0].lane_stride, sb = s.operands[1].lane_stride;
  for (int l = 0; l < s.lanes; ++l) r[l] = F()(a[l * sa], b[l * sb]);
}

template <class T, class F>
void run3(const Step& s, Machine& m) {
  T* r = s.result.in<T>(m);
  const T *a = s.operands[0].in<T>(m), *b = s.operands[1].in<T>(m), *c = s.operands[2].in<T>(m);
  const int sa = s.operands[0].lane_stride, sb = s.operands[1].lane_stride, sc = s.operands[2].lane_stride;
  for (int l = 0; l < s.lanes; ++l) r[l] = F()(a[l * sa], b[l * sb], c[l * sc]);
}

// Ops of all numbers. Null: not one of them.
template <class T>
StepFunction common(LoopOp op) {
  switch (op) {
    case LoopOp::add:
      return run2<T, decltype([](T a, T b) { return plus(a, b); })>;
    case LoopOp::sub:
      return run2<T, decltype([](T a, T b) { return minus(a, b); })>;
    case LoopOp::mul:
      return run2<T, decltype([](T a, T b) { return multiply(a, b); })>;
    case LoopOp::div:
      return run2<T, decltype([](T a, T b) { return divide(a, b); })>;
    case LoopOp::max:
      return run2<T, decltype([](T a, T b) { return greater_of(a, b); })>;
    case LoopOp::min:
      return run2<T, decltype([](T a, T b) { return lesser_of(a, b); })>;
    case LoopOp::neg:
      return run1<T, decltype([](T a) { return negate(a); })>;
    case LoopOp::abs:
      return run1<T, decltype([](T a) { return magnitude(a); })>;
    case LoopOp::sign:
      return run1<T, decltype([](T a) { return sign_of(a); })>;
    default:
      return nullptr;
  }
}

template <class T>
StepFunction integer(LoopOp op) {
  switch (op) {
    case LoopOp::fma:
      return run3<T, decltype([](T a, T b, T c) { return plus(multiply(a, b), c); })>;
    case LoopOp::floor:
    case LoopOp::round:
      return run1<T, decltype([](T a) { return a; })>;
    default:
      return common<T>(op);
  }
}

#define SERIES(name)                          \
  case LoopOp::name:                          \
    return run1<float, decltype([](float x) { \
                  ScalarMath<fused> b;        \
                  return math::name(b, x);    \
                })>;
template <bool fused>
StepFunction single(LoopOp op) {
  switch (op) {
    case LoopOp::fma:
      return run3<float, decltype([](float x, float y, float z) { return ScalarMath<fused>().fma(x, y, z); })>;
    case LoopOp::pow:
      return run2<float, decltype([](float x, float y) {
                    ScalarMath<fused> b;
                    return math::pow(b, x, y);
                  })>;
    case LoopOp::sqrt:
      return run1<float, decltype([](float x) { return ScalarMath<fused>().sqrt(x); })>;
      SERIES(exp)
      SERIES(log)
      SERIES(log1p)
      SERIES(expm1)
      SERIES(tanh)
      SERIES(sigmoid)
      SERIES(erf)
      SERIES(rsqrt)
      SERIES(sin)
      SERIES(cos)
      SERIES(floor)
      SERIES(round)
    default:
      return common<float>(op);
  }
}
#undef SERIES

// The libm that native code calls too.
template <bool fused>
StepFunction wide(LoopOp op) {
  using T = double;
  switch (op) {
    case LoopOp::fma:
      return run3<T, decltype([](T x, T y, T z) {
                    if constexpr (fused) return std::fma(x, y, z);
                    const T product = x * y;
                    return product + z;
                  })>;
    case LoopOp::pow:
      return run2<T, decltype([](T x, T y) { return std::pow(x, y); })>;
    case LoopOp::exp:
      return run1<T, decltype([](T x) { return std::exp(x); })>;
    case LoopOp::log:
      return run1<T, decltype([](T x) { return std::log(x); })>;
    case LoopOp::log1p:
      return run1<T, decltype([](T x) { return std::log1p(x); })>;
    case LoopOp::expm1:
      return run1<T, decltype([](T x) { return std::expm1(x); })>;
    case LoopOp::tanh:
      return run1<T, decltype([](T x) { return std::tanh(x); })>;
    case LoopOp::sigmoid:
      return run1<T, decltype([](T x) { return 1 / (1 + std::exp(-x)); })>;
    case LoopOp::erf:
      return run1<T, decltype([](T x) { return std::erf(x); })>;
    case LoopOp::sqrt:
      return run1<T, decltype([](T x) { return std::sqrt(x); })>;
    case LoopOp::rsqrt:
      return run1<T, decltype([](T x) { return 1 / std::sqrt(x); })>;
    case LoopOp::sin:
      return run1<T, decltype([](T x) { return std::sin(x); })>;
    case LoopOp::cos:
      return run1<T, decltype([](T x) { return std::cos(x); })>;
    case LoopOp::floor:
      return run1<T, decltype([](T x) { return std::floor(x); })>;
    case LoopOp::round:
      return run1<T, decltype([](T x) { return std::nearbyint(x); })>;
    default:
      return common<T>(op);
  }
}

}  // namespace

StepFunction arithmetic_function(LoopOp op, DType dtype, bool fused) {
  switch (dtype) {
    case DType::f32:
      return fused ? single<true>(op) : single<false>(op);
    case DType::f64:
      return fused ? wide<true>(op) : wide<false>(op);
    case DType::i32:
      return integer<int32_t>(op);
    case DType::i64:
      return integer<int64_t>(op);
    default:
      return nullptr;
  }
}

}  // namespace nnc
