#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <algorithm>

#include "codegen/emit.h"
#include "ir/check.h"

namespace nnc {

llvm::Type* element_type(llvm::LLVMContext& context, DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return llvm::Type::getInt1Ty(context);
    case DType::i32:
      return llvm::Type::getInt32Ty(context);
    case DType::i64:
      return llvm::Type::getInt64Ty(context);
    // bf16 values are bits: arithmetic on them is done in f32 and rounded explicitly.
    case DType::bf16:
      return llvm::Type::getInt16Ty(context);
    case DType::f32:
      return llvm::Type::getFloatTy(context);
    case DType::f64:
      return llvm::Type::getDoubleTy(context);
  }
  NNC_CHECK(false, "unknown dtype");
}

llvm::Type* value_type(const KernelEmitter& e, DType dtype, bool vector) {
  llvm::Type* element = element_type(e.b.getContext(), dtype);
  return vector ? llvm::FixedVectorType::get(element, static_cast<unsigned>(e.kernel.target.lanes)) : element;
}

llvm::Type* value_type(const KernelEmitter& e, const LoopValue& value) {
  return value_type(e, value.dtype, value.vector);
}

llvm::Constant* literal(const KernelEmitter& e, double number, DType dtype) {
  llvm::Type* type = element_type(e.b.getContext(), dtype);
  switch (dtype) {
    case DType::boolean:
      return llvm::ConstantInt::get(type, number != 0 ? 1 : 0);
    case DType::i32:
      return llvm::ConstantInt::getSigned(type, static_cast<int32_t>(static_cast<int64_t>(number)));
    case DType::i64:
      return llvm::ConstantInt::getSigned(type, static_cast<int64_t>(number));
    case DType::bf16: {
      llvm::APFloat value(static_cast<float>(number));
      bool inexact = false;
      value.convert(llvm::APFloat::BFloat(), llvm::APFloat::rmNearestTiesToEven, &inexact);
      return llvm::ConstantInt::get(type, value.bitcastToAPInt());
    }
    case DType::f32:
      return llvm::ConstantFP::get(e.b.getContext(), llvm::APFloat(static_cast<float>(number)));
    case DType::f64:
      return llvm::ConstantFP::get(e.b.getContext(), llvm::APFloat(number));
  }
  NNC_CHECK(false, "unknown dtype");
}

namespace {

// Position of the member named by the current bindings in the row-major order of a value's family.
size_t member_of(const KernelEmitter& e, const LoopValue& value) {
  int64_t member = 0;
  for (VarId var : value.family) {
    const LoopVar& info = e.kernel[var];
    const VarBinding& binding = e.bindings[var.value];
    NNC_CHECK(binding.base == nullptr, "{} is indexed by {}, which is not unrolled", value.name, info.name);
    member = member * (info.end - info.begin) + (binding.constant - info.begin);
  }
  return static_cast<size_t>(member);
}

}  // namespace

void declare_variables(KernelEmitter& e) {
  e.values.resize(e.kernel.values.size());
  for (size_t v = 0; v < e.kernel.values.size(); ++v) {
    const LoopValue& value = e.kernel.values[v];
    int64_t members = 1;
    for (VarId var : value.family) members *= e.kernel[var].end - e.kernel[var].begin;
    e.values[v].assign(static_cast<size_t>(members), nullptr);
    if (!value.is_var) continue;
    for (llvm::Value*& slot : e.values[v]) slot = e.b.CreateAlloca(value_type(e, value), nullptr, value.name);
  }
}

llvm::Value* read_value(KernelEmitter& e, ValueId id) {
  const LoopValue& value = e.kernel[id];
  llvm::Value* found = e.values[id.value][member_of(e, value)];
  NNC_CHECK(found != nullptr, "{} is used before it is defined", value.name);
  return value.is_var ? e.b.CreateLoad(value_type(e, value), found) : found;
}

void write_value(KernelEmitter& e, ValueId id, llvm::Value* value) {
  const LoopValue& info = e.kernel[id];
  if (info.vector) value = splat_to(e, value);
  llvm::Value*& slot = e.values[id.value][member_of(e, info)];
  if (info.is_var) {
    e.b.CreateStore(value, slot);
  } else {
    slot = value;
  }
}

llvm::Value* splat_to(const KernelEmitter& e, llvm::Value* value) {
  if (value->getType()->isVectorTy()) return value;
  return e.b.CreateVectorSplat(static_cast<unsigned>(e.kernel.target.lanes), value);
}

LinearForm evaluate(const KernelEmitter& e, const Affine& affine, int64_t factor) {
  LinearForm form{affine.constant * factor, {}};
  for (const auto& [var, coefficient] : affine.terms) {
    const VarBinding& binding = e.bindings[var.value];
    form.constant += binding.constant * coefficient * factor;
    if (binding.base != nullptr && coefficient * factor != 0) {
      form.terms.push_back({binding.base, coefficient * factor, binding.scope});
    }
  }
  std::stable_sort(form.terms.begin(), form.terms.end(),
                   [](const auto& a, const auto& b) { return a.scope < b.scope; });
  return form;
}

void add_to(LinearForm& form, const LinearForm& other) {
  form.constant += other.constant;
  for (const LinearForm::Term& term : other.terms) {
    auto same = std::find_if(form.terms.begin(), form.terms.end(), [&](const auto& t) { return t.base == term.base; });
    if (same != form.terms.end()) {
      same->coefficient += term.coefficient;
      if (same->coefficient == 0) form.terms.erase(same);
    } else {
      form.terms.push_back(term);
    }
  }
  std::stable_sort(form.terms.begin(), form.terms.end(),
                   [](const auto& a, const auto& b) { return a.scope < b.scope; });
}

llvm::Value* materialise(KernelEmitter& e, const LinearForm& form) {
  llvm::Value* sum = nullptr;
  for (const LinearForm::Term& term : form.terms) {
    llvm::Value* scaled = e.b.CreateMul(term.base, e.b.getInt64(static_cast<uint64_t>(term.coefficient)));
    sum = sum == nullptr ? scaled : e.b.CreateAdd(sum, scaled);
  }
  if (sum == nullptr) return e.b.getInt64(static_cast<uint64_t>(form.constant));
  return form.constant == 0 ? sum : e.b.CreateAdd(sum, e.b.getInt64(static_cast<uint64_t>(form.constant)));
}

std::pair<int64_t, int64_t> bounds(const KernelEmitter& e, const Affine& affine) {
  int64_t low = affine.constant, high = affine.constant;
  for (const auto& [var, coefficient] : affine.terms) {
    const VarBinding& binding = e.bindings[var.value];
    const LoopVar& info = e.kernel[var];
    const int64_t first = binding.base == nullptr ? binding.constant : info.begin;
    const int64_t last = binding.base == nullptr ? binding.constant : info.end - 1;
    low += std::min(coefficient * first, coefficient * last);
    high += std::max(coefficient * first, coefficient * last);
  }
  return {low, high};
}

llvm::Constant* lane_offsets(const KernelEmitter& e, int64_t step, llvm::Type* type) {
  std::vector<llvm::Constant*> lanes;
  for (int64_t lane = 0; lane < e.kernel.target.lanes; ++lane) {
    lanes.push_back(llvm::ConstantInt::getSigned(type->getScalarType(), lane * step));
  }
  return llvm::ConstantVector::get(lanes);
}

}  // namespace nnc
