#include "passes/plan/form_regions.h"

#include <algorithm>

#include "ir/check.h"
#include "ir/ops/op.h"
#include "passes/plan/join_column_sums.h"
#include "passes/plan/pack_operands.h"

namespace nnc {
namespace {

constexpr int64_t kFewRows = 32;       // that are cut into tiles of one height
constexpr int64_t kFewElements = 256;  // of a map that is not worth a kernel of its own
constexpr int64_t kShortestSum = 16;   // steps of a product that what follows the product before can hide behind
constexpr int64_t kStripTiles = 16;    // tiles of a strip, about
constexpr int64_t kShared = int64_t{64} << 10;  // bytes that every thread may read at little cost
constexpr int64_t kFewestRows = 48;             // of a product in blocks
constexpr int64_t kMostRows = 192;              // of one of its strips
constexpr int64_t kItems = 8;                   // strips by panels, where there are rows for that: for threads to share

Dims without_last(Dims dims) {
  dims.pop_back();
  return dims;
}

// A reduction of just the last axis, in vectors: it can share a region with what is computed along that axis.
bool reduces_rows(const Graph& graph, const Node& node) {
  if (node.op != Op::reduce) return false;
  const ReduceAttr& reduce = node.as<ReduceAttr>();
  return reduce.reduction != Reduction::argmax && reduce.order.kind == Order::lanes &&
         reduce.axes == std::vector<int64_t>{graph.type(node.operands[0]).rank() - 1};
}

// Rows of a tile: as many as leave no rest, so that its loop is written once.
int64_t even_rows(int64_t extent, int64_t most) {
  for (int64_t rows = most; rows >= 4; --rows) {
    if (extent % rows == 0) return rows;
  }
  return most_tile_rows;
}

// Of many rows, tiles of two heights cost little code for each of them; of few it is half of what is compiled.
int64_t rows_of_tile(int64_t extent) { return extent <= kFewRows ? even_rows(extent, most_tile_rows) : most_tile_rows; }

// The item of a deferred product is a strip of tiles by a panel; all tiles of one size, and all strips, where that can
// be had. `row_bytes`: of the other operand, which each panel reads anew.
void defer(Region& region, int64_t row_bytes, const Target& target) {
  Tiling& tiling = region.tiling;
  Grid::Axis strips = region.grid.axes.back();
  // What is woven into the product needs some registers too.
  const int64_t accumulators = can_weave(target) ? 20 : 12;
  const int64_t most = std::clamp<int64_t>(accumulators / tiling.vectors, 1, 12);
  tiling.deferred = true;
  tiling.rows = std::min(most, strips.extent);
  for (int64_t rows = tiling.rows; 3 * rows >= 2 * most; --rows) {
    if (strips.extent % rows == 0) {
      tiling.rows = rows;
      break;
    }
  }
  const int64_t tiles = (strips.extent + tiling.rows - 1) / tiling.rows;
  // Rows that no near cache holds are read once a strip, by all panels in turn, as many of them as it does hold.
  const bool far = tiling.panels > 1 && strips.extent * row_bytes > target.near_cache;
  const int64_t held = target.near_cache / 2 / (row_bytes * tiling.rows);
  const int64_t wanted = far ? std::max(kStripTiles, held) : kStripTiles;
  strips.count = std::max<int64_t>(1, (tiles + wanted / 2) / wanted);
  for (int64_t count = (2 * tiles + 3 * wanted - 1) / (3 * wanted); count * wanted <= 2 * tiles; ++count) {
    if (strips.extent % (count * tiling.rows) == 0) {
      strips.count = count;
      break;
    }
  }
  const Grid::Axis panels = region.grid.axes.front();
  region.grid.axes = far ? std::vector{strips, panels} : std::vector{panels, strips};
}

// Items of a product in tiles: two tiles of rows at most, and one panel.
void cut_into_tiles(Region& region) {
  constexpr int64_t most = 32;
  Tiling& tiling = region.tiling;
  const int64_t extent = region.domain[tiling.row_axis], count = (extent + most - 1) / most;
  tiling.rows = (extent + count - 1) / count;
  region.grid.axes.clear();
  if (tiling.panels > 1) region.grid.axes.push_back({tiling.lane_axis, tiling.panels, tiling.panels});
  region.grid.axes.push_back({tiling.row_axis, extent, count});
}

// True if no item holds a whole row.
bool cuts_lanes(const Region& region) {
  return std::any_of(region.grid.axes.begin(), region.grid.axes.end(),
                     [&](const Grid::Axis& axis) { return axis.axis == region.tiling.lane_axis && axis.count > 1; });
}

class RegionFormer {
 public:
  RegionFormer(Plan& plan, const StateLayouts& layouts, const std::vector<Role>& roles, bool fuse)
      : plan_(plan),
        graph_(plan.graph),
        roles_(roles),
        fuse_(fuse),
        region_of_(plan.graph.nodes.size()),
        lane_axes_(lane_axes(plan.graph, *plan.program, layouts)) {}

  void run() {
    // Scalars that need nothing but leaves (step sizes, bias corrections) come first, so that whatever reads them may
    // still join the region of its other operands.
    std::vector<bool> early(graph_.nodes.size(), false);
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      early[n] = node.type.rank() == 0 && std::all_of(node.operands.begin(), node.operands.end(), [&](NodeId operand) {
                   return roles_[operand.value] == Role::stored || early[operand.value];
                 });
      if (early[n] && roles_[n] == Role::member) place(NodeId(n));
    }
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (!early[n] && roles_[n] == Role::member) place(NodeId(n));
    }
    for (Region& region : plan_.regions) {
      std::sort(region.members.begin(), region.members.end());
      finish(region);
    }
  }

 private:
  void place(NodeId id) {
    const Node& node = graph_[id];
    const OpKind kind = definition(node.op).kind;
    if (node.op == Op::contract) {
      open(Region::contract, id, node.type.dims, lane_axes_[id.value]);
      if (fuse_) split_by_panels(plan_.regions.back());
      return;
    }
    if (node.op == Op::scatter_add) {
      const int64_t last = node.type.rank() - 1;
      return open(Region::scatter, id, node.type.dims, node.as<AxisAttr>().axis == last ? -1 : last);
    }
    if (node.op == Op::cumsum) {
      const int64_t last = node.type.rank() - 1;
      return open(Region::cumsum, id, node.type.dims, node.as<CumsumAttr>().axis == last ? -1 : last);
    }
    if (reduces_rows(graph_, node)) {
      if (joined(id)) return;
      const Dims& domain = graph_.type(node.operands[0]).dims;
      open(Region::map, id, domain, static_cast<int64_t>(domain.size()) - 1);
      plan_.regions.back().anchor = NodeId();
      if (cuts_lanes(plan_.regions.back())) plan_.regions.back().grid.axes.clear();
      return;
    }
    if (kind == OpKind::reduce) return open(Region::reduce, id, node.type.dims, reduce_lane_axis(node));
    if (joined(id)) return;
    open(Region::map, id, node.type.dims, lane_axes_[id.value]);
    plan_.regions.back().anchor = NodeId();
  }

  // Vectors run along the last axis that stays, unless they run along the axis that is summed.
  int64_t reduce_lane_axis(const Node& node) const {
    const ReduceAttr& reduce = node.as<ReduceAttr>();
    const bool last_is_summed = !reduce.axes.empty() && reduce.axes.back() == graph_.type(node.operands[0]).rank() - 1;
    if (reduce.order.kind == Order::lanes) return -1;
    return reduce.reduction == Reduction::argmax && last_is_summed ? -1 : node.type.rank() - 1;
  }

  void open(Region::Kind kind, NodeId id, const Dims& domain, int64_t lane_axis) {
    Region region;
    region.kind = kind;
    region.anchor = id;
    region.domain = domain;
    // Of a row of one element, vectors would be empty but for one lane.
    if (kind == Region::contract && lane_axis >= 0 && domain[lane_axis] == 1) lane_axis = -1;
    if (kind == Region::contract && graph_[id].as<ContractAttr>().order.kind == Order::lanes) lane_axis = -1;
    choose_tiling(region, lane_axis, plan_.target);
    const auto& axes = region.grid.axes;
    const bool along_grid = kind == Region::cumsum && !axes.empty() && axes[0].axis == graph_[id].as<CumsumAttr>().axis;
    if (kind == Region::scatter || along_grid) region.grid.axes.clear();
    region_of_[id.value] = RegionId(plan_.regions.size());
    region.members.push_back(id);
    plan_.regions.push_back(std::move(region));
  }

  // Products that are added up for one element of a contract's matrix.
  int64_t summed_steps(const Region& region) const {
    int64_t steps = 1;
    for (int64_t extent : graph_[region.anchor].as<ContractAttr>().map.extents) steps *= std::max<int64_t>(1, extent);
    return steps / std::max<int64_t>(1, region.domain[0] * region.domain[1]);
  }

  // A thread takes whole panels of a large matrix: those that it also updates, so that they stay in its own cache.
  void split_by_panels(Region& region) const {
    if (region.domain.size() != 2 || region.tiling.lane_axis != 1 || region.tiling.panels == 1) return;
    const int64_t matrix = summed_steps(region) * region.domain[1] * size_of(graph_[region.anchor].type.dtype);
    if (matrix < kShared) return;
    region.grid.axes.insert(region.grid.axes.begin(), {1, region.tiling.panels, region.tiling.panels});
  }

  struct Reading {
    NodeId node;
    Indices at;
  };

  // Joins the last region that the node reads from, or (scalars and little else) a later one over the same domain: so
  // data keeps flowing downwards.
  bool joined(NodeId id) {
    if (!fuse_) return false;
    const Node& node = graph_[id];
    std::vector<Reading> readings;
    RegionId last;
    const bool reduce = reduces_rows(graph_, node);
    const int64_t rank = reduce ? graph_.type(node.operands[0]).rank() : node.type.rank();
    follow_operands(graph_, roles_, id, symbolic_point(rank), [&](NodeId read, const Indices& at) {
      const RegionId region = region_of_[read.value];
      if (!region) return;
      readings.push_back({read, at});
      if (!last || region > last) last = region;
    });
    if (last && fits(id, last, readings)) return add(id, last);
    if (node.type.elements() <= kFewElements && !reduce) {
      for (size_t r = plan_.regions.size(); r-- > (last ? last.value : 0);) {
        const Region& later = plan_.regions[r];
        const bool alike =
            node.type.rank() == 0 || (later.kind == Region::map && later.tiling.lane_axis == lane_axes_[id.value]);
        if (alike && later.domain == node.type.dims && fits(id, RegionId(r), readings)) return add(id, RegionId(r));
      }
    }
    return false;
  }

  bool add(NodeId id, RegionId region) {
    plan_[region].members.push_back(id);
    region_of_[id.value] = region;
    return true;
  }

  bool fits(NodeId id, RegionId into, const std::vector<Reading>& readings) const {
    const Region& region = plan_[into];
    const Node& node = graph_[id];
    if (region.kind == Region::scatter || region.kind == Region::cumsum || region.members.size() >= most_members)
      return false;
    const bool holds_rows =
        !region.domain.empty() && region.tiling.lane_axis == static_cast<int64_t>(region.domain.size()) - 1 &&
        !cuts_lanes(region) &&
        (region.kind == Region::map || (region.kind == Region::contract && region.tiling.panels == 1));
    if (reduces_rows(graph_, node)) {
      if (!holds_rows || graph_.type(node.operands[0]).dims != region.domain) return false;
    } else if (node.type.dims != region.domain) {
      if (!holds_rows || node.type.dims != without_last(region.domain)) return false;
    }
    const Indices point = symbolic_point(static_cast<int64_t>(region.domain.size()));
    return std::all_of(readings.begin(), readings.end(), [&](const Reading& reading) {
      if (region_of_[reading.node.value] != into) return true;
      const Indices expected(point.begin(), point.begin() + graph_.type(reading.node).rank());
      return reading.at == expected;
    });
  }

  void finish(Region& region) {
    std::string label;
    for (NodeId member : region.members) {
      merge_into(region.locations, graph_[member].locations);
      if (!graph_[member].label.empty()) label = graph_[member].label;
    }
    if (label.empty()) label = name_of(graph_[region.members.front()].op);
    region.name = label;
    if (multiplies_tiles(graph_, roles_, region)) return cut_into_tiles(region);
    if (!fuse_) return;
    if (worth_deferring(region)) {
      defer(region, summed_steps(region) * size_of(graph_.type(graph_[region.anchor].operands[0]).dtype), plan_.target);
    } else {
      cut_sum(region);
    }
  }

  // Of a large matrix that many rows are multiplied with, what a strip of rows and a panel of the matrix (and the next
  // panel, on its way) hold of a block about fits a near cache.
  void cut_sum(Region& region) const {
    Tiling& tiling = region.tiling;
    if (region.kind != Region::contract || region.domain.size() != 2 || tiling.lane_axis != 1) return;
    const ContractAttr& contract = graph_[region.anchor].as<ContractAttr>();
    if (contract.map.names.size() != 3 || contract.order.kind != Order::chain) return;
    const int64_t rows = region.domain[0], wanted = (kItems + tiling.panels - 1) / tiling.panels;
    if (rows < kFewestRows) return;
    const int64_t strips = std::max(std::min(wanted, 2 * rows / kFewestRows), (rows + kMostRows - 1) / kMostRows);
    const int64_t element = size_of(graph_.type(graph_[region.anchor].operands[0]).dtype);
    const int64_t columns = tiling.vectors * plan_.target.lanes, steps = summed_steps(region);
    const int64_t near = plan_.target.near_cache, matrix = steps * element * region.domain[1];
    const int64_t blocks = std::min(steps, steps * element * ((rows + strips - 1) / strips + 2 * columns) / near);
    if (blocks < 2 || matrix < 2 * near) return;
    tiling.blocks = blocks;
    region.grid.axes = {{0, rows, strips}, {1, tiling.panels, tiling.panels}};
  }

  // A sum long enough to hide square roots and divisions that follow it, in a region that no other follows row by row.
  bool worth_deferring(const Region& region) const {
    if (region.kind != Region::contract || region.domain.size() != 2 || region.tiling.lane_axis != 0) return false;
    const IndexMap& map = graph_[region.anchor].as<ContractAttr>().map;
    if (map.names.size() != 3 || region.grid.axes.size() != 2) return false;
    if (graph_[region.anchor].as<ContractAttr>().order.kind == Order::tiles) return false;
    const bool slow = std::any_of(region.members.begin(), region.members.end(), [&](NodeId member) {
      const Op op = graph_[member].op;
      return op == Op::div || op == Op::sqrt || op == Op::rsqrt;
    });
    return slow && summed_steps(region) >= kShortestSum;
  }

  Plan& plan_;
  const Graph& graph_;
  const std::vector<Role>& roles_;
  bool fuse_;
  std::vector<RegionId> region_of_;
  std::vector<int64_t> lane_axes_;
};

}  // namespace

void choose_tiling(Region& region, int64_t lane_axis, const Target& target) {
  Tiling& tiling = region.tiling;
  Grid& grid = region.grid;
  const int64_t rank = static_cast<int64_t>(region.domain.size());
  const auto tiles = [&](int64_t axis, int64_t most) {
    grid.axes.push_back({axis, region.domain[axis], (region.domain[axis] + most - 1) / most});
  };
  tiling.lane_axis = lane_axis;
  if (lane_axis >= 0) {
    const Panels panels = panels_of(region.domain[lane_axis], target);
    tiling.vectors = panels.vectors;
    tiling.panels = panels.count;
  }
  if (lane_axis < 0 && rank > 0) tiling.row_axis = 0;
  for (int64_t axis = rank - 1; axis >= 0 && tiling.row_axis < 0; --axis) {
    if (axis != lane_axis) tiling.row_axis = axis;
  }
  const auto lane_panels = [&] { grid.axes.push_back({lane_axis, tiling.panels, tiling.panels}); };
  if (rank == 1 && lane_axis == 0) {
    lane_panels();
  } else if (rank == 2 && lane_axis == 0) {
    lane_panels();
    const int64_t rows = region.domain[tiling.row_axis];
    tiles(tiling.row_axis, region.kind == Region::map ? even_rows(rows, 8) : most_tile_rows);
  } else if (rank == 1 || rank == 2) {
    tiles(0, rows_of_tile(region.domain[0]));
  } else if (rank > 2) {
    tiles(0, 1);
  }
  if (tiling.row_axis >= 0) {
    const int64_t extent = region.domain[tiling.row_axis];
    const int64_t rows = rows_of_tile(extent);
    int64_t count = (extent + rows - 1) / rows;
    for (const Grid::Axis& axis : grid.axes) {
      if (axis.axis == tiling.row_axis) count = axis.count;
    }
    tiling.rows = (extent + count - 1) / count;
  }
}

bool at_row(const Plan& plan, const Region& region, NodeId node) {
  return !region.domain.empty() && plan.graph.type(node).dims == without_last(region.domain);
}

bool is_row_reduce(const Plan& plan, const Region& region, NodeId node) {
  return plan.graph[node].op == Op::reduce && node != region.anchor;
}

void form_regions(Plan& plan, const StateLayouts& layouts, const std::vector<Role>& roles, bool fuse) {
  RegionFormer(plan, layouts, roles, fuse).run();
  if (fuse) join_column_sums(plan, roles);
}

}  // namespace nnc
