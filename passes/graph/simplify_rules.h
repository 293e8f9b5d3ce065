// The rules of simplify, by family. A rule looks at one node and either names the value it equals, or changes it in
// place.
#pragma once

#include <optional>
#include <span>

#include "ir/graph/graph.h"

namespace nnc {

struct Rewrite {
  Graph& graph;  // the nodes before this one, simplified; a rule may append constants
  Node node;     // not in the table yet
  NodeId equal;  // set by a rule: the node is this value

  const Node& operand(size_t k) const { return graph[node.operands[k]]; }
  std::optional<double> splat(size_t k) const;  // of operand k
  bool is_splat(size_t k, double value) const;  // bit for bit: 0 is not -0

  // The outcomes of a rule, all true. `becomes` fails where `id` has another type (an i32 with a bound, say).
  bool becomes(NodeId id);
  bool turns_into(Op op, std::vector<NodeId> operands, Attributes attributes = {});  // of the same type
  bool turns_into_constant(double value);

  // A new constant like operand k, in the part of the node.
  NodeId constant_like(double value, size_t k);
};

struct SimplifyRule {
  Op op;
  const char* reads;  // for people: "x * 1 -> x"
  bool (*apply)(Rewrite&);
};

std::span<const SimplifyRule> arithmetic_rules();
std::span<const SimplifyRule> choice_rules();
std::span<const SimplifyRule> movement_rules();

}  // namespace nnc
