#include "ir/check.h"
#include "ir/loop/arithmetic.h"
#include "ir/loop/interpreter.h"

namespace nnc {
namespace {

int64_t dynamic_elements(const Step& s, const Machine& m, int lane) {
  int64_t sum = 0;
  for (const Step::Dynamic& dynamic : s.dynamic) {
    const int at = lane * dynamic.value.lane_stride;
    const int64_t index = dynamic.wide ? dynamic.value.in<int64_t>(m)[at] : dynamic.value.in<int32_t>(m)[at];
    const int64_t whole = index + dynamic.affine.at(m) + lane * dynamic.lane_step;
    NNC_CHECK(0 <= whole && whole < dynamic.extent, "an index computed by the program is {} of {}", whole,
              dynamic.extent);
    sum += index * dynamic.stride;
  }
  return sum;
}

void log_lane(const Step& s, const Machine& m, int64_t element, int64_t size, bool write) {
  m.log->touch(m.log->context, s.buffer, element * size, size, write);
}

template <class T>
void run_load(const Step& s, Machine& m) {
  T* r = s.result.in<T>(m);
  const T* base = reinterpret_cast<const T*>(m.buffers[s.buffer]);
  const int64_t first = s.affine.at(m);
  const uint8_t* mask = s.masked ? s.mask.in<uint8_t>(m) : nullptr;
  for (int l = 0; l < s.lanes; ++l) {
    if (mask != nullptr && !mask[l * s.mask.lane_stride]) {
      r[l] = T{};
      continue;
    }
    int64_t element = first + l * s.lane_elements;
    if (!s.dynamic.empty()) element += dynamic_elements(s, m, l);
    r[l] = base[element];
    if (m.log != nullptr) log_lane(s, m, element, sizeof(T), false);
  }
}

template <class T>
void run_store(const Step& s, Machine& m) {
  const T* value = s.operands[0].in<T>(m);
  T* base = reinterpret_cast<T*>(m.buffers[s.buffer]);
  const int64_t first = s.affine.at(m);
  const uint8_t* mask = s.masked ? s.mask.in<uint8_t>(m) : nullptr;
  for (int l = 0; l < s.lanes; ++l) {
    if (mask != nullptr && !mask[l * s.mask.lane_stride]) continue;
    int64_t element = first + l * s.lane_elements;
    if (!s.dynamic.empty()) element += dynamic_elements(s, m, l);
    base[element] = value[l * s.operands[0].lane_stride];
    if (m.log != nullptr) log_lane(s, m, element, sizeof(T), true);
  }
}

// Any byte but 0 is true.
void run_load_boolean(const Step& s, Machine& m) {
  run_load<uint8_t>(s, m);
  uint8_t* r = s.result.in<uint8_t>(m);
  for (int l = 0; l < s.lanes; ++l) r[l] = r[l] != 0;
}

}  // namespace

StepFunction load_function(DType dtype) {
  if (dtype == DType::boolean) return run_load_boolean;
  return with_dtype(dtype, [](auto type) -> StepFunction { return run_load<Element<decltype(type)::value>>; });
}
StepFunction store_function(DType dtype) {
  return with_dtype(dtype, [](auto type) -> StepFunction { return run_store<Element<decltype(type)::value>>; });
}

}  // namespace nnc
