// The optimizer's equations, once per trained parameter, as graphs over "p" and "g".
#include "frontend/builtins/operands.h"
#include "frontend/evaluator.h"

namespace nnc {

namespace {

const Declared& declared_of(const Value& value) {
  return *static_cast<const Declared*>(value.as<std::shared_ptr<const Callable>>()->declaration);
}

bool is_schedule(const Value& value) {
  return value.is<std::shared_ptr<const Callable>>() &&
         value.as<std::shared_ptr<const Callable>>()->kind == Callable::schedule;
}

void bind_counters(Evaluator& e, Frame& frame, const Value& step) {
  frame.scopes.front()["step"] = Binding{Binding::parameter, step, {}, {}};
  frame.scopes.front()["steps"] = Binding{Binding::parameter, number_value(e.steps), {}, {}};
  frame.scopes.front()["steps_per_epoch"] = Binding{Binding::parameter, number_value(e.steps_per_epoch), {}, {}};
}

// A schedule's value at this step: rank 0 in f64, or a number if it never changes.
Value run_schedule(Evaluator& e, const Value& schedule, const Value& step, Span call) {
  const Declared& declared = declared_of(schedule);
  const auto& decl = declared.decl().as<ast::Schedule>();
  const auto& given = schedule.as<std::shared_ptr<const Callable>>()->given;
  auto bound = bind_arguments(e, declared.name, parameter_infos(decl.parameters), given, call, false);
  if (!bound) return Value(Poison{});
  Frame frame;
  frame.kind = Frame::schedule;
  frame.file = declared.file;
  frame.ast = declared.ast;
  bind_counters(e, frame, step);
  Value value = within(e, frame, [&] {
    if (!bind_parameters(e, decl.parameters, *bound, call, declared.name)) return Value(Poison{});
    return run_body(e, decl.body, {}, call, declared.name);
  });
  const bool scalar = value.is_number() || (value.is_tensor() && value.tensor().rank() == 0);
  if (value.is_poison() || scalar) return value;
  complain(e, DiagnosticKind::wrong_kind, call, "a schedule gives one number, found {}", describe(value));
  return Value(Poison{});
}

// What is known of one parameter's update while its rule is built.
struct UpdateState {
  StateId parameter;
  const ast::Optimizer& decl;
  const Declared& declared;
};

bool bind_optimizer_arguments(Evaluator& e, const UpdateState& update, const Value& optimizer, const Value& step,
                              Span call) {
  auto bound = bind_arguments(e, update.declared.name, parameter_infos(update.decl.parameters),
                              optimizer.as<std::shared_ptr<const Callable>>()->given, call, false);
  if (!bound) return false;
  for (auto& argument : bound->values) {
    if (!argument || !is_schedule(argument->value)) continue;
    argument->value = run_schedule(e, argument->value, step, argument->span);
    if (argument->value.is_poison()) return false;
  }
  return bind_parameters(e, update.decl.parameters, *bound, call, update.declared.name);
}

// Declares one slot. All slots are declared; those the update does not touch are removed afterwards.
void declare_slots(Evaluator& e, const UpdateState& update, const ast::DeclareState& stmt) {
  const StateDecl parameter = e.program[update.parameter];
  for (const ast::Name& name : stmt.names) {
    StateDecl slot;
    slot.name = parameter.name + ":" + name.text;
    slot.type = TensorType{parameter.type.dtype, 0, parameter.type.dims};
    if (stmt.type) {
      std::vector<Dim> dims;
      const auto type = known_type(e, (*e.frame->ast)[stmt.type], dims);
      if (!type) return;
      slot.type = *type;
    }
    slot.slot_of = update.parameter;
    slot.locations = parameter.locations;
    const StateId id = add_state(e, std::move(slot));
    e.frame->scopes.front()[name.text] = Binding{Binding::variable, {}, id, name.span};
  }
}

void run_setup(Evaluator& e, const UpdateState& update, const std::vector<ast::StmtId>& stmts) {
  for (const ast::StmtId id : stmts) {
    const ast::Stmt& stmt = (*e.frame->ast)[id];
    if (stmt.kind() == ast::StmtKind::declare_state) {
      declare_slots(e, update, stmt.as<ast::DeclareState>());
    } else if (stmt.kind() == ast::StmtKind::if_) {
      const auto& choice = stmt.as<ast::If>();
      const ast::Block* taken = choice.otherwise ? &*choice.otherwise : nullptr;
      for (const ast::IfArm& arm : choice.arms) {
        const auto holds = condition(e, arm.condition, "`if`");
        if (!holds) return;
        if (!*holds) continue;
        taken = &arm.body;
        break;
      }
      if (taken != nullptr) run_setup(e, update, taken->stmts);
    } else {
      run_statements(e, {id});
    }
    if (e.frame->failed || e.exhausted) return;
  }
}

// The `state` statement that declares a slot of this name.
const ast::DeclareState* find_slot(const Ast& tree, const std::vector<ast::StmtId>& stmts, std::string_view name) {
  for (const ast::StmtId id : stmts) {
    const ast::Stmt& stmt = tree[id];
    if (stmt.kind() == ast::StmtKind::declare_state) {
      for (const ast::Name& slot : stmt.as<ast::DeclareState>().names) {
        if (slot.text == name) return &stmt.as<ast::DeclareState>();
      }
    }
    if (stmt.kind() != ast::StmtKind::if_) continue;
    const auto& choice = stmt.as<ast::If>();
    for (const ast::IfArm& arm : choice.arms) {
      if (const auto* found = find_slot(tree, arm.body.stmts, name)) return found;
    }
    if (choice.otherwise) {
      if (const auto* found = find_slot(tree, choice.otherwise->stmts, name)) return found;
    }
  }
  return nullptr;
}

// Keeps the slots the rule touches, in order, and gives them their first values.
void keep_slots(Evaluator& e, Run& run, const UpdateState& update, size_t first) {
  std::vector<StateDecl> declared(e.program.states.begin() + static_cast<std::ptrdiff_t>(first),
                                  e.program.states.end());
  e.program.states.resize(first);
  std::map<StateId, StateId> renamed;
  for (size_t k = 0; k < declared.size(); ++k) {
    const StateId old(first + k);
    if (!run.current.contains(old) && !run.state_nodes.contains(old)) continue;
    renamed[old] = add_state(e, declared[k]);
    const std::string slot = declared[k].name.substr(declared[k].name.rfind(':') + 1);
    const ast::DeclareState* stmt = find_slot(*e.frame->ast, update.decl.setup, slot);
    NNC_CHECK(stmt != nullptr, "slot {} has a declaration", slot);
    initialise_by(e, renamed[old], stmt->init);
  }
  for (Node& node : run.graph.nodes) {
    if (node.op != Op::state) continue;
    auto& attribute = node.as<StateAttr>();
    if (const auto found = renamed.find(attribute.state); found != renamed.end()) attribute.state = found->second;
  }
  std::map<StateId, NodeId> current;
  for (const auto& [state, node] : run.current) {
    const auto found = renamed.find(state);
    current[found != renamed.end() ? found->second : state] = node;
  }
  run.current = std::move(current);
}

void run_update(Evaluator& e, Run& run, const UpdateState& update, const Value& optimizer) {
  GraphBuilder& build = *e.context.build;
  const Span call = e.unit.train_settings->optimizer_span;
  locate_nodes(e, call);
  const TensorType type = e.program[update.parameter].type;
  const NodeId p = build.input("p", type), g = build.input("g", type);
  run.current[update.parameter] = p;
  const NodeId count = build.add(read_state(e, StateId(0)), build.constant(1, TensorType{DType::i64, 0, {}}));
  const Value step = tensor_value(e.context, build.cast(count, DType::f64));
  Frame frame;
  frame.kind = Frame::optimizer;
  frame.file = update.declared.file;
  frame.ast = update.declared.ast;
  bind_counters(e, frame, step);
  within(e, frame, [&] {
    if (!bind_optimizer_arguments(e, update, optimizer, step, call)) return;
    const size_t first_slot = e.program.states.size();
    const auto& names = update.decl.update_parameters;
    if (names.size() != 2) {
      complain(e, DiagnosticKind::wrong_count, update.decl.name.span,
               "`update` takes the parameter and its gradient: `update(p, g)`");
      return;
    }
    frame.scopes.front()[names[0].text] = Binding{Binding::param, {}, update.parameter, names[0].span};
    run_setup(e, update, update.decl.setup);
    frame.scopes.front()[names[1].text] = Binding{Binding::local, tensor_value(e.context, g), {}, names[1].span};
    if (!frame.failed) run_block(e, update.decl.update);
    if (!has_errors(e.unit.diagnostics)) keep_slots(e, run, update, first_slot);
  });
  for (const auto& [state, node] : run.current) {
    if (!(state == update.parameter && node == p)) build.assign(state, node);
  }
}

}  // namespace

void build_updates(Evaluator& e) {
  const TrainSettings& train = train_settings(e.unit);
  if (train.optimizer.empty() || has_errors(e.unit.diagnostics)) return;
  const Value optimizer = optimizer_value(e);
  if (optimizer.is_poison()) return;
  const Declared& declared = declared_of(optimizer);
  const auto& decl = declared.decl().as<ast::Optimizer>();
  const size_t count = e.program.states.size();
  for (size_t k = 0; k < count; ++k) {
    if (!e.program.states[k].trained) continue;
    Run run;
    run.serial = ++e.next_serial;
    run.graph.name = "update";
    GraphBuilder builder(run.graph, Part::update);
    const Context outer_context = e.context;
    Run* outer_run = std::exchange(e.run, &run);
    e.context.build = &builder;
    e.context.graph = run.serial;
    e.context.training = true;
    run_update(e, run, UpdateState{StateId(k), decl, declared}, optimizer);
    e.context = outer_context;
    e.run = outer_run;
    if (has_errors(e.unit.diagnostics) || e.exhausted) return;
    prune(run.graph);
    e.program.updates.push_back({StateId(k), std::move(run.graph)});
  }
}

}  // namespace nnc
