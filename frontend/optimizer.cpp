// The optimizer's equations, once per trained parameter, as graphs over "p" and "g".
#include <algorithm>

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

// Whether it is the prelude's schedule, not one of the user's by that name.
bool is_plateau(Evaluator& e, const Value& value) {
  if (!is_schedule(value)) return false;
  const Declared& declared = declared_of(value);
  return declared.name == "reduce_on_plateau" && in_prelude(e, declared.decl().as<ast::Schedule>().name.span);
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
  if (is_plateau(e, schedule)) {
    const NodeId factor = read_state(e, e.program.find_state(":lr_factor"));
    frame.scopes.front()["plateau_factor"] = Binding{Binding::parameter, tensor_value(e.context, factor), {}, {}};
  }
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
void keep_slots(Evaluator& e, GraphRun& run, const UpdateState& update, size_t first) {
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

// Keeps the learning rate of this update in the state ":lr", for whoever watches. One rule does so for all.
void keep_rate(Evaluator& e, const Value& rate) {
  if (e.program.find_state(":lr") || !(rate.is_number() || rate.is_tensor())) return;
  if (rate.is_tensor() && rate.tensor().rank() != 0) return;
  const TensorType type{DType::f64, 0, {}};
  StateDecl decl;
  decl.name = ":lr";
  decl.type = type;
  const StateId state = add_own_state(e, std::move(decl), 0);
  GraphBuilder& build = *e.context.build;
  NodeId node = rate.is_number() ? build.constant(rate.number(), type) : rate.tensor().node;
  if (build.type(node) != type) node = build.cast(node, DType::f64);
  build.assign(state, node);
}

// The average starts as the first update's parameter: PyTorch's AveragedModel with get_ema_multi_avg_fn, its lerp
// included.
void average_parameter(Evaluator& e, GraphRun& run, StateId parameter, NodeId count) {
  const double decay = train_settings(e.unit).average;
  const auto written = run.current.find(parameter);
  if (decay == 0 || written == run.current.end()) return;
  const StateDecl of = e.program[parameter];
  StateDecl decl;
  decl.name = of.name + ":average";
  decl.type = TensorType{of.type.dtype, 0, of.type.dims};
  decl.slot_of = parameter;
  decl.locations = of.locations;
  const StateId state = add_state(e, std::move(decl));
  for (const Node& node : std::vector<Node>(e.initialize.graph.nodes)) {
    if (node.op == Op::assign && node.as<StateAttr>().state == parameter)
      e.initialize_builder->assign(state, node.operands[0]);
  }
  GraphBuilder& build = *e.context.build;
  const NodeId now = written->second, before = build.state(state, of.type);
  const NodeId way = build.sub(now, before);
  const NodeId mixed = decay > 0.5 ? build.add(before, build.mul(way, build.constant_like(1 - decay, way)))
                                   : build.sub(now, build.mul(way, build.constant_like(decay, way)));
  const NodeId first = build.compare(Comparison::eq, count, build.constant_like(1, count));
  run.current[state] = build.select(build.broadcast(first, of.type.dims, {}), now, mixed);
}

void run_update(Evaluator& e, GraphRun& run, const UpdateState& update, const Value& optimizer) {
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
    const auto given_rate = frame.scopes.front().find("lr");
    const Value rate = given_rate != frame.scopes.front().end() ? given_rate->second.value : Value(None{});
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
    if (has_errors(e.unit.diagnostics)) return;
    keep_slots(e, run, update, first_slot);
    locate_nodes(e, call);
    average_parameter(e, run, update.parameter, count);
    keep_rate(e, rate);
  });
  for (const auto& [state, node] : run.current) {
    if (!(state == update.parameter && node == p)) build.assign(state, node);
  }
}

}  // namespace

std::optional<PlateauChoice> plateau_choice(Evaluator& e, const Value& optimizer) {
  const auto& given = optimizer.as<std::shared_ptr<const Callable>>()->given;
  const auto found =
      std::find_if(given.begin(), given.end(), [&](const Argument& argument) { return is_plateau(e, argument.value); });
  if (found == given.end()) return std::nullopt;
  const Declared& declared = declared_of(found->value);
  const auto& decl = declared.decl().as<ast::Schedule>();
  auto bound = bind_arguments(e, declared.name, parameter_infos(decl.parameters),
                              found->value.as<std::shared_ptr<const Callable>>()->given, found->span, false);
  if (!bound) return std::nullopt;
  Frame frame;
  frame.kind = Frame::schedule;
  frame.file = declared.file;
  frame.ast = declared.ast;
  if (!within(e, frame, [&] { return bind_parameters(e, decl.parameters, *bound, found->span, declared.name); }))
    return std::nullopt;
  PlateauChoice choice;
  choice.span = found->span;
  bool numbers = true;
  const auto value = [&](const char* name) -> const Value& { return frame.scopes.front().at(name).value; };
  const auto number = [&](const char* name) {
    const bool fits = value(name).is_number();
    if (!fits)
      complain(e, DiagnosticKind::bad_train_setting, found->span, "`{}` of `reduce_on_plateau` must be a number", name);
    numbers = numbers && fits;
    return fits ? value(name).number() : 0;
  };
  choice.lr = number("lr");
  choice.factor = number("factor");
  choice.patience = static_cast<int64_t>(std::clamp(number("patience"), 0.0, 1e9));
  choice.threshold = number("threshold");
  choice.cooldown = static_cast<int64_t>(std::clamp(number("cooldown"), 0.0, 1e9));
  choice.min_lr = number("min_lr");
  choice.eps = number("eps");
  const auto text = [&](const char* name) {
    return value(name).is<std::string>() ? value(name).as<std::string>() : std::string();
  };
  choice.maximize = text("mode") == "max";
  choice.monitor = text("monitor");
  const auto refuse = [&](bool wrong, const char* message, const char* help) {
    if (!wrong || !numbers) return;
    complain(e, DiagnosticKind::bad_train_setting, found->span, "{}", message).help(help);
    numbers = false;
  };
  refuse(!(choice.lr > 0), "`lr` of `reduce_on_plateau` must be above 0", "for example 1e-3");
  refuse(!(choice.factor > 0 && choice.factor < 1), "`factor` of `reduce_on_plateau` must lie between 0 and 1",
         "0.1 makes the rate a tenth");
  refuse(text("mode") != "min" && text("mode") != "max", "`mode` must be \"min\" or \"max\"",
         "\"max\" for an accuracy");
  return numbers ? std::optional(choice) : std::nullopt;
}

void build_updates(Evaluator& e) {
  const TrainSettings& train = train_settings(e.unit);
  if (train.optimizer.empty() || has_errors(e.unit.diagnostics)) return;
  const Value optimizer = optimizer_value(e);
  if (optimizer.is_poison()) return;
  const Declared& declared = declared_of(optimizer);
  const auto& decl = declared.decl().as<ast::Optimizer>();
  if (train.plateau) {
    StateDecl factor;
    factor.name = ":lr_factor";
    factor.type = TensorType{DType::f64, 0, {}};
    add_own_state(e, std::move(factor), 1);
  }
  const size_t count = e.program.states.size();
  for (size_t k = 0; k < count; ++k) {
    if (!e.program.states[k].trained) continue;
    GraphRun run;
    run.serial = ++e.next_serial;
    run.graph.name = "update";
    GraphBuilder builder(run.graph, Part::update);
    const Context outer_context = e.context;
    GraphRun* outer_run = std::exchange(e.run, &run);
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
