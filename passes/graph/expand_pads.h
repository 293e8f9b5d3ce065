// expand_pads: pads with a step become pads without.
#pragma once

#include "ir/graph/graph.h"

namespace nnc {

// Purpose: a value between neighbours cannot be addressed by affine indices, so it is made by a new axis instead.
//   %p = pad %x step=3 : f32[7] <- f32[3]     =>  reshape [3,1] ; pad [3,3] ; reshape [9] ; slice [7]
// Ensures: every pad has steps of 1. Mandatory.
void expand_pads(Graph& graph);

}  // namespace nnc
