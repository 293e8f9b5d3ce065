// What becomes of each node of a Graph when it is planned: stored, computed inside a region, or inlined where it is
// read.
#pragma once

#include <functional>
#include <vector>

#include "passes/plan/access.h"

namespace nnc {

enum class Role : uint8_t {
  stored,   // an input, a state: lies in memory already
  member,   // computed once, in one region
  inlined,  // constants, movement of indices, cheap maps with one reader: evaluated where they are read
  effect,   // an assign
};

// `fuse` false: every node but constants is a member.
// Ensures: chains of inlined nodes are short enough to be followed by recursion.
std::vector<Role> node_roles(const Graph& graph, bool fuse);

// Follows the reading of `node` at `at` through inlined nodes down to members and stored nodes and calls `reached` for
// each, with the indices it is read at. An index that is known only at run time or cannot be told has a `dynamic` part
// (kOpaque).
using Reached = std::function<void(NodeId, const Indices&)>;
void follow(const Graph& graph, const std::vector<Role>& roles, NodeId node, const Indices& at, const Reached& reached);

// As follow, for what `node` (a member) itself reads when it computes its element at `at`; for a reduction, the element
// of its operand at `at`; for a contract, by its index map with the result's indices first, then the summed ones.
void follow_operands(const Graph& graph, const std::vector<Role>& roles, NodeId node, const Indices& at,
                     const Reached& reached);

// v0 … v(rank-1): a symbolic point, VarId(k) standing for the index along axis k.
Indices symbolic_point(int64_t rank);

}  // namespace nnc
