// Operators between values that are known now: numbers (in double), bools, strings, lists.
#include <algorithm>
#include <cmath>

#include "frontend/evaluator.h"

namespace nnc {

namespace {

using ast::BinaryOp;

bool is_numeric(const Value& value) { return value.is_number() || value.is<bool>(); }

Number as_number(const Value& value) {
  return value.is_number() ? value.as<Number>() : Number{value.as<bool>() ? 1.0 : 0.0, 0, false};
}

std::optional<double> arithmetic(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add:
      return a + b;
    case BinaryOp::subtract:
      return a - b;
    case BinaryOp::multiply:
      return a * b;
    case BinaryOp::divide:
      return a / b;
    case BinaryOp::floor_divide:
      return std::floor(a / b);
    case BinaryOp::modulo:
      return a - b * std::floor(a / b);
    case BinaryOp::power:
      return std::pow(a, b);
    default:
      return std::nullopt;
  }
}

template <class T>
std::optional<bool> comparison(BinaryOp op, const T& a, const T& b) {
  switch (op) {
    case BinaryOp::equal:
      return a == b;
    case BinaryOp::not_equal:
      return a != b;
    case BinaryOp::less:
      return a < b;
    case BinaryOp::less_equal:
      return a <= b;
    case BinaryOp::greater:
      return a > b;
    case BinaryOp::greater_equal:
      return a >= b;
    default:
      return std::nullopt;
  }
}

// k in `k * batch` after a * b or a / b; 0 where the result is no multiple of the batch.
int64_t multiple_of(BinaryOp op, const Number& a, const Number& b) {
  const Number& marked = a.batch_multiple > 0 ? a : b;
  const Number& other = a.batch_multiple > 0 ? b : a;
  int64_t factor = 0;
  if (marked.batch_multiple == 0 || other.of_batch || !integral(Value(other), factor) || factor < 1 ||
      factor > INT32_MAX)
    return 0;
  if (marked.batch_multiple > INT32_MAX) return 0;
  if (op == BinaryOp::multiply) return marked.batch_multiple * factor;
  const bool divides = (op == BinaryOp::divide || op == BinaryOp::floor_divide) && &marked == &a;
  return divides && marked.batch_multiple % factor == 0 ? marked.batch_multiple / factor : 0;
}

std::optional<Value> numeric_binary(Evaluator& e, BinaryOp op, const Value& left, const Value& right, Span span) {
  const Number a = as_number(left), b = as_number(right);
  const bool of_batch = a.of_batch || b.of_batch;
  if (const auto result = arithmetic(op, a.value, b.value)) {
    const bool divides = op == BinaryOp::divide || op == BinaryOp::floor_divide || op == BinaryOp::modulo;
    if (divides && b.value == 0) {
      complain(e, DiagnosticKind::wrong_kind, span, "a static number is divided by zero");
      return Value(Poison{});
    }
    return Value(Number{*result, multiple_of(op, a, b), of_batch}, span);
  }
  const auto holds = comparison(op, a.value, b.value);
  if (!holds) return std::nullopt;
  if (!of_batch) return Value(*holds, span);
  complain(e, DiagnosticKind::wrong_kind, span,
           "the batch size is not known before anything runs, so it decides nothing");
  return Value(Poison{});
}

bool equal_values(const Value& a, const Value& b) {
  if (is_numeric(a) && is_numeric(b)) return as_number(a).value == as_number(b).value;
  if (a.is<std::string>() && b.is<std::string>()) return a.as<std::string>() == b.as<std::string>();
  if (a.is_list() && b.is_list())
    return std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(), equal_values);
  return a.is_none() && b.is_none();
}

bool is_static(const Value& value) {
  return is_numeric(value) || value.is<std::string>() || value.is_list() || value.is_none();
}

}  // namespace

std::optional<Value> static_binary(Evaluator& e, ast::BinaryOp op, const Value& left, const Value& right, Span span) {
  if (left.is<bool>() && right.is<bool>() && (op == BinaryOp::logical_and || op == BinaryOp::logical_or)) {
    const bool a = left.as<bool>(), b = right.as<bool>();
    return Value(op == BinaryOp::logical_and ? a && b : a || b, span);
  }
  if (is_numeric(left) && is_numeric(right)) return numeric_binary(e, op, left, right, span);
  if (left.is_list() && right.is_list() && op == BinaryOp::add) {
    std::vector<Value> items = left.items();
    items.insert(items.end(), right.items().begin(), right.items().end());
    return list_value(std::move(items), span);
  }
  if (left.is<std::string>() && right.is<std::string>()) {
    if (const auto holds = comparison(op, left.as<std::string>(), right.as<std::string>())) return Value(*holds, span);
    return std::nullopt;
  }
  const bool equality = op == BinaryOp::equal || op == BinaryOp::not_equal;
  if (equality && is_static(left) && is_static(right))
    return Value(equal_values(left, right) == (op == BinaryOp::equal), span);
  return std::nullopt;
}

}  // namespace nnc
