// The builder of ir/loop/math.h on LLVM values: elementary functions become inline instructions, scalar or vector.
#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <fmt/format.h>

#include "codegen/arithmetic.h"
#include "codegen/emit.h"
#include "ir/check.h"
#include "ir/loop/math.h"

namespace nnc {
namespace {

// Kinds of values have types of their own, so that a template cannot mix them up.
struct FloatValue {
  llvm::Value* value;
};
struct IntValue {
  llvm::Value* value;
};
struct MaskValue {
  llvm::Value* value;
};

class EmitMath {
 public:
  using F = FloatValue;
  using I = IntValue;
  using M = MaskValue;

  EmitMath(KernelEmitter& e, bool vector)
      : e_(e),
        float_(value_type(e, DType::f32, vector)),
        int_(value_type(e, DType::i32, vector)),
        wide_(value_type(e, DType::i64, vector)) {}

  F f(float x) { return {llvm::ConstantFP::get(float_, llvm::APFloat(x))}; }
  I i(uint32_t x) { return {llvm::ConstantInt::get(int_, x)}; }
  bool fused() const { return e_.kernel.target.fma; }

  F add(F a, F b) { return {e_.b.CreateFAdd(a.value, b.value)}; }
  F sub(F a, F b) { return {e_.b.CreateFSub(a.value, b.value)}; }
  F mul(F a, F b) { return {e_.b.CreateFMul(a.value, b.value)}; }
  F div(F a, F b) { return {e_.b.CreateFDiv(a.value, b.value)}; }
  F fma(F a, F b, F c) { return {multiply_add(e_, a.value, b.value, c.value, DType::f32)}; }
  F neg(F a) { return {e_.b.CreateFNeg(a.value)}; }
  F abs(F a) { return {e_.b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a.value)}; }
  F sqrt(F a) { return {e_.b.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, a.value)}; }

  M lt(F a, F b) { return {e_.b.CreateFCmpOLT(a.value, b.value)}; }
  M le(F a, F b) { return {e_.b.CreateFCmpOLE(a.value, b.value)}; }
  M gt(F a, F b) { return {e_.b.CreateFCmpOGT(a.value, b.value)}; }
  M ge(F a, F b) { return {e_.b.CreateFCmpOGE(a.value, b.value)}; }
  M eq(F a, F b) { return {e_.b.CreateFCmpOEQ(a.value, b.value)}; }
  M ne(F a, F b) { return {e_.b.CreateFCmpUNE(a.value, b.value)}; }
  M eq(I a, I b) { return {e_.b.CreateICmpEQ(a.value, b.value)}; }
  M ult(I a, I b) { return {e_.b.CreateICmpULT(a.value, b.value)}; }
  F select(M m, F a, F b) { return {e_.b.CreateSelect(m.value, a.value, b.value)}; }
  I select(M m, I a, I b) { return {e_.b.CreateSelect(m.value, a.value, b.value)}; }
  M land(M a, M b) { return {e_.b.CreateAnd(a.value, b.value)}; }
  M lor(M a, M b) { return {e_.b.CreateOr(a.value, b.value)}; }
  M lnot(M a) { return {e_.b.CreateNot(a.value)}; }

  I bits(F a) { return {e_.b.CreateBitCast(a.value, int_)}; }
  F real(I a) { return {e_.b.CreateBitCast(a.value, float_)}; }
  I add(I a, I b) { return {e_.b.CreateAdd(a.value, b.value)}; }
  I sub(I a, I b) { return {e_.b.CreateSub(a.value, b.value)}; }
  I mul(I a, I b) { return {e_.b.CreateMul(a.value, b.value)}; }
  I band(I a, I b) { return {e_.b.CreateAnd(a.value, b.value)}; }
  I bor(I a, I b) { return {e_.b.CreateOr(a.value, b.value)}; }
  I bxor(I a, I b) { return {e_.b.CreateXor(a.value, b.value)}; }
  I shl(I a, I b) { return {e_.b.CreateShl(a.value, b.value)}; }
  I lshr(I a, I b) { return {e_.b.CreateLShr(a.value, b.value)}; }
  I ashr(I a, I b) { return {e_.b.CreateAShr(a.value, b.value)}; }
  I umulhi(I a, I b) {
    llvm::Value* product = e_.b.CreateMul(e_.b.CreateZExt(a.value, wide_), e_.b.CreateZExt(b.value, wide_));
    return {e_.b.CreateTrunc(e_.b.CreateLShr(product, llvm::ConstantInt::get(wide_, 32)), int_)};
  }
  F to_float(I a) { return {e_.b.CreateSIToFP(a.value, float_)}; }
  I to_int(F a) { return {cast(e_, a.value, DType::f32, DType::i32)}; }

  // A half of a scalar of 64 bits, in every lane.
  I half(llvm::Value* scalar, unsigned shift) {
    llvm::Value* shifted = shift == 0 ? scalar : e_.b.CreateLShr(scalar, shift);
    llvm::Value* word = e_.b.CreateTrunc(shifted, e_.b.getInt32Ty());
    return {int_->isVectorTy() ? splat_to(e_, word) : word};
  }

 private:
  KernelEmitter& e_;
  llvm::Type* float_;
  llvm::Type* int_;
  llvm::Type* wide_;
};

llvm::Value* call_library(KernelEmitter& e, const char* name, const std::vector<llvm::Value*>& operands) {
  llvm::Type* real = e.b.getDoubleTy();
  auto* type = llvm::FunctionType::get(real, std::vector<llvm::Type*>(operands.size(), real), false);
  return e.b.CreateCall(e.module.getOrInsertFunction(name, type), operands);
}

// In f64: sums of a few numbers (losses, schedules), so the C library does, lane by lane.
llvm::Value* emit_double(KernelEmitter& e, const LoopStmt& stmt, const std::vector<llvm::Value*>& operands) {
  if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(operands[0]->getType())) {
    llvm::Value* result = llvm::PoisonValue::get(vector);
    for (uint64_t lane = 0; lane < vector->getNumElements(); ++lane) {
      std::vector<llvm::Value*> elements;
      for (llvm::Value* operand : operands) elements.push_back(e.b.CreateExtractElement(operand, lane));
      result = e.b.CreateInsertElement(result, emit_double(e, stmt, elements), lane);
    }
    return result;
  }
  if (stmt.op == LoopOp::sigmoid) {
    llvm::Value* one = llvm::ConstantFP::get(e.b.getDoubleTy(), 1.0);
    llvm::Value* power = call_library(e, "exp", {e.b.CreateFNeg(operands[0])});
    return e.b.CreateFDiv(one, e.b.CreateFAdd(one, power));
  }
  return call_library(e, std::string(name_of(stmt.op)).c_str(), operands);
}

// Philox and the normal distribution are hundreds of instructions, and a kernel draws at several places: a function of
// the module's own does it for all.
llvm::Value* call_shared(KernelEmitter& e, const LoopStmt& stmt, std::vector<llvm::Value*> operands) {
  const bool draws = stmt.op == LoopOp::philox;
  if (draws) operands.push_back(e.b.getInt32(stmt.site));
  std::vector<llvm::Type*> types;
  for (llvm::Value* operand : operands) types.push_back(operand->getType());
  const bool vector = types[0]->isVectorTy();
  const std::string name = fmt::format("nnc_{}{}", name_of(stmt.op), vector ? "_vector" : "");
  llvm::Function* function = e.module.getFunction(name);
  if (function == nullptr) {
    auto* type = llvm::FunctionType::get(value_type(e, draws ? DType::i32 : DType::f32, vector), types, false);
    function = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage, name, e.module);
    function->addFnAttrs(llvm::AttrBuilder(e.b.getContext(), e.function->getAttributes().getFnAttrs()));
    function->setDoesNotAccessMemory();
    const llvm::IRBuilderBase::InsertPointGuard back(e.b);
    e.b.SetInsertPoint(llvm::BasicBlock::Create(e.b.getContext(), "entry", function));
    e.b.SetCurrentDebugLocation(llvm::DebugLoc());
    EmitMath b(e, vector);
    const IntValue bits{function->getArg(0)};
    const auto half = [&](unsigned argument, unsigned shift) { return b.half(function->getArg(argument), shift); };
    e.b.CreateRet(
        draws ? math::philox(b, bits, half(1, 0), half(1, 32), half(2, 0), half(2, 32), b.half(function->getArg(3), 0))
                    .value
              : math::normal(b, bits).value);
  }
  return e.b.CreateCall(function, operands);
}

}  // namespace

llvm::Value* emit_math(KernelEmitter& e, const LoopStmt& stmt, const std::vector<llvm::Value*>& operands) {
  const auto& v = operands;
  if (v[0]->getType()->getScalarType()->isDoubleTy()) return emit_double(e, stmt, operands);
  EmitMath b(e, v[0]->getType()->isVectorTy());
  const FloatValue x{v[0]};
  const IntValue bits{v[0]};
  switch (stmt.op) {
    case LoopOp::pow:
      return math::pow(b, x, FloatValue{v[1]}).value;
    case LoopOp::exp:
      return math::exp(b, x).value;
    case LoopOp::log:
      return math::log(b, x).value;
    case LoopOp::log1p:
      return math::log1p(b, x).value;
    case LoopOp::expm1:
      return math::expm1(b, x).value;
    case LoopOp::tanh:
      return math::tanh(b, x).value;
    case LoopOp::sigmoid:
      return math::sigmoid(b, x).value;
    case LoopOp::erf:
      return math::erf(b, x).value;
    case LoopOp::sin:
      return math::sin(b, x).value;
    case LoopOp::cos:
      return math::cos(b, x).value;
    case LoopOp::floor:
      return math::floor(b, x).value;
    case LoopOp::round:
      return math::round(b, x).value;
    case LoopOp::uniform:
      return math::uniform(b, bits).value;
    case LoopOp::normal:
    case LoopOp::philox:
      return call_shared(e, stmt, operands);
    case LoopOp::integer:
      return math::integer(b, bits, static_cast<uint32_t>(stmt.high)).value;
    default:
      break;
  }
  NNC_CHECK(false, "op {} cannot be emitted", name_of(stmt.op));
}

}  // namespace nnc
