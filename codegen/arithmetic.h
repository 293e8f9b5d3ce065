// Single operations on LLVM values, scalar or vector, with exactly the semantics of the Graph's map ops. Internal to
// codegen. bf16 values (i16 bits) are only cast; their arithmetic is done in f32.
#pragma once

#include "codegen/emit.h"

namespace nnc {

llvm::Value* add(KernelEmitter& e, llvm::Value* a, llvm::Value* b, DType dtype);
llvm::Value* multiply(KernelEmitter& e, llvm::Value* a, llvm::Value* b, DType dtype);
llvm::Value* divide(KernelEmitter& e, llvm::Value* a, llvm::Value* b, DType dtype);
// a * b + c: rounded once where the target has FMA, else twice.
llvm::Value* multiply_add(KernelEmitter& e, llvm::Value* a, llvm::Value* b, llvm::Value* c, DType dtype);
// (a > b || a != a) ? a : b
llvm::Value* maximum(KernelEmitter& e, llvm::Value* a, llvm::Value* b, DType dtype);
// (a < b || a != a) ? a : b
llvm::Value* minimum(KernelEmitter& e, llvm::Value* a, llvm::Value* b, DType dtype);
llvm::Value* absolute(KernelEmitter& e, llvm::Value* a, DType dtype);
// 1, -1, or the operand itself where it is a zero or NaN.
llvm::Value* sign(KernelEmitter& e, llvm::Value* a, DType dtype);
// Floats to integers truncate; what does not fit becomes the least integer. To bf16: to nearest, ties to even.
llvm::Value* cast(KernelEmitter& e, llvm::Value* value, DType from, DType to);

// The scalar x with combine(x, y) == y.
llvm::Constant* identity_of(KernelEmitter& e, Reduction reduction, DType dtype);
llvm::Value* combine(KernelEmitter& e, Reduction reduction, llvm::Value* a, llvm::Value* b, DType dtype);

}  // namespace nnc
