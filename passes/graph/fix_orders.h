// Chooses how each reduction adds up. From here on every bit of the result is fixed.
//
// Requires: simplify, merge_duplicates and fold_movement are done. Ensures: every reduce and contract has the order
// that order_of gives it, which depends on its shape and the target only.
//
//   %s = reduce sum "b c -> b" %e : f32[128]
//   %s = reduce sum "b c -> b" %e order=lanes(16) : f32[128]
#pragma once

#include "ir/graph/graph.h"
#include "ir/target.h"

namespace nnc {

// contract: tiles(32) where the target has tiles, two matrices of bf16 are multiplied and the sum is that long; lanes
// where one operand is a vector along the sum and the other's rows lie along it too, unless that is a state of several
// rows; else chain. reduce: lanes where the last axis of the operand is reduced and longer than 1, else chain; argmax,
// whose result does not depend on it, always chain. Other nodes: unset.
Order order_of(const Graph& graph, NodeId id, const Target& target);

void fix_orders(Graph& graph, const Target& target);

}  // namespace nnc
