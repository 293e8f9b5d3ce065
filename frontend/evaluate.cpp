#include <algorithm>

#include "frontend/builtins/indexing.h"
#include "frontend/builtins/operators.h"
#include "frontend/evaluator.h"

namespace nnc {

namespace {

constexpr size_t max_depth = 700;       // of expressions and calls together: the evaluator recurses
constexpr size_t max_list = 1'000'000;  // items
constexpr int max_list_nesting = 32;

int nesting_of(const Value& value, int limit) {
  if (!value.is_list() || limit == 0) return 0;
  int deepest = 0;
  for (const Value& item : value.items()) deepest = std::max(deepest, nesting_of(item, limit - 1));
  return deepest + 1;
}

Value checked_list(Evaluator& e, std::vector<Value> items, Span span) {
  for (const Value& item : items) {
    if (item.is_poison()) return Value(Poison{});
    if (nesting_of(item, max_list_nesting) == max_list_nesting) {
      complain(e, DiagnosticKind::too_large, span, "lists may be nested {} deep", max_list_nesting);
      return Value(Poison{});
    }
  }
  return list_value(std::move(items), span);
}

Value evaluate_list(Evaluator& e, const ast::Expr& expr) {
  std::vector<Value> items;
  for (const ast::ExprId item : expr.as<ast::List>().items) items.push_back(evaluate(e, item));
  return checked_list(e, std::move(items), expr.span);
}

Value evaluate_comprehension(Evaluator& e, const ast::Expr& expr) {
  const auto& node = expr.as<ast::Comprehension>();
  const auto sequence = walk(e, node.sequence);
  if (!sequence) return Value(Poison{});
  std::vector<Value> items;
  for (const Value& value : *sequence) {
    if (!spend(e, expr.span)) return Value(Poison{});
    e.frame->scopes.emplace_back();
    if (!node.variable.discards()) {
      e.frame->scopes.back()[node.variable.text] = Binding{Binding::local, value, {}, node.variable.span};
    }
    items.push_back(evaluate(e, node.element));
    e.frame->scopes.pop_back();
    if (items.back().is_poison()) return Value(Poison{});
  }
  return checked_list(e, std::move(items), expr.span);
}

Value evaluate_unary(Evaluator& e, const ast::Expr& expr) {
  const auto& node = expr.as<ast::Unary>();
  const Value operand = evaluate(e, node.operand);
  if (operand.is_poison()) return operand;
  locate_nodes(e, expr.span);
  return unary_operator(e.context, node.op, operand, node.op_span, (*e.frame->ast)[node.operand].span);
}

Value apply_binary(Evaluator& e, const Value& left, Span left_span, const ast::Expr& expr) {
  const auto& node = expr.as<ast::Binary>();
  if (node.op == ast::BinaryOp::pipe) return pipe(e, left, left_span, expr);
  const Value right = evaluate(e, node.right);
  if (left.is_poison() || right.is_poison()) return Value(Poison{});
  const size_t items = (left.is_list() ? left.items().size() : 0) + (right.is_list() ? right.items().size() : 0);
  if (items > max_list || !spend(e, expr.span, items)) {
    if (!e.exhausted) complain(e, DiagnosticKind::too_large, expr.span, "a list may have {} items", max_list);
    return Value(Poison{});
  }
  if (auto known = static_binary(e, node.op, left, right, expr.span)) return *known;
  locate_nodes(e, expr.span);
  return binary_operator(e.context, node.op, left, right, {node.op_span, left_span, (*e.frame->ast)[node.right].span});
}

Value evaluate_call(Evaluator& e, const ast::Expr& expr) {
  const auto& node = expr.as<ast::Call>();
  const ast::Ast& tree = *e.frame->ast;
  const ast::Expr& callee_expr = tree[node.callee];
  const Value callee = callee_expr.kind() == ast::ExprKind::name
                           ? lookup(e, callee_expr.as<ast::NameRef>().text, callee_expr.span, true)
                           : evaluate(e, node.callee);
  std::vector<Argument> arguments;
  for (const ast::Argument& written : node.arguments) {
    arguments.push_back({evaluate(e, written.value), tree[written.value].span, written.name ? written.name->text : ""});
  }
  return call_value(e, callee, std::move(arguments), expr.span);
}

Value evaluate_node(Evaluator& e, const ast::Expr& expr, ast::ExprId id) {
  switch (expr.kind()) {
    case ast::ExprKind::error:
      return Value(Poison{});
    case ast::ExprKind::number:
      return number_value(expr.as<ast::Number>().value, expr.span);
    case ast::ExprKind::boolean:
      return Value(expr.as<ast::Boolean>().value, expr.span);
    case ast::ExprKind::string:
      return Value(expr.as<ast::String>().value, expr.span);
    case ast::ExprKind::name:
      return lookup(e, expr.as<ast::NameRef>().text, expr.span, false);
    case ast::ExprKind::list:
      return evaluate_list(e, expr);
    case ast::ExprKind::comprehension:
      return evaluate_comprehension(e, expr);
    case ast::ExprKind::unary:
      return evaluate_unary(e, expr);
    case ast::ExprKind::binary:
      return evaluate_binary(e, id);
    case ast::ExprKind::call:
      return evaluate_call(e, expr);
    case ast::ExprKind::index:
      return evaluate_index(e, expr);
    case ast::ExprKind::member:
      return evaluate_member(e, expr);
    case ast::ExprKind::scan:
      return evaluate_scan(e, expr);
    case ast::ExprKind::range:
      break;
  }
  complain(e, DiagnosticKind::wrong_kind, expr.span, "a range is not a value");
  return Value(Poison{});
}

}  // namespace

Value evaluate(Evaluator& e, ast::ExprId id) {
  const ast::Expr& expr = (*e.frame->ast)[id];
  if (!spend(e, expr.span)) return Value(Poison{});
  if (e.depth >= max_depth) {
    e.exhausted = true;
    complain(e, DiagnosticKind::too_large, expr.span, "calls and expressions are nested too deeply here");
    return Value(Poison{});
  }
  ++e.depth;
  Value value = evaluate_node(e, expr, id);
  --e.depth;
  if (!value.origin.file) value.origin = expr.span;
  return value;
}

Value evaluate_binary(Evaluator& e, ast::ExprId id) {
  const ast::Ast& tree = *e.frame->ast;
  std::vector<ast::ExprId> spine = ast::left_spine(tree, id);
  if (spine.empty()) spine.push_back(id);
  const ast::ExprId first = tree[spine.front()].as<ast::Binary>().left;
  Value value = evaluate(e, first);
  Span span = tree[first].span;
  for (const ast::ExprId link : spine) {
    value = apply_binary(e, value, span, tree[link]);
    span = tree[link].span;
  }
  return value;
}

Value evaluate_index(Evaluator& e, const ast::Expr& expr) {
  const auto& node = expr.as<ast::Index>();
  const Value base = evaluate(e, node.base);
  bool poisoned = base.is_poison();
  const auto part = [&](ast::ExprId id) {
    Value value = id ? evaluate(e, id) : Value(None{});
    poisoned |= value.is_poison();
    if (!poisoned && value.is_number() && value.as<Number>().of_batch) {
      complain(e, DiagnosticKind::wrong_kind, (*e.frame->ast)[id].span,
               "an index must be known before anything runs; the batch size is not");
      poisoned = true;
    }
    return value;
  };
  std::vector<IndexArgument> items;
  for (const ast::IndexItem& item : node.items) {
    IndexArgument argument;
    argument.kind = static_cast<IndexArgument::Kind>(item.kind);
    argument.span = item.span;
    argument.at = part(item.at);
    argument.begin = part(item.begin);
    argument.end = part(item.end);
    argument.step = part(item.step);
    items.push_back(std::move(argument));
  }
  if (poisoned) return Value(Poison{});
  locate_nodes(e, expr.span);
  return index_value(e.context, base, items, (*e.frame->ast)[node.base].span, expr.span);
}

std::optional<std::vector<Value>> walk(Evaluator& e, ast::ExprId id) {
  const ast::Expr& expr = (*e.frame->ast)[id];
  if (expr.kind() != ast::ExprKind::range) {
    const Value value = evaluate(e, id);
    if (value.is_poison()) return std::nullopt;
    if (value.is_list()) return value.items();
    complain(e, DiagnosticKind::wrong_kind, expr.span, "a range or a list is walked, found {}", describe(value));
    return std::nullopt;
  }
  int64_t ends[2];
  for (const int k : {0, 1}) {
    const ast::ExprId end = k == 0 ? expr.as<ast::Range>().begin : expr.as<ast::Range>().end;
    const Value value = evaluate(e, end);
    if (value.is_poison()) return std::nullopt;
    const bool of_batch = value.is_number() && value.as<Number>().of_batch;
    if (of_batch || !integral(value, ends[k])) {
      complain(e, of_batch || !value.is_number() ? DiagnosticKind::wrong_kind : DiagnosticKind::not_an_integer,
               (*e.frame->ast)[end].span, "a range needs a static integer, found {}", describe(value));
      return std::nullopt;
    }
  }
  if (ends[1] - ends[0] > static_cast<int64_t>(max_list)) {
    complain(e, DiagnosticKind::too_large, expr.span, "a range that is walked may have {} elements, found {}", max_list,
             ends[1] - ends[0]);
    return std::nullopt;
  }
  if (ends[1] > ends[0] && !spend(e, expr.span, static_cast<size_t>(ends[1] - ends[0]))) return std::nullopt;
  std::vector<Value> items;
  for (int64_t k = ends[0]; k < ends[1]; ++k) items.push_back(number_value(static_cast<double>(k), expr.span));
  return items;
}

std::optional<bool> condition(Evaluator& e, ast::ExprId id, std::string_view where) {
  const Value value = evaluate(e, id);
  if (value.is_poison()) return std::nullopt;
  if (value.is<bool>()) return value.as<bool>();
  Diagnostic& error = complain(e, DiagnosticKind::wrong_kind, (*e.frame->ast)[id].span,
                               "{} needs a static bool, found {}", where, describe(value));
  if (value.is_tensor()) error.help("a choice by data is `where(condition, a, b)`");
  return std::nullopt;
}

}  // namespace nnc
