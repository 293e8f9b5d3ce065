#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "ir/loop/verifier.h"

namespace nnc {
namespace {

using Wide = __int128;

Interval operator+(Interval a, Interval b) { return {a.low + b.low, a.high + b.high}; }
Interval times(Interval a, Wide factor) {
  return factor >= 0 ? Interval{a.low * factor, a.high * factor} : Interval{a.high * factor, a.low * factor};
}
Interval meet(Interval a, Interval b) { return {std::max(a.low, b.low), std::min(a.high, b.high)}; }

Interval lanes_of(const Kernel& kernel, bool vector) { return {0, vector ? kernel.target.lanes - 1 : 0}; }

// The `within`s that all must hold for a lane to be on.
void collect_conditions(const LoopChecker& checker, ValueId mask, int depth, std::vector<const LoopStmt*>& conditions) {
  const LoopStmt* definition = checker.definition[mask.value];
  if (definition == nullptr || definition->kind != LoopStmt::define || checker.kernel[mask].is_var || depth > 16)
    return;
  if (definition->op == LoopOp::within) conditions.push_back(definition);
  if (definition->op == LoopOp::detach || definition->op == LoopOp::splat || definition->op == LoopOp::logical_and) {
    for (const LoopOperand& operand : definition->operands) {
      if (operand.value) collect_conditions(checker, operand.value, depth + 1, conditions);
    }
  }
}

// What a lane that is on says of affine + lane * step: with sign * (the mask's index) taken off, the rest is an
// interval.
Interval refine(const Kernel& kernel, Interval plain, const Affine& affine, Wide step, const LoopStmt& condition,
                bool vector) {
  const bool mask_vector = kernel[condition.value].vector;
  for (int64_t sign : {1, -1}) {
    const Affine rest = affine + condition.affine * -sign;
    const Wide rest_step = step - sign * (mask_vector ? condition.lane_step : 0);
    const Interval allowed = times({condition.low, Wide{condition.high} - 1}, sign);
    plain = meet(plain, allowed + interval_of(kernel, rest) + times(lanes_of(kernel, vector), rest_step));
  }
  return plain;
}

// Values an index takes in lanes that are on; low > high where there are none.
Interval reach(const LoopChecker& checker, const LoopStmt& stmt, size_t axis,
               const std::vector<const LoopStmt*>& conditions) {
  const Kernel& kernel = checker.kernel;
  const Access& access = stmt.access;
  const bool vector = is_vector_access(kernel, stmt);
  const size_t lane_axis = access.lane_axis < 0 ? access.indices.size() - 1 : static_cast<size_t>(access.lane_axis);
  const Wide step = vector && axis == lane_axis ? access.lane_step : 0;
  const Affine& affine = access.indices[axis].affine;
  Interval interval = interval_of(kernel, affine) + times(lanes_of(kernel, vector), step);
  for (const LoopStmt* condition : conditions) interval = refine(kernel, interval, affine, step, *condition, vector);
  return interval;
}

void check_bounds(LoopChecker& checker, const LoopStmt& stmt, const std::vector<const LoopStmt*>& conditions) {
  const LoopBuffer& buffer = checker.kernel[stmt.access.buffer];
  for (const LoopStmt* condition : conditions) {
    if (condition->low >= condition->high) return;
  }
  std::vector<Interval> reached;
  for (size_t axis = 0; axis < stmt.access.indices.size(); ++axis) {
    reached.push_back(reach(checker, stmt, axis, conditions));
    if (reached.back().low > reached.back().high) return;  // no lane is ever on
  }
  const std::string who = stmt.kind == LoopStmt::load ? checker.who(stmt) : buffer.name;
  for (size_t axis = 0; axis < reached.size(); ++axis) {
    if (stmt.access.indices[axis].dynamic) continue;
    const auto [low, high] = reached[axis];
    const int64_t extent = buffer.dims[axis];
    if (low < 0 || high >= extent) {
      const int64_t worst = static_cast<int64_t>(low < 0 ? low : high);
      checker.report(who, "L2", fmt::format("index {} of {} reaches {} of {}", axis, buffer.name, worst, extent));
    } else if (stmt.kind == LoopStmt::load && !buffer.zero && !buffer.valid.empty() && high >= buffer.valid[axis]) {
      checker.report(who, "L3",
                     fmt::format("index {} of {} reads {}, valid are {}", axis, buffer.name, static_cast<int64_t>(high),
                                 buffer.valid[axis]));
    }
  }
}

void check_mode(LoopChecker& checker, const LoopStmt& stmt) {
  const LoopBuffer& buffer = checker.kernel[stmt.access.buffer];
  if (stmt.kind == LoopStmt::store) {
    if (buffer.mode == LoopBuffer::in) checker.report(buffer.name, "L5", "stored to, but `in`");
    checker.stores.push_back(&stmt);
    return;
  }
  if (stmt.kind != LoopStmt::load) return;
  if (buffer.mode == LoopBuffer::out)
    checker.report(checker.who(stmt), "L5", fmt::format("loads from {}, which is `out`", buffer.name));
  for (const LoopStmt* store : checker.stores) {
    if (store->access.buffer == stmt.access.buffer && store->access.indices == stmt.access.indices)
      checker.report(checker.who(stmt), "L5", fmt::format("loads from {} what was just stored there", buffer.name));
  }
}

}  // namespace

Interval interval_of(const Kernel& kernel, const Affine& affine) {
  Interval sum{affine.constant, affine.constant};
  for (const auto& [id, coefficient] : affine.terms)
    sum = sum + times({kernel[id].begin, kernel[id].end - 1}, coefficient);
  return sum;
}

bool is_vector_access(const Kernel& kernel, const LoopStmt& stmt) {
  if (stmt.kind == LoopStmt::prefetch) return false;
  if (stmt.kind == LoopStmt::load) return kernel[stmt.value].vector;
  const Access& access = stmt.access;
  if (stmt.operands[0].value && kernel[stmt.operands[0].value].vector) return true;
  if (access.mask && kernel[access.mask].vector) return true;
  return std::any_of(access.indices.begin(), access.indices.end(),
                     [&](const Access::Index& index) { return index.dynamic && kernel[index.dynamic].vector; });
}

void check_access(LoopChecker& checker, const LoopStmt& stmt) {
  check_mode(checker, stmt);
  if (checker.never_runs || stmt.kind == LoopStmt::prefetch) return;
  std::vector<const LoopStmt*> conditions;
  if (stmt.access.mask) collect_conditions(checker, stmt.access.mask, 0, conditions);
  check_bounds(checker, stmt, conditions);
}

}  // namespace nnc
