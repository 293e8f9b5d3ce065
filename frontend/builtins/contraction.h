// Products of two tensors by named axes, the one way that `@`, einsum and convolutions reach the `contract` op.
#pragma once

#include <string>
#include <vector>

#include "frontend/builtins/operands.h"

namespace nnc {

// A tensor whose axes have names; one name twice in it is a diagonal.
struct Named {
  Tensor tensor;
  std::vector<std::string> names;
};

// Names of indices that stand for leading axes: "b", "b1", …
std::string index_name(size_t axis);

// Multiplies and sums over every name that is not in `result`. Axes of extent 1 meet any extent of their name; a
// transpose that an operand ends in is read through.
// Requires: both of one float dtype; equal names have equal dims or a dim of 1; each name of `result` once, in an
// operand. Errors: poison where the result has too many axes or elements.
Value contract_named(Context& context, Named left, Named right, const std::vector<std::string>& result);

}  // namespace nnc
