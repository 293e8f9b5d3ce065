#include "passes/plan/choose_layouts.h"

#include <algorithm>
#include <set>

#include "ir/ops/op.h"
#include "passes/plan/access.h"

namespace nnc {
namespace {

constexpr int64_t kLine = 64;

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// What the readers of one state ask for: panels along an axis, in order of appearance, or plain rows.
struct Wishes {
  std::vector<int64_t> panel_axes;
  bool plain = false;
  bool dense = false;  // its bytes are seen in another shape: rows without padding

  void add_panels(int64_t axis) {
    if (std::find(panel_axes.begin(), panel_axes.end(), axis) == panel_axes.end()) panel_axes.push_back(axis);
  }
};

// The axis of operand `k` that runs along the vectors of the product, if the operand is read a vector at a time by
// plain indices.
int64_t vector_axis(const Graph& graph, const Node& contract, size_t k) {
  const IndexMap& map = contract.as<ContractAttr>().map;
  if (map.result.empty()) return -1;
  const int lane_index = map.result.back();
  int64_t axis = -1;
  for (size_t a = 0; a < map.operands[k].size(); ++a) {
    if (!map.operands[k][a].is_plain()) return -1;
    if (map.operands[k][a].terms[0].first == lane_index) axis = static_cast<int64_t>(a);
  }
  return graph.type(contract.operands[k]).rank() == 2 ? axis : -1;
}

// Per node, whether it is read through a view, or through views of views.
std::vector<bool> viewed_nodes(const Graph& graph) {
  std::vector<bool> viewed(graph.nodes.size(), false);
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    if (node.op == Op::reshape && (viewed[n] || is_view(graph, NodeId(n)))) viewed[node.operands[0].value] = true;
  }
  return viewed;
}

void collect_wishes(const Graph& graph, std::vector<Wishes>& wishes) {
  const std::vector<bool> viewed = viewed_nodes(graph);
  for (const Node& user : graph.nodes) {
    for (size_t k = 0; k < user.operands.size(); ++k) {
      // A product of bf16 reads a copy, which is made fastest from panels along the same lanes.
      const bool rounded = user.op == Op::contract && graph[user.operands[k]].op == Op::cast;
      const Node& read = graph[rounded ? graph[user.operands[k]].operands[0] : user.operands[k]];
      if (read.op != Op::state) continue;
      Wishes& wish = wishes[read.as<StateAttr>().state.value];
      wish.dense = wish.dense || viewed[user.operands[k].value];
      const OpKind kind = definition(user.op).kind;
      const bool elementwise = (kind == OpKind::map || kind == OpKind::effect) && user.type.dims == read.type.dims;
      const int64_t axis = user.op == Op::contract ? vector_axis(graph, user, k) : -1;
      if (axis >= 0 && read.type.dtype == DType::f32 && read.type.dims[axis] > 1) {
        wish.add_panels(axis);
      } else if (!elementwise) {
        wish.plain = true;
      }
    }
  }
}

// A diagonal is read by an index that occurs twice: lanes that ran along it would jump through two axes at once.
bool runs_along_a_diagonal(const Node& contract, int64_t axis) {
  const IndexMap& map = contract.as<ContractAttr>().map;
  return std::any_of(map.operands.begin(), map.operands.end(), [&](const std::vector<IndexTerm>& terms) {
    return std::count_if(terms.begin(), terms.end(), [&](const IndexTerm& term) {
             return std::any_of(term.terms.begin(), term.terms.end(),
                                [&](const auto& at) { return at.first == map.result[axis]; });
           }) > 1;
  });
}

}  // namespace

Panels panels_of(int64_t extent, const Target& target) {
  const int64_t most = target.registers >= 32 ? 4 : 2;
  const int64_t vectors = std::max<int64_t>(1, (extent + target.lanes - 1) / target.lanes);
  Panels panels;
  panels.count = (vectors + most - 1) / most;
  panels.vectors = (vectors + panels.count - 1) / panels.count;
  panels.width = panels.vectors * target.lanes;
  return panels;
}

StateLayouts choose_layouts(const Program& program, const Target& target, bool packed, const LayoutNeeds& needs) {
  std::vector<Wishes> wishes(program.states.size());
  for (const Graph& graph : program.functions) collect_wishes(graph, wishes);
  for (size_t s = 0; s < program.states.size(); ++s) {
    // Rows serve whoever reads along them.
    const int64_t last = program.states[s].type.rank() - 1;
    if (wishes[s].plain && !wishes[s].panel_axes.empty() && wishes[s].panel_axes[0] == last)
      wishes[s].panel_axes.clear();
  }
  if (!packed) {
    for (Wishes& wish : wishes) wish.panel_axes.clear();
  } else {
    for (size_t s = 0; s < program.states.size(); ++s) {
      // A slot is read and written element by element with its parameter.
      if (program.states[s].slot_of && program.states[s].type.dims == program[program.states[s].slot_of].type.dims) {
        wishes[s].plain = false;
        wishes[s].panel_axes.clear();
        const Wishes& owner = wishes[program.states[s].slot_of.value];
        if (!owner.panel_axes.empty()) wishes[s].add_panels(owner.panel_axes[0]);
      }
    }
  }
  StateLayouts layouts;
  for (size_t s = 0; s < program.states.size(); ++s) {
    const TensorType& type = program.states[s].type;
    StateLayouts::Entry entry;
    const Layout plain = row_major_layout(type.dims, wishes[s].dense ? 1 : target.lanes);
    const bool in_panels = !wishes[s].panel_axes.empty() && !needs.plain_home.contains(StateId(s));
    if (in_panels) {
      const int64_t axis = wishes[s].panel_axes[0];
      entry.home = panel_layout(type.dims, axis, panels_of(type.dims[axis], target).width);
      if (wishes[s].plain || wishes[s].dense || needs.plain_mirror.contains(StateId(s))) entry.mirrors.push_back(plain);
    } else {
      entry.home = plain;
    }
    const auto place = [&](const Layout& layout) {
      const int64_t at = layouts.bytes;
      layouts.bytes += round_up(layout.elements() * size_of(type.dtype), kLine);
      return at;
    };
    entry.home_offset = place(entry.home);
    for (const Layout& mirror : entry.mirrors) entry.mirror_offsets.push_back(place(mirror));
    layouts.entries.push_back(std::move(entry));
  }
  return layouts;
}

std::vector<int64_t> lane_axes(const Graph& graph, const Program& program, const StateLayouts& layouts) {
  std::vector<int64_t> axes(graph.nodes.size());
  for (size_t n = 0; n < axes.size(); ++n) axes[n] = graph.nodes[n].type.rank() - 1;
  // From each state that is written (or whose gradient is a root) back through the maps of its shape.
  std::vector<std::pair<NodeId, int64_t>> wanted;
  const auto want = [&](NodeId value, StateId state) {
    const int64_t axis = layouts.entries[state.value].home.lane_axis();
    if (axis != axes[value.value] && graph.type(value).dims == program[state].type.dims)
      wanted.emplace_back(value, axis);
  };
  for (const Node& node : graph.nodes) {
    if (node.op == Op::assign) want(node.operands[0], node.as<StateAttr>().state);
  }
  for (const Root& root : graph.roots) {
    const StateId state = root.kind == Root::gradient ? program.find_state(root.name) : StateId();
    if (state) want(root.node, state);
  }
  while (!wanted.empty()) {
    const auto [value, axis] = wanted.back();
    wanted.pop_back();
    if (axes[value.value] == axis) continue;
    axes[value.value] = axis;
    const Node& node = graph[value];
    if (definition(node.op).kind != OpKind::map) continue;
    for (NodeId operand : node.operands) {
      if (graph.type(operand).dims == node.type.dims) wanted.emplace_back(operand, axis);
    }
  }
  for (size_t n = 0; n < axes.size(); ++n) {
    if (graph.nodes[n].op == Op::contract && axes[n] >= 0 && runs_along_a_diagonal(graph.nodes[n], axes[n]))
      axes[n] = -1;
  }
  return axes;
}

}  // namespace nnc
