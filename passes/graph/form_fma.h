// Joins a product and the sum that reads it: one rounding where there were two.
//
// A float add or sub whose operand is a mul of the same part that nobody else reads becomes fma; sub by a negated
// operand, which costs nothing (the machine has fused subtractions). Where both operands are such products the first
// one is taken. Left alone: products of two broadcasts, which a loop computes once; clones and what has clones.
//
// Requires: equal values are computed once (merge_duplicates), or products that differ in nothing are counted apart.
// Ensures: the same values but for a rounding less each (f32 and f64; on a target without fma nothing is rounded less);
// the products are dead now (remove_dead). Linear in the nodes, up to a logarithm.
//
//   %t = mul %a %b ; %y = add %t %c      =>  %y = fma %a %b %c
//   %t = mul %a %b ; %y = sub %c %t      =>  %n = neg %a ; %y = fma %n %b %c
#pragma once

#include "ir/graph/graph.h"

namespace nnc {

void form_fma(Graph& graph);

}  // namespace nnc
