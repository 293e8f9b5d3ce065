// Removes the nodes nobody needs.
//
// Requires: nothing. Ensures: each node reaches a root or an assign (or, before differentiate, belongs to a custom
// gradient of a live value); the order of the others is unchanged; ids are dense again. An input that nobody reads goes
// too.
//
//   %a = exp %x ; %b = log %x ; output "y" %b
//   %b = log %x ; output "y" %b
#pragma once

#include "ir/graph/graph.h"

namespace nnc {

void remove_dead(Graph& graph);

}  // namespace nnc
