// schedule: the order of regions, and the barriers between them.
#pragma once

#include "ir/plan/plan.h"

namespace nnc {

// Purpose: puts regions into phases. Within a phase no thread waits for another, so a region may share a phase with
// what it depends on only where each item needs just the same item of the same grid.
//   r1 rows -> r2 rows (item-local) -> r3 columns     =>  phase 0: r1 r2   barrier   phase 1: r3
// Requires: place_values. `merge_phases` false: a phase each.
// Ensures: data flows downwards, old values of states are read before they are overwritten, copies of operands are made
// in the last of the merged phases in which they are in time, Region::phase is set.
void schedule(Plan& plan, bool merge_phases);

}  // namespace nnc
