// The index maps of contract: their rules, and the gradient that keeps contract closed under differentiation.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/ops/op.h"

namespace nnc {

// "" if `map` fits the operands, else what is wrong: one extent per index; every index occurs in an operand; a summed
// index occurs plain in one; plain occurrences have the index's extent; indices are numbered by appearance.
std::string check_index_map(const IndexMap& map, std::span<const TensorType> operands);

// The summed indices, ascending: those not in the result.
std::vector<int> summed_indices(const IndexMap& map);

// The rule of contract. An operand's axis is an equation "axis = (sum of indices + offset) / divisor". A plain one
// names the gradient's result index. Else an index that the result (or the other operand) also has is solved for, and
// replaced there by the affine term found: "n c (2*p+r-1), k c r -> n k p" gives "n k ((h-r+1)/2), k c r -> n c h".
std::vector<NodeId> contract_gradient(GradientContext& context);

void evaluate_contract(const Node& node, std::span<const ReferenceTensor* const> operands, ReferenceTensor& result);

}  // namespace nnc
