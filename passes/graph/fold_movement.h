// Folds transposes into the index maps of the contracts around them.
//
// Of an operand always; of a result where nobody else reads the contract. The order of summation follows the first
// appearance of the summed indices, so this comes before fix_orders.
//
// Requires: nothing. Ensures: the same values in real numbers; the transposes may be dead now. Linear in the nodes.
//
//   %t = transpose %w ; %z = contract "b i, i o -> b o" %x %t
//   %z = contract "b i, o i -> b o" %x %w
#pragma once

#include "ir/graph/graph.h"

namespace nnc {

void fold_movement(Graph& graph);

}  // namespace nnc
