#include "passes/graph/fold_movement.h"

#include "ir/ops/op.h"
#include "passes/graph/rewrite.h"

namespace nnc {
namespace {

std::vector<int> count_uses(const Graph& graph) {
  std::vector<int> uses(graph.nodes.size());
  for (const Node& node : graph.nodes) {
    for (NodeId operand : node.operands) ++uses[operand.value];
  }
  for (const Root& root : graph.roots) ++uses[root.node.value];
  return uses;
}

// Axis k of the transpose is axis permutation[k] of what it reads.
bool fold_operand(const Graph& graph, Node& contract, size_t k) {
  const Node& transpose = graph[contract.operands[k]];
  if (transpose.op != Op::transpose) return false;
  const auto& permutation = transpose.as<TransposeAttr>().permutation;
  auto& axes = contract.as<ContractAttr>().map.operands[k];
  std::vector<IndexTerm> moved(axes.size());
  for (size_t axis = 0; axis < axes.size(); ++axis) moved[static_cast<size_t>(permutation[axis])] = axes[axis];
  axes = std::move(moved);
  contract.operands[k] = transpose.operands[0];
  return true;
}

void fold_operands(const Graph& graph, Node& contract) {
  for (size_t k = 0; k < contract.operands.size(); ++k) {
    while (fold_operand(graph, contract, k)) {
    }
  }
  auto& map = contract.as<ContractAttr>().map;
  map = numbered_by_appearance(map);
}

// The transpose becomes the contract itself, with its result in another order.
void fold_result(const Graph& graph, Node& transpose) {
  const Node& contract = graph[transpose.operands[0]];
  ContractAttr attributes = contract.as<ContractAttr>();
  std::vector<int> result;
  for (int64_t axis : transpose.as<TransposeAttr>().permutation) {
    result.push_back(attributes.map.result[static_cast<size_t>(axis)]);
  }
  attributes.map.result = std::move(result);
  attributes.map = numbered_by_appearance(attributes.map);
  merge_into(transpose.locations, contract.locations);
  transpose.op = Op::contract;
  transpose.operands = contract.operands;
  transpose.attributes = std::move(attributes);
}

}  // namespace

void fold_movement(Graph& graph) {
  std::vector<int> uses = count_uses(graph);
  std::vector<int> uses_now;  // of the nodes of the rebuilt graph
  rebuild(graph, [&](Graph& rebuilt, Node node, NodeId old) {
    if (node.op == Op::contract && !node.clone_of) fold_operands(rebuilt, node);
    if (node.op == Op::transpose && !node.clone_of) {
      NodeId from = node.operands[0];
      bool only_reader = uses_now[from.value] == 1 && !rebuilt[from].clone_of;
      if (rebuilt[from].op == Op::contract && only_reader && rebuilt[from].part == node.part)
        fold_result(rebuilt, node);
    }
    uses_now.push_back(uses[old.value]);
    return append_node(rebuilt, std::move(node));
  });
}

}  // namespace nnc
