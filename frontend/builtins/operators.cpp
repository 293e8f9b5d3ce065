#include "frontend/builtins/operators.h"

#include <array>

#include "frontend/builtins/arithmetic.h"
#include "frontend/builtins/operands.h"
#include "ir/check.h"

namespace nnc {
namespace {

using ast::BinaryOp;

Value map_of(Context& context, Op op, std::span<const Operand> operands, Meeting meeting, std::string_view text,
             Span at) {
  auto aligned = align(context, operands, meeting, text, fmt::format("`{}`", text), at);
  if (!aligned) return poison();
  return made(context, context.build->append(op, aligned->nodes, {}), aligned->dims);
}

Value comparison_of(Context& context, Comparison comparison, std::span<const Operand> operands, std::string_view text,
                    Span at) {
  auto aligned = align(context, operands, Meeting::alike, text, fmt::format("`{}`", text), at);
  if (!aligned) return poison();
  bool ordered = comparison != Comparison::eq && comparison != Comparison::ne;
  if (ordered && aligned->dtype == DType::boolean) {
    for (NodeId& node : aligned->nodes) node = cast_node(context, node, DType::i32);
  }
  return made(context, context.build->compare(comparison, aligned->nodes[0], aligned->nodes[1]), aligned->dims);
}

bool is_boolean(const Value& value) {
  return value.is<bool>() || (value.is_tensor() && value.tensor().type.dtype == DType::boolean);
}

// `and`, `or`, `not` take bools only: numbers would hide a comparison that was forgotten.
bool check_boolean(Context& context, const Operand& operand, std::string_view text) {
  if (is_boolean(operand.value)) return true;
  std::string source = source_text(context, operand.span, "x");
  fault(context, DiagnosticKind::wrong_operand, operand.span, "`{}` needs bools, found {}", text,
        operand.value.is_tensor() ? type_text(operand.value.tensor()) : describe(operand.value))
      .help(fmt::format("compare: `{} != 0`", source));
  return false;
}

Value logic_of(Context& context, Op op, std::span<const Operand> operands, std::string_view text, Span at) {
  bool left = check_boolean(context, operands[0], text);
  bool right = check_boolean(context, operands[1], text);
  if (!left || !right) return poison();
  return map_of(context, op, operands, Meeting::alike, text, at);
}

Comparison comparison_for(BinaryOp op) {
  switch (op) {
    case BinaryOp::equal:
      return Comparison::eq;
    case BinaryOp::not_equal:
      return Comparison::ne;
    case BinaryOp::less:
      return Comparison::lt;
    case BinaryOp::less_equal:
      return Comparison::le;
    case BinaryOp::greater:
      return Comparison::gt;
    default:
      return Comparison::ge;
  }
}

}  // namespace

Value binary_operator(Context& context, BinaryOp op, const Value& left, const Value& right, const OperatorSpans& at) {
  if (left.is_poison() || right.is_poison()) return poison();
  const std::array operands{Operand{left, at.left}, Operand{right, at.right}};
  std::string_view text = ast::spelling(op);
  switch (op) {
    case BinaryOp::add:
      return map_of(context, Op::add, operands, Meeting::arithmetic, text, at.op);
    case BinaryOp::subtract:
      return map_of(context, Op::sub, operands, Meeting::arithmetic, text, at.op);
    case BinaryOp::multiply:
      return map_of(context, Op::mul, operands, Meeting::arithmetic, text, at.op);
    case BinaryOp::divide:
      return map_of(context, Op::div, operands, Meeting::real, text, at.op);
    case BinaryOp::floor_divide:
      return floor_division(context, operands, at.op);
    case BinaryOp::modulo:
      return modulo(context, operands, at.op);
    case BinaryOp::matmul:
      return matmul(context, operands[0], operands[1], at.op);
    case BinaryOp::power:
      return power(context, operands[0], operands[1], at.op);
    case BinaryOp::logical_and:
      return logic_of(context, Op::logical_and, operands, text, at.op);
    case BinaryOp::logical_or:
      return logic_of(context, Op::logical_or, operands, text, at.op);
    case BinaryOp::equal:
    case BinaryOp::not_equal:
    case BinaryOp::less:
    case BinaryOp::less_equal:
    case BinaryOp::greater:
    case BinaryOp::greater_equal:
      return comparison_of(context, comparison_for(op), operands, text, at.op);
    case BinaryOp::pipe:
      break;
  }
  NNC_CHECK(false, "`|>` is not an operator on values");
  return poison();
}

Value unary_operator(Context& context, ast::UnaryOp op, const Value& operand, Span, Span operand_span) {
  if (operand.is_poison()) return poison();
  const Operand single{operand, operand_span};
  if (op == ast::UnaryOp::logical_not) {
    if (!check_boolean(context, single, "not")) return poison();
    if (operand.is<bool>()) return Value(!operand.as<bool>());
    return made(context, context.build->logical_not(operand.tensor().node), dims_of(operand.tensor()));
  }
  if (operand.is_number()) {
    Number number = operand.as<Number>();
    return Value(Number{-number.value, 0, number.of_batch || number.batch_multiple != 0});
  }
  auto dtype = meet(context, {&single, 1}, Meeting::arithmetic, "`-`");
  if (!dtype || !operand.is_tensor()) return poison();
  return made(context, context.build->neg(cast_node(context, operand.tensor().node, *dtype)),
              dims_of(operand.tensor()));
}

}  // namespace nnc
