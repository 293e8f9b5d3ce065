// The rules of a Plan. Each message names the region or buffer, then the rule.
//
//   P1  a member stands in one region; what a region stores it computes, or it lies in memory; what is read is stored
//   before P2  a layout is one-to-one and inside its physical extents; offsets are multiples of 64 P3  who updates a
//   state's home updates its mirrors in the same region P4  arena storages share bytes only if their phases do not meet
//   P5  regions of one phase that touch the same storage, one writing: one grid, and the read is item-local
//   P6  old values of a state are read no later than the region that overwrites it
//   P7  values of rows only where a region holds whole rows, or beside a column sum
//   P8  grids cut axes of the domain into at least one tile, at most one an element
//   P9  every root and every assign is stored
//   P10 bytes are those of the layout, inside the segment; the live set fits the arena
//   P11 zeros are skipped of an operand that a product of f32 reads in scalars, each axis by one index
//   P12 a sum in blocks is that of a product of matrices, whose items are a strip of rows by a panel
//   P13 a column sum is that of an operand that a deferred product reads in vectors, in the product's order
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "ir/ops/contract.h"
#include "ir/ops/op.h"
#include "ir/plan/plan.h"

namespace nnc {
namespace {

constexpr int64_t kLine = 64;

class Verifier {
 public:
  explicit Verifier(const Plan& plan) : plan_(plan), touches_(plan.storages.size()) {}

  std::vector<std::string> run() {
    for (size_t s = 0; s < plan_.storages.size(); ++s) check_storage(StorageId(s));
    check_members();
    check_arena();
    for (size_t r = 0; r < plan_.regions.size(); ++r) check_region(RegionId(r));
    for (size_t s = 0; s < plan_.storages.size(); ++s) check_touches(StorageId(s));
    check_mirrors();
    check_roots();
    return std::move(broken_);
  }

 private:
  struct Touch {
    RegionId region;
    bool writes = false, item_local = false;
  };

  template <class... Args>
  void fail(std::string where, fmt::format_string<Args...> format, Args&&... args) {
    broken_.push_back(where + ": " + fmt::format(format, std::forward<Args>(args)...));
  }

  std::string name(StorageId id) const {
    const Storage& storage = plan_[id];
    static constexpr std::string_view kKinds[] = {"io", "state", "arena"};
    return fmt::format("{} storage {} \"{}\"", kKinds[storage.kind], id.value, storage.name);
  }
  std::string name(RegionId id) const { return fmt::format("r{} {}", id.value, plan_[id].name); }

  void check_storage(StorageId id) {
    const Storage& storage = plan_[id];
    const Layout& layout = storage.layout;
    if (layout.physical.size() != layout.factors.size())
      return fail(name(id), "P2: {} factors, {} extents", layout.factors.size(), layout.physical.size());
    std::vector<int64_t> covered(storage.type.dims.size(), 1);
    for (size_t k = 0; k < layout.factors.size(); ++k) {
      const Layout::Factor& factor = layout.factors[k];
      if (factor.axis < 0 || factor.axis >= storage.type.rank() || factor.divisor < 1 || factor.extent < 0)
        return fail(name(id), "P2: factor {} is malformed", k);
      if (layout.physical[k] < factor.extent)
        fail(name(id), "P2: extent {} of factor {} exceeds {}", factor.extent, k, layout.physical[k]);
      covered[factor.axis] *= factor.extent;
    }
    for (size_t axis = 0; axis < covered.size(); ++axis) {
      if (covered[axis] < storage.type.dims[axis])
        fail(name(id), "P2: axis {} has {} elements, the layout holds {}", axis, storage.type.dims[axis],
             covered[axis]);
    }
    if (storage.kind == Storage::io) return;
    if (storage.offset % kLine != 0 || storage.offset < 0)
      fail(name(id), "P2: offset {} is no multiple of {}", storage.offset, kLine);
    if (storage.bytes < layout.elements() * size_of(storage.type.dtype))
      fail(name(id), "P10: {} bytes hold {} elements", storage.bytes, layout.elements());
    const int64_t segment = storage.kind == Storage::state ? plan_.state_bytes : plan_.arena_bytes;
    const bool unused = storage.kind == Storage::arena && storage.first_phase < 0;
    if (!unused && storage.offset + storage.bytes > segment)
      fail(name(id), "P10: ends at {} of {} bytes", storage.offset + storage.bytes, segment);
  }

  void check_members() {
    std::map<NodeId, RegionId> region_of;
    for (size_t r = 0; r < plan_.regions.size(); ++r) {
      for (NodeId member : plan_.regions[r].members) {
        const auto [at, is_new] = region_of.emplace(member, RegionId(r));
        if (!is_new) fail(name(RegionId(r)), "P1: %{} stands in r{} too", member.value, at->second.value);
      }
    }
    for (size_t r = 0; r < plan_.regions.size(); ++r) {
      for (const Region::Output& output : plan_.regions[r].outputs) {
        const auto at = region_of.find(output.value);
        if (at != region_of.end() && at->second != RegionId(r) && !reads_value(plan_.regions[r], output.value)) {
          fail(name(RegionId(r)), "P1: stores %{}, which r{} computes", output.value.value, at->second.value);
        }
        Dims dims = plan_[output.storage].type.dims;
        if (plan_[output.storage].pair_axis >= 0) dims[plan_[output.storage].pair_axis] *= 2;
        if (plan_.graph.type(output.value).dims != dims) {
          fail(name(RegionId(r)), "P1: stores %{} into {} of another shape", output.value.value, name(output.storage));
        }
      }
    }
  }

  bool reads_value(const Region& region, NodeId value) const {
    return std::any_of(region.reads.begin(), region.reads.end(),
                       [&](const Region::Read& read) { return plan_[read.storage].value == value; });
  }

  // A sweep over offsets: storages that overlap in bytes must not meet in time.
  void check_arena() {
    std::vector<StorageId> arena;
    std::vector<int64_t> alive(plan_.phases.size(), 0);
    for (size_t s = 0; s < plan_.storages.size(); ++s) {
      const Storage& storage = plan_.storages[s];
      if (storage.kind != Storage::arena || storage.first_phase < 0) continue;
      if (storage.last_phase >= static_cast<int64_t>(plan_.phases.size()) || storage.last_phase < storage.first_phase) {
        fail(name(StorageId(s)), "P4: alive in phases {}..{} of {}", storage.first_phase, storage.last_phase,
             plan_.phases.size());
        continue;
      }
      arena.push_back(StorageId(s));
      for (int64_t phase = storage.first_phase; phase <= storage.last_phase; ++phase) alive[phase] += storage.bytes;
    }
    const int64_t live = alive.empty() ? 0 : *std::max_element(alive.begin(), alive.end());
    if (live > plan_.arena_bytes)
      fail("arena", "P10: {} bytes are alive at once, {} are planned", live, plan_.arena_bytes);
    std::sort(arena.begin(), arena.end(), [&](StorageId a, StorageId b) { return plan_[a].offset < plan_[b].offset; });
    std::vector<StorageId> open;
    for (StorageId id : arena) {
      const Storage& storage = plan_[id];
      std::erase_if(open, [&](StorageId other) { return plan_[other].offset + plan_[other].bytes <= storage.offset; });
      for (StorageId other : open) {
        if (storage.first_phase <= plan_[other].last_phase && plan_[other].first_phase <= storage.last_phase) {
          fail(name(id), "P4: shares bytes with {}, alive in the same phase", name(other));
        }
      }
      open.push_back(id);
    }
  }

  void check_region(RegionId id) {
    const Region& region = plan_[id];
    const int64_t rank = static_cast<int64_t>(region.domain.size());
    for (const Grid::Axis& axis : region.grid.axes) {
      const bool panels = axis.axis == region.tiling.lane_axis;
      if (axis.axis < 0 || axis.axis >= rank) {
        fail(name(id), "P8: the grid cuts axis {} of {}", axis.axis, rank);
      } else if (axis.count < 1 || axis.count > std::max<int64_t>(1, region.domain[axis.axis]) ||
                 (!panels && axis.extent != region.domain[axis.axis])) {
        fail(name(id), "P8: {} tiles of axis {} with {} elements", axis.count, axis.axis, region.domain[axis.axis]);
      }
    }
    if (region.tiling.zeros >= 0 && !reads_scalars(region))
      fail(name(id), "P11: operand {} is not read in scalars", region.tiling.zeros);
    if (region.tiling.blocks != 1 && !takes_blocks(region))
      fail(name(id), "P12: a sum in {} blocks", region.tiling.blocks);
    if (region.column_sum && !takes_column_sum(plan_.graph, region, region.column_sum))
      fail(name(id), "P13: %{} beside %{}", region.column_sum.value, region.anchor.value);
    for (NodeId member : region.members) {
      const Dims& dims = plan_.graph.type(member).dims;
      if (dims == region.domain) continue;
      const bool row = rank > 0 && Dims(region.domain.begin(), region.domain.end() - 1) == dims;
      const bool cut = std::any_of(region.grid.axes.begin(), region.grid.axes.end(),
                                   [&](const Grid::Axis& axis) { return axis.axis == rank - 1 && axis.count > 1; });
      const bool holds =
          region.tiling.lane_axis == rank - 1 && !cut && (region.kind == Region::map || region.tiling.panels == 1);
      if (!row || !(holds || region.column_sum))
        fail(name(id), "P7: %{} has another shape than the domain, whose rows are not held", member.value);
    }
    if (region.phase < 0 || region.phase >= static_cast<int64_t>(plan_.phases.size()))
      return fail(name(id), "P5: stands in no phase");
    for (const Region::Read& read : region.reads) touches_[read.storage.value].push_back({id, false, read.item_local});
    for (const Region::Output& output : region.outputs) touches_[output.storage.value].push_back({id, true, false});
  }

  bool takes_blocks(const Region& region) const {
    const std::vector<Grid::Axis>& axes = region.grid.axes;
    if (region.kind != Region::contract || region.tiling.deferred || region.domain.size() != 2 || axes.size() != 2 ||
        axes[0].axis != region.tiling.row_axis || axes[1].axis != region.tiling.lane_axis)
      return false;
    const auto& [map, order] = plan_.graph[region.anchor].as<ContractAttr>();
    const std::vector<int> summed = summed_indices(map);
    return order.kind == Order::chain && summed.size() == 1 && region.tiling.blocks > 0 &&
           region.tiling.blocks <= map.extents[summed[0]];
  }

  // Whether the product's operand `tiling.zeros` is one scalar a row of a tile.
  bool reads_scalars(const Region& region) const {
    const Tiling& tiling = region.tiling;
    if (region.kind != Region::contract || tiling.zeros > 1 || tiling.lane_axis < 0 || tiling.row_axis < 0)
      return false;
    const Node& node = plan_.graph[region.anchor];
    const IndexMap& map = node.as<ContractAttr>().map;
    const auto& terms = map.operands[tiling.zeros];
    const auto reads = [&](int index) {
      return std::any_of(terms.begin(), terms.end(),
                         [&](const IndexTerm& term) { return term.terms[0].first == index; });
    };
    return node.type.dtype == DType::f32 && plan_.graph.type(node.operands[tiling.zeros]).dtype == DType::f32 &&
           std::all_of(terms.begin(), terms.end(), [](const IndexTerm& term) { return term.is_plain(); }) &&
           reads(map.result[tiling.row_axis]) && !reads(map.result[tiling.lane_axis]);
  }

  void check_touches(StorageId id) {
    const Storage& storage = plan_[id];
    for (const Touch& writer : touches_[id.value]) {
      if (!writer.writes) continue;
      for (const Touch& other : touches_[id.value]) {
        if (other.region == writer.region) continue;
        const int64_t written = plan_[writer.region].phase, touched = plan_[other.region].phase;
        if (storage.kind == Storage::state) {
          if (other.writes || touched >= written)
            fail(name(other.region), "P6: touches {} no earlier than {} overwrites it", name(id), name(writer.region));
        } else if (other.writes) {
          fail(name(other.region), "P1: {} is written by {} too", name(id), name(writer.region));
        } else if (touched < written) {
          fail(name(other.region), "P1: reads {} before {} writes it", name(id), name(writer.region));
        } else if (touched == written && !(other.item_local && plan_[other.region].grid == plan_[writer.region].grid)) {
          fail(name(other.region), "P5: reads {} in the phase in which {} writes it", name(id), name(writer.region));
        }
      }
    }
    const bool is_written = std::any_of(touches_[id.value].begin(), touches_[id.value].end(),
                                        [](const Touch& touch) { return touch.writes; });
    if (storage.kind == Storage::arena && !is_written && !touches_[id.value].empty())
      fail(name(id), "P1: is read and never written");
  }

  void check_mirrors() {
    std::map<StateId, std::vector<StorageId>> storages;
    for (size_t s = 0; s < plan_.storages.size(); ++s) {
      if (plan_.storages[s].kind == Storage::state) storages[plan_.storages[s].held].push_back(StorageId(s));
    }
    for (const auto& [state, places] : storages) {
      std::set<RegionId> home, all;
      for (StorageId place : places) {
        for (const Touch& touch : touches_[place.value]) {
          if (!touch.writes) continue;
          all.insert(touch.region);
          if (!plan_[place].mirror) home.insert(touch.region);
        }
      }
      // Refresh rebuilds mirrors from a home that it does not write.
      if (home.empty()) continue;
      for (StorageId place : places) {
        std::set<RegionId> writers;
        for (const Touch& touch : touches_[place.value]) {
          if (touch.writes) writers.insert(touch.region);
        }
        if (writers != home) fail(name(place), "P3: is not written with its home");
      }
    }
  }

  void check_roots() {
    const size_t inputs = plan_.io.size() - std::min(plan_.io.size(), plan_.graph.roots.size());
    for (size_t k = 0; k < plan_.graph.roots.size(); ++k) {
      const bool stored = inputs + k < plan_.io.size() && is_written(plan_.io[inputs + k]);
      if (!stored) fail(fmt::format("root \"{}\"", plan_.graph.roots[k].name), "P9: is not stored");
    }
    std::map<StateId, bool> assigned;
    for (size_t s = 0; s < plan_.storages.size(); ++s) {
      if (plan_.storages[s].kind == Storage::state && is_written(StorageId(s))) assigned[plan_.storages[s].held] = true;
    }
    for (const Node& node : plan_.graph.nodes) {
      if (node.op != Op::assign || assigned[node.as<StateAttr>().state]) continue;
      fail(fmt::format("assign \"{}\"", (*plan_.program)[node.as<StateAttr>().state].name), "P9: is not stored");
    }
  }

  bool is_written(StorageId id) const {
    return std::any_of(touches_[id.value].begin(), touches_[id.value].end(),
                       [](const Touch& touch) { return touch.writes; });
  }

  const Plan& plan_;
  std::vector<std::vector<Touch>> touches_;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> verify(const Plan& plan) { return Verifier(plan).run(); }

}  // namespace nnc
