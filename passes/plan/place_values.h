// place_values: where every value lies that crosses from one region to another, or to the caller.
#pragma once

#include "passes/plan/form_regions.h"

namespace nnc {

// Purpose: makes the storages of a plan and tells each region what it stores and what it reads. An assign becomes a
// store into the state's home and mirrors by the region that computes the value, where nobody needs the old value
// afterwards; else a region of its own copies it there at the end. Requires: form_regions. Ensures: outputs, reads and
// plan.io are set; offsets of arena storages are not yet.
void place_values(Plan& plan, const StateLayouts& layouts, const std::vector<Role>& roles);

// Appends the storages of every state (home, then mirrors) to an empty plan, and rebuilds the mirrors: the plan of
// "refresh".
void plan_refresh(Plan& plan, const StateLayouts& layouts);

// What must happen before what.
struct RegionEdge {
  RegionId from, to;
  bool item_local = false;  // item k of `to` waits for item k of `from` alone: no barrier
};
// From writers to readers of arena and io values; from readers to writers of states.
std::vector<RegionEdge> region_edges(const Plan& plan);

}  // namespace nnc
