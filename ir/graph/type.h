// The type of a tensor: element type, label bound and static shape.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nnc {

enum class DType : uint8_t { boolean, i32, i64, bf16, f32, f64 };

using Dims = std::vector<int64_t>;

struct TensorType {
  DType dtype = DType::f32;
  int64_t bound = 0;  // i32<n>: every element is in [0, n). 0 means unbounded. Only for i32.
  Dims dims;          // extents, outermost first; empty is a scalar

  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  int64_t elements() const;  // product of the extents; 1 for a scalar
  int64_t bytes() const;     // elements x size of the dtype
  bool operator==(const TensorType&) const = default;
};

// Bytes of one element in memory (a bool takes one byte).
int64_t size_of(DType dtype);
bool is_float(DType dtype);
bool is_integer(DType dtype);

// "f32", "bool", …; the inverse returns false when `text` names no dtype.
std::string_view name_of(DType dtype);
bool parse_dtype(std::string_view text, DType& dtype);

// "f32[128,784]", "i32<10>[128]", "i64[]".
std::string to_string(const TensorType& type);

// What no tensor exceeds: with these, sums and products of extents, steps and strides cannot overflow.
inline constexpr int64_t max_rank = 32;
inline constexpr int64_t max_extent = INT32_MAX;
inline constexpr int64_t max_elements = int64_t{1} << 40;

// "" if the type may exist, else what is wrong with it ("extent 0 is not in 1..2147483647").
std::string why_invalid(const TensorType& type);

// Row-major strides in elements.
Dims row_major_strides(const Dims& dims);

}  // namespace nnc
