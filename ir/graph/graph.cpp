#include "ir/graph/graph.h"

#include <fmt/format.h>

#include "ir/check.h"
#include "ir/ops/op.h"

namespace nnc {

StateId Program::find_state(std::string_view name) const {
  for (size_t k = 0; k < states.size(); ++k) {
    if (states[k].name == name) return StateId(k);
  }
  return {};
}

std::vector<std::vector<NodeId>> users_of(const Graph& graph) {
  std::vector<std::vector<NodeId>> users(graph.nodes.size());
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (NodeId operand : graph.nodes[n].operands) {
      auto& list = users[operand.value];
      if (list.empty() || list.back() != NodeId(n)) list.push_back(NodeId(n));
    }
  }
  return users;
}

NodeId GraphBuilder::append(Op op, std::vector<NodeId> operands, Attributes attributes, TensorType given) {
  std::vector<TensorType> types;
  for (NodeId operand : operands) {
    NNC_CHECK(operand.value < graph_.nodes.size(), "{}: operand {} is no node of the graph", name_of(op),
              operand.value);
    types.push_back(graph_.type(operand));
  }
  if (auto* contract = std::get_if<ContractAttr>(&attributes)) contract->map = numbered_by_appearance(contract->map);
  std::string error;
  TensorType type = infer_type(op, types, attributes, given, error);
  NNC_CHECK(error.empty(), "{}: {}", name_of(op), error);
  Node node;
  node.op = op;
  node.part = part_;
  node.type = std::move(type);
  node.operands = std::move(operands);
  node.attributes = std::move(attributes);
  node.locations = locations_;
  graph_.nodes.push_back(std::move(node));
  return graph_.last();
}

NodeId GraphBuilder::input(std::string name, TensorType type, bool is_target) {
  return append(Op::input, {}, InputAttr{std::move(name), is_target}, std::move(type));
}

NodeId GraphBuilder::state(StateId state, TensorType type) {
  return append(Op::state, {}, StateAttr{state}, std::move(type));
}

NodeId GraphBuilder::constant(double value, TensorType type) {
  return append(Op::constant, {}, ConstantAttr{value}, std::move(type));
}

NodeId GraphBuilder::iota(TensorType type, int64_t axis) {
  return append(Op::iota, {}, IotaAttr{axis}, std::move(type));
}

NodeId GraphBuilder::cotangent(TensorType type) { return append(Op::cotangent, {}, {}, std::move(type)); }

NodeId GraphBuilder::compare(Comparison comparison, NodeId a, NodeId b) {
  return append(Op::compare, {a, b}, CompareAttr{comparison});
}

NodeId GraphBuilder::cast(NodeId a, DType dtype, int64_t bound) {
  return append(Op::cast, {a}, {}, {dtype, bound, type(a).dims});
}

NodeId GraphBuilder::reshape(NodeId a, Dims dims) {
  return append(Op::reshape, {a}, {}, {type(a).dtype, type(a).bound, std::move(dims)});
}

NodeId GraphBuilder::transpose(NodeId a, std::vector<int64_t> permutation) {
  return append(Op::transpose, {a}, TransposeAttr{std::move(permutation)});
}

NodeId GraphBuilder::broadcast(NodeId a, Dims dims, std::vector<int64_t> axes) {
  return append(Op::broadcast, {a}, BroadcastAttr{std::move(axes)}, {type(a).dtype, type(a).bound, std::move(dims)});
}

NodeId GraphBuilder::slice(NodeId a, Dims start, Dims size, Dims step) {
  return append(Op::slice, {a}, SliceAttr{std::move(start), std::move(step)},
                {type(a).dtype, type(a).bound, std::move(size)});
}

NodeId GraphBuilder::pad(NodeId a, Dims before, Dims after, Dims step, double value) {
  return append(Op::pad, {a}, PadAttr{std::move(before), std::move(after), std::move(step), value});
}

NodeId GraphBuilder::concat(std::vector<NodeId> parts, int64_t axis) {
  return append(Op::concat, std::move(parts), AxisAttr{axis});
}

NodeId GraphBuilder::reverse(NodeId a, std::vector<int64_t> axes) {
  return append(Op::reverse, {a}, ReverseAttr{std::move(axes)});
}

NodeId GraphBuilder::gather(NodeId a, NodeId ids, int64_t axis) { return append(Op::gather, {a, ids}, AxisAttr{axis}); }

NodeId GraphBuilder::scatter_add(NodeId updates, NodeId ids, int64_t axis, int64_t extent) {
  const Dims& from = type(updates).dims;
  int64_t ids_rank = type(ids).rank();
  NNC_CHECK(axis >= 0 && axis + ids_rank <= static_cast<int64_t>(from.size()), "scatter_add: no axis {} in {}", axis,
            to_string(type(updates)));
  Dims dims(from.begin(), from.begin() + axis);
  dims.push_back(extent);
  dims.insert(dims.end(), from.begin() + axis + ids_rank, from.end());
  return append(Op::scatter_add, {updates, ids}, AxisAttr{axis}, {type(updates).dtype, 0, std::move(dims)});
}

NodeId GraphBuilder::reduce(Reduction reduction, NodeId a, std::vector<int64_t> axes) {
  return append(Op::reduce, {a}, ReduceAttr{reduction, std::move(axes), {}});
}

NodeId GraphBuilder::cumsum(NodeId a, int64_t axis, bool exclusive, bool reverse) {
  return append(Op::cumsum, {a}, CumsumAttr{axis, exclusive, reverse});
}

NodeId GraphBuilder::sum_below(NodeId x, NodeId w, int64_t axis) {
  return append(Op::sum_below, {x, w}, AxisAttr{axis});
}

NodeId GraphBuilder::contract(NodeId a, NodeId b, std::string_view text) {
  IndexMap map;
  std::string error = parse_index_map(text, {type(a), type(b)}, map);
  NNC_CHECK(error.empty(), "contract: {}", error);
  return contract(a, b, std::move(map));
}

NodeId GraphBuilder::contract(NodeId a, NodeId b, IndexMap map) {
  return append(Op::contract, {a, b}, ContractAttr{std::move(map), {}});
}

NodeId GraphBuilder::window(NodeId a, WindowAttr attributes) { return append(Op::window, {a}, std::move(attributes)); }

NodeId GraphBuilder::random(Distribution distribution, NodeId seed, NodeId step, TensorType type, uint32_t site) {
  return append(Op::random, {seed, step}, RandomAttr{distribution, site}, std::move(type));
}

NodeId GraphBuilder::assign(StateId state, NodeId value) { return append(Op::assign, {value}, StateAttr{state}); }

}  // namespace nnc
