#include "passes/graph/fold_constants.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "ir/ops/op.h"
#include "passes/graph/rewrite.h"

namespace nnc {
namespace {

// Rounding the double result once more gives what f32 arithmetic gives: these need at most 2 x 24 + 2 bits.
bool is_exact_in_f32(Op op) {
  static constexpr Op exact[] = {Op::add,         Op::sub,        Op::mul,         Op::div,    Op::sqrt,
                                 Op::max,         Op::min,        Op::neg,         Op::abs,    Op::sign,
                                 Op::floor,       Op::round,      Op::compare,     Op::select, Op::cast,
                                 Op::logical_and, Op::logical_or, Op::logical_not, Op::detach};
  return std::find(std::begin(exact), std::end(exact), op) != std::end(exact);
}

bool is_narrow(const TensorType& type) { return type.dtype == DType::f32 || type.dtype == DType::bf16; }

bool may_fold(const Graph& graph, const Node& node) {
  if (definition(node.op).kind != OpKind::map || definition(node.op).evaluate == nullptr || node.clone_of) return false;
  bool narrow = is_narrow(node.type);
  for (NodeId operand : node.operands) {
    if (graph[operand].op != Op::constant) return false;
    narrow |= is_narrow(graph.type(operand));
  }
  return !narrow || is_exact_in_f32(node.op);
}

bool fits(const TensorType& type, double value) {
  if (type.bound != 0 && !(value >= 0 && value < static_cast<double>(type.bound))) return false;
  if (type.dtype == DType::i32) return value >= INT32_MIN && value <= INT32_MAX;
  return type.dtype != DType::i64 || std::abs(value) <= 0x1p53;
}

// Evaluates one element.
std::optional<double> fold(const Graph& graph, const Node& node) {
  std::vector<ReferenceTensor> operands;
  for (NodeId operand : node.operands) {
    ReferenceTensor scalar{graph.type(operand), {*splat_of(graph, operand)}};
    if (!fits(scalar.type, scalar.values[0])) return std::nullopt;
    scalar.type.dims.clear();
    operands.push_back(std::move(scalar));
  }
  std::vector<const ReferenceTensor*> views;
  for (const ReferenceTensor& operand : operands) views.push_back(&operand);
  Node scalar = node;
  scalar.type.dims.clear();
  ReferenceTensor result{scalar.type, {0.0}};
  definition(node.op).evaluate(scalar, views, result);
  double value = round_to(node.type.dtype, result.values[0]);
  return fits(node.type, value) ? std::optional(value) : std::nullopt;
}

}  // namespace

void fold_constants(Graph& graph) {
  rebuild(graph, [](Graph& rebuilt, Node node, NodeId) {
    std::optional<double> value = may_fold(rebuilt, node) ? fold(rebuilt, node) : std::nullopt;
    if (value) {
      node.op = Op::constant;
      node.operands.clear();
      node.attributes = ConstantAttr{*value};
    }
    return append_node(rebuilt, std::move(node));
  });
}

}  // namespace nnc
