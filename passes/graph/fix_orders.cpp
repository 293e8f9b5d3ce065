#include "passes/graph/fix_orders.h"

namespace nnc {

Order order_of(const Graph& graph, NodeId id, const Target& target) {
  const Node& node = graph[id];
  if (node.op == Op::contract) return {Order::chain, 0};
  if (node.op != Op::reduce) return {};
  const auto& reduce = node.as<ReduceAttr>();
  const TensorType& operand = graph.type(node.operands[0]);
  bool along_lanes = !reduce.axes.empty() && reduce.axes.back() == operand.rank() - 1 && operand.dims.back() > 1;
  if (reduce.reduction == Reduction::argmax || !along_lanes) return {Order::chain, 0};
  return {Order::lanes, target.lanes};
}

void fix_orders(Graph& graph, const Target& target) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    Order order = order_of(graph, NodeId(n), target);
    if (auto* reduce = std::get_if<ReduceAttr>(&node.attributes)) reduce->order = order;
    if (auto* contract = std::get_if<ContractAttr>(&node.attributes)) contract->order = order;
  }
}

}  // namespace nnc
