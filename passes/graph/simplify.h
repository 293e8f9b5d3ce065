// Applies identities that never change a bit of the result (the sign of a NaN aside). The rules are the table in
// simplify.cpp.
//
// Denormals count as zero of their sign, so x * 1 is x. x + 0 is x only where x cannot be -0, x * 0 is left to floats.
//
// Requires: the graph is not differentiated any more (detach goes). Ensures: the same values; some nodes may be dead
// now (remove_dead). Linear in the nodes.
//
//   %a = mul %x 1 ; %b = neg %a ; %c = neg %b ; output "y" %c
//   output "y" %x
#pragma once

#include "ir/graph/graph.h"

namespace nnc {

void simplify(Graph& graph);

}  // namespace nnc
