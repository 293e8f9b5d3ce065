#include "passes/plan/place_values.h"

#include <algorithm>
#include <map>
#include <set>

#include "ir/check.h"
#include "ir/ops/op.h"
#include "passes/plan/pack_operands.h"

namespace nnc {
namespace {

constexpr int64_t kLine = 64;

int64_t bytes_of(const Layout& layout, DType dtype) {
  return (layout.elements() * size_of(dtype) + kLine - 1) / kLine * kLine;
}

void add_states(Plan& plan, const StateLayouts& layouts, std::vector<std::vector<StorageId>>& storages_of) {
  storages_of.resize(layouts.entries.size());
  for (size_t s = 0; s < layouts.entries.size(); ++s) {
    const StateLayouts::Entry& entry = layouts.entries[s];
    for (size_t k = 0; k <= entry.mirrors.size(); ++k) {
      Storage storage;
      storage.kind = Storage::state;
      storage.held = StateId(s);
      storage.name = plan.program->states[s].name;
      storage.type = plan.program->states[s].type;
      storage.mirror = k > 0;
      storage.layout = k == 0 ? entry.home : entry.mirrors[k - 1];
      storage.offset = k == 0 ? entry.home_offset : entry.mirror_offsets[k - 1];
      storage.bytes = bytes_of(storage.layout, storage.type.dtype);
      storage.zero = true;
      storages_of[s].push_back(StorageId(plan.storages.size()));
      plan.storages.push_back(std::move(storage));
    }
  }
  plan.state_bytes = layouts.bytes;
}

// Rows of a power-of-two pitch fight for the same cache sets: give them an odd number of lines.
Layout arena_layout(const TensorType& type, bool dense) {
  if (dense || type.rank() == 0 || type.dims.back() == 1) return row_major_layout(type.dims, 1);
  const int64_t line = kLine / size_of(type.dtype);
  Layout layout = row_major_layout(type.dims, line);
  const int64_t lines = layout.physical.back() / line;
  if (type.rank() > 1 && lines >= 4 && lines % 2 == 0) layout.physical.back() += line;
  return layout;
}

class Placer {
 public:
  Placer(Plan& plan, const StateLayouts& layouts, const std::vector<Role>& roles)
      : plan_(plan), graph_(plan.graph), layouts_(layouts), roles_(roles) {
    add_states(plan, layouts, state_storages_);
    region_of_.resize(graph_.nodes.size());
    io_.resize(graph_.nodes.size());
    arena_.resize(graph_.nodes.size());
    in_panels_.resize(graph_.nodes.size());
    facts_.resize(graph_.nodes.size());
  }

  void run() {
    for (size_t r = 0; r < plan_.regions.size(); ++r) {
      for (NodeId member : plan_.regions[r].members) region_of_[member.value] = RegionId(r);
    }
    collect_facts();
    add_inputs();
    add_arena();
    const size_t regions = plan_.regions.size();
    for (size_t r = 0; r < regions; ++r) add_packed(plan_.regions[r].anchor);
    for (size_t r = 0; r < plan_.regions.size(); ++r) add_reads(RegionId(r));
    add_roots();
    add_assigns();
  }

 private:
  struct Facts {
    bool crosses = false;           // read by another region
    bool elementwise = true;        // every reader reads its own element, with vectors along the writer's axis
    bool summed_in_panels = false;  // some reader sums over the rows of a panel
    bool otherwise = false;         // some reader would not find its vectors in panels
    bool dense = false;             // read through a view
  };

  void collect_facts() {
    for (size_t r = 0; r < plan_.regions.size(); ++r) {
      for (NodeId member : plan_.regions[r].members) {
        each_read(member, [&](NodeId read, const Indices& at) {
          if (!region_of_[read.value] || region_of_[read.value] == RegionId(r)) return;
          Facts& facts = facts_[read.value];
          facts.crosses = true;
          const Region& writer = plan_[region_of_[read.value]];
          if (at != symbolic_point(graph_.type(read).rank()) || graph_.type(read).dims != writer.domain ||
              plan_.regions[r].domain != writer.domain ||
              plan_.regions[r].tiling.lane_axis != writer.tiling.lane_axis) {
            facts.elementwise = false;
          }
          const bool panels = reads_panels(plan_.regions[r], at, writer);
          facts.summed_in_panels = facts.summed_in_panels || (panels && sums_rows_of(member, read, at));
          facts.otherwise = facts.otherwise || !panels;
        });
      }
    }
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (is_view(graph_, NodeId(n))) facts_[graph_.nodes[n].operands[0].value].dense = true;
    }
  }

  // Whether reading a matrix at `at` takes whole panels of its writer: vectors along its columns, as many as there.
  static bool reads_panels(const Region& reader, const Indices& at, const Region& writer) {
    const int64_t lane_axis = reader.tiling.lane_axis;
    if (at.size() != 2 || lane_axis < 0 || writer.tiling.lane_axis != 1 || writer.tiling.panels == 1 ||
        reader.tiling.vectors != writer.tiling.vectors || reader.domain[lane_axis] != writer.domain[1])
      return false;
    const VarId lane(static_cast<size_t>(lane_axis));
    const auto& terms = at[0].affine.terms;
    return at[1] == AxisIndex{Affine::of(lane)} &&
           std::none_of(terms.begin(), terms.end(), [&](const auto& term) { return term.first == lane; });
  }

  // Whether the member is a product or a reduction that sums over the rows of `read`, a matrix, as it lies.
  bool sums_rows_of(NodeId member, NodeId read, const Indices& at) const {
    const Node& node = graph_[member];
    const bool as_it_lies = std::find(node.operands.begin(), node.operands.end(), read) != node.operands.end();
    return (node.op == Op::contract || node.op == Op::reduce) && as_it_lies && at != symbolic_point(2);
  }

  void each_read(NodeId member, const Reached& reached) {
    const Node& node = graph_[member];
    if (node.op != Op::reduce)
      return follow_operands(graph_, roles_, member, symbolic_point(node.type.rank()), reached);
    // Axes are numbered as in the region's domain. A sum over the last axis has that of its operand, or one that ends
    // before it.
    const std::vector<int64_t>& axes = node.as<ReduceAttr>().axes;
    const int64_t rank = graph_.type(node.operands[0]).rank();
    Indices point = symbolic_point(rank);
    for (int64_t axis = 0, kept = 0; axis < rank; ++axis) {
      const bool summed = std::find(axes.begin(), axes.end(), axis) != axes.end();
      if (summed && axis + 1 < rank) point[axis] = opaque_index();
      if (!summed) point[axis].affine = Affine::of(VarId(static_cast<size_t>(kept++)));
    }
    follow_operands(graph_, roles_, member, point, reached);
  }

  StorageId add(Storage storage) {
    storage.bytes = bytes_of(storage.layout, storage.type.dtype);
    plan_.storages.push_back(std::move(storage));
    return StorageId(plan_.storages.size() - 1);
  }

  StorageId add_io(NodeId value, std::string name) {
    Storage storage;
    storage.kind = Storage::io;
    storage.value = value;
    storage.name = std::move(name);
    storage.type = graph_.type(value);
    storage.layout = row_major_layout(storage.type.dims, 1);
    storage.offset = static_cast<int64_t>(plan_.io.size());
    const StorageId id = add(std::move(storage));
    plan_.io.push_back(id);
    return id;
  }

  void add_inputs() {
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (graph_.nodes[n].op == Op::input) io_[n] = add_io(NodeId(n), graph_.nodes[n].as<InputAttr>().name);
    }
  }

  void add_arena() {
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (facts_[n].crosses) store_in_arena(NodeId(n));
    }
  }

  StorageId store_in_arena(NodeId value) {
    if (arena_[value.value]) return arena_[value.value];
    const Facts& facts = facts_[value.value];
    Region& writer = plan_[region_of_[value.value]];
    Storage storage;
    storage.kind = Storage::arena;
    storage.value = value;
    storage.name = graph_[value].label;
    storage.type = graph_.type(value);
    const int64_t lane_axis = writer.tiling.lane_axis;
    const auto panels = [&] {
      return panel_layout(storage.type.dims, lane_axis, writer.tiling.vectors * plan_.target.lanes);
    };
    const auto place = [&](Layout layout) {
      storage.layout = std::move(layout);
      const StorageId id = add(storage);
      plan_[region_of_[value.value]].outputs.push_back({value, id});
      return id;
    };
    const bool matrix = storage.type.rank() == 2 && !facts.dense;
    const bool elementwise = facts.elementwise && lane_axis == 0;
    const bool all_panels = matrix && (elementwise || (facts.summed_in_panels && !facts.otherwise));
    arena_[value.value] = place(all_panels ? panels() : arena_layout(storage.type, facts.dense));
    if (matrix && !all_panels && facts.summed_in_panels) {
      // Where a panel outgrows the nearest cache, each tile fetches it anew: a second copy pays.
      const int64_t panel = writer.tiling.vectors * plan_.target.lanes * size_of(storage.type.dtype);
      if (storage.type.dims[0] * panel >= plan_.target.near_cache / 8) in_panels_[value.value] = place(panels());
    }
    return arena_[value.value];
  }

  // Copies of the operands of a contract; products that want the same share one.
  void add_packed(NodeId contract) {
    if (!contract || graph_[contract].op != Op::contract) return;
    for (size_t k = 0; k < 2; ++k) {
      const auto form = packed_form(plan_, layouts_, roles_, contract, k);
      if (!form) continue;
      auto known =
          std::find_if(packed_.begin(), packed_.end(), [&](const auto& other) { return other.first == *form; });
      if (known == packed_.end()) {
        Storage storage;
        storage.value = form->value;
        storage.name = graph_[form->value].label;
        storage.type = form->type;
        storage.layout = form->layout;
        storage.packed = storage.zero = true;
        storage.pair_axis = form->pair_axis;
        storage.even_low = form->even_low;
        const StorageId to = add(std::move(storage));
        const NodeId source = packed_source(graph_, roles_, form->value);
        const StorageId lies = io_[source.value] ? io_[source.value]
                               : graph_[source].op == Op::state
                                   ? state_storages_[graph_[source].as<StateAttr>().state.value][0]
                                   : arena_[source.value];
        NNC_CHECK(lies, "a packed operand that is not stored");
        plan_.regions.push_back(pack_region(plan_, *form, to, lies));
        packed_.emplace_back(*form, to);
        known = packed_.end() - 1;
      }
      packed_of_[{contract, k}] = known->second;
    }
  }

  void add_reads(RegionId id) {
    if (plan_[id].kind == Region::pack) return;
    std::map<StorageId, bool> reads;  // storage -> item-local so far
    const auto read = [&](StorageId storage, bool local) {
      const auto [at, is_new] = reads.emplace(storage, local);
      if (!is_new) at->second = at->second && local;
    };
    for (NodeId member : plan_[id].members) {
      for (size_t k = 0; k < 2; ++k) {
        if (const auto copy = packed_of_.find({member, k}); copy != packed_of_.end()) read(copy->second, false);
      }
      const Node& node = graph_[member];
      const bool all_packed = packed_of_.contains({member, 0}) && packed_of_.contains({member, 1});
      if (all_packed) continue;
      each_read(member, [&](NodeId source, const Indices& at) {
        if (region_of_[source.value] == id) return;
        const bool copied = (packed_of_.contains({member, 0}) && source == node.operands[0]) ||
                            (packed_of_.contains({member, 1}) && source == node.operands[1]);
        if (copied && node.operands[0] != node.operands[1]) return;
        if (io_[source.value]) return read(io_[source.value], false);
        if (graph_[source].op == Op::state) {
          for (StorageId storage : state_storages_[graph_[source].as<StateAttr>().state.value]) read(storage, false);
          return;
        }
        NNC_CHECK(arena_[source.value], "a value that crosses regions has no buffer");
        const Region& writer = plan_[region_of_[source.value]];
        const StorageId panels = in_panels_[source.value];
        const bool by_panel = panels && sums_rows_of(member, source, at) && reads_panels(plan_[id], at, writer);
        read(by_panel ? panels : arena_[source.value], is_local(plan_[id], writer, at));
      });
    }
    for (const auto& [storage, local] : reads) plan_[id].reads.push_back({storage, local});
  }

  static bool is_local(const Region& reader, const Region& writer, const Indices& at) {
    if (reader.grid.axes.empty() || !(reader.grid == writer.grid)) return false;
    // Grids count panels: they are the same items only if they are of one width.
    const bool panels = std::any_of(writer.grid.axes.begin(), writer.grid.axes.end(),
                                    [&](const Grid::Axis& axis) { return axis.axis == writer.tiling.lane_axis; });
    if (panels &&
        (reader.tiling.lane_axis != writer.tiling.lane_axis || reader.tiling.vectors != writer.tiling.vectors))
      return false;
    return std::all_of(reader.grid.axes.begin(), reader.grid.axes.end(), [&](const Grid::Axis& axis) {
      return axis.axis < static_cast<int64_t>(at.size()) &&
             at[axis.axis] == AxisIndex{Affine::of(VarId(static_cast<size_t>(axis.axis))), 0, {}};
    });
  }

  void add_roots() {
    for (const Root& root : graph_.roots) {
      const StorageId storage = add_io(root.node, root.name);
      if (region_of_[root.node.value]) {
        plan_[region_of_[root.node.value]].outputs.push_back({root.node, storage});
      } else {
        copy(root.node, {storage});
      }
    }
  }

  // A region that stores a value which lies in memory already (or is a constant).
  RegionId copy(NodeId value, const std::vector<StorageId>& to) {
    Region region;
    region.domain = graph_.type(value).dims;
    region.name =
        "copy_" + (graph_[value].label.empty() ? std::string(name_of(graph_[value].op)) : graph_[value].label);
    region.locations = graph_[value].locations;
    choose_tiling(region, plan_.storages[to[0].value].layout.lane_axis(), plan_.target);
    for (StorageId storage : to) region.outputs.push_back({value, storage});
    if (io_[value.value]) region.reads.push_back({io_[value.value]});
    if (arena_[value.value]) region.reads.push_back({arena_[value.value]});
    if (graph_[value].op == Op::state) {
      for (StorageId storage : state_storages_[graph_[value].as<StateAttr>().state.value])
        region.reads.push_back({storage});
    }
    plan_.regions.push_back(std::move(region));
    return RegionId(plan_.regions.size() - 1);
  }

  void add_assigns() {
    for (const Node& node : graph_.nodes) {
      if (node.op == Op::assign) add_assign(node.operands[0], node.as<StateAttr>().state);
    }
  }

  void add_assign(NodeId value, StateId state) {
    const std::vector<StorageId>& to = state_storages_[state.value];
    if (graph_[value].op == Op::state) {
      // By way of the arena: the other state may be written in this very step.
      Storage storage;
      storage.value = value;
      storage.type = graph_.type(value);
      storage.layout = plan_.storages[to[0].value].layout;
      const StorageId between = add(std::move(storage));
      copy(value, {between});
      const RegionId last = copy(value, to);
      plan_[last].reads = {{between}};
      return;
    }
    const RegionId writer = region_of_[value.value];
    if (writer && may_write(writer, value, to)) {
      for (StorageId storage : to) plan_[writer].outputs.push_back({value, storage});
      return;
    }
    if (writer) store_in_arena(value);
    copy(value, to);
  }

  // In place: the region computes the value where it may be stored, reads of the old value nothing but its own element
  // (beside a product: before it is stored, so not where later tiles are computed), and none of its consumers reads the
  // old value.
  bool may_write(RegionId writer, NodeId value, const std::vector<StorageId>& to) {
    const Region& region = plan_[writer];
    const bool beside = region.column_sum && at_row(plan_, region, value);
    if (graph_.type(value).dims != region.domain && !beside) return false;
    const StateId state = plan_.storages[to[0].value].held;
    bool own_element = true;
    for (NodeId member : region.members) {
      each_read(member, [&](NodeId source, const Indices& at) {
        if (graph_[source].op != Op::state || graph_[source].as<StateAttr>().state != state) return;
        own_element = own_element && at == symbolic_point(graph_.type(value).rank()) &&
                      (!beside || at_row(plan_, region, member));
      });
    }
    if (!own_element || region.kind == Region::scatter || region.kind == Region::cumsum) return false;
    const std::set<uint32_t> after = reachable_from(writer);
    for (size_t r = 0; r < plan_.regions.size(); ++r) {
      if (!after.contains(static_cast<uint32_t>(r)) || RegionId(r) == writer) continue;
      for (const Region::Read& read : plan_.regions[r].reads) {
        if (std::find(to.begin(), to.end(), read.storage) != to.end()) return false;
      }
    }
    return true;
  }

  std::set<uint32_t> reachable_from(RegionId from) {
    std::map<RegionId, std::vector<RegionId>> next;
    for (const RegionEdge& edge : region_edges(plan_)) next[edge.from].push_back(edge.to);
    std::set<uint32_t> seen = {from.value};
    std::vector<RegionId> open = {from};
    while (!open.empty()) {
      const RegionId region = open.back();
      open.pop_back();
      for (RegionId to : next[region]) {
        if (seen.insert(to.value).second) open.push_back(to);
      }
    }
    return seen;
  }

  Plan& plan_;
  const Graph& graph_;
  const StateLayouts& layouts_;
  const std::vector<Role>& roles_;
  std::vector<std::pair<PackedForm, StorageId>> packed_;
  std::map<std::pair<NodeId, size_t>, StorageId> packed_of_;  // by contract and operand
  std::vector<std::vector<StorageId>> state_storages_;
  std::vector<RegionId> region_of_;
  std::vector<StorageId> io_, arena_, in_panels_;
  std::vector<Facts> facts_;
};

}  // namespace

void place_values(Plan& plan, const StateLayouts& layouts, const std::vector<Role>& roles) {
  Placer(plan, layouts, roles).run();
}

void plan_refresh(Plan& plan, const StateLayouts& layouts) {
  std::vector<std::vector<StorageId>> storages_of;
  add_states(plan, layouts, storages_of);
  GraphBuilder build(plan.graph);
  for (size_t s = 0; s < storages_of.size(); ++s) {
    if (storages_of[s].size() < 2) continue;
    const TensorType& type = plan.program->states[s].type;
    Region region;
    region.name = "refresh_" + plan.program->states[s].name;
    region.domain = type.dims;
    const NodeId value = build.state(StateId(s), type);
    choose_tiling(region, plan[storages_of[s][0]].layout.lane_axis(), plan.target);
    region.reads.push_back({storages_of[s][0]});
    for (size_t k = 1; k < storages_of[s].size(); ++k) region.outputs.push_back({value, storages_of[s][k]});
    plan.regions.push_back(std::move(region));
  }
}

std::vector<RegionEdge> region_edges(const Plan& plan) {
  std::vector<std::vector<RegionId>> writers(plan.storages.size()), readers(plan.storages.size());
  for (size_t r = 0; r < plan.regions.size(); ++r) {
    for (const Region::Output& output : plan.regions[r].outputs) writers[output.storage.value].push_back(RegionId(r));
  }
  std::vector<RegionEdge> edges;
  for (size_t r = 0; r < plan.regions.size(); ++r) {
    for (const Region::Read& read : plan.regions[r].reads) {
      for (RegionId writer : writers[read.storage.value]) {
        if (writer == RegionId(r)) continue;
        if (plan[read.storage].kind == Storage::state) {
          edges.push_back({RegionId(r), writer, false});  // the old value is read before it is overwritten
        } else {
          edges.push_back({writer, RegionId(r), read.item_local});
        }
      }
    }
  }
  return edges;
}

}  // namespace nnc
