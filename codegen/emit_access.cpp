#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <limits>

#include "codegen/emit.h"
#include "ir/check.h"

namespace nnc {
namespace {

// An access taken apart: the address of lane 0, and how the other lanes lie.
struct Place {
  llvm::Value* pointer = nullptr;
  llvm::Value* gathered = nullptr;  // vector of byte offsets from `pointer`, if lanes are addressed one by one
  int64_t lane_bytes = 0;           // else: bytes from one lane to the next
  llvm::Type* stored = nullptr;     // element type in memory
  llvm::Align align;
  llvm::Value* mask = nullptr;  // null: all on
};

// Adds value * coefficient bytes to a pointer, at the head of the loop that defines the value, once.
llvm::Value* offset_in_scope(KernelEmitter& e, llvm::Value* pointer, const LinearForm::Term& term) {
  Scope& scope = e.scopes[term.scope];
  llvm::Value*& known = scope.offsets[{pointer, term.base, term.coefficient}];
  if (known != nullptr) return known;
  llvm::IRBuilderBase::InsertPointGuard guard(e.b);
  const llvm::DebugLoc location = e.b.getCurrentDebugLocation();
  e.b.SetInsertPoint(scope.anchor);
  e.b.SetCurrentDebugLocation(location);
  llvm::Value* bytes = e.b.CreateMul(term.base, e.b.getInt64(static_cast<uint64_t>(term.coefficient)));
  known = e.b.CreatePtrAdd(pointer, bytes);
  return known;
}

llvm::Value* address_of(KernelEmitter& e, llvm::Value* pointer, const LinearForm& bytes) {
  for (const LinearForm::Term& term : bytes.terms) pointer = offset_in_scope(e, pointer, term);
  if (bytes.constant == 0) return pointer;
  return e.b.CreatePtrAdd(pointer, e.b.getInt64(static_cast<uint64_t>(bytes.constant)));
}

bool all_on(llvm::Value* mask) {
  const auto* constant = llvm::dyn_cast<llvm::Constant>(mask);
  return constant != nullptr && constant->isAllOnesValue();
}
bool all_off(llvm::Value* mask) {
  const auto* constant = llvm::dyn_cast<llvm::Constant>(mask);
  return constant != nullptr && constant->isNullValue();
}

// Byte offsets of the lanes of a gather; 32 bits wide where the buffer is small enough.
llvm::Value* gather_offsets(KernelEmitter& e, llvm::Value* indices, int64_t stride, int64_t lane_bytes,
                            int64_t buffer_bytes) {
  const bool small = buffer_bytes <= std::numeric_limits<int32_t>::max();
  auto* type = llvm::FixedVectorType::get(small ? e.b.getInt32Ty() : e.b.getInt64Ty(),
                                          static_cast<unsigned>(e.kernel.target.lanes));
  llvm::Value* sum = lane_offsets(e, lane_bytes, type);
  if (indices == nullptr) return sum;
  llvm::Value* wide = e.b.CreateSExtOrTrunc(indices, type);
  llvm::Value* scaled = e.b.CreateMul(wide, llvm::ConstantInt::getSigned(type, stride));
  return lane_bytes == 0 ? scaled : e.b.CreateAdd(scaled, sum);
}

Place resolve(KernelEmitter& e, const Access& access, bool vector) {
  const LoopBuffer& buffer = e.kernel[access.buffer];
  const Dims strides = row_major_strides(buffer.dims);
  const int64_t size = size_of(buffer.dtype);
  Place place;
  place.align = llvm::Align(static_cast<uint64_t>(size));
  place.stored = buffer.dtype == DType::boolean ? e.b.getInt8Ty() : element_type(e.b.getContext(), buffer.dtype);
  if (access.mask) {
    place.mask = read_value(e, access.mask);
    if (vector) place.mask = splat_to(e, place.mask);
    if (all_on(place.mask)) place.mask = nullptr;
  }
  LinearForm bytes;
  llvm::Value* indices = nullptr;
  int64_t index_stride = 0;
  std::vector<std::pair<llvm::Value*, int64_t>> dynamic;
  for (size_t axis = 0; axis < access.indices.size(); ++axis) {
    const int64_t stride = strides[axis] * size;
    add_to(bytes, evaluate(e, access.indices[axis].affine, stride));
    if (!access.indices[axis].dynamic) continue;
    llvm::Value* value = read_value(e, access.indices[axis].dynamic);
    if (value->getType()->isVectorTy()) {
      NNC_CHECK(vector && indices == nullptr, "a gather of {} with more than one vector index", buffer.name);
      indices = value;
      index_stride = stride;
    } else {
      dynamic.push_back({e.b.CreateSExt(value, e.b.getInt64Ty()), stride});
    }
  }
  place.pointer = address_of(e, e.buffers[access.buffer.value], bytes);
  for (const auto& [value, stride] : dynamic) {
    place.pointer = e.b.CreatePtrAdd(place.pointer, e.b.CreateMul(value, e.b.getInt64(static_cast<uint64_t>(stride))));
  }
  if (!vector) return place;
  const int64_t axes = static_cast<int64_t>(buffer.dims.size());
  const int64_t lane_axis = access.lane_axis < 0 ? axes - 1 : access.lane_axis;
  place.lane_bytes = axes == 0 ? 0 : access.lane_step * strides[static_cast<size_t>(lane_axis)] * size;
  const bool contiguous = std::abs(place.lane_bytes) == size || place.lane_bytes == 0;
  if (indices != nullptr || !contiguous) {
    place.gathered = gather_offsets(e, indices, index_stride, place.lane_bytes,
                                    buffer.dims.empty() ? size : buffer.dims[0] * strides[0] * size);
  }
  return place;
}

// Memory to value and back: a bool is a byte in memory.
llvm::Value* from_memory(KernelEmitter& e, llvm::Value* value, DType dtype) {
  return dtype == DType::boolean ? e.b.CreateICmpNE(value, llvm::Constant::getNullValue(value->getType())) : value;
}
llvm::Value* to_memory(KernelEmitter& e, llvm::Value* value, llvm::Type* stored) {
  return value->getType()->isIntOrIntVectorTy(1) ? e.b.CreateZExt(value, stored) : value;
}

// Emits `then` where the scalar `condition` holds. Returns its value there, and zero elsewhere (or null if it has
// none).
template <class Then>
llvm::Value* emit_if(KernelEmitter& e, llvm::Value* condition, Then then) {
  llvm::BasicBlock* before = e.b.GetInsertBlock();
  llvm::BasicBlock* inside = llvm::BasicBlock::Create(e.b.getContext(), "on", e.function);
  llvm::BasicBlock* after = llvm::BasicBlock::Create(e.b.getContext(), "merge", e.function);
  e.b.CreateCondBr(condition, inside, after);
  e.b.SetInsertPoint(inside);
  llvm::Value* value = then();
  llvm::BasicBlock* from = e.b.GetInsertBlock();
  e.b.CreateBr(after);
  e.b.SetInsertPoint(after);
  if (value == nullptr) return nullptr;
  llvm::PHINode* result = e.b.CreatePHI(value->getType(), 2);
  result->addIncoming(value, from);
  result->addIncoming(llvm::Constant::getNullValue(value->getType()), before);
  return result;
}

llvm::Value* load_scalar(KernelEmitter& e, const Place& place) {
  auto load = [&]() -> llvm::Value* { return e.b.CreateAlignedLoad(place.stored, place.pointer, place.align); };
  return place.mask == nullptr ? load() : emit_if(e, place.mask, load);
}

llvm::Value* any_lane(KernelEmitter& e, llvm::Value* mask) {
  llvm::Type* bits = e.b.getIntNTy(static_cast<unsigned>(e.kernel.target.lanes));
  return e.b.CreateICmpNE(e.b.CreateBitCast(mask, bits), llvm::ConstantInt::get(bits, 0));
}

// All lanes read one element.
llvm::Value* load_alike(KernelEmitter& e, Place place) {
  llvm::Value* mask = place.mask;
  if (mask != nullptr) place.mask = any_lane(e, mask);
  llvm::Value* value = splat_to(e, load_scalar(e, place));
  return mask == nullptr ? value : e.b.CreateSelect(mask, value, llvm::Constant::getNullValue(value->getType()));
}

llvm::Value* reversed(KernelEmitter& e, llvm::Value* value) {
  std::vector<int> order;
  for (int lane = e.kernel.target.lanes - 1; lane >= 0; --lane) order.push_back(lane);
  return e.b.CreateShuffleVector(value, order);
}

// The vector type in memory; of a descending run, `place` is moved to its last lane.
llvm::FixedVectorType* memory_vector(KernelEmitter& e, Place& place, bool& descending) {
  const int lanes = e.kernel.target.lanes;
  descending = place.gathered == nullptr && place.lane_bytes < 0;
  if (descending) {
    place.pointer =
        e.b.CreatePtrAdd(place.pointer, e.b.getInt64(static_cast<uint64_t>(place.lane_bytes * (lanes - 1))));
    if (place.mask != nullptr) place.mask = reversed(e, place.mask);
  }
  return llvm::FixedVectorType::get(place.stored, static_cast<unsigned>(lanes));
}

llvm::Value* load_vector(KernelEmitter& e, Place place) {
  if (place.gathered == nullptr && place.lane_bytes == 0) return load_alike(e, place);
  bool descending = false;
  llvm::FixedVectorType* type = memory_vector(e, place, descending);
  llvm::Value* zero = llvm::Constant::getNullValue(type);
  llvm::Value* value = nullptr;
  if (place.mask != nullptr && all_off(place.mask)) {
    value = zero;
  } else if (place.gathered != nullptr) {
    llvm::Value* pointers = e.b.CreatePtrAdd(place.pointer, place.gathered);
    value = e.b.CreateMaskedGather(type, pointers, place.align, place.mask, zero);
  } else if (place.mask != nullptr) {
    value = e.b.CreateMaskedLoad(type, place.pointer, place.align, place.mask, zero);
  } else {
    value = e.b.CreateAlignedLoad(type, place.pointer, place.align);
  }
  return descending ? reversed(e, value) : value;
}

void store_vector(KernelEmitter& e, Place place, llvm::Value* value) {
  if (place.mask != nullptr && all_off(place.mask)) return;
  if (place.gathered == nullptr && place.lane_bytes == 0) {
    // Lanes write one element in ascending order: what remains is the last one that is on.
    place.gathered = llvm::Constant::getNullValue(
        llvm::FixedVectorType::get(e.b.getInt32Ty(), static_cast<unsigned>(e.kernel.target.lanes)));
  }
  bool descending = false;
  llvm::FixedVectorType* type = memory_vector(e, place, descending);
  value = to_memory(e, value, type);
  if (descending) value = reversed(e, value);
  if (place.gathered != nullptr) {
    e.b.CreateMaskedScatter(value, e.b.CreatePtrAdd(place.pointer, place.gathered), place.align, place.mask);
  } else if (place.mask != nullptr) {
    e.b.CreateMaskedStore(value, place.pointer, place.align, place.mask);
  } else {
    e.b.CreateAlignedStore(value, place.pointer, place.align);
  }
}

// Whether the access itself says that it is of vectors.
bool touches_lanes(const KernelEmitter& e, const Access& access) {
  if (access.mask && e.kernel[access.mask].vector) return true;
  return std::any_of(access.indices.begin(), access.indices.end(),
                     [&](const Access::Index& index) { return index.dynamic && e.kernel[index.dynamic].vector; });
}

}  // namespace

llvm::Value* emit_address(KernelEmitter& e, const Access& access) { return resolve(e, access, false).pointer; }

void emit_load(KernelEmitter& e, const LoopStmt& stmt) {
  const LoopValue& info = e.kernel[stmt.value];
  const Place place = resolve(e, stmt.access, info.vector);
  llvm::Value* value = info.vector ? load_vector(e, place) : load_scalar(e, place);
  write_value(e, stmt.value, from_memory(e, value, e.kernel[stmt.access.buffer].dtype));
}

void emit_store(KernelEmitter& e, const LoopStmt& stmt) {
  const LoopOperand& operand = stmt.operands.front();
  const LoopBuffer& buffer = e.kernel[stmt.access.buffer];
  llvm::Value* value = operand.value ? read_value(e, operand.value) : literal(e, operand.literal, buffer.dtype);
  const bool vector = value->getType()->isVectorTy() || touches_lanes(e, stmt.access);
  const Place place = resolve(e, stmt.access, vector);
  if (vector) {
    store_vector(e, place, splat_to(e, value));
    return;
  }
  auto store = [&]() -> llvm::Value* {
    e.b.CreateAlignedStore(to_memory(e, value, place.stored), place.pointer, place.align);
    return nullptr;
  };
  if (place.mask == nullptr) {
    store();
  } else {
    emit_if(e, place.mask, store);
  }
}

void emit_prefetch(KernelEmitter& e, const LoopStmt& stmt) {
  Access access = stmt.access;
  access.mask = {};
  // The lines of a gather are not known to be worth fetching early.
  if (touches_lanes(e, access)) return;
  const Place place = resolve(e, access, false);
  const bool written = e.kernel[access.buffer].mode != LoopBuffer::in;
  const unsigned write = written ? 1 : 0, closeness = written ? 3 : 2, data = 1;
  e.b.CreateIntrinsic(llvm::Intrinsic::prefetch, {place.pointer->getType()},
                      {place.pointer, e.b.getInt32(write), e.b.getInt32(closeness), e.b.getInt32(data)});
}

}  // namespace nnc
