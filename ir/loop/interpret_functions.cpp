#include <cstring>

#include "ir/check.h"
#include "ir/loop/arithmetic.h"
#include "ir/loop/interpreter.h"
#include "ir/loop/math.h"
#include "ir/loop/scalar_math.h"

namespace nnc {
namespace {

template <class T, Comparison comparison>
void run_compare(const Step& s, Machine& m) {
  uint8_t* r = s.result.in<uint8_t>(m);
  const T *a = s.operands[0].in<T>(m), *b = s.operands[1].in<T>(m);
  const int sa = s.operands[0].lane_stride, sb = s.operands[1].lane_stride;
  for (int l = 0; l < s.lanes; ++l) {
    const T x = a[l * sa], y = b[l * sb];
    if constexpr (comparison == Comparison::eq) r[l] = x == y;
    if constexpr (comparison == Comparison::ne) r[l] = x != y;
    if constexpr (comparison == Comparison::lt) r[l] = x < y;
    if constexpr (comparison == Comparison::le) r[l] = x <= y;
    if constexpr (comparison == Comparison::gt) r[l] = x > y;
    if constexpr (comparison == Comparison::ge) r[l] = x >= y;
  }
}

template <class T>
StepFunction compare_of(Comparison comparison) {
  switch (comparison) {
    case Comparison::eq:
      return run_compare<T, Comparison::eq>;
    case Comparison::ne:
      return run_compare<T, Comparison::ne>;
    case Comparison::lt:
      return run_compare<T, Comparison::lt>;
    case Comparison::le:
      return run_compare<T, Comparison::le>;
    case Comparison::gt:
      return run_compare<T, Comparison::gt>;
    default:
      return run_compare<T, Comparison::ge>;
  }
}

template <DType from, DType to>
void run_cast(const Step& s, Machine& m) {
  Element<to>* r = s.result.in<Element<to>>(m);
  const Element<from>* a = s.operands[0].in<Element<from>>(m);
  const int sa = s.operands[0].lane_stride;
  for (int l = 0; l < s.lanes; ++l) r[l] = convert<from, to>(a[l * sa]);
}

template <class T>
void run_select(const Step& s, Machine& m) {
  T* r = s.result.in<T>(m);
  const uint8_t* c = s.operands[0].in<uint8_t>(m);
  const T *a = s.operands[1].in<T>(m), *b = s.operands[2].in<T>(m);
  const int sc = s.operands[0].lane_stride, sa = s.operands[1].lane_stride, sb = s.operands[2].lane_stride;
  for (int l = 0; l < s.lanes; ++l) r[l] = c[l * sc] ? a[l * sa] : b[l * sb];
}

template <class T>
void run_copy(const Step& s, Machine& m) {
  T* r = s.result.in<T>(m);
  const T* a = s.operands[0].in<T>(m);
  for (int l = 0; l < s.lanes; ++l) r[l] = a[l * s.operands[0].lane_stride];
}

template <class T, Reduction reduction>
T combine(T a, T b) {
  if constexpr (reduction == Reduction::sum) return plus(a, b);
  if constexpr (reduction == Reduction::prod) return multiply(a, b);
  if constexpr (reduction == Reduction::max) return greater_of(a, b);
  return lesser_of(a, b);
}

template <class T>
T identity(Reduction reduction) {
  using Limits = std::numeric_limits<T>;
  if (reduction == Reduction::sum) return 0;
  if (reduction == Reduction::prod) return 1;
  if (reduction == Reduction::max) return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  return Limits::has_infinity ? Limits::infinity() : Limits::max();
}

template <class T, Reduction reduction>
void run_fold(const Step& s, Machine& m) {
  T* r = s.result.in<T>(m);
  const uint32_t over = s.vars[0];
  const int64_t saved = m.vars[over];
  T sums[64];
  for (int l = 0; l < s.lanes; ++l) sums[l] = identity<T>(reduction);
  for (int64_t index = s.ranges[0].first; index < s.ranges[0].second; ++index) {
    m.vars[over] = index;
    const T* a = s.operands[0].in<T>(m);
    for (int l = 0; l < s.lanes; ++l) sums[l] = combine<T, reduction>(sums[l], a[l * s.operands[0].lane_stride]);
  }
  m.vars[over] = saved;
  for (int l = 0; l < s.lanes; ++l) r[l] = sums[l];
}

template <class T, Reduction reduction>
void run_lanes(const Step& s, Machine& m) {
  const T* a = s.operands[0].in<T>(m);
  T partial[64];
  for (int l = 0; l < m.lanes; ++l) partial[l] = a[l];
  for (int half = m.lanes / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) partial[l] = combine<T, reduction>(partial[l], partial[l + half]);
  }
  *s.result.in<T>(m) = partial[0];
}

template <class T>
void run_column(const Step& s, Machine& m) {
  T* r = s.result.in<T>(m);
  const int64_t lane = s.affine.at(m);
  const uint32_t over = s.vars[0];
  const int64_t saved = m.vars[over];
  T gathered[64];
  for (int l = 0; l < s.lanes; ++l) {
    m.vars[over] = s.ranges[0].first + l;
    gathered[l] = s.operands[0].in<T>(m)[lane];
  }
  m.vars[over] = saved;
  for (int l = 0; l < s.lanes; ++l) r[l] = gathered[l];
}

template <DType dtype>
void run_any(const Step& s, Machine& m) {
  using T = Element<dtype>;
  const uint32_t over = s.vars[0];
  const int64_t saved = m.vars[over];
  bool found = false;
  for (int64_t index = s.ranges[0].first; index < s.ranges[0].second; ++index) {
    m.vars[over] = index;
    uint64_t bits = 0;
    std::memcpy(&bits, s.operands[0].in<T>(m), sizeof(T));
    if (is_float(dtype)) bits &= ~(uint64_t{1} << (8 * sizeof(T) - 1));
    found = found || bits != 0;
  }
  m.vars[over] = saved;
  *s.result.in<uint8_t>(m) = found;
}

void run_pair(const Step& s, Machine& m) {
  uint32_t* r = s.result.in<uint32_t>(m);
  const uint16_t *a = s.operands[0].in<uint16_t>(m), *b = s.operands[1].in<uint16_t>(m);
  const int sa = s.operands[0].lane_stride, sb = s.operands[1].lane_stride;
  for (int l = 0; l < s.lanes; ++l) r[l] = static_cast<uint32_t>(a[l * sa]) << 16 | b[l * sb];
}

template <bool fused>
void run_dot2(const Step& s, Machine& m) {
  ScalarMath<fused> math;
  float* r = s.result.in<float>(m);
  const uint32_t *a = s.operands[0].in<uint32_t>(m), *b = s.operands[1].in<uint32_t>(m);
  const float* c = s.operands[2].in<float>(m);
  const int sa = s.operands[0].lane_stride, sb = s.operands[1].lane_stride, sc = s.operands[2].lane_stride;
  const auto real = [](uint32_t bits) { return std::bit_cast<float>(bits); };
  for (int l = 0; l < s.lanes; ++l) {
    const uint32_t x = a[l * sa], y = b[l * sb];
    const float upper = math.fma(real(x & 0xffff0000u), real(y & 0xffff0000u), c[l * sc]);
    r[l] = math.fma(real(x << 16), real(y << 16), upper);
  }
}

template <class T>
StepFunction fold_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum:
      return run_fold<T, Reduction::sum>;
    case Reduction::prod:
      return run_fold<T, Reduction::prod>;
    case Reduction::max:
      return run_fold<T, Reduction::max>;
    default:
      return run_fold<T, Reduction::min>;
  }
}
template <class T>
StepFunction lanes_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum:
      return run_lanes<T, Reduction::sum>;
    case Reduction::prod:
      return run_lanes<T, Reduction::prod>;
    case Reduction::max:
      return run_lanes<T, Reduction::max>;
    default:
      return run_lanes<T, Reduction::min>;
  }
}

template <class T>
void run_index(const Step& s, Machine& m) {
  T* r = s.result.in<T>(m);
  const int64_t first = s.affine.at(m);
  for (int l = 0; l < s.lanes; ++l) r[l] = static_cast<T>(first + l * s.stmt->lane_step);
}

void run_within(const Step& s, Machine& m) {
  uint8_t* r = s.result.in<uint8_t>(m);
  const int64_t first = s.affine.at(m);
  for (int l = 0; l < s.lanes; ++l) {
    const int64_t index = first + l * s.stmt->lane_step;
    r[l] = s.stmt->low <= index && index < s.stmt->high;
  }
}

template <class F>
void run_logical(const Step& s, Machine& m) {
  uint8_t* r = s.result.in<uint8_t>(m);
  const size_t second = s.operands.size() - 1;
  const uint8_t *a = s.operands[0].in<uint8_t>(m), *b = s.operands[second].in<uint8_t>(m);
  const int sa = s.operands[0].lane_stride, sb = s.operands[second].lane_stride;
  for (int l = 0; l < s.lanes; ++l) r[l] = F()(a[l * sa] != 0, b[l * sb] != 0);
}

void run_philox(const Step& s, Machine& m) {
  ScalarMath<true> b;
  uint32_t* r = s.result.in<uint32_t>(m);
  const uint32_t* e = s.operands[0].in<uint32_t>(m);
  const auto seed = static_cast<uint64_t>(*s.operands[1].in<int64_t>(m)),
             step = static_cast<uint64_t>(*s.operands[2].in<int64_t>(m));
  for (int l = 0; l < s.lanes; ++l) {
    r[l] = math::philox(b, e[l * s.operands[0].lane_stride], static_cast<uint32_t>(seed),
                        static_cast<uint32_t>(seed >> 32), static_cast<uint32_t>(step),
                        static_cast<uint32_t>(step >> 32), s.stmt->site);
  }
}

template <class T, class F>
void run_bits(const Step& s, Machine& m) {
  T* r = s.result.in<T>(m);
  const uint32_t* bits = s.operands[0].in<uint32_t>(m);
  for (int l = 0; l < s.lanes; ++l)
    r[l] = F()(bits[l * s.operands[0].lane_stride], static_cast<uint32_t>(s.stmt->high));
}

template <bool fused>
StepFunction normal_function() {
  return run_bits<float, decltype([](uint32_t bits, uint32_t) {
                    ScalarMath<fused> b;
                    return math::normal(b, bits);
                  })>;
}

}  // namespace

StepFunction compare_function(Comparison comparison, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return compare_of<float>(comparison);
    case DType::f64:
      return compare_of<double>(comparison);
    case DType::i32:
      return compare_of<int32_t>(comparison);
    case DType::i64:
      return compare_of<int64_t>(comparison);
    default:
      return compare_of<uint8_t>(comparison);
  }
}

StepFunction cast_function(DType from, DType to) {
  return with_dtype(from, [&](auto source) {
    return with_dtype(
        to, [](auto target) -> StepFunction { return run_cast<decltype(source)::value, decltype(target)::value>; });
  });
}

StepFunction select_function(DType dtype) {
  return with_dtype(dtype, [](auto type) -> StepFunction { return run_select<Element<decltype(type)::value>>; });
}
StepFunction copy_function(DType dtype) {
  return with_dtype(dtype, [](auto type) -> StepFunction { return run_copy<Element<decltype(type)::value>>; });
}

StepFunction any_function(DType operand) {
  return with_dtype(operand, [](auto type) -> StepFunction { return run_any<decltype(type)::value>; });
}

StepFunction fold_function(Reduction reduction, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return fold_of<float>(reduction);
    case DType::f64:
      return fold_of<double>(reduction);
    case DType::i32:
      return fold_of<int32_t>(reduction);
    case DType::i64:
      return fold_of<int64_t>(reduction);
    default:
      return nullptr;
  }
}
StepFunction lanes_function(Reduction reduction, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return lanes_of<float>(reduction);
    case DType::f64:
      return lanes_of<double>(reduction);
    case DType::i32:
      return lanes_of<int32_t>(reduction);
    case DType::i64:
      return lanes_of<int64_t>(reduction);
    default:
      return nullptr;
  }
}

StepFunction column_function(DType dtype) {
  return with_dtype(dtype, [](auto type) -> StepFunction { return run_column<Element<decltype(type)::value>>; });
}

StepFunction other_function(LoopOp op, DType dtype, bool fused) {
  switch (op) {
    case LoopOp::pair:
      return run_pair;
    case LoopOp::dot2:
      return fused ? run_dot2<true> : run_dot2<false>;
    case LoopOp::index:
      return dtype == DType::i64 ? run_index<int64_t> : run_index<int32_t>;
    case LoopOp::within:
      return run_within;
    case LoopOp::logical_and:
      return run_logical<decltype([](bool x, bool y) { return x && y; })>;
    case LoopOp::logical_or:
      return run_logical<decltype([](bool x, bool y) { return x || y; })>;
    case LoopOp::logical_not:
      return run_logical<decltype([](bool x, bool) { return !x; })>;
    case LoopOp::philox:
      return run_philox;
    case LoopOp::uniform:
      return run_bits<float, decltype([](uint32_t bits, uint32_t) {
                        ScalarMath<true> b;
                        return math::uniform(b, bits);
                      })>;
    case LoopOp::normal:
      return fused ? normal_function<true>() : normal_function<false>();
    case LoopOp::integer:
      return run_bits<uint32_t, decltype([](uint32_t bits, uint32_t high) {
                        ScalarMath<true> b;
                        return math::integer(b, bits, high);
                      })>;
    default:
      return nullptr;
  }
}

}  // namespace nnc
