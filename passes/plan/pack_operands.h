// pack_operands: copies of operands, made in each run, in the arrangement that their product reads.
#pragma once

#include <optional>

#include "passes/plan/place_values.h"

namespace nnc {

// What a contract wants of one of its operands. With a pair axis: elements 2k and 2k + 1 along it as bf16 in 32 bits.
struct PackedForm {
  NodeId value;  // the operand
  int64_t lane_axis = 0;
  int64_t pair_axis = -1;
  Layout layout;
  TensorType type;  // of what is stored
  bool operator==(const PackedForm&) const = default;
};

// Purpose: the vector-side operand of a product lies in panels along the product's vectors; operands of a product of
// bf16 lie in pairs along the summed index.
//   dx = contract dy w "b o, o i -> b i", w at home in panels along o    =>  a copy of w in panels along i
//   y = contract cast(x, bf16) cast(w, bf16) "b i, o i -> b o"           =>  copies of x and w in pairs along i
// Empty where the operand is read as it lies. `homes`: how the states lie.
std::optional<PackedForm> packed_form(const Plan& plan, const StateLayouts& homes, const std::vector<Role>& roles,
                                      NodeId contract, size_t operand);

// The region that makes the copy, of what lies in `source`.
Region pack_region(const Plan& plan, const PackedForm& form, StorageId to, StorageId source);

// What lies in memory below an operand: the operand itself, or what an inlined cast reads.
NodeId packed_source(const Graph& graph, const std::vector<Role>& roles, NodeId operand);

}  // namespace nnc
