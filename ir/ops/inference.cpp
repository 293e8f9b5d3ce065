#include "ir/ops/inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nnc {

TensorType fail(std::string& error, std::string why) {
  error = std::move(why);
  return {};
}

bool have_equal_types(std::span<const TensorType> operands, std::string& error) {
  for (const TensorType& type : operands) {
    if (type.dtype != operands[0].dtype || type.dims != operands[0].dims) {
      error = fmt::format("operands differ: {} and {}", to_string(operands[0]), to_string(type));
      return false;
    }
  }
  return true;
}

TensorType infer_numeric_map(std::span<const TensorType> operands, const Attributes&, const TensorType&,
                             std::string& error) {
  if (!have_equal_types(operands, error)) return {};
  if (operands[0].dtype == DType::boolean) return fail(error, "needs numbers, not bool");
  return {operands[0].dtype, 0, operands[0].dims};
}

TensorType infer_float_map(std::span<const TensorType> operands, const Attributes&, const TensorType&,
                           std::string& error) {
  if (!have_equal_types(operands, error)) return {};
  if (!is_float(operands[0].dtype)) return fail(error, fmt::format("needs floats, not {}", name_of(operands[0].dtype)));
  return {operands[0].dtype, 0, operands[0].dims};
}

TensorType infer_boolean_map(std::span<const TensorType> operands, const Attributes&, const TensorType&,
                             std::string& error) {
  if (!have_equal_types(operands, error)) return {};
  if (operands[0].dtype != DType::boolean)
    return fail(error, fmt::format("needs bool, not {}", name_of(operands[0].dtype)));
  return {DType::boolean, 0, operands[0].dims};
}

TensorType infer_choice_map(std::span<const TensorType> operands, const Attributes&, const TensorType&,
                            std::string& error) {
  if (!have_equal_types(operands, error)) return {};
  int64_t bound = operands[0].bound;
  for (const TensorType& type : operands) bound = type.bound == 0 || bound == 0 ? 0 : std::max(bound, type.bound);
  return {operands[0].dtype, bound, operands[0].dims};
}

bool has_axis(const TensorType& type, int64_t axis, std::string& error) {
  if (axis >= 0 && axis < type.rank()) return true;
  error = fmt::format("{} has no axis {}", to_string(type), axis);
  return false;
}

bool has_axes(const TensorType& type, std::span<const int64_t> axes, std::string& error) {
  for (size_t k = 0; k < axes.size(); ++k) {
    if (!has_axis(type, axes[k], error)) return false;
    if (k > 0 && axes[k] <= axes[k - 1]) {
      error = "axes do not ascend";
      return false;
    }
  }
  return true;
}

bool can_hold(const TensorType& type, double value) {
  if (type.dtype == DType::boolean) return value == 0 || value == 1;
  if (!is_integer(type.dtype)) return true;
  if (!(std::abs(value) <= 0x1p53) || value != std::floor(value)) return false;
  if (type.bound != 0) return value >= 0 && value < static_cast<double>(type.bound);
  return type.dtype == DType::i64 || (value >= INT32_MIN && value <= INT32_MAX);
}

}  // namespace nnc
