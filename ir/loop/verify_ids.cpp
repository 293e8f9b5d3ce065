#include <fmt/format.h>

#include "ir/loop/verifier.h"

namespace nnc {
namespace {

constexpr int64_t kLargest = int64_t{1} << 40;  // of any extent, coefficient or bound: sums then fit 128 bits
constexpr int kDeepest = 80;

struct IdChecker {
  const Kernel& kernel;
  std::vector<std::string>& errors;

  void require(bool condition, std::string_view who, std::string_view what) {
    if (!condition) errors.push_back(fmt::format("{}: L0: {}", who, what));
  }
  static bool moderate(int64_t value) { return value >= -kLargest && value <= kLargest; }
  bool known(VarId id) const { return id.value < kernel.vars.size(); }
  bool known(ValueId id) const { return id.value < kernel.values.size(); }

  void table();
  void affine(const Affine& affine, std::string_view who);
  void access(const Access& access, std::string_view who);
  void statement(const LoopStmt& stmt, int depth);
};

void IdChecker::table() {
  const int lanes = kernel.target.lanes;
  require(lanes == 4 || lanes == 8 || lanes == 16, kernel.name, fmt::format("a vector of {} lanes", lanes));
  require(kernel.items >= 0 && moderate(kernel.items), kernel.name, "the number of items");
  for (const LoopVar& var : kernel.vars) {
    require(moderate(var.begin) && moderate(var.end) && var.begin <= var.end, var.name,
            fmt::format("range {}..{}", var.begin, var.end));
    require(var.kind != LoopVar::unroll || var.end - var.begin <= 4096, var.name, "unrolled more than 4096 times");
  }
  for (const LoopValue& value : kernel.values) {
    __int128 members = 1;
    for (VarId id : value.family) {
      require(known(id), value.name, "a family of an unknown variable");
      if (!known(id)) continue;
      require(kernel[id].kind == LoopVar::unroll, value.name,
              fmt::format("a family over {}, which is not unrolled", kernel[id].name));
      members = members > 65536 ? members : members * (kernel[id].end - kernel[id].begin);
    }
    require(members <= 65536, value.name, "a family of more than 65536 members");
  }
  for (const LoopBuffer& buffer : kernel.buffers) {
    __int128 elements = 1;
    for (int64_t extent : buffer.dims) {
      require(extent >= 0 && moderate(extent), buffer.name, fmt::format("extent {}", extent));
      elements = elements > kLargest ? elements : elements * extent;
    }
    require(elements <= kLargest, buffer.name, "more than 2^40 elements");
    require(buffer.valid.empty() || buffer.valid.size() == buffer.dims.size(), buffer.name,
            "`valid` has another rank than the buffer");
    for (size_t axis = 0; axis < buffer.valid.size() && axis < buffer.dims.size(); ++axis)
      require(buffer.valid[axis] >= 0 && buffer.valid[axis] <= buffer.dims[axis], buffer.name,
              fmt::format("valid extent of axis {}", axis));
  }
}

void IdChecker::affine(const Affine& affine, std::string_view who) {
  require(moderate(affine.constant), who, fmt::format("index {} is out of proportion", affine.constant));
  VarId last;
  for (const auto& [id, coefficient] : affine.terms) {
    require(known(id), who, "an index by an unknown variable");
    require(coefficient != 0 && moderate(coefficient), who, fmt::format("coefficient {}", coefficient));
    require(!last || last < id, who, "terms of an index do not ascend");
    last = id;
  }
}

void IdChecker::access(const Access& access, std::string_view who) {
  require(access.buffer.value < kernel.buffers.size(), who, "an unknown buffer");
  if (access.buffer.value >= kernel.buffers.size()) return;
  const size_t rank = kernel[access.buffer].dims.size();
  require(access.indices.size() == rank, who, fmt::format("{} indices into {} axes", access.indices.size(), rank));
  require(access.lane_axis >= -1 && access.lane_axis < static_cast<int64_t>(rank), who,
          fmt::format("lanes along axis {}", access.lane_axis));
  require(moderate(access.lane_step), who, fmt::format("lane step {}", access.lane_step));
  require(!access.mask || known(access.mask), who, "an unknown mask");
  for (const Access::Index& index : access.indices) {
    affine(index.affine, who);
    require(!index.dynamic || known(index.dynamic), who, "an index by an unknown value");
  }
}

void IdChecker::statement(const LoopStmt& stmt, int depth) {
  const bool has_value = stmt.kind == LoopStmt::define || stmt.kind == LoopStmt::assign || stmt.kind == LoopStmt::load;
  const bool has_access = stmt.kind == LoopStmt::load || stmt.kind == LoopStmt::store ||
                          stmt.kind == LoopStmt::prefetch || stmt.kind == LoopStmt::tiles;
  std::string who = "statement";
  if (has_value && known(stmt.value)) who = kernel[stmt.value].name;
  if (!has_value && has_access && stmt.access.buffer.value < kernel.buffers.size())
    who = kernel[stmt.access.buffer].name;
  require(depth <= kDeepest, who, "nested too deeply");
  if (depth > kDeepest) return;
  require(!has_value || known(stmt.value), who, "an unknown value");
  if (has_access) access(stmt.access, who);
  require(stmt.factors.size() == (stmt.kind == LoopStmt::tiles ? 2 : 0), who, "tiles, and only they, take two factors");
  for (const Access& factor : stmt.factors) access(factor, who);
  const bool operates = stmt.kind == LoopStmt::define || stmt.kind == LoopStmt::assign;
  if (operates) {
    require(static_cast<size_t>(stmt.op) <= static_cast<size_t>(LoopOp::dot2), who, "an unknown operation");
    if (static_cast<size_t>(stmt.op) > static_cast<size_t>(LoopOp::dot2)) return;
    require(static_cast<int>(stmt.operands.size()) == arity_of(stmt.op), who,
            fmt::format("{} takes {} operands", name_of(stmt.op), arity_of(stmt.op)));
    affine(stmt.affine, who);
    require(moderate(stmt.lane_step) && moderate(stmt.low) && moderate(stmt.high), who, "a bound is out of proportion");
    require((stmt.op != LoopOp::fold && stmt.op != LoopOp::column && stmt.op != LoopOp::any) || known(stmt.over), who,
            fmt::format("a {} over an unknown variable", name_of(stmt.op)));
  }
  require(stmt.kind != LoopStmt::store || stmt.operands.size() == 1, who, "a store takes one operand");
  require(stmt.kind != LoopStmt::when || (stmt.operands.size() == 1 && stmt.operands[0].value), who,
          "a when takes one value");
  for (const LoopOperand& operand : stmt.operands)
    require(!operand.value || known(operand.value), who, "an unknown operand");
  for (VarId id : stmt.vars) require(known(id), who, "an unknown variable");
  require(moderate(stmt.copies) && moderate(stmt.inner_count), who, "a count is out of proportion");
  for (const LoopStmt& inner : stmt.body) statement(inner, depth + 1);
}

}  // namespace

bool check_ids(const Kernel& kernel, std::vector<std::string>& errors) {
  const size_t before = errors.size();
  IdChecker checker{kernel, errors};
  checker.table();
  for (const LoopStmt& stmt : kernel.body) checker.statement(stmt, 1);
  return errors.size() == before;
}

}  // namespace nnc
