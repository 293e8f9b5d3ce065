// Computes maps whose operands are all constants, where the machine would get the same bits.
//
// Scalars in f64, integers and booleans always; f32 and bf16 where the op is exact or correctly rounded (add, sub, mul,
// div, sqrt, max, min, compare, select, cast, …), not where it is a series or where the target may round twice (fma). A
// result that the dtype cannot hold (an integer that wraps) stays as it is. Reductions have an order and are left
// alone.
//
// Requires: nothing. Ensures: the same values; the operands may be dead now. Linear in the nodes.
//
//   %b = sub 1 0.999 : f64[] ; %c = cast %b : f32[]
//   %c = constant 0.001 : f32[]
#pragma once

#include "ir/graph/graph.h"

namespace nnc {

void fold_constants(Graph& graph);

}  // namespace nnc
