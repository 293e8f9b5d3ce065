#include "codegen/arithmetic.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include <limits>

#include "ir/check.h"

namespace nnc {
namespace {

// `type` with its elements replaced.
llvm::Type* like(llvm::Type* type, llvm::Type* element) {
  if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(type)) {
    return llvm::FixedVectorType::get(element, vector->getNumElements());
  }
  return element;
}

llvm::Constant* constant(llvm::Type* type, int64_t value) { return llvm::ConstantInt::getSigned(type, value); }

// The maximum or minimum of the house: the first operand wins if it is better or NaN.
llvm::Value* extreme(KernelEmitter& e, llvm::Value* a, llvm::Value* b, DType dtype, bool largest) {
  if (dtype == DType::boolean) return largest ? e.b.CreateOr(a, b) : e.b.CreateAnd(a, b);
  if (is_integer(dtype)) {
    return e.b.CreateBinaryIntrinsic(largest ? llvm::Intrinsic::smax : llvm::Intrinsic::smin, a, b);
  }
  llvm::Value* better = e.b.CreateSelect(largest ? e.b.CreateFCmpOGT(a, b) : e.b.CreateFCmpOLT(a, b), a, b);
  llvm::Value* unordered = e.b.CreateFCmpUNO(a, a);
  const auto* known = llvm::dyn_cast<llvm::Constant>(unordered);
  return known != nullptr && known->isNullValue() ? better : e.b.CreateSelect(unordered, a, better);
}

// One lane by the scalar instruction, which gives the least integer for what does not fit.
llvm::Value* truncate_scalar(KernelEmitter& e, llvm::Value* value, DType from, DType to) {
  const bool single = from == DType::f32, wide = to == DType::i64;
  auto* type = llvm::FixedVectorType::get(value->getType(), single ? 4 : 2);
  llvm::Value* vector = e.b.CreateInsertElement(llvm::Constant::getNullValue(type), value, uint64_t{0});
  const llvm::Intrinsic::ID id =
      single ? (wide ? llvm::Intrinsic::x86_sse_cvttss2si64 : llvm::Intrinsic::x86_sse_cvttss2si)
             : (wide ? llvm::Intrinsic::x86_sse2_cvttsd2si64 : llvm::Intrinsic::x86_sse2_cvttsd2si);
  return e.b.CreateIntrinsic(id, {}, {vector});
}

llvm::Value* truncate_to_integer(KernelEmitter& e, llvm::Value* value, DType from, DType to) {
  auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(value->getType());
  if (vector == nullptr) return truncate_scalar(e, value, from, to);
  if (from == DType::f32 && to == DType::i32) {
    switch (vector->getNumElements()) {
      case 4:
        return e.b.CreateIntrinsic(llvm::Intrinsic::x86_sse2_cvttps2dq, {}, {value});
      case 8:
        return e.b.CreateIntrinsic(llvm::Intrinsic::x86_avx_cvtt_ps2dq_256, {}, {value});
      case 16: {
        const int current_direction = 4;
        llvm::Value* zero = llvm::Constant::getNullValue(like(vector, e.b.getInt32Ty()));
        return e.b.CreateIntrinsic(llvm::Intrinsic::x86_avx512_mask_cvttps2dq_512, {},
                                   {value, zero, e.b.getInt16(0xffff), e.b.getInt32(current_direction)});
      }
      default:
        break;
    }
  }
  llvm::Value* result = llvm::PoisonValue::get(like(vector, element_type(e.b.getContext(), to)));
  for (uint64_t lane = 0; lane < vector->getNumElements(); ++lane) {
    llvm::Value* element = truncate_scalar(e, e.b.CreateExtractElement(value, lane), from, to);
    result = e.b.CreateInsertElement(result, element, lane);
  }
  return result;
}

llvm::Value* widen_bf16(KernelEmitter& e, llvm::Value* value) {
  llvm::Type* bits = like(value->getType(), e.b.getInt32Ty());
  llvm::Value* shifted = e.b.CreateShl(e.b.CreateZExt(value, bits), constant(bits, 16));
  return e.b.CreateBitCast(shifted, like(value->getType(), e.b.getFloatTy()));
}

// To nearest, ties to even; NaNs stay NaNs and become quiet.
llvm::Value* round_to_bf16(KernelEmitter& e, llvm::Value* value) {
  llvm::Type* wide = like(value->getType(), e.b.getInt32Ty());
  llvm::Value* bits = e.b.CreateBitCast(value, wide);
  llvm::Value* high = e.b.CreateLShr(bits, constant(wide, 16));
  llvm::Value* odd = e.b.CreateAnd(high, constant(wide, 1));
  llvm::Value* rounded =
      e.b.CreateLShr(e.b.CreateAdd(bits, e.b.CreateAdd(odd, constant(wide, 0x7fff))), constant(wide, 16));
  llvm::Value* quiet = e.b.CreateOr(high, constant(wide, 0x40));
  llvm::Value* chosen = e.b.CreateSelect(e.b.CreateFCmpUNO(value, value), quiet, rounded);
  return e.b.CreateTrunc(chosen, like(wide, e.b.getInt16Ty()));
}

}  // namespace

llvm::Value* add(KernelEmitter& e, llvm::Value* a, llvm::Value* b, DType dtype) {
  return is_float(dtype) ? e.b.CreateFAdd(a, b) : e.b.CreateAdd(a, b);
}

llvm::Value* multiply(KernelEmitter& e, llvm::Value* a, llvm::Value* b, DType dtype) {
  return is_float(dtype) ? e.b.CreateFMul(a, b) : e.b.CreateMul(a, b);
}

llvm::Value* divide(KernelEmitter& e, llvm::Value* a, llvm::Value* b, DType dtype) {
  if (is_float(dtype)) return e.b.CreateFDiv(a, b);
  // The machine traps on a zero divisor and on the least integer over -1.
  llvm::Value* zero = llvm::Constant::getNullValue(b->getType());
  llvm::Value* by_zero = e.b.CreateICmpEQ(b, zero);
  llvm::Value* by_minus_one = e.b.CreateICmpEQ(b, constant(b->getType(), -1));
  llvm::Value* safe = e.b.CreateSelect(e.b.CreateOr(by_zero, by_minus_one), constant(b->getType(), 1), b);
  llvm::Value* quotient = e.b.CreateSDiv(a, safe);
  return e.b.CreateSelect(by_zero, zero, e.b.CreateSelect(by_minus_one, e.b.CreateNeg(a), quotient));
}

llvm::Value* multiply_add(KernelEmitter& e, llvm::Value* a, llvm::Value* b, llvm::Value* c, DType dtype) {
  if (is_float(dtype) && e.kernel.target.fma)
    return e.b.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c});
  return add(e, multiply(e, a, b, dtype), c, dtype);
}

llvm::Value* maximum(KernelEmitter& e, llvm::Value* a, llvm::Value* b, DType dtype) {
  return extreme(e, a, b, dtype, true);
}
llvm::Value* minimum(KernelEmitter& e, llvm::Value* a, llvm::Value* b, DType dtype) {
  return extreme(e, a, b, dtype, false);
}

llvm::Value* absolute(KernelEmitter& e, llvm::Value* a, DType dtype) {
  if (is_float(dtype)) return e.b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a);
  return e.b.CreateBinaryIntrinsic(llvm::Intrinsic::abs, a, e.b.getFalse());
}

llvm::Value* sign(KernelEmitter& e, llvm::Value* a, DType dtype) {
  llvm::Type* type = a->getType();
  llvm::Value* zero = llvm::Constant::getNullValue(type);
  if (is_float(dtype)) {
    llvm::Value* negative = e.b.CreateSelect(e.b.CreateFCmpOLT(a, zero), llvm::ConstantFP::get(type, -1.0), zero);
    return e.b.CreateSelect(e.b.CreateFCmpOGT(a, zero), llvm::ConstantFP::get(type, 1.0), negative);
  }
  llvm::Value* negative = e.b.CreateSelect(e.b.CreateICmpSLT(a, zero), constant(type, -1), zero);
  return e.b.CreateSelect(e.b.CreateICmpSGT(a, zero), constant(type, 1), negative);
}

llvm::Value* cast(KernelEmitter& e, llvm::Value* value, DType from, DType to) {
  if (from == to) return value;
  llvm::Type* type = like(value->getType(), element_type(e.b.getContext(), to));
  if (from == DType::bf16) return cast(e, widen_bf16(e, value), DType::f32, to);
  if (to == DType::bf16) return round_to_bf16(e, cast(e, value, from, DType::f32));
  if (to == DType::boolean) {
    llvm::Value* zero = llvm::Constant::getNullValue(value->getType());
    return is_float(from) ? e.b.CreateFCmpUNE(value, zero) : e.b.CreateICmpNE(value, zero);
  }
  if (from == DType::boolean) return is_float(to) ? e.b.CreateUIToFP(value, type) : e.b.CreateZExt(value, type);
  if (is_float(from) && is_float(to)) return e.b.CreateFPCast(value, type);
  if (is_float(from)) return truncate_to_integer(e, value, from, to);
  return is_float(to) ? e.b.CreateSIToFP(value, type) : e.b.CreateSExtOrTrunc(value, type);
}

llvm::Constant* identity_of(KernelEmitter& e, Reduction reduction, DType dtype) {
  const bool wide = dtype == DType::i64;
  llvm::Type* type = element_type(e.b.getContext(), dtype);
  switch (reduction) {
    case Reduction::sum:
      return literal(e, 0, dtype);
    case Reduction::prod:
      return literal(e, 1, dtype);
    case Reduction::max:
      if (is_float(dtype)) return literal(e, -std::numeric_limits<double>::infinity(), dtype);
      if (dtype == DType::boolean) return literal(e, 0, dtype);
      return constant(type, wide ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int32_t>::min());
    case Reduction::min:
      if (is_float(dtype)) return literal(e, std::numeric_limits<double>::infinity(), dtype);
      if (dtype == DType::boolean) return literal(e, 1, dtype);
      return constant(type, wide ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int32_t>::max());
    case Reduction::argmax:
      break;
  }
  NNC_CHECK(false, "no fold or lane reduction by {}", static_cast<int>(reduction));
}

llvm::Value* combine(KernelEmitter& e, Reduction reduction, llvm::Value* a, llvm::Value* b, DType dtype) {
  if (dtype == DType::bf16) {
    llvm::Value* wide = combine(e, reduction, cast(e, a, dtype, DType::f32), cast(e, b, dtype, DType::f32), DType::f32);
    return cast(e, wide, DType::f32, dtype);
  }
  switch (reduction) {
    case Reduction::sum:
      return add(e, a, b, dtype);
    case Reduction::prod:
      return multiply(e, a, b, dtype);
    case Reduction::max:
      return maximum(e, a, b, dtype);
    case Reduction::min:
      return minimum(e, a, b, dtype);
    case Reduction::argmax:
      break;
  }
  NNC_CHECK(false, "no fold or lane reduction by {}", static_cast<int>(reduction));
}

}  // namespace nnc
