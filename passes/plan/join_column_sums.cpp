#include "passes/plan/join_column_sums.h"

#include <algorithm>

#include "passes/plan/form_regions.h"

namespace nnc {
namespace {

using Writers = std::vector<RegionId>;  // per node, the region that computes it

Writers writers_of(const Plan& plan) {
  Writers writers(plan.graph.nodes.size());
  for (size_t r = 0; r < plan.regions.size(); ++r) {
    for (NodeId member : plan.regions[r].members) writers[member.value] = RegionId(r);
  }
  return writers;
}

// Whether data still flows downwards when what one region computes is computed by another.
bool may_move(const Graph& graph, const std::vector<Role>& roles, const Writers& writers, RegionId from, RegionId to) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const RegionId reader = writers[n];
    if (!reader) continue;
    const Node& node = graph.nodes[n];
    const int64_t rank = node.op == Op::reduce ? graph.type(node.operands[0]).rank() : node.type.rank();
    bool flows = true;
    follow_operands(graph, roles, NodeId(n), symbolic_point(rank), [&](NodeId read, const Indices&) {
      const RegionId writer = writers[read.value];
      if (!writer || writer == reader) return;
      if (reader == from) flows = flows && writer < to;
      if (writer == from) flows = flows && reader > to;
    });
    if (!flows) return false;
  }
  return true;
}

}  // namespace

void join_column_sums(Plan& plan, const std::vector<Role>& roles) {
  for (size_t r = plan.regions.size(); r-- > 0;) {
    const Region& sums = plan.regions[r];
    if (sums.kind != Region::reduce) continue;
    const auto product = std::find_if(plan.regions.begin(), plan.regions.end(), [&](const Region& region) {
      return !region.column_sum && region.tiling.vectors == sums.tiling.vectors &&
             region.members.size() + sums.members.size() <= most_members &&
             takes_column_sum(plan.graph, region, sums.anchor);
    });
    if (product == plan.regions.end()) continue;
    const RegionId to(static_cast<size_t>(product - plan.regions.begin()));
    if (!may_move(plan.graph, roles, writers_of(plan), RegionId(r), to)) continue;
    product->column_sum = sums.anchor;
    product->members.insert(product->members.end(), sums.members.begin(), sums.members.end());
    std::sort(product->members.begin(), product->members.end());
    merge_into(product->locations, sums.locations);
    plan.regions.erase(plan.regions.begin() + static_cast<std::ptrdiff_t>(r));
  }
}

}  // namespace nnc
