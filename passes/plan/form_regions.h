// form_regions: which nodes share a kernel.
#pragma once

#include "passes/plan/choose_layouts.h"
#include "passes/plan/node_roles.h"

namespace nnc {

// Purpose: groups the members of plan.graph into regions, so that what is computed is used while it is in registers.
//   %z = contract … ; %a = add %z %c ; %h = max %a 0        =>  one region: contract %z tile{%a %h}
//   %m = reduce max ; … %e = exp … ; %s = reduce sum %e       =>  one region over the rows of the operand
// Requires: orders are fixed, pads have steps of 1. `fuse` false: one node a region.
// Ensures: every member is in one region; regions stand in an order that follows data; domain, tiling and grid are set.
// Outputs and reads are filled by place_values.
void form_regions(Plan& plan, const StateLayouts& layouts, const std::vector<Role>& roles, bool fuse);

inline constexpr size_t most_members = 96;  // of a region

// Rows of a product's tile that is not deferred: with a panel of vectors they fill the registers with sums.
inline constexpr int64_t most_tile_rows = 6;

// Whether registers are left for what is woven into a deferred product: fewer hold the sums of a tile alone.
inline bool can_weave(const Target& target) { return target.registers >= 32; }

// Sets tiling and grid of a region from its domain: vectors along `lane_axis` (-1: none).
void choose_tiling(Region& region, int64_t lane_axis, const Target& target);

// True if `node` stands at the row position of the region (shape = domain without its last axis).
bool at_row(const Plan& plan, const Region& region, NodeId node);

// True if the member reduces the last axis of the region's domain in vectors (it is not the region's anchor).
bool is_row_reduce(const Plan& plan, const Region& region, NodeId node);

}  // namespace nnc
