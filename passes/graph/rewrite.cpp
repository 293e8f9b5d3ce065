#include "passes/graph/rewrite.h"

#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "ir/check.h"

namespace nnc {

void rebuild(Graph& graph, const MakeNode& make) {
  std::vector<Node> before = std::exchange(graph.nodes, {});
  graph.nodes.reserve(before.size());
  std::vector<NodeId> now(before.size());
  auto follow = [&](NodeId& id) {
    NNC_CHECK(id.value < now.size() && now[id.value], "{}: node {} is used but was dropped", graph.name, id.value);
    id = now[id.value];
  };
  // A dropped node may well have dropped operands, so its operands are left invalid and checked when it is kept.
  for (size_t n = 0; n < before.size(); ++n) {
    Node& node = before[n];
    for (NodeId& operand : node.operands) operand = now[operand.value];
    if (node.clone_of) node.clone_of = now[node.clone_of.value];
    now[n] = make(graph, std::move(node), NodeId(n));
  }
  for (const Node& node : graph.nodes) {
    for (NodeId operand : node.operands) {
      NNC_CHECK(operand.value < graph.nodes.size(), "{}: a kept node uses a dropped one", graph.name);
    }
  }
  for (Root& root : graph.roots) follow(root.node);
  for (CustomGradient& custom : graph.custom_gradients) {
    for (auto* list : {&custom.outputs, &custom.cotangents, &custom.inputs, &custom.gradients}) {
      for (NodeId& id : *list) {
        if (id) follow(id);  // an output or input may have no cotangent
      }
    }
  }
}

NodeId append_node(Graph& graph, Node node) {
  graph.nodes.push_back(std::move(node));
  return graph.last();
}

std::optional<double> splat_of(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  if (node.op != Op::constant) return std::nullopt;
  return round_to(node.type.dtype, node.as<ConstantAttr>().value);
}

double round_to(DType dtype, double value) {
  switch (dtype) {
    case DType::boolean:
      return value != 0 ? 1 : 0;
    case DType::i32:
    case DType::i64:
      return std::trunc(value);
    case DType::f64:
      return value;
    case DType::f32:
    case DType::bf16:
      break;
  }
  float narrow = static_cast<float>(value);
  if (std::fpclassify(narrow) == FP_SUBNORMAL) narrow = std::copysign(0.0f, narrow);
  if (dtype == DType::f32 || std::isnan(narrow)) return narrow;
  auto bits = std::bit_cast<uint32_t>(narrow);
  bits += 0x7FFFu + ((bits >> 16) & 1u);
  return std::bit_cast<float>(bits & 0xFFFF0000u);
}

}  // namespace nnc
