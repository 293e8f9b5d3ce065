#include "ir/graph/type.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

namespace nnc {
namespace {

struct DTypeRow {
  DType dtype;
  std::string_view name;
  int64_t size;
};

constexpr std::array<DTypeRow, 6> dtype_rows = {{{DType::boolean, "bool", 1},
                                                 {DType::i32, "i32", 4},
                                                 {DType::i64, "i64", 8},
                                                 {DType::bf16, "bf16", 2},
                                                 {DType::f32, "f32", 4},
                                                 {DType::f64, "f64", 8}}};

const DTypeRow& row_of(DType dtype) { return dtype_rows[static_cast<size_t>(dtype)]; }

}  // namespace

int64_t TensorType::elements() const {
  int64_t product = 1;
  for (int64_t extent : dims) {
    if (__builtin_mul_overflow(product, extent, &product)) return INT64_MAX;
  }
  return product;
}

int64_t TensorType::bytes() const {
  int64_t product = 0;
  return __builtin_mul_overflow(elements(), size_of(dtype), &product) ? INT64_MAX : product;
}

int64_t size_of(DType dtype) { return row_of(dtype).size; }

bool is_float(DType dtype) { return dtype == DType::bf16 || dtype == DType::f32 || dtype == DType::f64; }

bool is_integer(DType dtype) { return dtype == DType::i32 || dtype == DType::i64; }

std::string_view name_of(DType dtype) { return row_of(dtype).name; }

bool parse_dtype(std::string_view text, DType& dtype) {
  for (const DTypeRow& row : dtype_rows) {
    if (row.name == text) {
      dtype = row.dtype;
      return true;
    }
  }
  return false;
}

std::string to_string(const TensorType& type) {
  std::string bound = type.bound != 0 ? fmt::format("<{}>", type.bound) : "";
  return fmt::format("{}{}[{}]", name_of(type.dtype), bound, fmt::join(type.dims, ","));
}

std::string why_invalid(const TensorType& type) {
  if (type.dims.size() > static_cast<size_t>(max_rank)) return fmt::format("more than {} axes", max_rank);
  int64_t elements = 1;
  for (int64_t extent : type.dims) {
    if (extent < 1 || extent > max_extent) return fmt::format("extent {} is not in 1..{}", extent, max_extent);
    if (extent > max_elements / elements) return fmt::format("more than {} elements", max_elements);
    elements *= extent;
  }
  if (type.bound != 0 && type.dtype != DType::i32) return "only i32 has a bound";
  if (type.bound < 0 || type.bound > INT32_MAX) return fmt::format("bound {} is not in 1..{}", type.bound, INT32_MAX);
  return "";
}

Dims row_major_strides(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (size_t axis = dims.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * dims[axis];
  return strides;
}

}  // namespace nnc
