#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ir/graph/names.h"
#include "ir/ops/op.h"
#include "ir/plan/plan.h"

namespace nnc {
namespace {

// The names that the Graph's own text gives its nodes.
using Names = std::vector<std::string>;

std::string layout_text(const Layout& layout) {
  std::vector<std::string> factors;
  for (const Layout::Factor& factor : layout.factors) {
    const bool outer = factor.divisor > 1;
    const bool inner = !outer && std::count_if(layout.factors.begin(), layout.factors.end(),
                                               [&](const auto& other) { return other.axis == factor.axis; }) > 1;
    factors.push_back(outer   ? fmt::format("d{}/{}", factor.axis, factor.divisor)
                      : inner ? fmt::format("d{}%{}", factor.axis, factor.extent)
                              : fmt::format("d{}", factor.axis));
  }
  return fmt::format("[{}] [{}]", fmt::join(factors, ", "), fmt::join(layout.physical, ","));
}

// "S3", "A0", "IO2": the kind, and the position in the table.
std::string storage_name(const Plan& plan, StorageId id) {
  const Storage& storage = plan[id];
  return fmt::format("{}{}",
                     storage.kind == Storage::state   ? "S"
                     : storage.kind == Storage::arena ? "A"
                                                      : "IO",
                     id.value);
}

std::string storage_line(const Plan& plan, const Names& names, StorageId id) {
  const Storage& storage = plan[id];
  std::string line = fmt::format("  {} ", storage_name(plan, id));
  switch (storage.kind) {
    case Storage::state:
      line += fmt::format("\"{}\" {} ", storage.name, storage.mirror ? "mirror" : "home");
      break;
    case Storage::arena:
      line += names[storage.value.value] + (storage.packed ? " packed " : " ");
      if (storage.pair_axis >= 0)
        line += fmt::format("pairs d{} {}", storage.pair_axis, storage.even_low ? "even low " : "");
      break;
    case Storage::io:
      line += fmt::format("\"{}\" {} ", storage.name, names[storage.value.value]);
      break;
  }
  line += fmt::format("{} {} ", to_string(storage.type), layout_text(storage.layout));
  line += storage.kind == Storage::io ? fmt::format("#{}", storage.offset)
                                      : fmt::format("@{} {}", storage.offset, storage.bytes);
  if (storage.kind == Storage::arena) line += fmt::format(" phases {}..{}", storage.first_phase, storage.last_phase);
  return line + "\n";
}

std::string region_line(const Plan& plan, const Names& names, RegionId id) {
  static constexpr std::string_view kKinds[] = {"map", "reduce", "contract", "scatter", "cumsum", "pack"};
  const Region& region = plan[id];
  std::string line = fmt::format("    r{} {} {}", id.value, region.name, kKinds[region.kind]);
  if (region.anchor) line += " " + names[region.anchor.value];
  line += fmt::format(" domain [{}]", fmt::join(region.domain, ","));
  if (region.tiling.lane_axis >= 0) {
    line += fmt::format(" tile {}x{} lanes d{}", region.tiling.row_axis < 0 ? 1 : region.tiling.rows,
                        region.tiling.vectors * plan.target.lanes, region.tiling.lane_axis);
    if (region.tiling.blocks > 1) line += fmt::format(" in {} blocks", region.tiling.blocks);
    if (region.tiling.zeros >= 0) line += fmt::format(" skips zeros of operand {}", region.tiling.zeros);
  }
  if (region.column_sum) line += " beside " + names[region.column_sum.value];
  std::vector<std::string> axes, members, reads, writes;
  for (const Grid::Axis& axis : region.grid.axes)
    axes.push_back(fmt::format("d{}:{}/{}", axis.axis, axis.extent, axis.count));
  for (NodeId member : region.members) {
    if (member != region.anchor && member != region.column_sum) members.push_back(names[member.value]);
  }
  for (const Region::Read& read : region.reads)
    reads.push_back(storage_name(plan, read.storage) + (read.item_local ? "*" : ""));
  for (const Region::Output& output : region.outputs) writes.push_back(storage_name(plan, output.storage));
  line += fmt::format(" grid ({}) {{{}}} reads {} writes {}", fmt::join(axes, " "), fmt::join(members, " "),
                      fmt::join(reads, " "), fmt::join(writes, " "));
  std::vector<std::string> places;
  for (const Location& place : region.locations) places.push_back(fmt::format("!{}", place.line));
  return line + (places.empty() ? "" : "  " + fmt::format("{}", fmt::join(places, ","))) + "\n";
}

}  // namespace

std::string print(const Plan& plan) {
  const Names names = node_names(plan.graph, find_literals(plan.graph));
  std::string text = fmt::format("plan {} of {} at B={} target={} {{  # a read marked * is local to its item\n",
                                 plan.graph.name, plan.program->name, plan.graph.batch, plan.target.name);
  for (size_t s = 0; s < plan.storages.size(); ++s) text += storage_line(plan, names, StorageId(s));
  text += fmt::format("  # states {} bytes, arena {} bytes, largest live set {} bytes\n", plan.state_bytes,
                      plan.arena_bytes, plan.live_bytes);
  for (size_t p = 0; p < plan.phases.size(); ++p) {
    text += fmt::format("  phase {}\n", p);
    for (RegionId region : plan.phases[p].regions) text += region_line(plan, names, region);
    text += "  barrier\n";
  }
  return text + "}\n";
}

}  // namespace nnc
