#include "passes/plan/schedule.h"

#include <set>

#include "ir/check.h"
#include "passes/plan/place_values.h"

namespace nnc {

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
      chosen = *ready.begin();
      for (RegionId region : ready) {
        if (earliest(region) < earliest(chosen)) chosen = region;
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
}

}  // namespace nnc
