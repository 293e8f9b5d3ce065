#include "passes/plan/node_roles.h"

#include "ir/check.h"
#include "ir/ops/op.h"

namespace nnc {
namespace {

constexpr int kDeepest = 24;  // inlined nodes in a chain

bool is_movement(Op op) { return definition(op).kind == OpKind::movement && op != Op::scatter_add; }
bool reads_by_index_only(Op op) {
  return op == Op::broadcast || op == Op::transpose || op == Op::slice || op == Op::reshape || op == Op::reverse;
}
bool is_last_axis_reduce(const Graph& graph, const Node& node) {
  return node.op == Op::reduce &&
         node.as<ReduceAttr>().axes == std::vector<int64_t>{graph.type(node.operands[0]).rank() - 1};
}

// Casts to bf16 that products alone read: they are made while the operand is copied for the product.
std::vector<bool> rounded_operands(const Graph& graph) {
  std::vector<bool> rounds(graph.nodes.size(), false);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    rounds[n] = node.op == Op::cast && node.type.dtype == DType::bf16 &&
                graph.type(node.operands[0]).dtype == DType::f32 && graph[node.operands[0]].op != Op::constant;
    if (node.op == Op::contract) continue;
    for (NodeId operand : node.operands) rounds[operand.value] = false;
  }
  for (const Root& root : graph.roots) rounds[root.node.value] = false;
  return rounds;
}

// Nodes that someone can only read from memory, whatever they are.
std::vector<bool> read_from_memory(const Graph& graph) {
  std::vector<bool> pinned(graph.nodes.size(), false);
  for (const Root& root : graph.roots) pinned[root.node.value] = true;
  const std::vector<bool> rounds_operand = rounded_operands(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    for (size_t k = 0; k < node.operands.size(); ++k) {
      const Op source = graph[node.operands[k]].op;
      const bool by_index =
          reads_by_index_only(source) || source == Op::constant || rounds_operand[node.operands[k].value];
      if (rounds_operand[n] || node.op == Op::assign || (node.op == Op::gather && k == 0) ||
          is_view(graph, NodeId(n)) || (node.op == Op::contract && !by_index)) {
        pinned[node.operands[k].value] = true;
      }
    }
  }
  return pinned;
}

}  // namespace

std::vector<Role> node_roles(const Graph& graph, bool fuse) {
  const auto users = users_of(graph);
  const std::vector<bool> pinned = read_from_memory(graph), rounds_operand = rounded_operands(graph);
  std::vector<Role> roles(graph.nodes.size(), Role::member);
  std::vector<int> depth(graph.nodes.size(), 0);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (node.op == Op::input || node.op == Op::state) roles[n] = Role::stored;
    if (node.op == Op::assign) roles[n] = Role::effect;
    if (roles[n] != Role::member || (pinned[n] && node.op != Op::constant)) continue;
    int deepest = 0;
    bool only_leaves = true;
    for (NodeId operand : node.operands) {
      deepest = std::max(deepest, depth[operand.value]);
      only_leaves = only_leaves && roles[operand.value] != Role::member;
    }
    bool inlined = node.op == Op::constant;
    if (fuse && deepest + 1 < kDeepest) {
      inlined = inlined || node.op == Op::iota || is_movement(node.op);
      if (definition(node.op).kind == OpKind::map && definition(node.op).cheap && node.type.rank() > 0) {
        const bool read_by_maps = std::all_of(users[n].begin(), users[n].end(), [&](NodeId user) {
          return definition(graph[user].op).kind == OpKind::map || is_last_axis_reduce(graph, graph[user]);
        });
        inlined = read_by_maps && (users[n].size() == 1 || only_leaves);
      }
      inlined = inlined || rounds_operand[n];
    }
    if (!inlined) continue;
    roles[n] = Role::inlined;
    depth[n] = node.operands.empty() ? 0 : deepest + 1;
  }
  return roles;
}

Indices symbolic_point(int64_t rank) {
  Indices point(rank);
  for (int64_t k = 0; k < rank; ++k) point[k].affine = Affine::of(VarId(static_cast<size_t>(k)));
  return point;
}

namespace {

Indices opaque_point(int64_t rank) {
  Indices point(rank);
  for (AxisIndex& index : point) index = opaque_index();
  return point;
}

void follow_gather(const Graph& graph, const std::vector<Role>& roles, const Node& node, const Indices& at,
                   const Reached& reached) {
  const int64_t axis = node.as<AxisAttr>().axis;
  const int64_t ids_rank = graph.type(node.operands[1]).rank();
  Indices source(at.begin(), at.begin() + axis);
  source.push_back(opaque_point(1)[0]);
  source.insert(source.end(), at.begin() + axis + ids_rank, at.end());
  follow(graph, roles, node.operands[0], source, reached);
  follow(graph, roles, node.operands[1], Indices(at.begin() + axis, at.begin() + axis + ids_rank), reached);
}

void follow_contract(const Graph& graph, const std::vector<Role>& roles, const Node& node, const Indices& at,
                     const Reached& reached) {
  const IndexMap& map = node.as<ContractAttr>().map;
  std::vector<AxisIndex> index(map.names.size(), opaque_point(1)[0]);
  for (size_t k = 0; k < map.result.size(); ++k) index[map.result[k]] = at[k];
  for (size_t k = 0; k < node.operands.size(); ++k) {
    Indices operand;
    for (const IndexTerm& term : map.operands[k])
      operand.push_back(term.is_plain() ? index[term.terms[0].first] : opaque_point(1)[0]);
    follow(graph, roles, node.operands[k], operand, reached);
  }
}

}  // namespace

void follow_operands(const Graph& graph, const std::vector<Role>& roles, NodeId id, const Indices& at,
                     const Reached& reached) {
  const Node& node = graph[id];
  if (node.op == Op::gather) return follow_gather(graph, roles, node, at, reached);
  if (node.op == Op::contract) return follow_contract(graph, roles, node, at, reached);
  for (size_t k = 0; k < node.operands.size(); ++k) {
    const TensorType& operand = graph.type(node.operands[k]);
    Indices there = at;
    if (is_view(graph, id)) {
      // The rows of the leading axis stay what they are; the rest is stored bytes seen otherwise.
      there = opaque_point(operand.rank());
      if (!operand.dims.empty() && !node.type.dims.empty() && operand.dims[0] == node.type.dims[0]) there[0] = at[0];
    } else if (is_movement(node.op)) {
      there = *operand_indices(graph, id, k, at, nullptr);
    } else if (operand.rank() != static_cast<int64_t>(at.size())) {
      there = opaque_point(operand.rank());
    }
    follow(graph, roles, node.operands[k], there, reached);
  }
}

void follow(const Graph& graph, const std::vector<Role>& roles, NodeId node, const Indices& at,
            const Reached& reached) {
  if (roles[node.value] == Role::inlined) return follow_operands(graph, roles, node, at, reached);
  reached(node, at);
}

}  // namespace nnc
