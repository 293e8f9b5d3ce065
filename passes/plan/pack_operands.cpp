#include "passes/plan/pack_operands.h"

#include <algorithm>
#include <utility>

#include "ir/ops/op.h"

namespace nnc {
namespace {

constexpr int64_t kTilePairs = 16;
constexpr int64_t kLongWalk = 64;     // steps of a sum whose lines, one a step, crowd a near cache
constexpr int64_t kWalkedPanels = 3;  // as often is a column walked, at least, if a copy is to pay

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// The axis of `operand` that index `name` runs along, if all its indices are plain.
int64_t axis_of(const IndexMap& map, size_t operand, int name) {
  int64_t found = -1;
  for (size_t axis = 0; axis < map.operands[operand].size(); ++axis) {
    const IndexTerm& term = map.operands[operand][axis];
    if (!term.is_plain()) return -1;
    if (term.terms[0].first == name) found = static_cast<int64_t>(axis);
  }
  return found;
}

// The one summed index of a product of two matrices; -1 if it is something else.
int summed_index(const Graph& graph, const Node& contract) {
  const IndexMap& map = contract.as<ContractAttr>().map;
  if (map.names.size() != 3 || map.result.size() != 2) return -1;
  int summed = 0;
  while (summed == map.result[0] || summed == map.result[1]) ++summed;
  for (size_t k = 0; k < 2; ++k) {
    if (graph.type(contract.operands[k]).rank() != 2 || axis_of(map, k, summed) < 0) return -1;
  }
  return summed;
}

bool is_inlined_cast(const Graph& graph, const std::vector<Role>& roles, NodeId node) {
  return graph[node].op == Op::cast && roles[node.value] == Role::inlined && graph.type(node).dtype == DType::bf16 &&
         graph.type(graph[node].operands[0]).dtype == DType::f32;
}

// Whether both operands can be stored in pairs along the summed index.
bool in_pairs(const Graph& graph, const std::vector<Role>& roles, const Node& contract, int summed) {
  const int64_t extent = contract.as<ContractAttr>().map.extents[summed];
  return extent > 0 && extent % 2 == 0 && is_inlined_cast(graph, roles, contract.operands[0]) &&
         is_inlined_cast(graph, roles, contract.operands[1]);
}

// Rows of a single panel: an odd number of lines from row to row, so that rows do not fight for the same cache sets.
Layout one_panel(const Dims& dims, int64_t lane_axis, const Target& target) {
  const int64_t line = std::max<int64_t>(16, target.lanes), lines = (dims[lane_axis] + line - 1) / line;
  return panel_layout(dims, lane_axis, (lines >= 4 && lines % 2 == 0 ? lines + 1 : lines) * line);
}

// One panel too, of whose rows a tile reads but a few: only pitches of whole KB bring them to the same sets.
Layout columns_as_rows(const Dims& dims, int64_t lane_axis, const Target& target) {
  constexpr int64_t kilobyte = 256;
  const int64_t width = round_up(dims[lane_axis], target.lanes);
  return panel_layout(dims, lane_axis, width % kilobyte == 0 ? width + target.lanes : width);
}

// Rows of a left factor in tiles: the summed axis innermost, of whole tiles and of whole panels of what is copied.
Layout left_factor_rows(const Dims& dims, int64_t summed_axis, const Layout& lies) {
  constexpr int64_t line = 2 * kTilePairs;
  const int64_t other = 1 - summed_axis;
  int64_t least = dims[summed_axis];
  if (lies.factors.size() > dims.size() && lies.lane_axis() == summed_axis)
    least = std::max(least, lies.physical.front() * lies.physical.back());
  const int64_t lines = round_up(least, line) / line;
  return {{{other, 1, dims[other]}, {summed_axis, 1, dims[summed_axis]}},
          {dims[other], (lines >= 4 && lines % 2 == 0 ? lines + 1 : lines) * line}};
}

// Whether the scalars of a tile lie a row apart from one step of the sum to the next, and are read so often that it
// pays to turn rows into columns first: a walk over rows takes a line a step, which no prefetcher foresees.
bool walks_rows(const Graph& graph, const std::vector<Role>& roles, const Region& region, NodeId operand,
                int64_t summed_axis) {
  const Node& value = graph[operand];
  const bool lies_in_rows = value.op == Op::input || roles[operand.value] == Role::member;
  return lies_in_rows && value.type.dtype == DType::f32 && summed_axis == 0 && region.tiling.row_axis >= 0 &&
         graph[region.anchor].as<ContractAttr>().order.kind == Order::chain && value.type.dims[0] >= kLongWalk &&
         region.tiling.panels >= kWalkedPanels;
}

}  // namespace

bool multiplies_tiles(const Graph& graph, const std::vector<Role>& roles, const Region& region) {
  if (region.kind != Region::contract || region.tiling.lane_axis < 0) return false;
  const Node& contract = graph[region.anchor];
  const int summed = summed_index(graph, contract);
  return summed >= 0 && contract.as<ContractAttr>().order == Order{Order::tiles, 2 * kTilePairs} &&
         in_pairs(graph, roles, contract, summed);
}

NodeId packed_source(const Graph& graph, const std::vector<Role>& roles, NodeId operand) {
  return is_inlined_cast(graph, roles, operand) ? graph[operand].operands[0] : operand;
}

std::optional<PackedForm> packed_form(const Plan& plan, const StateLayouts& homes, const std::vector<Role>& roles,
                                      NodeId id, size_t operand) {
  const Graph& graph = plan.graph;
  const Node& contract = graph[id];
  const auto region = std::find_if(plan.regions.begin(), plan.regions.end(), [&](const Region& candidate) {
    return candidate.kind == Region::contract && candidate.anchor == id;
  });
  if (region == plan.regions.end() || region->tiling.lane_axis < 0) return std::nullopt;
  const IndexMap& map = contract.as<ContractAttr>().map;
  PackedForm form;
  form.value = contract.operands[operand];
  form.type = graph.type(form.value);
  if (form.type.rank() != 2) return std::nullopt;
  const int64_t vector_axis = axis_of(map, operand, map.result[region->tiling.lane_axis]);
  const auto panels = [&] {
    const int64_t extent = form.type.dims[form.lane_axis];
    return panel_layout(form.type.dims, form.lane_axis, panels_of(extent, plan.target).width);
  };
  if (const int summed = summed_index(graph, contract); summed >= 0 && in_pairs(graph, roles, contract, summed)) {
    form.pair_axis = axis_of(map, operand, summed);
    const bool tiles = multiplies_tiles(graph, roles, *region);
    if (tiles && vector_axis < 0) {
      const Node& source = graph[packed_source(graph, roles, form.value)];
      form.lane_axis = std::exchange(form.pair_axis, -1);
      form.layout =
          left_factor_rows(form.type.dims, form.lane_axis,
                           source.op == Op::state ? homes.entries[source.as<StateAttr>().state.value].home : Layout());
      return form;
    }
    form.lane_axis = 1 - form.pair_axis;
    form.type.dtype = DType::i32;
    form.type.dims[form.pair_axis] /= 2;
    form.layout = vector_axis >= 0 ? panels() : one_panel(form.type.dims, form.lane_axis, plan.target);
    form.even_low = tiles;
    if (tiles) form.layout.physical[1] = round_up(form.layout.physical[1], kTilePairs);
    return form;
  }
  const Node& value = graph[form.value];
  if (const int summed = summed_index(graph, contract); summed >= 0 && vector_axis < 0) {
    form.lane_axis = axis_of(map, operand, summed);
    if (!walks_rows(graph, roles, *region, form.value, form.lane_axis)) return std::nullopt;
    form.layout = columns_as_rows(form.type.dims, form.lane_axis, plan.target);
    return form;
  }
  if (vector_axis < 0 || value.op != Op::state || form.type.dtype != DType::f32) return std::nullopt;
  form.lane_axis = vector_axis;
  const StateLayouts::Entry& entry = homes.entries[value.as<StateAttr>().state.value];
  const bool in_panels = entry.home.factors.size() > 2 && entry.home.lane_axis() != form.lane_axis;
  const bool mirrored = std::any_of(entry.mirrors.begin(), entry.mirrors.end(),
                                    [&](const Layout& mirror) { return mirror.lane_axis() == form.lane_axis; });
  if (!in_panels || mirrored) return std::nullopt;
  form.layout = panels();
  return form;
}

Region pack_region(const Plan& plan, const PackedForm& form, StorageId to, StorageId source) {
  const Graph& graph = plan.graph;
  Region region;
  region.kind = Region::pack;
  region.domain = graph.type(form.value).dims;
  region.outputs.push_back({form.value, to});
  region.locations = graph[form.value].locations;
  region.name = "pack_" + (graph[form.value].label.empty() ? std::string(name_of(graph[form.value].op))
                                                           : graph[form.value].label);
  const int64_t width = form.layout.physical.back();
  region.tiling.lane_axis = form.lane_axis;
  region.tiling.vectors = width / plan.target.lanes;
  region.tiling.panels = form.layout.factors.size() > region.domain.size() ? form.layout.physical.front() : 1;
  region.reads.push_back({source});
  // Rows of pairs; panels; or, where rows are turned into columns, as many columns as a vector has lanes.
  const Layout& lies = plan[source].layout;
  const int64_t other = 1 - form.lane_axis, extent = region.domain[other];
  const int64_t pairs = form.pair_axis == other ? form.layout.physical[1] : 0;
  if (lies.lane_axis() == form.lane_axis) {
    region.grid.axes.push_back({other, extent, form.pair_axis == other ? pairs : extent});
  } else if (lies.factors.size() > region.domain.size()) {
    region.grid.axes.push_back({form.lane_axis, region.tiling.panels, region.tiling.panels});
  } else {
    const int64_t covered = std::max(extent, 2 * pairs);
    region.grid.axes.push_back({other, extent, (covered + plan.target.lanes - 1) / plan.target.lanes});
  }
  return region;
}

}  // namespace nnc
