// pack_operands: copies of operands, made in each run, in the arrangement that their product reads.
#pragma once

#include <optional>

#include "passes/plan/place_values.h"

namespace nnc {

// What a contract wants of one of its operands. With a pair axis: elements 2k and 2k + 1 along it as bf16 in 32 bits,
// as Storage says.
struct PackedForm {
  NodeId value;  // the operand
  int64_t lane_axis = 0;
  int64_t pair_axis = -1;
  bool even_low = false;
  Layout layout;
  TensorType type;  // of what is stored
  bool operator==(const PackedForm&) const = default;
};

// Purpose: the vector-side operand of a product lies in panels along the product's vectors; operands of a product of
// bf16 lie in pairs along the summed index.
//   dx = contract dy w "b o, o i -> b i", w at home in panels along o    =>  a copy of w in panels along i
//   y = contract cast(x, bf16) cast(w, bf16) "b i, o i -> b o"           =>  copies of x and w in pairs along i
// An operand read a scalar at a time, and again for each panel, lies along the summed index:
//   dw = contract dy x "b o, b i -> o i", many b and o                   =>  a copy of x with columns as rows, [i, b]
// In tiles, the vector-side operand is in pairs along the summed index and the other one plain bf16 along it; both are
// filled up with zeros to whole tiles of 16 pairs:
//   %y = contract "b i, o i -> b o" %x %w order=tiles(32)  =>  x as bf16 [b, i], w as pairs [o/64, i/2, o%64]
// Empty where the operand is read as it lies. `homes`: how the states lie.
std::optional<PackedForm> packed_form(const Plan& plan, const StateLayouts& homes, const std::vector<Role>& roles,
                                      NodeId contract, size_t operand);

// Whether the region multiplies in tiles (Loop IR's `tiles`): its order asks for it and both operands can be copied.
// Otherwise the same sum is computed in vectors.
bool multiplies_tiles(const Graph& graph, const std::vector<Role>& roles, const Region& region);

// The region that makes the copy, of what lies in `source`.
Region pack_region(const Plan& plan, const PackedForm& form, StorageId to, StorageId source);

// What lies in memory below an operand: the operand itself, or what an inlined cast reads.
NodeId packed_source(const Graph& graph, const std::vector<Role>& roles, NodeId operand);

}  // namespace nnc
