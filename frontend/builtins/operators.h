// The operators of the language on values: static numbers, bools, strings and lists, and tensors.
//
// Tensors: bools count as 0 and 1, integers become floats where they meet one and under `/`, a static number takes the
// dtype it meets. Rank-0 f64 and i64 (`step`, learning rates) is scalar arithmetic that has not met a tensor: it
// becomes the dtype of the tensor it meets. Broadcasting is one-way: one operand already has the result's shape (E302).
#pragma once

#include "frontend/ast.h"
#include "frontend/context.h"

namespace nnc {

// Where an operator and its operands stand.
struct OperatorSpans {
  Span op, left, right;
};

// `left op right`. Every operator but `|>`; `@` is NumPy's matmul (E301).
// Ensures: poison, with a diagnostic, where the operands do not suit; poison, silently, where one is poison.
Value binary_operator(Context& context, ast::BinaryOp op, const Value& left, const Value& right,
                      const OperatorSpans& at);

// `-x`, `not x`.
Value unary_operator(Context& context, ast::UnaryOp op, const Value& operand, Span op_span, Span operand_span);

}  // namespace nnc
