// lower_regions: from Plans to Loop IR.
#pragma once

#include <map>
#include <set>
#include <string>

#include "ir/loop/loop.h"
#include "ir/plan/plan.h"
#include "passes/plan/choose_layouts.h"
#include "passes/plan/node_roles.h"

namespace nnc {

// The kernels of a module by their text without the name, and the names taken.
struct KernelTable {
  std::map<std::string, KernelId> by_text;
  std::set<std::string> names;
};

// Purpose: writes each region of the plan as a kernel over its tiles: explicit vectors, masks where a tile reaches
// beyond an extent, accumulators in registers, expressions evaluated where their operands are.
//   r1 contract %z1 6x64 tile{%a1 %h1}    =>  for n … items r … { var a ; for k … { fma } ; add ; max ; store }
// Requires: form_regions … plan_buffers. Ensures: appends an entry and its kernels to `module` (kernels alike are kept
// once). `needs` gets the states whose layout does not allow some access; the module is then of no use, and planning
// starts again with them.
void lower_regions(const Plan& plan, const std::vector<Role>& roles, LoopModule& module, KernelTable& kernels,
                   LayoutNeeds& needs);

// Floating-point operations of one run of the graph: two a multiply-add of a contract, one a map element or reduced
// element.
double count_flops(const Graph& graph, NodeId node);
double count_flops(const Graph& graph);

}  // namespace nnc
