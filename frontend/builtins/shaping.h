// Changes of shape and order that several core functions are made of. All return the value itself where nothing
// changes.
#pragma once

#include "frontend/builtins/operands.h"

namespace nnc {

// Requires: as many elements in row-major order.
Value reshape_to(Context& context, const Tensor& x, const std::vector<Dim>& dims);
// Result axis k is axis permutation[k].
Value permute(Context& context, const Tensor& x, const std::vector<int64_t>& permutation);
// Elements [start, start + size) of one axis.
Value slice_axis(Context& context, const Tensor& x, int64_t axis, int64_t start, int64_t size);
// An axis of 1 before axis `axis` of x (or behind the last).
Value with_unit_axis(Context& context, const Tensor& x, int64_t axis);

}  // namespace nnc
