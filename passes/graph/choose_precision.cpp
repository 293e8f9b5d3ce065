#include "passes/graph/choose_precision.h"

#include <algorithm>
#include <map>

#include "passes/graph/rewrite.h"

namespace nnc {
namespace {

constexpr int64_t kLeastExtent = 16;

bool worth_rounding(const Graph& graph, const Node& contract) {
  const IndexMap& map = contract.as<ContractAttr>().map;
  if (map.names.size() != 3 || map.result.size() != 2) return false;
  for (size_t k = 0; k < 2; ++k) {
    const TensorType& type = graph.type(contract.operands[k]);
    if (type.dtype != DType::f32 || type.rank() != 2 || graph[contract.operands[k]].op == Op::constant) return false;
    for (const IndexTerm& term : map.operands[k]) {
      if (!term.is_plain()) return false;
    }
  }
  for (size_t index = 0; index < 3; ++index) {
    const bool kept = std::find(map.result.begin(), map.result.end(), static_cast<int>(index)) != map.result.end();
    if (map.extents[index] < kLeastExtent || (!kept && map.extents[index] % 2 != 0)) return false;
  }
  return true;
}

}  // namespace

void choose_precision(Graph& graph, DType precision) {
  if (precision != DType::bf16) return;
  // A part of the step has its own: it can then be cut out without handing over rounded copies.
  std::map<std::pair<NodeId, Part>, NodeId> rounded;
  rebuild(graph, [&](Graph& rebuilt, Node node, NodeId) {
    if (node.op == Op::contract && worth_rounding(rebuilt, node)) {
      for (NodeId& operand : node.operands) {
        NodeId& known = rounded[{operand, node.part}];
        if (!known) {
          GraphBuilder build(rebuilt, node.part);
          build.set_locations(node.locations);
          known = build.cast(operand, DType::bf16);
        }
        operand = known;
      }
    }
    return append_node(rebuilt, std::move(node));
  });
}

}  // namespace nnc
