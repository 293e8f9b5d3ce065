#include "passes/plan/schedule.h"

#include <algorithm>
#include <set>
#include <utility>

#include "ir/check.h"
#include "passes/plan/place_values.h"

namespace nnc {
namespace {

// Copies of operands move to the last phase in which they are made in time: they need memory for less long, and are
// near when they are read.
void delay_copies(Plan& plan) {
  std::vector<int64_t> latest(plan.regions.size(), static_cast<int64_t>(plan.phases.size()) - 1);
  for (const RegionEdge& edge : region_edges(plan)) {
    int64_t& phase = latest[edge.from.value];
    phase = std::min(phase, plan[edge.to].phase - (edge.item_local ? 0 : 1));
  }
  for (size_t r = 0; r < plan.regions.size(); ++r) {
    Region& region = plan.regions[r];
    if (region.kind != Region::pack || latest[r] <= region.phase) continue;
    std::erase(plan.phases[static_cast<size_t>(region.phase)].regions, RegionId(r));
    region.phase = latest[r];
    plan.phases[static_cast<size_t>(region.phase)].regions.push_back(RegionId(r));
  }
}

}  // namespace

void schedule(Plan& plan, bool merge_phases) {
  struct Waiting {
    std::vector<RegionEdge> before, after;
    size_t open = 0;
  };
  std::vector<Waiting> waiting(plan.regions.size());
  for (const RegionEdge& edge : region_edges(plan)) {
    waiting[edge.from.value].after.push_back(edge);
    waiting[edge.to.value].before.push_back(edge);
    ++waiting[edge.to.value].open;
  }
  std::set<RegionId> ready;
  for (size_t r = 0; r < waiting.size(); ++r) {
    if (waiting[r].open == 0) ready.insert(RegionId(r));
  }
  // The first phase a region may run in, given where those before it stand.
  const auto earliest = [&](RegionId region) {
    int64_t phase = 0;
    for (const RegionEdge& edge : waiting[region.value].before) {
      phase = std::max(phase, plan[edge.from].phase + (edge.item_local ? 0 : 1));
    }
    return phase;
  };
  size_t placed = 0;
  while (!ready.empty()) {
    const int64_t current = static_cast<int64_t>(plan.phases.size()) - 1;
    RegionId chosen;
    for (RegionId region : ready) {
      if (merge_phases && !chosen && earliest(region) <= current) chosen = region;
    }
    if (!chosen) {
      plan.phases.emplace_back();
      // A copy of an operand only if nothing else can: it needs memory until it is read.
      const auto order = [&](RegionId region) {
        return std::pair{plan[region].kind == Region::pack, earliest(region)};
      };
      chosen = *ready.begin();
      for (RegionId region : ready) {
        if (order(region) < order(chosen)) chosen = region;
      }
    }
    plan[chosen].phase = static_cast<int64_t>(plan.phases.size()) - 1;
    plan.phases.back().regions.push_back(chosen);
    ready.erase(chosen);
    ++placed;
    for (const RegionEdge& edge : waiting[chosen.value].after) {
      if (--waiting[edge.to.value].open == 0) ready.insert(edge.to);
    }
  }
  NNC_CHECK(placed == plan.regions.size(), "regions of {} wait for each other in a circle", plan.graph.name);
  if (merge_phases) delay_copies(plan);
}

}  // namespace nnc
