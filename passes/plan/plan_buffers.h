// plan_buffers: one arena for all values that cross regions.
#pragma once

#include "ir/plan/plan.h"

namespace nnc {

// Purpose: gives each arena storage an offset; storages whose phases do not meet may share bytes. (Within a phase
// threads stand at different regions, so lifetimes are counted in phases, not in regions.)
//   A0 phases 0..1, A1 phases 2..3     =>  both @0
// Requires: schedule. `share` false: every storage has bytes of its own.
// Ensures: offsets are multiples of 64; arena_bytes is exact; live_bytes is the largest set alive in one phase.
void plan_buffers(Plan& plan, bool share);

}  // namespace nnc
