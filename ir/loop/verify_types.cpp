#include <fmt/format.h>

#include <cmath>

#include "ir/loop/verifier.h"

namespace nnc {
namespace {

struct TypeChecker {
  LoopChecker& checker;
  const LoopStmt& stmt;
  std::string who;

  const LoopValue& result() const { return checker.kernel[stmt.value]; }
  const LoopValue* value(size_t k) const {
    return stmt.operands[k].value ? &checker.kernel[stmt.operands[k].value] : nullptr;
  }
  void require(bool condition, std::string_view what) {
    if (!condition) checker.report(who, "L0", what);
  }

  void operand_is(size_t k, DType dtype);
  void result_is(DType dtype) {
    require(result().dtype == dtype,
            fmt::format("{} gives {}, not {}", name_of(stmt.op), name_of(dtype), name_of(result().dtype)));
  }
  void literal_fits(double literal, DType dtype);
  void vectors();
  void operation();
  void reduction();
  void column();
  void any();
  void arithmetic();
  void access();
};

bool is_float_only(LoopOp op) {
  switch (op) {
    case LoopOp::pow:
    case LoopOp::exp:
    case LoopOp::log:
    case LoopOp::log1p:
    case LoopOp::expm1:
    case LoopOp::tanh:
    case LoopOp::sigmoid:
    case LoopOp::erf:
    case LoopOp::sqrt:
    case LoopOp::rsqrt:
    case LoopOp::sin:
    case LoopOp::cos:
      return true;
    default:
      return false;
  }
}

void TypeChecker::literal_fits(double literal, DType dtype) {
  if (is_float(dtype)) return;
  const double limit = dtype == DType::boolean ? 1 : dtype == DType::i32 ? 2147483647.0 : 9223372036854774784.0;
  const double least = dtype == DType::boolean ? 0 : dtype == DType::i32 ? -2147483648.0 : -9223372036854775808.0;
  require(literal == std::floor(literal) && literal >= least && literal <= limit,
          fmt::format("{} is no {}", literal, name_of(dtype)));
}

void TypeChecker::operand_is(size_t k, DType dtype) {
  const LoopValue* operand = value(k);
  if (operand == nullptr) {
    literal_fits(stmt.operands[k].literal, dtype);
  } else {
    require(operand->dtype == dtype,
            fmt::format("operand {} is {}, not {}", operand->name, name_of(operand->dtype), name_of(dtype)));
  }
}

void TypeChecker::vectors() {
  if (stmt.op == LoopOp::lanes) {
    require(!result().vector, "lanes give a scalar");
    require(value(0) != nullptr && value(0)->vector, "lanes take a vector");
    return;
  }
  for (size_t k = 0; k < stmt.operands.size(); ++k) {
    const LoopValue* operand = value(k);
    if (operand != nullptr && operand->vector)
      require(result().vector, fmt::format("a scalar of the vector {}", operand->name));
  }
}

void TypeChecker::reduction() {
  require(value(0) != nullptr, fmt::format("{} takes a value", name_of(stmt.op)));
  require(result().dtype != DType::bf16, fmt::format("{} of bf16", name_of(stmt.op)));
  operand_is(0, result().dtype);
  if (stmt.reduction == Reduction::argmax) checker.report(who, "L7", "argmax has no order of addition");
  if (stmt.op == LoopOp::fold && checker.kernel[stmt.over].kind != LoopVar::unroll)
    checker.report(who, "L7", fmt::format("a fold over {}, which is not unrolled", checker.kernel[stmt.over].name));
}

void TypeChecker::any() {
  result_is(DType::boolean);
  require(value(0) != nullptr && !value(0)->vector && !result().vector, "any takes scalars and gives one");
  if (checker.kernel[stmt.over].kind != LoopVar::unroll)
    checker.report(who, "L7", fmt::format("any over {}, which is not unrolled", checker.kernel[stmt.over].name));
}

void TypeChecker::column() {
  const Kernel& kernel = checker.kernel;
  require(value(0) != nullptr && value(0)->vector && result().vector, "column takes vectors and gives one");
  operand_is(0, result().dtype);
  const LoopVar& over = kernel[stmt.over];
  if (over.kind != LoopVar::unroll || over.end - over.begin != kernel.target.lanes)
    checker.report(who, "L7", fmt::format("a column over {}, which does not number the lanes", over.name));
  int64_t least = stmt.affine.constant, greatest = stmt.affine.constant;
  for (const auto& [var, coefficient] : stmt.affine.terms) {
    const LoopVar& info = kernel[var];
    if (info.kind != LoopVar::unroll) checker.report(who, "L7", fmt::format("column {} is not unrolled", info.name));
    least += coefficient * (coefficient > 0 ? info.begin : info.end - 1);
    greatest += coefficient * (coefficient > 0 ? info.end - 1 : info.begin);
  }
  if (least < 0 || greatest >= kernel.target.lanes) checker.report(who, "L7", "a column beyond the lanes");
}

void TypeChecker::arithmetic() {
  const DType dtype = result().dtype;
  require(dtype != DType::boolean && dtype != DType::bf16, fmt::format("{} of {}", name_of(stmt.op), name_of(dtype)));
  require(!is_float_only(stmt.op) || is_float(dtype), fmt::format("{} of {}", name_of(stmt.op), name_of(dtype)));
  for (size_t k = 0; k < stmt.operands.size(); ++k) operand_is(k, dtype);
}

void TypeChecker::operation() {
  vectors();
  switch (stmt.op) {
    case LoopOp::compare: {
      result_is(DType::boolean);
      const LoopValue* typed = value(0) != nullptr ? value(0) : value(1);
      require(typed != nullptr, "compare takes a value");
      if (typed != nullptr) operand_is(0, typed->dtype), operand_is(1, typed->dtype);
      break;
    }
    case LoopOp::select:
      operand_is(0, DType::boolean);
      operand_is(1, result().dtype);
      operand_is(2, result().dtype);
      break;
    case LoopOp::cast:
      break;
    case LoopOp::logical_and:
    case LoopOp::logical_or:
    case LoopOp::logical_not:
      result_is(DType::boolean);
      for (size_t k = 0; k < stmt.operands.size(); ++k) operand_is(k, DType::boolean);
      break;
    case LoopOp::splat:
    case LoopOp::detach:
      operand_is(0, result().dtype);
      break;
    case LoopOp::index:
      require(is_integer(result().dtype), "index gives an integer");
      break;
    case LoopOp::within:
      result_is(DType::boolean);
      break;
    case LoopOp::fold:
    case LoopOp::lanes:
      reduction();
      break;
    case LoopOp::column:
      column();
      break;
    case LoopOp::any:
      any();
      break;
    case LoopOp::pair:
      result_is(DType::i32);
      operand_is(0, DType::bf16);
      operand_is(1, DType::bf16);
      break;
    case LoopOp::dot2:
      result_is(DType::f32);
      operand_is(0, DType::i32);
      operand_is(1, DType::i32);
      operand_is(2, DType::f32);
      break;
    case LoopOp::philox:
      result_is(DType::i32);
      operand_is(0, DType::i32);
      for (size_t k : {1, 2}) {
        operand_is(k, DType::i64);
        require(value(k) == nullptr || !value(k)->vector, "seed and step are scalars");
      }
      break;
    case LoopOp::uniform:
    case LoopOp::normal:
      result_is(DType::f32);
      operand_is(0, DType::i32);
      break;
    case LoopOp::integer:
      result_is(DType::i32);
      operand_is(0, DType::i32);
      require(stmt.high >= 1 && stmt.high <= (int64_t{1} << 31), fmt::format("integers below {}", stmt.high));
      break;
    default:
      arithmetic();
  }
}

void TypeChecker::access() {
  const Kernel& kernel = checker.kernel;
  const LoopBuffer& buffer = kernel[stmt.access.buffer];
  const bool vector = is_vector_access(kernel, stmt);
  if (stmt.kind == LoopStmt::load)
    require(result().dtype == buffer.dtype, fmt::format("loads {} from {}, which holds {}", name_of(result().dtype),
                                                        buffer.name, name_of(buffer.dtype)));
  if (stmt.kind == LoopStmt::store) operand_is(0, buffer.dtype);
  if (stmt.access.mask) {
    const LoopValue& mask = kernel[stmt.access.mask];
    require(mask.dtype == DType::boolean, fmt::format("the mask {} is {}", mask.name, name_of(mask.dtype)));
    require(vector || !mask.vector || stmt.kind == LoopStmt::prefetch,
            fmt::format("a vector mask {} of a scalar", mask.name));
  }
  int gathered = 0;
  for (const Access::Index& index : stmt.access.indices) {
    if (!index.dynamic) continue;
    const LoopValue& dynamic = kernel[index.dynamic];
    require(is_integer(dynamic.dtype), fmt::format("the index {} is {}", dynamic.name, name_of(dynamic.dtype)));
    if (dynamic.vector) {
      ++gathered;
      require(dynamic.dtype == DType::i32,
              fmt::format("a gather by {}, which is {}", dynamic.name, name_of(dynamic.dtype)));
      require(vector || stmt.kind == LoopStmt::prefetch,
              fmt::format("a scalar at the vector of indices {}", dynamic.name));
    }
  }
  require(gathered <= 1, "a gather by two vectors of indices");
}

}  // namespace

void check_types(LoopChecker& checker, const LoopStmt& stmt) {
  TypeChecker types{checker, stmt, checker.who(stmt)};
  if (stmt.kind == LoopStmt::define || stmt.kind == LoopStmt::assign) {
    types.operation();
  } else {
    types.access();
  }
}

}  // namespace nnc
