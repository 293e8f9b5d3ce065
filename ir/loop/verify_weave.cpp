#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ir/loop/verifier.h"

namespace nnc {
namespace {

// What a run of statements touches that another could see too. Values that it defines end with its block.
struct Touched {
  std::set<ValueId> read, assigned;
  std::set<BufferId> loaded, stored;
  bool straight = true;  // no loop, no branch

  void statements(const std::vector<LoopStmt>& body) {
    for (const LoopStmt& stmt : body) statement(stmt);
  }

  void statement(const LoopStmt& stmt) {
    const bool plain = stmt.kind == LoopStmt::define || stmt.kind == LoopStmt::assign || stmt.kind == LoopStmt::load ||
                       stmt.kind == LoopStmt::store || stmt.kind == LoopStmt::prefetch;
    straight = straight && (plain || stmt.kind == LoopStmt::unroll);
    for (const LoopOperand& operand : stmt.operands) {
      if (operand.value) read.insert(operand.value);
    }
    if (stmt.access.mask) read.insert(stmt.access.mask);
    for (const Access::Index& index : stmt.access.indices) {
      if (index.dynamic) read.insert(index.dynamic);
    }
    if (stmt.kind == LoopStmt::assign) assigned.insert(stmt.value);
    if (stmt.kind == LoopStmt::load) loaded.insert(stmt.access.buffer);
    if (stmt.kind == LoopStmt::store) stored.insert(stmt.access.buffer);
    statements(stmt.body);
  }
};

template <class T>
bool meet(const std::set<T>& a, const std::set<T>& b) {
  return std::any_of(a.begin(), a.end(), [&](const T& element) { return b.contains(element); });
}

bool writes_what_is_seen(const Touched& writer, const Touched& other) {
  return meet(writer.assigned, other.read) || meet(writer.assigned, other.assigned) ||
         meet(writer.stored, other.loaded) || meet(writer.stored, other.stored);
}

}  // namespace

void check_weave(LoopChecker& checker, const LoopStmt& stmt) {
  const auto require = [&](bool condition, std::string_view what) {
    if (!condition) checker.report("weave", "L9", what);
  };
  require(stmt.vars.empty(), "a weave has no variable");
  const bool leads = !stmt.body.empty() && stmt.body[0].kind == LoopStmt::loop && stmt.body[0].vars.size() == 1;
  require(leads, "its first statement is not a loop");
  if (!leads) return;
  const LoopVar& var = checker.kernel[stmt.body[0].vars[0]];
  require(stmt.body[0].copies >= var.end - var.begin, fmt::format("the loop over {} is not written out", var.name));
  Touched first, others;
  first.statements(stmt.body[0].body);
  for (size_t s = 1; s < stmt.body.size(); ++s) others.statement(stmt.body[s]);
  require(first.straight && others.straight, "a loop or a branch among what is woven");
  require(!writes_what_is_seen(first, others) && !writes_what_is_seen(others, first),
          "one side touches what the other writes");
}

}  // namespace nnc
