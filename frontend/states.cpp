// `param` and `state`: declaring them, filling them at the start, reading and writing them.
#include "frontend/builtins/operands.h"
#include "frontend/evaluator.h"

namespace nnc {

namespace {

Factors factors_of(const LayerInstance* layer, const Factors& own) {
  Factors factors = own;
  for (; layer != nullptr; layer = layer->parent) {
    factors.lr *= layer->lr;
    factors.weight_decay *= layer->weight_decay;
    factors.frozen |= layer->frozen;
  }
  return factors;
}

std::string full_name(LayerInstance& layer, const std::string& name) {
  const std::string path = path_of(layer);
  return path.empty() ? name : path + "." + name;
}

// One full name belongs to one declaration of one layer.
bool claim(Evaluator& e, const std::string& full, const ast::Name& name) {
  const Span at = blame(e, name.span);
  const auto [owner, fresh] =
      e.run->state_owners.try_emplace(full, std::pair{static_cast<const LayerInstance*>(e.frame->layer), name.span});
  if (fresh || (owner->second.first == e.frame->layer && owner->second.second == name.span)) return true;
  Diagnostic& error = complain(e, DiagnosticKind::same_parameter, at, "two parameters are named `{}`", full);
  label_origin(e, error, owner->second.second, "the other one");
  error.help(
      "bind each layer to a name of its own; layers made in a loop belong in a list, `[Linear(8) for _ in 0..3]`");
  return false;
}

std::optional<TensorType> state_type(Evaluator& e, const ast::DeclareState& stmt, Span span) {
  if (!stmt.type) {
    complain(e, DiagnosticKind::shape_mismatch, span, "the state needs a type")
        .help("write its shape: `state count: [] = zeros()`");
    return std::nullopt;
  }
  std::vector<Dim> dims;
  auto type = known_type(e, (*e.frame->ast)[stmt.type], dims);
  if (type && stmt.trained && !is_float(type->dtype)) {
    complain(e, DiagnosticKind::dtype_mismatch, (*e.frame->ast)[stmt.type].span,
             "a `param` is trained, so it must be a float tensor")
        .help("a `state` may hold integers");
    return std::nullopt;
  }
  return type;
}

void bind_poison(Evaluator& e, const ast::Name& name) {
  e.frame->scopes.back()[name.text] = Binding{Binding::local, Value(Poison{}), {}, name.span};
}

void declare_one(Evaluator& e, const ast::DeclareState& stmt, const ast::Name& name, const TensorType& type,
                 const Factors& own) {
  const std::string full = full_name(*e.frame->layer, name.text);
  if (!claim(e, full, name)) {
    e.frame->failed = true;  // every other parameter of the layer would clash too
    return bind_poison(e, name);
  }
  StateId id = e.program.find_state(full);
  if (id && e.program[id].type != type) {
    complain(e, DiagnosticKind::shared_shape, blame(e, name.span), "`{}` would be {} here, but it is {} already", full,
             to_string(type), to_string(e.program[id].type))
        .help("a layer applied twice shares its parameters: make two layers, or feed both the same shape");
    e.frame->failed = true;
    return bind_poison(e, name);
  }
  if (!id) {
    const Factors factors = factors_of(e.frame->layer, own);
    StateDecl decl;
    decl.name = full;
    decl.type = type;
    decl.trained = stmt.trained && !factors.frozen;
    decl.lr = factors.lr;
    decl.weight_decay = factors.weight_decay;
    const Span at = blame(e, name.span);
    if (at.file) decl.locations = {locate(e.unit.sources, at)};
    id = add_state(e, std::move(decl));
    initialise_by(e, id, stmt.init);
  }
  e.frame->layer->states[name.text] = id;
  e.frame->scopes.back()[name.text] = Binding{stmt.trained ? Binding::param : Binding::variable, {}, id, name.span};
}

// Saves what building belongs to and restores it.
struct BuildingInitialiser {
  Evaluator& e;
  Context saved;
  BuildingInitialiser(Evaluator& evaluator, const std::string& name) : e(evaluator), saved(evaluator.context) {
    e.context.build = e.initialize_builder.get();
    e.context.graph = e.initialize.serial;
    e.context.training = false;
    e.initialised = name;
    e.initialiser_draws = 0;
  }
  ~BuildingInitialiser() {
    e.context = saved;
    e.initialised.clear();
  }
};

}  // namespace

StateId add_state(Evaluator& e, StateDecl decl) {
  e.program.states.push_back(std::move(decl));
  return StateId(e.program.states.size() - 1);
}

bool initialise_state(Evaluator& e, StateId id, const Value& init, Span span) {
  Value value = init;
  const TensorType type = e.program[id].type;
  if (value.is<std::shared_ptr<const Callable>>()) {
    const Callable& callable = *value.as<std::shared_ptr<const Callable>>();
    if (!callable.waits_for_shape) {
      complain(e, DiagnosticKind::wrong_kind, span, "an initial value is needed, found {}", describe(value))
          .help("a number, or an initialiser such as `zeros()` or `normal(0.02)`");
      return false;
    }
    std::vector<Value> shape;
    for (const int64_t extent : type.dims) shape.push_back(number_value(static_cast<double>(extent)));
    value = call_value(e, value, {{list_value(std::move(shape), span), span, ""}}, span);
  }
  if (value.is_poison()) return false;
  std::vector<Dim> dims;
  for (const int64_t extent : type.dims) dims.push_back({extent, 0});
  locate_nodes(e, span);
  auto tensor = fitted_to(e.context, value, type.dtype, dims, blame(e, span));
  if (!tensor) return false;
  NodeId node = tensor->node;
  if (tensor->type.bound != type.bound) node = e.context.build->cast(node, type.dtype, type.bound);
  e.context.build->assign(id, node);
  return true;
}

bool initialise_by(Evaluator& e, StateId id, ast::ExprId init) {
  const BuildingInitialiser building(e, e.program[id].name);
  const Value value = evaluate(e, init);
  return initialise_state(e, id, value, (*e.frame->ast)[init].span);
}

void declare_state(Evaluator& e, const ast::DeclareState& stmt, Span span) {
  const bool allowed = e.frame->layer != nullptr &&
                       (e.frame->kind == Frame::layer_body || e.frame->kind == Frame::model) &&
                       e.frame->scan_scope == 0;
  if (!allowed) {
    complain(e, DiagnosticKind::misplaced_statement, span, "`{}` stands in a layer or a model",
             stmt.trained ? "param" : "state");
    e.frame->failed = true;
    return;
  }
  const auto own = read_attributes(e, stmt.attributes);
  const auto type = own ? state_type(e, stmt, span) : std::nullopt;
  for (const ast::Name& name : stmt.names) {
    if (e.frame->failed) return;
    if (type) {
      declare_one(e, stmt, name, *type, *own);
    } else {
      bind_poison(e, name);
    }
  }
}

NodeId read_state(Evaluator& e, StateId id) {
  GraphRun& run = *e.run;
  if (e.context.graph == e.initialize.serial && !e.initialised.empty()) {
    auto& node = e.initialize.state_nodes[id];
    if (!node) node = e.context.build->state(id, e.program[id].type);
    return node;
  }
  if (e.measure.current != nullptr) return measured_state(e, id);
  if (const auto written = run.current.find(id); written != run.current.end()) return written->second;
  auto& node = run.state_nodes[id];
  if (!node) {
    node = e.context.build->state(id, e.program[id].type);
    if (!e.program[id].locations.empty()) e.context.build->graph()[node].locations = e.program[id].locations;
  }
  return node;
}

void write_state(Evaluator& e, const ast::Assign& stmt, Span span) {
  Binding* binding = find_local(e, stmt.target.text);
  const bool updating = e.frame->kind == Frame::optimizer;
  const bool is_state =
      binding != nullptr && (binding->kind == Binding::variable || (updating && binding->kind == Binding::param));
  if (e.frame->scan_scope > 0 || !(e.frame->kind == Frame::layer_body || e.frame->kind == Frame::model || updating)) {
    complain(e, DiagnosticKind::misplaced_statement, span,
             "`<-` writes a state of its own layer; it stands neither in functions nor in `scan`");
    return;
  }
  if (!is_state) {
    if (binding != nullptr && binding->value.is_poison() && binding->kind == Binding::local) return;
    Diagnostic& error = complain(e, DiagnosticKind::wrong_kind, stmt.target.span, "`{}` is not a state of this layer",
                                 stmt.target.text);
    error.help(binding != nullptr && binding->kind == Binding::param
                   ? "a `param` is written by the optimizer only"
                   : fmt::format("a name is bound with `{} = …`", stmt.target.text));
    return;
  }
  if (!e.context.training) return;
  const StateId id = binding->state;
  const Span value_span = (*e.frame->ast)[stmt.value].span;
  const Value value = evaluate(e, stmt.value);
  if (value.is_poison()) {
    e.frame->failed = true;
    return;
  }
  const TensorType& type = e.program[id].type;
  std::vector<Dim> dims;
  for (const int64_t extent : type.dims) dims.push_back({extent, 0});
  locate_nodes(e, value_span);
  const auto tensor = fitted_to(e.context, value, type.dtype, dims, blame(e, value_span));
  if (!tensor) {
    e.frame->failed = true;
    return;
  }
  NodeId node = tensor->node;
  if (e.context.build->type(node).bound != type.bound) node = e.context.build->cast(node, type.dtype, type.bound);
  // what is read from a state is a constant to differentiation
  e.run->current[id] = updating || !is_float(type.dtype) ? node : e.context.build->detach(node);
}

}  // namespace nnc
