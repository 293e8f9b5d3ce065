#include "frontend/evaluator.h"

namespace nnc {

namespace {

bool done(const Evaluator& e) { return e.frame->returned.has_value() || e.frame->failed || e.exhausted; }

void label_node(Evaluator& e, const std::string& name, const Value& value) {
  if (!value.is_tensor() || value.tensor().graph != e.context.graph) return;
  Node& node = e.context.build->graph()[value.tensor().node];
  if (node.label.empty() && !(e.frame->file != nullptr && e.frame->file->prelude)) node.label = name;
}

void run_bind(Evaluator& e, const ast::Bind& stmt, Span span) {
  Value value = evaluate(e, stmt.value);
  const Span value_span = (*e.frame->ast)[stmt.value].span;
  if (!stmt.attributes.empty()) {
    const auto factors = read_attributes(e, stmt.attributes);
    if (factors && !value.is_poison()) set_factors(e, value, *factors, span);
  }
  if (stmt.type && !value.is_poison()) {
    const std::string shown = fmt::format("`{}`", stmt.names[0].text);
    if (!check_types(e, {{stmt.type, &value, value_span, shown}})) value = Value(Poison{});
  }
  bind_names(e, stmt.names, std::move(value), value_span);
}

void run_return(Evaluator& e, const std::vector<ast::ExprId>& values, Span span) {
  std::vector<Value> results;
  bool poisoned = false;
  for (const ast::ExprId id : values) {
    results.push_back(evaluate(e, id));
    poisoned |= results.back().is_poison();
  }
  if (e.frame->kind == Frame::model || e.frame->kind == Frame::optimizer || e.frame->scan_scope > 0) {
    complain(e, DiagnosticKind::misplaced_statement, span, "`return` stands in functions and layers only");
    return;
  }
  if (poisoned) {
    e.frame->returned = Value(Poison{});
  } else {
    e.frame->returned = results.size() == 1 ? std::move(results[0]) : results_value(std::move(results), span);
  }
}

void run_require(Evaluator& e, const ast::Require& stmt) {
  const auto holds = condition(e, stmt.condition, "`require`");
  if (!holds) {
    e.frame->failed = true;
    return;
  }
  if (*holds) return;
  const Span span = (*e.frame->ast)[stmt.condition].span;
  complain(e, DiagnosticKind::requirement_failed, span, "`{}` is required, and does not hold here",
           text_of(e.unit.sources, span));
  e.frame->failed = true;
}

void run_if(Evaluator& e, const ast::If& stmt) {
  for (const ast::IfArm& arm : stmt.arms) {
    const auto taken = condition(e, arm.condition, "`if`");
    if (!taken) {
      e.frame->failed = true;
      return;
    }
    if (*taken) return run_block(e, arm.body);
  }
  if (stmt.otherwise) run_block(e, *stmt.otherwise);
}

void run_for(Evaluator& e, const ast::For& stmt) {
  const auto sequence = walk(e, stmt.sequence);
  if (!sequence) {
    e.frame->failed = true;
    return;
  }
  for (const Value& value : *sequence) {
    if (!spend(e, stmt.variable.span) || done(e)) return;
    bind_local(e, stmt.variable, value);
    run_block(e, stmt.body);
  }
}

void run_yield(Evaluator& e, const ast::Yield& stmt, Span span) {
  if (e.frame->yielded == nullptr) {
    complain(e, DiagnosticKind::misplaced_statement, span, "`yield` stands in `scan` only");
    return;
  }
  for (const ast::ExprId id : stmt.values) {
    e.frame->yielded->push_back(evaluate(e, id));
    e.frame->yield_spans->push_back((*e.frame->ast)[id].span);
  }
}

void run_statement(Evaluator& e, const ast::Stmt& stmt) {
  switch (stmt.kind()) {
    case ast::StmtKind::bind:
      return run_bind(e, stmt.as<ast::Bind>(), stmt.span);
    case ast::StmtKind::assign:
      return write_state(e, stmt.as<ast::Assign>(), stmt.span);
    case ast::StmtKind::return_:
      return run_return(e, stmt.as<ast::Return>().values, stmt.span);
    case ast::StmtKind::yield:
      return run_yield(e, stmt.as<ast::Yield>(), stmt.span);
    case ast::StmtKind::require:
      return run_require(e, stmt.as<ast::Require>());
    case ast::StmtKind::declare_state:
      return declare_state(e, stmt.as<ast::DeclareState>(), stmt.span);
    case ast::StmtKind::declare_input:
      return declare_input(e, stmt.as<ast::DeclareInput>(), stmt.span);
    case ast::StmtKind::declare_result:
      return declare_result(e, stmt.as<ast::DeclareResult>(), stmt.span);
    case ast::StmtKind::if_:
      return run_if(e, stmt.as<ast::If>());
    case ast::StmtKind::for_:
      return run_for(e, stmt.as<ast::For>());
    case ast::StmtKind::scan:
      evaluate(e, stmt.as<ast::ScanStmt>().scan);
      return;
  }
}

}  // namespace

void run_block(Evaluator& e, const ast::Block& block) { run_statements(e, block.stmts); }

void run_statements(Evaluator& e, const std::vector<ast::StmtId>& stmts) {
  for (const ast::StmtId id : stmts) {
    const ast::Stmt& stmt = (*e.frame->ast)[id];
    if (done(e) || !spend(e, stmt.span)) return;
    run_statement(e, stmt);
  }
}

void bind_names(Evaluator& e, const std::vector<ast::Name>& names, Value value, Span value_span) {
  if (names.size() == 1) {
    if (value.is_list() && value.as<List>().results) {
      complain(e, DiagnosticKind::wrong_count, value_span, "{} results for one name", value.items().size());
      value = Value(Poison{});
    }
    if (!names[0].discards()) {
      name_layers(e, value, names[0].text, e.frame->layer);
      label_node(e, names[0].text, value);
      if (!in_prelude(e, names[0].span)) value.origin = names[0].span;
    }
    return bind_local(e, names[0], std::move(value));
  }
  const bool fits = value.is_list() && value.items().size() == names.size();
  if (!fits && !value.is_poison()) {
    complain(e, DiagnosticKind::wrong_count, value_span, "{} names need {} values, found {}", names.size(),
             names.size(), describe(value));
  }
  for (size_t k = 0; k < names.size(); ++k) {
    Value item = fits ? value.items()[k] : Value(Poison{});
    if (!names[k].discards()) {
      name_layers(e, item, names[k].text, e.frame->layer);
      label_node(e, names[k].text, item);
      if (!in_prelude(e, names[k].span)) item.origin = names[k].span;
    }
    bind_local(e, names[k], std::move(item));
  }
}

}  // namespace nnc
