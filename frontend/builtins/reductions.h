// Reductions along axes, as core functions share them.
#pragma once

#include <optional>
#include <vector>

#include "frontend/builtins/operands.h"

namespace nnc {

struct ReducedAxes {
  std::vector<int64_t> axes;  // ascending
  std::vector<Dim> left;      // the result's shape without them
  std::vector<Dim> kept;      // with them as axes of 1
  bool keepdim = false;
  int64_t count = 1;  // elements that meet in one

  const std::vector<Dim>& result() const { return keepdim ? kept : left; }
};

// `axis`: None (all), a number or a list.
std::optional<ReducedAxes> axes_of_reduction(Context& context, const Tensor& x, const Value& axis, const Value& keepdim,
                                             Span at);

// Reduces; the result has the shape reduced.result().
Value reduce_over(Context& context, NodeId node, Reduction reduction, const ReducedAxes& reduced);

}  // namespace nnc
