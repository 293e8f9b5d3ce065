#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include <array>
#include <limits>

#include "codegen/arithmetic.h"
#include "codegen/emit.h"
#include "ir/check.h"

namespace nnc {
namespace {

bool fits_i32(int64_t low, int64_t high) {
  return low >= std::numeric_limits<int32_t>::min() && high <= std::numeric_limits<int32_t>::max();
}

// affine + lane * lane_step, in the type of the result.
llvm::Value* emit_index(KernelEmitter& e, const LoopStmt& stmt, const LoopValue& result) {
  llvm::Type* type = value_type(e, result);
  llvm::Value* first = e.b.CreateTrunc(materialise(e, evaluate(e, stmt.affine)), type->getScalarType());
  if (!result.vector) return first;
  return e.b.CreateAdd(splat_to(e, first), lane_offsets(e, stmt.lane_step, type));
}

// low <= affine + lane * lane_step < high, as one unsigned comparison with high - low where the range can be left at
// all.
llvm::Value* emit_within(KernelEmitter& e, const LoopStmt& stmt, const LoopValue& result) {
  auto [least, greatest] = bounds(e, stmt.affine);
  if (result.vector) {
    const int64_t span = stmt.lane_step * (e.kernel.target.lanes - 1);
    least += std::min<int64_t>(0, span);
    greatest += std::max<int64_t>(0, span);
  }
  llvm::Type* type = value_type(e, result);
  if (stmt.low <= least && greatest < stmt.high) return llvm::Constant::getAllOnesValue(type);
  if (stmt.high <= stmt.low || greatest < stmt.low || stmt.high <= least) return llvm::Constant::getNullValue(type);
  const bool small = fits_i32(least, greatest) && fits_i32(stmt.low, stmt.high) &&
                     fits_i32(least - stmt.low, greatest - stmt.low) && fits_i32(0, stmt.high - stmt.low);
  llvm::Type* integer = small ? e.b.getInt32Ty() : e.b.getInt64Ty();
  LinearForm form = evaluate(e, stmt.affine);
  form.constant -= stmt.low;
  llvm::Value* position = e.b.CreateTrunc(materialise(e, form), integer);
  llvm::Value* extent = llvm::ConstantInt::get(integer, static_cast<uint64_t>(stmt.high - stmt.low));
  if (result.vector) {
    extent = splat_to(e, extent);
    position = e.b.CreateAdd(splat_to(e, position), lane_offsets(e, stmt.lane_step, extent->getType()));
  }
  return e.b.CreateICmpULT(position, extent);
}

// Over an unrolled index, ascending, from the identity.
llvm::Value* emit_fold(KernelEmitter& e, const LoopStmt& stmt, const LoopValue& result) {
  const LoopVar& over = e.kernel[stmt.over];
  const ValueId operand = stmt.operands.front().value;
  const VarBinding saved = e.bindings[stmt.over.value];
  llvm::Value* sum = identity_of(e, stmt.reduction, result.dtype);
  if (result.vector) sum = splat_to(e, sum);
  for (int64_t index = over.begin; index < over.end; ++index) {
    e.bindings[stmt.over.value] = {nullptr, index, 0};
    llvm::Value* member = read_value(e, operand);
    sum = combine(e, stmt.reduction, sum, result.vector ? splat_to(e, member) : member, result.dtype);
  }
  e.bindings[stmt.over.value] = saved;
  return sum;
}

// A halving tree: lane l with lane l + n/2, until one is left.
llvm::Value* emit_lanes(KernelEmitter& e, const LoopStmt& stmt, const LoopValue& result) {
  llvm::Value* value = splat_to(e, read_value(e, stmt.operands.front().value));
  for (int half = e.kernel.target.lanes / 2; half >= 1; half /= 2) {
    std::vector<int> low, high;
    for (int lane = 0; lane < half; ++lane) {
      low.push_back(lane);
      high.push_back(lane + half);
    }
    value = combine(e, stmt.reduction, e.b.CreateShuffleVector(value, low), e.b.CreateShuffleVector(value, high),
                    result.dtype);
  }
  return e.b.CreateExtractElement(value, uint64_t{0});
}

// Halves of two vectors: out of each group of 4 lanes of `a` and `b`, the lanes named by `pick` (4 and up: of b).
llvm::Value* in_groups(KernelEmitter& e, llvm::Value* a, llvm::Value* b, const std::array<int, 4>& pick) {
  const int lanes = e.kernel.target.lanes;
  std::vector<int> order;
  for (int group = 0; group < lanes; group += 4) {
    for (int lane : pick) order.push_back(lane < 4 ? group + lane : lanes + group + lane - 4);
  }
  return e.b.CreateShuffleVector(a, b, order);
}

// Groups of 4 lanes, moved whole: every second one of `a`, then of `b`, from `first` on.
llvm::Value* whole_groups(KernelEmitter& e, llvm::Value* a, llvm::Value* b, int first) {
  const int groups = e.kernel.target.lanes / 4;
  std::vector<int> order;
  for (int group = first; group < 2 * groups; group += 2) {
    for (int lane = 0; lane < 4; ++lane) order.push_back(4 * group + lane);
  }
  return e.b.CreateShuffleVector(a, b, order);
}

// The columns of a square of 4, 8 or 16 rows: 4 by 4 inside groups of lanes, then whole groups.
std::vector<llvm::Value*> transposed(KernelEmitter& e, std::vector<llvm::Value*> rows) {
  const size_t lanes = rows.size();
  NNC_CHECK(lanes == 4 || lanes == 8 || lanes == 16, "a transposition of {} lanes", lanes);
  for (size_t r = 0; r < lanes; r += 4) {
    std::array<llvm::Value*, 4> mixed;
    for (size_t k = 0; k < 2; ++k) {
      mixed[2 * k] = in_groups(e, rows[r + 2 * k], rows[r + 2 * k + 1], {0, 4, 1, 5});
      mixed[2 * k + 1] = in_groups(e, rows[r + 2 * k], rows[r + 2 * k + 1], {2, 6, 3, 7});
    }
    for (size_t k = 0; k < 2; ++k) {
      rows[r + 2 * k] = in_groups(e, mixed[k], mixed[k + 2], {0, 1, 4, 5});
      rows[r + 2 * k + 1] = in_groups(e, mixed[k], mixed[k + 2], {2, 3, 6, 7});
    }
  }
  // Row r + c holds columns c, 4 + c, 8 + c … of rows r … r + 3, a group each.
  for (size_t step = 4; step < lanes; step *= 2) {
    std::vector<llvm::Value*> merged(lanes);
    for (size_t base = 0; base < lanes; base += 2 * step) {
      for (size_t k = 0; k < step; ++k) {
        merged[base + k] = whole_groups(e, rows[base + k], rows[base + step + k], 0);
        merged[base + step + k] = whole_groups(e, rows[base + k], rows[base + step + k], 1);
      }
    }
    rows = std::move(merged);
  }
  return rows;
}

llvm::Value* emit_column(KernelEmitter& e, const LoopStmt& stmt) {
  const LoopVar& over = e.kernel[stmt.over];
  const VarBinding saved = e.bindings[stmt.over.value];
  std::vector<llvm::Value*> rows;
  for (int64_t index = over.begin; index < over.end; ++index) {
    e.bindings[stmt.over.value] = {nullptr, index, 0};
    rows.push_back(read_value(e, stmt.operands.front().value));
  }
  e.bindings[stmt.over.value] = saved;
  // All columns are made when the first is asked for.
  std::vector<llvm::Value*>& columns = e.columns[rows];
  if (columns.empty()) columns = transposed(e, rows);
  return columns.at(static_cast<size_t>(bounds(e, stmt.affine).first));
}

// The bits of a scalar, as an integer. What was just loaded is loaded once more into a general register, where the
// machine tests it without moving it there.
llvm::Value* bits_of(KernelEmitter& e, llvm::Value* value) {
  llvm::Type* type = value->getType();
  if (type->isIntegerTy()) return value;
  llvm::Type* integer = e.b.getIntNTy(type->getPrimitiveSizeInBits());
  auto* load = llvm::dyn_cast<llvm::LoadInst>(value);
  if (load == nullptr) return e.b.CreateBitCast(value, integer);
  llvm::IRBuilderBase::InsertPointGuard guard(e.b);
  e.b.SetInsertPoint(load);
  return e.b.CreateAlignedLoad(integer, load->getPointerOperand(), load->getAlign());
}

// One test of all bits, or-ed: a sign alone is shifted out.
llvm::Value* emit_any(KernelEmitter& e, const LoopStmt& stmt) {
  const LoopVar& over = e.kernel[stmt.over];
  const ValueId operand = stmt.operands.front().value;
  const VarBinding saved = e.bindings[stmt.over.value];
  llvm::Value* bits = nullptr;
  for (int64_t index = over.begin; index < over.end; ++index) {
    e.bindings[stmt.over.value] = {nullptr, index, 0};
    llvm::Value* member = bits_of(e, read_value(e, operand));
    bits = bits == nullptr ? member : e.b.CreateOr(bits, member);
  }
  e.bindings[stmt.over.value] = saved;
  if (bits == nullptr) return e.b.getFalse();
  if (is_float(e.kernel[operand].dtype)) bits = e.b.CreateShl(bits, 1);
  return e.b.CreateICmpNE(bits, llvm::Constant::getNullValue(bits->getType()));
}

// The dot product of two pairs: the machine's instruction does just these two steps.
llvm::Value* emit_dot2(KernelEmitter& e, const std::vector<llvm::Value*>& v) {
  if (e.bf16_dot && v[2]->getType()->isVectorTy() && e.kernel.target.lanes == 16) {
    auto* pairs = llvm::FixedVectorType::get(e.b.getBFloatTy(), 32);
    return e.b.CreateIntrinsic(llvm::Intrinsic::x86_avx512bf16_dpbf16ps_512, {},
                               {v[2], e.b.CreateBitCast(v[0], pairs), e.b.CreateBitCast(v[1], pairs)});
  }
  llvm::Type* integer = v[0]->getType();
  const auto upper = [&](llvm::Value* x) {
    return e.b.CreateBitCast(e.b.CreateAnd(x, llvm::ConstantInt::get(integer, 0xffff0000u)), v[2]->getType());
  };
  const auto lower = [&](llvm::Value* x) { return e.b.CreateBitCast(e.b.CreateShl(x, 16), v[2]->getType()); };
  llvm::Value* first = multiply_add(e, upper(v[0]), upper(v[1]), v[2], DType::f32);
  return multiply_add(e, lower(v[0]), lower(v[1]), first, DType::f32);
}

llvm::Value* emit_pair(KernelEmitter& e, const std::vector<llvm::Value*>& v, llvm::Type* integer) {
  return e.b.CreateOr(e.b.CreateShl(e.b.CreateZExt(v[0], integer), 16), e.b.CreateZExt(v[1], integer));
}

// Type that a literal operand takes.
DType literal_dtype(const KernelEmitter& e, const LoopStmt& stmt, size_t position) {
  const DType result = e.kernel[stmt.value].dtype;
  if (stmt.op == LoopOp::select) return position == 0 ? DType::boolean : result;
  if (stmt.op == LoopOp::philox) return position == 0 ? DType::i32 : DType::i64;
  if (stmt.op == LoopOp::pair) return DType::bf16;
  if (stmt.op == LoopOp::dot2) return position < 2 ? DType::i32 : DType::f32;
  for (const LoopOperand& other : stmt.operands) {
    if (other.value) return e.kernel[other.value].dtype;
  }
  return result;
}

llvm::Value* emit_compare(KernelEmitter& e, Comparison comparison, llvm::Value* a, llvm::Value* b, DType dtype) {
  using P = llvm::CmpInst::Predicate;
  static constexpr P floats[] = {P::FCMP_OEQ, P::FCMP_UNE, P::FCMP_OLT, P::FCMP_OLE, P::FCMP_OGT, P::FCMP_OGE};
  static constexpr P integers[] = {P::ICMP_EQ, P::ICMP_NE, P::ICMP_SLT, P::ICMP_SLE, P::ICMP_SGT, P::ICMP_SGE};
  static constexpr P booleans[] = {P::ICMP_EQ, P::ICMP_NE, P::ICMP_ULT, P::ICMP_ULE, P::ICMP_UGT, P::ICMP_UGE};
  const auto index = static_cast<size_t>(comparison);
  if (is_float(dtype)) return e.b.CreateFCmp(floats[index], a, b);
  return e.b.CreateICmp(dtype == DType::boolean ? booleans[index] : integers[index], a, b);
}

// Operands as they are computed with: vectors if any is, bf16 widened to f32.
std::vector<llvm::Value*> read_operands(KernelEmitter& e, const LoopStmt& stmt, std::vector<DType>& dtypes) {
  std::vector<llvm::Value*> operands;
  bool vector = false;
  for (size_t position = 0; position < stmt.operands.size(); ++position) {
    const LoopOperand& operand = stmt.operands[position];
    dtypes.push_back(operand.value ? e.kernel[operand.value].dtype : literal_dtype(e, stmt, position));
    operands.push_back(operand.value ? read_value(e, operand.value) : literal(e, operand.literal, dtypes.back()));
    vector = vector || operands.back()->getType()->isVectorTy();
  }
  // Seed and step of philox stay scalars: its counter is built from them once.
  if (vector && stmt.op != LoopOp::philox) {
    for (llvm::Value*& operand : operands) operand = splat_to(e, operand);
  }
  return operands;
}

// By the machine's instruction; without one (SSE2 in f32) as a series.
llvm::Value* emit_rounding(KernelEmitter& e, const LoopStmt& stmt, const std::vector<llvm::Value*>& operands,
                           DType dtype) {
  if (!is_float(dtype)) return operands[0];
  if (dtype == DType::f32 && !e.kernel.target.fma) return emit_math(e, stmt, operands);
  const auto id = stmt.op == LoopOp::floor ? llvm::Intrinsic::floor : llvm::Intrinsic::roundeven;
  return e.b.CreateUnaryIntrinsic(id, operands[0]);
}

llvm::Value* emit_map(KernelEmitter& e, const LoopStmt& stmt, std::vector<llvm::Value*> operands, DType dtype) {
  const auto& v = operands;
  switch (stmt.op) {
    case LoopOp::add:
      return add(e, v[0], v[1], dtype);
    case LoopOp::sub:
      return is_float(dtype) ? e.b.CreateFSub(v[0], v[1]) : e.b.CreateSub(v[0], v[1]);
    case LoopOp::mul:
      return multiply(e, v[0], v[1], dtype);
    case LoopOp::div:
      return divide(e, v[0], v[1], dtype);
    case LoopOp::fma:
      return multiply_add(e, v[0], v[1], v[2], dtype);
    case LoopOp::max:
      return maximum(e, v[0], v[1], dtype);
    case LoopOp::min:
      return minimum(e, v[0], v[1], dtype);
    case LoopOp::neg:
      return is_float(dtype) ? e.b.CreateFNeg(v[0]) : e.b.CreateNeg(v[0]);
    case LoopOp::abs:
      return absolute(e, v[0], dtype);
    case LoopOp::sign:
      return sign(e, v[0], dtype);
    case LoopOp::sqrt:
      return e.b.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, v[0]);
    case LoopOp::rsqrt:
      return e.b.CreateFDiv(llvm::ConstantFP::get(v[0]->getType(), 1.0),
                            e.b.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, v[0]));
    case LoopOp::floor:
    case LoopOp::round:
      return emit_rounding(e, stmt, v, dtype);
    case LoopOp::compare:
      return emit_compare(e, stmt.comparison, v[0], v[1], dtype);
    case LoopOp::select:
      return e.b.CreateSelect(v[0], v[1], v[2]);
    case LoopOp::logical_and:
      return e.b.CreateAnd(v[0], v[1]);
    case LoopOp::logical_or:
      return e.b.CreateOr(v[0], v[1]);
    case LoopOp::logical_not:
      return e.b.CreateNot(v[0]);
    case LoopOp::splat:
    case LoopOp::detach:
      return v[0];
    default:
      return emit_math(e, stmt, v);
  }
}

}  // namespace

llvm::Value* emit_op(KernelEmitter& e, const LoopStmt& stmt) {
  const LoopValue& result = e.kernel[stmt.value];
  switch (stmt.op) {
    case LoopOp::index:
      return emit_index(e, stmt, result);
    case LoopOp::within:
      return emit_within(e, stmt, result);
    case LoopOp::fold:
      return emit_fold(e, stmt, result);
    case LoopOp::lanes:
      return emit_lanes(e, stmt, result);
    case LoopOp::column:
      return emit_column(e, stmt);
    case LoopOp::any:
      return emit_any(e, stmt);
    default:
      break;
  }
  std::vector<DType> dtypes;
  std::vector<llvm::Value*> operands = read_operands(e, stmt, dtypes);
  if (stmt.op == LoopOp::dot2) return emit_dot2(e, operands);
  if (stmt.op == LoopOp::pair) return emit_pair(e, operands, value_type(e, DType::i32, result.vector));
  if (stmt.op == LoopOp::cast) return cast(e, operands[0], dtypes[0], result.dtype);
  DType dtype = dtypes.empty() ? result.dtype : dtypes[stmt.op == LoopOp::select ? 1 : 0];
  const bool moves_bits = stmt.op == LoopOp::select || stmt.op == LoopOp::splat || stmt.op == LoopOp::detach;
  if (dtype != DType::bf16 || moves_bits) return emit_map(e, stmt, operands, dtype);
  for (llvm::Value*& operand : operands) operand = cast(e, operand, DType::bf16, DType::f32);
  llvm::Value* value = emit_map(e, stmt, operands, DType::f32);
  return result.dtype == DType::bf16 ? cast(e, value, DType::f32, DType::bf16) : value;
}

}  // namespace nnc
