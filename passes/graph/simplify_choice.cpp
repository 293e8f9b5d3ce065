// Identities of selection, logic and conversion.
#include "ir/ops/op.h"
#include "passes/graph/rewrite.h"
#include "passes/graph/simplify_rules.h"

namespace nnc {
namespace {

bool select_by_constant(Rewrite& r) {
  auto condition = r.splat(0);
  return condition && r.becomes(r.node.operands[*condition != 0 ? 1 : 2]);
}

bool select_between_equals(Rewrite& r) {
  return r.node.operands[1] == r.node.operands[2] && r.becomes(r.node.operands[1]);
}

bool select_by_negation(Rewrite& r) {
  if (r.operand(0).op != Op::logical_not) return false;
  return r.turns_into(Op::select, {r.operand(0).operands[0], r.node.operands[2], r.node.operands[1]});
}

bool choose_between_equals(Rewrite& r) {
  return r.node.operands[0] == r.node.operands[1] && r.becomes(r.node.operands[0]);
}

template <int neutral>
bool combine_with_constant(Rewrite& r) {
  for (size_t k = 0; k < 2; ++k) {
    auto value = r.splat(k);
    if (!value) continue;
    return *value == neutral ? r.becomes(r.node.operands[1 - k]) : r.turns_into_constant(1 - neutral);
  }
  return choose_between_equals(r);
}

bool negate_logic_twice(Rewrite& r) {
  return r.operand(0).op == Op::logical_not && r.becomes(r.operand(0).operands[0]);
}

bool cast_to_same(Rewrite& r) { return r.becomes(r.node.operands[0]); }

// Whether every value of `from` is one of `to`.
bool holds_all_of(DType to, DType from) {
  if (to == from || from == DType::boolean) return true;
  if (from == DType::bf16) return to == DType::f32 || to == DType::f64;
  if (from == DType::f32) return to == DType::f64;
  return from == DType::i32 && (to == DType::i64 || to == DType::f64);
}

bool cast_through_wider(Rewrite& r) {
  const Node& inner = r.operand(0);
  if (inner.op != Op::cast) return false;
  const TensorType& first = r.graph.type(inner.operands[0]);
  if (inner.type.bound != 0 || !holds_all_of(inner.type.dtype, first.dtype)) return false;
  return r.becomes(inner.operands[0]) || r.turns_into(Op::cast, {inner.operands[0]});
}

bool drop_detach(Rewrite& r) { return r.becomes(r.node.operands[0]); }

constexpr SimplifyRule rules[] = {
    {Op::select, "select true x y -> x", select_by_constant},
    {Op::select, "select c x x -> x", select_between_equals},
    {Op::select, "select (not c) x y -> select c y x", select_by_negation},
    {Op::max, "max x x -> x", choose_between_equals},
    {Op::min, "min x x -> x", choose_between_equals},
    {Op::logical_and, "c and true -> c; c and false -> false; c and c -> c", combine_with_constant<1>},
    {Op::logical_or, "c or false -> c; c or true -> true; c or c -> c", combine_with_constant<0>},
    {Op::logical_not, "not not c -> c", negate_logic_twice},
    {Op::cast, "cast to the same type -> x", cast_to_same},
    {Op::cast, "cast of a cast to a type that holds all -> cast", cast_through_wider},
    {Op::detach, "detach x -> x", drop_detach},
};

}  // namespace

std::span<const SimplifyRule> choice_rules() { return rules; }

}  // namespace nnc
