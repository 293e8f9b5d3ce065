// Joins nodes that compute the same value.
//
// Two nodes are one if op, operands, attributes, type and clone_of agree; the operands of a commutative op may be
// swapped. So a random node joins only one of its own site, seed and step, and a clone never joins its original.
// Effects, cotangent leaves and outputs of custom gradients stay apart. A node never joins one of a later part; the
// earlier one takes over the locations, and the label if it has none.
//
// Requires: nothing. Ensures: the same values. Linear in the nodes. Leaves no dead nodes behind that were live before.
//
//   %a = mul %x %y ; %b = mul %y %x ; %c = add %a %b
//   %a = mul %x %y ; %c = add %a %a
#pragma once

#include "ir/graph/graph.h"

namespace nnc {

void merge_duplicates(Graph& graph);

}  // namespace nnc
