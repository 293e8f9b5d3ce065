// Arithmetic on tensors that operators and core functions share.
#pragma once

#include "frontend/builtins/operands.h"

namespace nnc {

// base ** exponent. Small whole and half exponents become products and roots.
Value power(Context& context, const Operand& base, const Operand& exponent, Span at);
// floor(a / b), and a - b * floor(a / b), which has the divisor's sign. Integers: exact below 2^24 (rank 0: 2^53).
Value floor_division(Context& context, std::span<const Operand> operands, Span at);
Value modulo(Context& context, std::span<const Operand> operands, Span at);
// NumPy's matmul: inner dimensions meet, leading axes broadcast one-way. Transposes of the operands are folded in.
Value matmul(Context& context, const Operand& left, const Operand& right, Span at);

}  // namespace nnc
