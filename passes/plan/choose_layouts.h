// choose_layouts: how the states of a program lie in memory.
#pragma once

#include <set>

#include "ir/plan/plan.h"

namespace nnc {

// Cuts `extent` elements into equal panels of whole vectors, at most as many vectors as a register tile holds.
struct Panels {
  int64_t vectors = 1, count = 1, width = 1;  // vectors a panel, panels, elements a panel
};
Panels panels_of(int64_t extent, const Target& target);

// Purpose: weights are kept in the layout that their products read, others row-major, padded to whole vectors.
//   "fc1.weight" [512,784] read by "b i, o i -> b o"  =>  home [o/64, i, o%64]
//   also read by "b o, o i -> b i"                    =>  nothing more: that product gets a copy (pack_operands)
//   also read otherwise, across its panels            =>  mirror [o, i]
// A matrix of one output is kept in rows: a product with it computes scalars.
// Ensures: a layout follows from shape, dtype, target and the kinds of readers, never from a batch length, so all
// functions of the program agree. `packed` false: everything row-major. `needs`: what lowering found to be missing, see
// lower_regions.
struct LayoutNeeds {
  std::set<StateId> plain_mirror;  // read across its panels
  std::set<StateId> plain_home;    // written across its panels
  bool empty() const { return plain_mirror.empty() && plain_home.empty(); }
};
StateLayouts choose_layouts(const Program& program, const Target& target, bool packed, const LayoutNeeds& needs);

// Per node of `graph`, the axis along which vectors run when it is computed: the last, but for values on their way into
// a state whose home runs along another. -1 for scalars.
std::vector<int64_t> lane_axes(const Graph& graph, const Program& program, const StateLayouts& layouts);

}  // namespace nnc
