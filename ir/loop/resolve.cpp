#include <cstring>

#include "ir/check.h"
#include "ir/loop/arithmetic.h"
#include "ir/loop/interpreter.h"
#include "ir/loop/verifier.h"

namespace nnc {
namespace {

constexpr int64_t kLaneBytes = 8;  // the largest element

struct Resolver {
  const Kernel& kernel;
  ResolvedKernel& result;
  std::vector<int64_t> bases = {};  // of each value's family in storage

  void place_values();
  ValueRef ref(ValueId id) const;
  ValueRef literal(double value, DType dtype);
  ValueRef operand(const LoopOperand& operand, DType dtype) {
    return operand.value ? ref(operand.value) : literal(operand.literal, dtype);
  }
  Sum sum(const Affine& affine, int64_t factor = 1) const;
  DType literal_dtype(const LoopStmt& stmt, size_t position) const;
  void run_block(const LoopStmt& stmt, Step& step);
  void operation(const LoopStmt& stmt, Step& step);
  void access(const LoopStmt& stmt, Step& step);
  Step::Block tile_block(const Access& access) const;
  StepFunction function(const LoopStmt& stmt, DType dtype) const;
  std::vector<Step> body(const std::vector<LoopStmt>& stmts);
  Step statement(const LoopStmt& stmt);
};

void Resolver::place_values() {
  int64_t bytes = 0;
  for (const LoopValue& value : kernel.values) {
    bases.push_back(bytes);
    int64_t members = 1;
    for (VarId id : value.family) members *= kernel[id].end - kernel[id].begin;
    bytes += members * kLaneBytes * (value.vector ? kernel.target.lanes : 1);
  }
  result.initial.resize(static_cast<size_t>(bytes));
}

ValueRef Resolver::ref(ValueId id) const {
  const LoopValue& value = kernel[id];
  ValueRef ref;
  ref.lane_stride = value.vector ? 1 : 0;
  ref.place.constant = bases[id.value];
  int64_t stride = kLaneBytes * (value.vector ? kernel.target.lanes : 1);
  for (size_t k = value.family.size(); k-- > 0;) {
    const LoopVar& var = kernel[value.family[k]];
    ref.place.constant -= var.begin * stride;
    ref.place.terms.push_back({value.family[k].value, stride});
    stride *= var.end - var.begin;
  }
  return ref;
}

ValueRef Resolver::literal(double value, DType dtype) {
  ValueRef ref;
  ref.place.constant = static_cast<int64_t>(result.initial.size());
  result.initial.resize(result.initial.size() + kLaneBytes);
  with_dtype(dtype, [&](auto type) {
    constexpr DType to = decltype(type)::value;
    const Element<to> element = convert<DType::f64, to>(value);
    std::memcpy(result.initial.data() + ref.place.constant, &element, sizeof element);
  });
  return ref;
}

Sum Resolver::sum(const Affine& affine, int64_t factor) const {
  Sum sum{affine.constant * factor, {}};
  for (const auto& [id, coefficient] : affine.terms) sum.terms.push_back({id.value, coefficient * factor});
  return sum;
}

DType Resolver::literal_dtype(const LoopStmt& stmt, size_t position) const {
  const DType dtype = kernel[stmt.value].dtype;
  if (stmt.op == LoopOp::select) return position == 0 ? DType::boolean : dtype;
  if (stmt.op == LoopOp::philox) return position == 0 ? DType::i32 : DType::i64;
  if (stmt.op == LoopOp::pair) return DType::bf16;
  if (stmt.op == LoopOp::dot2) return position < 2 ? DType::i32 : DType::f32;
  if (stmt.op == LoopOp::uniform || stmt.op == LoopOp::normal || stmt.op == LoopOp::integer) return DType::i32;
  for (const LoopOperand& other : stmt.operands) {
    if (other.value) return kernel[other.value].dtype;
  }
  return dtype;
}

StepFunction Resolver::function(const LoopStmt& stmt, DType dtype) const {
  const bool fused = kernel.target.fma;
  switch (stmt.op) {
    case LoopOp::compare:
      return compare_function(stmt.comparison, literal_dtype(stmt, 0));
    case LoopOp::select:
      return select_function(dtype);
    case LoopOp::cast:
      return cast_function(literal_dtype(stmt, 0), dtype);
    case LoopOp::splat:
    case LoopOp::detach:
      return copy_function(dtype);
    case LoopOp::fold:
      return fold_function(stmt.reduction, dtype);
    case LoopOp::lanes:
      return lanes_function(stmt.reduction, dtype);
    case LoopOp::column:
      return column_function(dtype);
    case LoopOp::any:
      return any_function(literal_dtype(stmt, 0));
    default:
      break;
  }
  const StepFunction other = other_function(stmt.op, dtype, fused);
  return other != nullptr ? other : arithmetic_function(stmt.op, dtype, fused);
}

void Resolver::operation(const LoopStmt& stmt, Step& step) {
  const LoopValue& value = kernel[stmt.value];
  step.result = ref(stmt.value);
  step.lanes = value.vector ? kernel.target.lanes : 1;
  step.dtype = value.dtype;
  step.affine = sum(stmt.affine);
  for (size_t k = 0; k < stmt.operands.size(); ++k)
    step.operands.push_back(operand(stmt.operands[k], literal_dtype(stmt, k)));
  if (stmt.op == LoopOp::fold || stmt.op == LoopOp::column || stmt.op == LoopOp::any) {
    step.vars = {stmt.over.value};
    step.ranges = {{kernel[stmt.over].begin, kernel[stmt.over].end}};
  }
  step.run = function(stmt, value.dtype);
  NNC_CHECK(step.run != nullptr, "{}: no {} of {}", value.name, name_of(stmt.op), name_of(value.dtype));
}

void Resolver::access(const LoopStmt& stmt, Step& step) {
  const Access& access = stmt.access;
  const LoopBuffer& buffer = kernel[access.buffer];
  const bool vector = is_vector_access(kernel, stmt);
  const Dims strides = row_major_strides(buffer.dims);
  const size_t lane_axis = access.lane_axis < 0 ? strides.size() - 1 : static_cast<size_t>(access.lane_axis);
  Affine elements;
  step.buffer = access.buffer.value;
  step.lanes = vector ? kernel.target.lanes : 1;
  for (size_t axis = 0; axis < strides.size(); ++axis) {
    const Access::Index& index = access.indices[axis];
    const int64_t lane_step = vector && axis == lane_axis ? access.lane_step : 0;
    elements = elements + index.affine * strides[axis];
    step.lane_elements += lane_step * strides[axis];
    if (!index.dynamic) continue;
    const bool wide = kernel[index.dynamic].dtype == DType::i64;
    step.dynamic.push_back({ref(index.dynamic), wide, sum(index.affine), lane_step, strides[axis], buffer.dims[axis]});
  }
  step.affine = sum(elements);
  step.masked = static_cast<bool>(access.mask);
  if (step.masked) step.mask = ref(access.mask);
  if (stmt.kind == LoopStmt::load) {
    step.result = ref(stmt.value);
    step.run = load_function(buffer.dtype);
  } else {
    step.operands = {operand(stmt.operands[0], buffer.dtype)};
    step.run = store_function(buffer.dtype);
  }
}

Step::Block Resolver::tile_block(const Access& access) const {
  const Dims strides = row_major_strides(kernel[access.buffer].dims);
  Affine elements;
  for (size_t axis = 0; axis < strides.size(); ++axis)
    elements = elements + access.indices[axis].affine * strides[axis];
  return {access.buffer.value, sum(elements), strides[strides.size() - 2]};
}

void run_steps(const std::vector<Step>& steps, Machine& m) {
  for (const Step& step : steps) step.run(step, m);
}

void run_nest(const Step& s, Machine& m, size_t depth) {
  if (depth == s.vars.size()) {
    run_steps(s.body, m);
    return;
  }
  for (int64_t index = s.ranges[depth].first; index < s.ranges[depth].second; ++index) {
    m.vars[s.vars[depth]] = index;
    run_nest(s, m, depth + 1);
  }
}

void run_loop(const Step& s, Machine& m) { run_nest(s, m, 0); }

void run_items(const Step& s, Machine& m) {
  const int64_t count = s.stmt->inner_count;
  const bool nested = s.vars.size() == 2;
  const auto [outer_begin, outer_end] = nested ? s.ranges[0] : std::pair<int64_t, int64_t>{0, 1};
  const auto [inner_begin, inner_end] = s.ranges.back();
  for (int64_t outer = outer_begin; outer < outer_end; ++outer) {
    if (nested) m.vars[s.vars[0]] = outer;
    const int64_t begin = std::max(inner_begin, m.lo - outer * count), end = std::min(inner_end, m.hi - outer * count);
    for (int64_t inner = begin; inner < end; ++inner) {
      m.vars[s.vars.back()] = inner;
      run_steps(s.body, m);
    }
  }
}

void run_when(const Step& s, Machine& m) {
  if (*s.operands[0].in<uint8_t>(m) != 0) run_steps(s.body, m);
}

void run_body(const Step& s, Machine& m) { run_steps(s.body, m); }

void Resolver::run_block(const LoopStmt& stmt, Step& step) {
  for (VarId id : stmt.vars) {
    step.vars.push_back(id.value);
    step.ranges.push_back({kernel[id].begin, kernel[id].end});
  }
  step.body = body(stmt.body);
  if (stmt.kind == LoopStmt::when) step.operands = {ref(stmt.operands[0].value)};
  step.run = stmt.kind == LoopStmt::items   ? run_items
             : stmt.kind == LoopStmt::when  ? run_when
             : stmt.kind == LoopStmt::weave ? run_body
                                            : run_loop;
}

Step Resolver::statement(const LoopStmt& stmt) {
  Step step;
  step.stmt = &stmt;
  switch (stmt.kind) {
    case LoopStmt::define:
    case LoopStmt::assign:
      operation(stmt, step);
      break;
    case LoopStmt::load:
    case LoopStmt::store:
      access(stmt, step);
      break;
    case LoopStmt::tiles:
      step.blocks = {tile_block(stmt.access), tile_block(stmt.factors[0]), tile_block(stmt.factors[1])};
      step.run = run_tiles;
      break;
    case LoopStmt::prefetch:
      break;
    default:
      run_block(stmt, step);
  }
  return step;
}

std::vector<Step> Resolver::body(const std::vector<LoopStmt>& stmts) {
  std::vector<Step> steps;
  for (const LoopStmt& stmt : stmts) {
    if (stmt.kind != LoopStmt::prefetch) steps.push_back(statement(stmt));
  }
  return steps;
}

}  // namespace

ResolvedKernel resolve(const Kernel& kernel) {
  ResolvedKernel result;
  result.kernel = &kernel;
  Resolver resolver{kernel, result};
  resolver.place_values();
  result.body = resolver.body(kernel.body);
  return result;
}

void run(const ResolvedKernel& kernel, std::span<void* const> buffers, int64_t lo, int64_t hi, const AccessLog* log) {
  NNC_CHECK(buffers.size() == kernel.kernel->buffers.size(), "{} takes {} buffers", kernel.kernel->name,
            kernel.kernel->buffers.size());
  std::vector<std::byte> storage = kernel.initial;
  std::vector<int64_t> vars(kernel.kernel->vars.size());
  std::vector<std::byte*> bases;
  for (void* base : buffers) bases.push_back(static_cast<std::byte*>(base));
  Machine machine{vars.data(), storage.data(), bases.data(), kernel.kernel->target.lanes, lo, hi, log};
  run_steps(kernel.body, machine);
}

}  // namespace nnc
