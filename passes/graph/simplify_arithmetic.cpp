// Identities of arithmetic. Floats have -0, NaN and infinities; what would change one of those has no row here.
#include <cmath>

#include "ir/ops/op.h"
#include "passes/graph/rewrite.h"
#include "passes/graph/simplify_rules.h"

namespace nnc {
namespace {

// Whether the sign of a zero result is always plus.
bool is_never_negative_zero(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  if (!is_float(node.type.dtype)) return true;
  if (node.op == Op::cast) return !is_float(graph.type(node.operands[0]).dtype);
  return node.op == Op::exp || node.op == Op::abs || node.op == Op::sigmoid;
}

bool is_integer_node(const Rewrite& r) { return is_integer(r.node.type.dtype); }

// A power of two whose inverse is normal as well, in f32 and f64.
bool is_exact_scale(double value) {
  int exponent = 0;
  return std::isfinite(value) && value != 0 && std::abs(std::frexp(value, &exponent)) == 0.5 &&
         std::abs(exponent - 1) <= 120;
}

bool add_zero(Rewrite& r) {
  for (size_t k = 0; k < 2; ++k) {
    NodeId other = r.node.operands[1 - k];
    bool harmless = r.is_splat(k, -0.0) || (r.is_splat(k, 0.0) && is_never_negative_zero(r.graph, other));
    if (harmless && r.becomes(other)) return true;
  }
  return false;
}

bool subtract_zero(Rewrite& r) { return r.is_splat(1, 0.0) && r.becomes(r.node.operands[0]); }

bool multiply_by_one(Rewrite& r) {
  for (size_t k = 0; k < 2; ++k) {
    if (r.is_splat(k, 1) && r.becomes(r.node.operands[1 - k])) return true;
  }
  return false;
}

bool multiply_by_minus_one(Rewrite& r) {
  for (size_t k = 0; k < 2; ++k) {
    if (r.is_splat(k, -1) && !is_integer_node(r)) return r.turns_into(Op::neg, {r.node.operands[1 - k]});
  }
  return false;
}

bool multiply_integer_by_zero(Rewrite& r) {
  return is_integer_node(r) && (r.is_splat(0, 0) || r.is_splat(1, 0)) && r.turns_into_constant(0);
}

bool divide_by_one(Rewrite& r) { return r.is_splat(1, 1) && r.becomes(r.node.operands[0]); }

bool divide_by_power_of_two(Rewrite& r) {
  auto divisor = r.splat(1);
  if (!divisor || !is_exact_scale(*divisor)) return false;
  return r.turns_into(Op::mul, {r.node.operands[0], r.constant_like(1 / *divisor, 1)});
}

// Both shrink or both grow, so an intermediate result overflows or underflows only if the final one does.
bool multiply_twice_by_powers_of_two(Rewrite& r) {
  for (size_t k = 0; k < 2; ++k) {
    auto outer = r.splat(k);
    const Node& inner = r.operand(1 - k);
    if (!outer || !is_exact_scale(*outer) || inner.op != Op::mul || !is_float(r.node.type.dtype)) continue;
    for (size_t j = 0; j < 2; ++j) {
      auto factor = splat_of(r.graph, inner.operands[j]);
      if (!factor || !is_exact_scale(*factor) || !is_exact_scale(*factor * *outer)) continue;
      if ((std::abs(*factor) < 1) != (std::abs(*outer) < 1)) continue;
      NodeId x = inner.operands[1 - j];
      return r.turns_into(Op::mul, {x, r.constant_like(*factor * *outer, k)});
    }
  }
  return false;
}

bool negate_twice(Rewrite& r) { return r.operand(0).op == Op::neg && r.becomes(r.operand(0).operands[0]); }

bool add_negated(Rewrite& r) {
  if (is_integer_node(r)) return false;
  for (size_t k = 0; k < 2; ++k) {
    if (r.operand(k).op == Op::neg) return r.turns_into(Op::sub, {r.node.operands[1 - k], r.operand(k).operands[0]});
  }
  return false;
}

bool subtract_negated(Rewrite& r) {
  if (is_integer_node(r) || r.operand(1).op != Op::neg) return false;
  return r.turns_into(Op::add, {r.node.operands[0], r.operand(1).operands[0]});
}

bool multiply_negated(Rewrite& r) {
  if (r.operand(0).op != Op::neg || r.operand(1).op != Op::neg || is_integer_node(r)) return false;
  return r.turns_into(Op::mul, {r.operand(0).operands[0], r.operand(1).operands[0]});
}

bool absolute_of_sign_free(Rewrite& r) {
  const Node& x = r.operand(0);
  if (x.op == Op::abs || x.op == Op::exp || x.op == Op::sigmoid) return r.becomes(r.node.operands[0]);
  return x.op == Op::neg && r.turns_into(Op::abs, {x.operands[0]});
}

bool power_of_one(Rewrite& r) { return r.is_splat(1, 1) && r.becomes(r.node.operands[0]); }

constexpr SimplifyRule rules[] = {
    {Op::add, "x + 0 -> x, where x is never -0; x + -0 -> x", add_zero},
    {Op::add, "x + -y -> x - y", add_negated},
    {Op::sub, "x - 0 -> x", subtract_zero},
    {Op::sub, "x - -y -> x + y", subtract_negated},
    {Op::mul, "x * 1 -> x", multiply_by_one},
    {Op::mul, "x * -1 -> -x", multiply_by_minus_one},
    {Op::mul, "n * 0 -> 0, integers", multiply_integer_by_zero},
    {Op::mul, "-x * -y -> x * y", multiply_negated},
    {Op::mul, "x * 2^a * 2^b -> x * 2^(a+b), a and b of one sign", multiply_twice_by_powers_of_two},
    {Op::div, "x / 1 -> x", divide_by_one},
    {Op::div, "x / 2^a -> x * 2^-a", divide_by_power_of_two},
    {Op::neg, "--x -> x", negate_twice},
    {Op::abs, "|x| -> x of |y|, exp, sigmoid; |-x| -> |x|", absolute_of_sign_free},
    {Op::pow, "x ^ 1 -> x", power_of_one},
};

}  // namespace

std::span<const SimplifyRule> arithmetic_rules() { return rules; }

}  // namespace nnc
