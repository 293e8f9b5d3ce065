// What the passes within a Graph share: rebuilding the node table and asking for small facts about nodes.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "ir/graph/graph.h"

namespace nnc {

// Says which node of the rebuilt graph stands for `node`, whose operands and clone_of already name nodes of it: appends
// the node, or names an earlier one. An invalid id drops the node. `old` is its id before.
using MakeNode = std::function<NodeId(Graph& rebuilt, Node node, NodeId old)>;

// Replaces the node table by what `make` builds from each node in turn; roots and custom gradients follow.
// Requires: no kept node uses a dropped one; neither roots nor custom gradients name one.
// Ensures: a clone whose original was dropped is a clone no more. Linear in the nodes, apart from `make`.
void rebuild(Graph& graph, const MakeNode& make);

// Appends `node` as it is.
NodeId append_node(Graph& graph, Node node);

// The value every element of the node has, rounded to its dtype, if it is a constant.
std::optional<double> splat_of(const Graph& graph, NodeId id);

// `value` as the dtype holds it (ties to even; integers and booleans truncate), denormals flushed to zero of their
// sign.
double round_to(DType dtype, double value);

}  // namespace nnc
