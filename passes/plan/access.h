// How a point of one value maps to points of its operands, and to memory. Shared by everything that follows accesses:
// form_regions and schedule do it symbolically, lower_regions with the loop variables of a kernel.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "ir/graph/graph.h"
#include "ir/loop/loop.h"
#include "ir/plan/plan.h"

namespace nnc {

// Position along one axis: affine + lane * l for vector lane l, plus a value known at run time only.
struct AxisIndex {
  Affine affine;
  int64_t lane = 0;
  ValueId dynamic;
  bool operator==(const AxisIndex&) const = default;
};
using Indices = std::vector<AxisIndex>;

// Where nobody can tell the index, when accesses are followed symbolically: what is made of it is opaque too.
inline constexpr uint32_t kOpaque = 0x7fffffff;
inline AxisIndex opaque_index() { return {{}, 0, ValueId(static_cast<size_t>(kOpaque))}; }
inline bool is_opaque(const AxisIndex& index) { return index.dynamic.value == kOpaque; }

AxisIndex operator+(const AxisIndex& a, const AxisIndex& b);  // at most one has a dynamic part
AxisIndex operator*(const AxisIndex& a, int64_t factor);

// A condition for an operand to be read: low <= index < high.
struct Bounds {
  AxisIndex index;
  int64_t low = 0, high = 0;
};

// Where operand `operand` of a movement op is read to give the result at `at`. `bounds` gets the conditions of pad and
// concat. Requires: the op is broadcast, transpose, slice, reverse, pad (steps of 1), concat or reshape. Empty for a
// reshape that merges axes: its operand can only be read as a whole (see is_view).
std::optional<Indices> operand_indices(const Graph& graph, NodeId node, size_t operand, const Indices& at,
                                       std::vector<Bounds>* bounds);

// True for a reshape whose result's axes are not each a part of one operand axis: it is a second view of stored bytes.
bool is_view(const Graph& graph, NodeId node);

// Least and greatest value of an affine expression, by the ranges of its variables.
using VarRange = std::function<std::pair<int64_t, int64_t>(VarId)>;  // [first, last] values
std::pair<int64_t, int64_t> range_of(const Affine& affine, const VarRange& range);

// Physical indices of the element at `at` in `layout`, and along which physical axis lanes run (lane_axis -1: none).
struct PhysicalIndices {
  std::vector<AxisIndex> indices;
  int64_t lane_axis = -1;
  int64_t lane_step = 0;
};
// Empty if the layout's divisions cannot be carried out on these expressions (an axis cut into panels, read across
// them).
std::optional<PhysicalIndices> physical_indices(const Layout& layout, const Indices& at, int64_t lanes,
                                                const VarRange& range);

}  // namespace nnc
