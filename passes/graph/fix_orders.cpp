#include "passes/graph/fix_orders.h"

#include <algorithm>

#include "ir/ops/contract.h"

namespace nnc {
namespace {

constexpr int64_t kTileElements = 32;  // of bf16 in a row of a tile

// A product of two matrices in bf16 with a tile's worth to sum.
bool suits_tiles(const Graph& graph, const Node& contract) {
  const IndexMap& map = contract.as<ContractAttr>().map;
  if (map.names.size() != 3 || map.result.size() != 2) return false;
  int summed = 0;
  while (std::find(map.result.begin(), map.result.end(), summed) != map.result.end()) ++summed;
  for (size_t k = 0; k < 2; ++k) {
    if (graph.type(contract.operands[k]).dtype != DType::bf16 || map.operands[k].size() != 2) return false;
    const auto& terms = map.operands[k];
    if (!std::all_of(terms.begin(), terms.end(), [](const IndexTerm& term) { return term.is_plain(); })) return false;
    if (std::count(terms.begin(), terms.end(), IndexTerm::plain(summed)) != 1) return false;
  }
  return map.extents[summed] >= kTileElements;
}

// Whether vectors may run along the summed axis of an operand: it is the last one, and no other is that index too. A
// state of several rows is kept in panels, for products whose vectors run across its rows: to read it along them would
// cost all functions of the program a mirror of it.
bool lies_along_sum(const Graph& graph, NodeId operand, const std::vector<IndexTerm>& terms, int summed,
                    int64_t extent) {
  const bool plain = std::all_of(terms.begin(), terms.end(), [](const IndexTerm& term) { return term.is_plain(); });
  return plain && !terms.empty() && terms.back() == IndexTerm::plain(summed) &&
         std::count(terms.begin(), terms.end(), IndexTerm::plain(summed)) == 1 &&
         (graph[operand].op != Op::state || graph.type(operand).elements() == extent);
}

// Dot products with one vector: lanes run along the sum, which lies along both operands, as there is nothing else that
// they could run along without gathering.
bool is_dot_product(const Graph& graph, const Node& contract, const Target& target) {
  const IndexMap& map = contract.as<ContractAttr>().map;
  const std::vector<int> summed = summed_indices(map);
  if (contract.type.dtype != DType::f32 || summed.size() != 1 || map.extents[summed[0]] < target.lanes) return false;
  bool one_vector = false;
  for (size_t k = 0; k < 2; ++k) {
    const int64_t extent = map.extents[summed[0]];
    if (!lies_along_sum(graph, contract.operands[k], map.operands[k], summed[0], extent)) return false;
    one_vector = one_vector || graph.type(contract.operands[k]).elements() == extent;
  }
  return one_vector;
}

}  // namespace

Order order_of(const Graph& graph, NodeId id, const Target& target) {
  const Node& node = graph[id];
  if (node.op == Op::contract && target.tiles && suits_tiles(graph, node)) return {Order::tiles, kTileElements};
  if (node.op == Op::contract && is_dot_product(graph, node, target)) return {Order::lanes, target.lanes};
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
