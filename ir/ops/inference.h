// Type inference shared by ops of a kind. All have the signature of OpDefinition::infer.
#pragma once

#include <span>
#include <string>

#include "ir/ops/op.h"

namespace nnc {

// Maps over equal shapes and dtypes; the result has the operands' dtype and no bound.
TensorType infer_numeric_map(std::span<const TensorType> operands, const Attributes&, const TensorType&,
                             std::string& error);
TensorType infer_float_map(std::span<const TensorType> operands, const Attributes&, const TensorType&,
                           std::string& error);
TensorType infer_boolean_map(std::span<const TensorType> operands, const Attributes&, const TensorType&,
                             std::string& error);
// As infer_numeric_map, and the result is bounded when every operand is: for ops that return one of their operands.
TensorType infer_choice_map(std::span<const TensorType> operands, const Attributes&, const TensorType&,
                            std::string& error);

// Whether all have one dtype and one shape; if not says so in `error`.
bool have_equal_types(std::span<const TensorType> operands, std::string& error);

// Sets `error`, returns a scalar: for `return fail(error, …)`.
TensorType fail(std::string& error, std::string why);

// Whether `axis` is one of `type`'s; if not says so in `error`.
bool has_axis(const TensorType& type, int64_t axis, std::string& error);
// Whether `axes` are axes of `type`, ascending and without repeats; if not says so in `error`.
bool has_axes(const TensorType& type, std::span<const int64_t> axes, std::string& error);

// Whether every element of `type` can be `value`: integers are whole and inside the bound, booleans 0 or 1.
bool can_hold(const TensorType& type, double value);

}  // namespace nnc
