// The rules of a kernel:
//   L0  ids, counts and types agree: operands of one element type, vectors where an operand is one, integers as
//   indices. L1  bounds are constant and of the right kind; an index uses variables that are bound here; `items`
//   occurs, not nested. L2  every access is in bounds by interval arithmetic, the lanes that a `within` mask lets
//   through counting only.
//       An index with a dynamic part is in bounds by its type (i32<n> of the Graph) and not checked here.
//   L3  lanes outside `valid` are not read, unless the buffer is `zero` or a mask keeps them out.
//   L4  a value is defined once, under exactly the unrolled indices of its family, before its uses and in a block that
//   encloses
//       them; only a `var` is assigned; a family is used where its indices are bound (fold: all but the one folded
//       over).
//   L5  an `in` buffer is not stored to, an `out` buffer not loaded from; an `inout` element is loaded before it is
//   stored. L6  buffers of one call do not overlap, unless both are only read (module). L7  a reduction says its order:
//   fold and lanes take sum, prod, max and min, and never the whole of nothing. L8  threads do not occur: what is
//   stored outside `items`, and so by every thread, is scratch (module). L9  what is woven is a loop that is written
//   out and others beside it, without loops or branches, and neither side touches what the other writes.
// And of a module: bindings lie inside their segments, at multiples of 64 bytes, one for each buffer, of fitting size.
#include "ir/loop/verifier.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/loop/text.h"

namespace nnc {

void LoopChecker::report(std::string_view who, std::string_view rule, std::string_view what) {
  std::string line = fmt::format("{}: {}: {}", who, rule, what);
  if (std::find(errors.begin(), errors.end(), line) == errors.end()) errors.push_back(std::move(line));
}

std::string LoopChecker::who(const LoopStmt& stmt) const {
  switch (stmt.kind) {
    case LoopStmt::define:
    case LoopStmt::assign:
    case LoopStmt::load:
      return kernel[stmt.value].name;
    case LoopStmt::store:
    case LoopStmt::prefetch:
    case LoopStmt::tiles:
      return kernel[stmt.access.buffer].name;
    case LoopStmt::when:
      return "when";
    case LoopStmt::weave:
      return "weave";
    default:
      return stmt.vars.empty() ? "block" : kernel[stmt.vars.back()].name;
  }
}

namespace {

struct Walk : LoopChecker {
  void body(const std::vector<LoopStmt>& stmts) {
    for (const LoopStmt& stmt : stmts) statement(stmt);
  }
  void statement(const LoopStmt& stmt);
  void block(const LoopStmt& stmt);
  void block_header(const LoopStmt& stmt);
  void items_header(const LoopStmt& stmt);
  void when_header(const LoopStmt& stmt);
  void use(ValueId id, const LoopStmt& stmt, VarId folded = {});
  void uses(const LoopStmt& stmt);
  void affine(const Affine& affine, const LoopStmt& stmt);
  void define(const LoopStmt& stmt);
  void fold(const LoopStmt& stmt);
};

void Walk::affine(const Affine& affine, const LoopStmt& stmt) {
  for (const auto& term : affine.terms) {
    if (!bound[term.first.value]) report(who(stmt), "L1", fmt::format("{} is not bound here", kernel[term.first].name));
  }
}

void Walk::use(ValueId id, const LoopStmt& stmt, VarId folded) {
  const LoopValue& value = kernel[id];
  if (state[id.value] != visible)
    report(who(stmt), "L4",
           fmt::format("{} is {}", value.name,
                       state[id.value] == gone ? "used outside of its block" : "used before it is defined"));
  for (VarId index : value.family) {
    if (index != folded && !bound[index.value])
      report(who(stmt), "L4", fmt::format("{} is used where {} is not bound", value.name, kernel[index].name));
  }
}

void Walk::fold(const LoopStmt& stmt) {
  const LoopOperand& operand = stmt.operands[0];
  if (!operand.value) return;
  const auto& family = kernel[operand.value].family;
  const bool belongs = std::find(family.begin(), family.end(), stmt.over) != family.end();
  if (!belongs)
    report(who(stmt), "L4",
           fmt::format("{} is not folded over {}: it has no such index", kernel[operand.value].name,
                       kernel[stmt.over].name));
  if (bound[stmt.over.value])
    report(who(stmt), "L4", fmt::format("a fold over {}, which is bound here", kernel[stmt.over].name));
}

void Walk::uses(const LoopStmt& stmt) {
  const bool operates = stmt.kind == LoopStmt::define || stmt.kind == LoopStmt::assign;
  const bool folds = stmt.op == LoopOp::fold || stmt.op == LoopOp::column || stmt.op == LoopOp::any;
  const VarId folded = operates && folds ? stmt.over : VarId();
  if (operates || stmt.kind == LoopStmt::store) {
    for (const LoopOperand& operand : stmt.operands) {
      if (operand.value) use(operand.value, stmt, folded);
    }
  }
  if (operates) {
    affine(stmt.affine, stmt);
    if (folded) fold(stmt);
    return;
  }
  for (const Access::Index& index : stmt.access.indices) {
    affine(index.affine, stmt);
    if (index.dynamic) use(index.dynamic, stmt);
  }
  for (const Access& factor : stmt.factors) {
    for (const Access::Index& index : factor.indices) affine(index.affine, stmt);
  }
  if (stmt.access.mask) use(stmt.access.mask, stmt);
}

void Walk::define(const LoopStmt& stmt) {
  const LoopValue& value = kernel[stmt.value];
  if (stmt.kind == LoopStmt::assign) {
    use(stmt.value, stmt);
    if (!value.is_var) report(value.name, "L4", "assigned, but not a var");
    return;
  }
  if (state[stmt.value.value] != undefined) report(value.name, "L4", "defined twice");
  if (value.family != unrolled) {
    std::string indices;
    for (VarId id : unrolled) indices += " " + kernel[id].name;
    report(value.name, "L4",
           fmt::format("its family is not the unrolled indices around its definition:{}",
                       indices.empty() ? " none" : indices));
  }
  state[stmt.value.value] = visible;
  definition[stmt.value.value] = &stmt;
  scopes.back().push_back(stmt.value);
}

void Walk::statement(const LoopStmt& stmt) {
  if (stmt.kind == LoopStmt::loop || stmt.kind == LoopStmt::items || stmt.kind == LoopStmt::unroll ||
      stmt.kind == LoopStmt::when || stmt.kind == LoopStmt::weave) {
    block(stmt);
    return;
  }
  uses(stmt);
  if (stmt.kind == LoopStmt::tiles) return check_tiles(*this, stmt);
  check_types(*this, stmt);
  if (stmt.kind == LoopStmt::load || stmt.kind == LoopStmt::store || stmt.kind == LoopStmt::prefetch)
    check_access(*this, stmt);
  if (stmt.kind == LoopStmt::define || stmt.kind == LoopStmt::assign || stmt.kind == LoopStmt::load) define(stmt);
}

void Walk::items_header(const LoopStmt& stmt) {
  has_items = true;
  if (in_items) report(who(stmt), "L1", "items inside of items");
  if (!unrolled.empty()) report(who(stmt), "L1", "items inside of an unrolled block");
  if (stmt.vars.empty() || stmt.vars.size() > 2) {
    report(who(stmt), "L1", "items take an inner, or an outer and an inner variable");
    return;
  }
  const LoopVar& inner = kernel[stmt.vars.back()];
  if (inner.begin < 0 || inner.end > stmt.inner_count)
    report(inner.name, "L1", fmt::format("{}..{} of {} items", inner.begin, inner.end, stmt.inner_count));
  const int64_t outer = stmt.vars.size() == 2 ? kernel[stmt.vars[0]].end : 1;
  if (stmt.vars.size() == 2 && kernel[stmt.vars[0]].begin < 0)
    report(kernel[stmt.vars[0]].name, "L1", "a negative item");
  if (static_cast<__int128>(outer) * stmt.inner_count > kernel.items)
    report(inner.name, "L1", fmt::format("{} x {} items in a grid of {}", outer, stmt.inner_count, kernel.items));
}

void Walk::when_header(const LoopStmt& stmt) {
  const LoopValue& condition = kernel[stmt.operands[0].value];
  use(stmt.operands[0].value, stmt);
  if (condition.dtype != DType::boolean || condition.vector)
    report(condition.name, "L0", "the condition of a when is a scalar bool");
  if (!stmt.vars.empty()) report(condition.name, "L1", "a when has no variable");
}

void Walk::block_header(const LoopStmt& stmt) {
  if (stmt.kind == LoopStmt::when) return when_header(stmt);
  if (stmt.kind == LoopStmt::weave) return check_weave(*this, stmt);
  static constexpr std::string_view kinds[] = {"loop", "item", "unrolled"};
  const LoopVar::Kind wanted = stmt.kind == LoopStmt::loop    ? LoopVar::loop
                               : stmt.kind == LoopStmt::items ? LoopVar::item
                                                              : LoopVar::unroll;
  if (stmt.kind == LoopStmt::items) items_header(stmt);
  if (stmt.kind == LoopStmt::loop && stmt.vars.size() != 1) report(who(stmt), "L1", "a loop has one variable");
  if (stmt.kind == LoopStmt::unroll && stmt.vars.empty()) report(who(stmt), "L1", "an unrolled block has a variable");
  if (stmt.kind == LoopStmt::loop && stmt.copies < 1)
    report(who(stmt), "L1", fmt::format("unrolled {} times", stmt.copies));
  for (VarId id : stmt.vars) {
    if (kernel[id].kind != wanted)
      report(kernel[id].name, "L1", fmt::format("a {} variable as {} variable", kinds[kernel[id].kind], kinds[wanted]));
    if (bound[id.value]) report(kernel[id].name, "L1", "bound twice");
  }
}

void Walk::block(const LoopStmt& stmt) {
  block_header(stmt);
  const auto saved_bound = bound;
  const auto saved_unrolled = unrolled;
  const bool saved_items = in_items, saved_never = never_runs;
  const auto saved_stores = stores;
  const bool scoped = stmt.kind != LoopStmt::unroll;
  for (VarId id : stmt.vars) {
    bound[id.value] = true;
    never_runs = never_runs || kernel[id].begin >= kernel[id].end;
    if (!scoped) unrolled.push_back(id);
  }
  in_items = in_items || stmt.kind == LoopStmt::items;
  if (scoped) {
    scopes.emplace_back();
    stores.clear();
  }
  body(stmt.body);
  if (scoped) {
    for (ValueId id : scopes.back()) state[id.value] = gone;
    scopes.pop_back();
    stores = saved_stores;
  }
  bound = saved_bound;
  unrolled = saved_unrolled;
  in_items = saved_items;
  never_runs = saved_never;
}

}  // namespace

std::vector<std::string> verify(const Kernel& kernel) {
  std::vector<std::string> errors;
  if (!check_ids(kernel, errors)) return errors;
  Walk walk{{kernel, errors}};
  walk.bound.resize(kernel.vars.size());
  walk.state.resize(kernel.values.size());
  walk.definition.resize(kernel.values.size());
  walk.scopes.emplace_back();
  walk.body(kernel.body);
  if (!walk.has_items) walk.report(kernel.name, "L1", "no items");
  return errors;
}

}  // namespace nnc
