#include "passes/graph/simplify.h"

#include <array>
#include <bit>
#include <utility>

#include "passes/graph/rewrite.h"
#include "passes/graph/simplify_rules.h"

namespace nnc {
namespace {

// A rule that fires makes the node smaller or its op another; more than a few in a row do not occur.
constexpr int max_rewrites = 16;

using RulesByOp = std::array<std::vector<const SimplifyRule*>, 256>;

RulesByOp rules_by_op() {
  RulesByOp result;
  for (auto family : {arithmetic_rules(), choice_rules(), movement_rules()}) {
    for (const SimplifyRule& rule : family) result[static_cast<size_t>(rule.op)].push_back(&rule);
  }
  return result;
}

bool apply_one(Rewrite& rewrite, const RulesByOp& rules) {
  for (const SimplifyRule* rule : rules[static_cast<size_t>(rewrite.node.op)]) {
    if (rule->apply(rewrite)) return true;
  }
  return false;
}

}  // namespace

std::optional<double> Rewrite::splat(size_t k) const { return splat_of(graph, node.operands[k]); }

bool Rewrite::is_splat(size_t k, double value) const {
  auto known = splat(k);
  return known && std::bit_cast<uint64_t>(*known) == std::bit_cast<uint64_t>(value);
}

bool Rewrite::becomes(NodeId id) {
  if (graph.type(id) != node.type) return false;
  equal = id;
  return true;
}

bool Rewrite::turns_into(Op op, std::vector<NodeId> operands, Attributes attributes) {
  node.op = op;
  node.operands = std::move(operands);
  node.attributes = std::move(attributes);
  return true;
}

bool Rewrite::turns_into_constant(double value) { return turns_into(Op::constant, {}, ConstantAttr{value}); }

NodeId Rewrite::constant_like(double value, size_t k) {
  Node constant;
  constant.part = node.part;
  constant.type = operand(k).type;
  constant.attributes = ConstantAttr{value};
  constant.locations = node.locations;
  return append_node(graph, std::move(constant));
}

void simplify(Graph& graph) {
  const RulesByOp rules = rules_by_op();
  rebuild(graph, [&](Graph& rebuilt, Node node, NodeId) {
    Rewrite rewrite{rebuilt, std::move(node), {}};
    // A clone has to stay what its original is.
    if (rewrite.node.clone_of) return append_node(rebuilt, std::move(rewrite.node));
    for (int k = 0; k < max_rewrites && apply_one(rewrite, rules); ++k) {
      if (rewrite.equal) return rewrite.equal;
    }
    return append_node(rebuilt, std::move(rewrite.node));
  });
}

}  // namespace nnc
