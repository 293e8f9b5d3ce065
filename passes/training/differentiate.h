// Reverse-mode differentiation, symbolic: appends the gradient of the losses with respect to the trained states.
//
// The objective is the plain sum of the loss roots, so the cotangent of each is 1. Walks backward over the nodes
// between trained states and losses; OpDefinition::gradient says what each contributes to its operands. Contributions
// to one value are added in the order in which they arise: those of later users first. A custom gradient is copied with
// the cotangents in place of its leaves, and nothing between its outputs and inputs is looked at, custom gradients in
// there included; where two custom gradients share an output (a function that returns what another one computed), the
// later, outer one counts.
//
// Requires: forward nodes, templates of custom gradients (part backward), loss roots of rank 0; an output of a custom
// gradient stands behind all its inputs (a function that returns its argument puts an identity reshape between).
// Ensures: one root {gradient, name} per trained state in the order of the table, zeros if no loss reaches it; new
// nodes are part backward with the locations of the node they differentiate; custom_gradients is empty, no detach is
// left, no node is dead, and all forward nodes stand before all backward ones.
//
//   %w = state "w" : f32[] ; %y = exp %w ; loss "y" %y
//   %w = state "w" : f32[] ; %y = exp %w ; loss "y" %y ; bwd: %g = mul 1 %y ; gradient "w" %g
#pragma once

#include "ir/graph/graph.h"

namespace nnc {

void differentiate(Graph& graph, const Program& program);

}  // namespace nnc
