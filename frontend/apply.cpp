// Calls: functions, layers, lists of them, pipes; binding of parameters and checking of results.
#include <algorithm>

#include "frontend/evaluator.h"

namespace nnc {

namespace {

const Declared& declared_of(const Callable& callable) { return *static_cast<const Declared*>(callable.declaration); }

bool is_initialiser(const ast::Function& function) {
  if (function.parameters.empty() || !function.parameters[0].type) return false;
  return function.parameters[0].name.text == "shape";
}

bool gives_shape(const std::vector<Argument>& arguments) {
  for (const Argument& argument : arguments) {
    if (argument.name == "shape") return true;
  }
  return !arguments.empty() && arguments[0].name.empty() && arguments[0].value.is_list();
}

Value kept(const Callable& callable, std::vector<Argument> arguments, Span call, bool waits_for_shape) {
  Callable waiting = callable;
  waiting.given = std::move(arguments);
  waiting.called = true;
  waiting.waits_for_shape = waits_for_shape;
  return Value(std::make_shared<const Callable>(std::move(waiting)), call);
}

Value call_function(Evaluator& e, const Callable& callable, std::vector<Argument> arguments, Span call) {
  const Declared& declared = declared_of(callable);
  const auto& function = declared.decl().as<ast::Function>();
  if (is_initialiser(function) && (*declared.ast)[function.parameters[0].type].kind == ast::TypeKind::static_list &&
      !gives_shape(arguments)) {
    return kept(callable, std::move(arguments), call, true);
  }
  const auto bound = bind_arguments(e, callable.name, parameter_infos(function.parameters), arguments, call, true);
  if (!bound) return Value(Poison{});
  if (bound->waits) return kept(callable, std::move(arguments), call, false);
  return run_function(e, declared, std::move(arguments), call);
}

Value call_callable(Evaluator& e, const Callable& callable, std::vector<Argument> arguments, Span call) {
  arguments.insert(arguments.end(), callable.given.begin(), callable.given.end());
  std::stable_partition(arguments.begin(), arguments.end(),
                        [](const Argument& argument) { return argument.name.empty(); });
  switch (callable.kind) {
    case Callable::builtin:
      return call_builtin(e, *callable.native, std::move(arguments), call);
    case Callable::function:
      return call_function(e, callable, std::move(arguments), call);
    case Callable::layer:
      return make_layer(e, declared_of(callable), std::move(arguments), call);
    case Callable::optimizer:
    case Callable::schedule:
      return kept(callable, std::move(arguments), call, false);
  }
  return Value(Poison{});
}

bool holds_layer(const Value& value) {
  if (value.is<std::shared_ptr<LayerInstance>>()) return true;
  return value.is_list() &&
         std::any_of(value.items().begin(), value.items().end(), [](const Value& item) { return holds_layer(item); });
}

bool is_layer_type(const Value& value) {
  return value.is<std::shared_ptr<const Callable>>() &&
         value.as<std::shared_ptr<const Callable>>()->kind == Callable::layer;
}

// `x + y |> f`: reads as if f took y alone.
void warn_open_sum(Evaluator& e, const ast::Expr& whole, const Value& callee) {
  const ast::Expr& left = (*e.frame->ast)[whole.as<ast::Binary>().left];
  if (left.kind() != ast::ExprKind::binary || left.parenthesised || in_prelude(e, left.span)) return;
  const auto& sum = left.as<ast::Binary>();
  if (sum.op != ast::BinaryOp::add && sum.op != ast::BinaryOp::subtract) return;
  if (!holds_layer(callee) && !is_layer_type(callee)) return;
  if (!e.warned.insert(left.span).second) return;
  report(e.unit.diagnostics, DiagnosticKind::unbracketed_sum, left.span,
         "the whole sum feeds the layer: `|>` binds loosest")
      .help("put the sum in brackets, or for a residual the pipe: `x + (y |> f)`");
}

bool is_prelude(const Declared& declared) { return declared.file->prelude; }

// Bodies of the user's are worth running on poison, where the data are what is wrong.
bool runs_on_poison(const Evaluator& e, const Value& callee) {
  if (!e.unknown_inputs) return false;
  if (callee.is<std::shared_ptr<LayerInstance>>())
    return !is_prelude(*callee.as<std::shared_ptr<LayerInstance>>()->declared);
  if (!callee.is<std::shared_ptr<const Callable>>()) return callee.is_list();
  const Callable& callable = *callee.as<std::shared_ptr<const Callable>>();
  if (callable.kind == Callable::layer) return true;
  return callable.kind == Callable::function && !is_prelude(declared_of(callable));
}

// A call that cannot run because an argument is poison: its arguments' names and number are checked all the same.
void check_arguments(Evaluator& e, const Value& callee, std::vector<Argument> arguments, Span call) {
  if (callee.is<std::shared_ptr<LayerInstance>>()) {
    const Declared& declared = *callee.as<std::shared_ptr<LayerInstance>>()->declared;
    const auto& parameters = declared.decl().as<ast::Layer>().tensor_parameters;
    bind_arguments(e, declared.name, parameter_infos(parameters), arguments, call, false);
  }
  if (!callee.is<std::shared_ptr<const Callable>>()) return;
  const Callable& callable = *callee.as<std::shared_ptr<const Callable>>();
  arguments.insert(arguments.end(), callable.given.begin(), callable.given.end());
  if (callable.kind == Callable::builtin) {
    bind_arguments(e, callable.name, signature_of(e, *callable.native), arguments, call, true);
  } else if (callable.kind == Callable::layer) {
    const auto& parameters = declared_of(callable).decl().as<ast::Layer>().static_parameters;
    bind_arguments(e, callable.name, parameter_infos(parameters), arguments, call, false);
  } else if (callable.kind == Callable::function) {
    const auto& function = declared_of(callable).decl().as<ast::Function>();
    if (is_initialiser(function)) return;
    bind_arguments(e, callable.name, parameter_infos(function.parameters), arguments, call, true);
  }
}

}  // namespace

Value call_value(Evaluator& e, const Value& callee, std::vector<Argument> arguments, Span call) {
  if (callee.is_poison()) return callee;
  for (const Argument& argument : arguments) {
    if (argument.value.is_poison() && !runs_on_poison(e, callee)) {
      const Value poison = argument.value;
      check_arguments(e, callee, std::move(arguments), call);
      return poison;
    }
    if (argument.value.is_list() && argument.value.as<List>().results) {
      complain(e, DiagnosticKind::wrong_count, argument.span, "several results cannot be passed on together")
          .help("bind them to names first: `a, b = f(x)`");
      return Value(Poison{});
    }
  }
  if (!spend(e, call)) return Value(Poison{});
  if (callee.is<std::shared_ptr<LayerInstance>>())
    return apply_layer(e, callee.as<std::shared_ptr<LayerInstance>>(), std::move(arguments), call);
  if (callee.is<std::shared_ptr<const Callable>>()) {
    const auto callable = callee.as<std::shared_ptr<const Callable>>();
    return call_callable(e, *callable, std::move(arguments), call);
  }
  if (callee.is_list() && arguments.size() == 1 && arguments[0].name.empty()) {
    Argument passed = std::move(arguments[0]);
    for (const Value& item : callee.items()) {
      if (is_layer_type(item)) {
        complain(e, DiagnosticKind::not_callable, call, "{} in a list must be made first", describe(item))
            .help(fmt::format("write `{}(…)`", item.as<std::shared_ptr<const Callable>>()->name));
        return Value(Poison{});
      }
      const Span at = in_prelude(e, item.origin) ? call : item.origin;  // the item, not the list, is to blame
      passed.value = call_value(e, item, {passed}, at);
      if (passed.value.is_poison() && !e.unknown_inputs) return passed.value;
    }
    return passed.value;
  }
  complain(e, DiagnosticKind::not_callable, call, "{} cannot be applied", describe(callee));
  return Value(Poison{});
}

Value pipe(Evaluator& e, Value input, Span input_span, const ast::Expr& whole) {
  const ast::Ast& tree = *e.frame->ast;
  const ast::Expr& right = tree[whole.as<ast::Binary>().right];
  std::vector<Argument> arguments{{std::move(input), input_span, ""}};
  if (right.kind() != ast::ExprKind::call) {
    const Value callee = right.kind() == ast::ExprKind::name
                             ? lookup(e, right.as<ast::NameRef>().text, right.span, true)
                             : evaluate(e, whole.as<ast::Binary>().right);
    if (is_layer_type(callee)) {
      complain(e, DiagnosticKind::not_callable, right.span, "{} must be made before it applies", describe(callee))
          .help(fmt::format("write `{}(…)`", callee.as<std::shared_ptr<const Callable>>()->name));
      return Value(Poison{});
    }
    warn_open_sum(e, whole, callee);
    return call_value(e, callee, std::move(arguments), right.span);
  }
  const auto& node = right.as<ast::Call>();
  const ast::Expr& named = tree[node.callee];
  Value callee = named.kind() == ast::ExprKind::name ? lookup(e, named.as<ast::NameRef>().text, named.span, true)
                                                     : evaluate(e, node.callee);
  std::vector<Argument> written;
  for (const ast::Argument& argument : node.arguments) {
    written.push_back(
        {evaluate(e, argument.value), tree[argument.value].span, argument.name ? argument.name->text : ""});
  }
  warn_open_sum(e, whole, callee);
  if (is_layer_type(callee)) {
    callee = call_value(e, callee, std::move(written), right.span);
  } else {
    arguments.insert(arguments.end(), written.begin(), written.end());
  }
  return call_value(e, callee, std::move(arguments), right.span);
}

bool bind_parameters(Evaluator& e, const std::vector<ast::Parameter>& parameters, BoundArguments& bound, Span call,
                     std::string_view callee) {
  std::vector<TypedValue> typed;
  for (size_t k = 0; k < parameters.size(); ++k) {
    const ast::Parameter& parameter = parameters[k];
    auto& slot = bound.values[k];
    const bool given = slot.has_value();
    if (!given) slot = Argument{evaluate(e, parameter.otherwise), call, parameter.name.text};
    if (slot->value.is_poison() && !e.unknown_inputs) return false;
    const bool shaped = parameter.type && (*e.frame->ast)[parameter.type].kind == ast::TypeKind::tensor;
    if (shaped) {
      typed.push_back(
          {parameter.type, &slot->value, slot->span, fmt::format("`{}` of `{}`", parameter.name.text, callee)});
    } else if (parameter.type && !slot->value.is_poison()) {
      if (!check_static_kind(e, (*e.frame->ast)[parameter.type].kind, slot->value, slot->span, parameter.name.text))
        return false;
    } else if (parameter.otherwise && slot->value.is_tensor() &&
               (slot->value.tensor().rank() > 0 || slot->value.tensor().type.dtype == DType::f32)) {
      complain(e, DiagnosticKind::wrong_kind, slot->span, "`{}` of `{}` must be known before anything runs, found {}",
               parameter.name.text, callee, describe(slot->value));
      return false;
    }
    e.frame->scopes.front()[parameter.name.text] = Binding{Binding::parameter, slot->value, {}, parameter.name.span};
  }
  if (!check_types(e, typed)) return false;
  for (size_t k = 0; k < parameters.size(); ++k)
    e.frame->scopes.front()[parameters[k].name.text].value = bound.values[k]->value;
  return true;
}

Value check_results(Evaluator& e, Value value, const std::vector<ast::TypeId>& results, Span call,
                    const std::string& callee) {
  if (results.empty() || value.is_poison()) return value;
  const bool several = value.is_list() && value.as<List>().results;
  std::vector<Value> values = several ? value.items() : std::vector<Value>{value};
  if (values.size() != results.size()) {
    complain(e, DiagnosticKind::no_result, call, "`{}` says it returns {} value{}, but returns {}", callee,
             results.size(), results.size() == 1 ? "" : "s", values.size());
    return Value(Poison{});
  }
  std::vector<TypedValue> typed;
  for (size_t k = 0; k < values.size(); ++k) {
    typed.push_back({results[k], &values[k], call, fmt::format("the result of `{}`", callee)});
  }
  if (!check_types(e, typed)) return Value(Poison{});
  return several ? results_value(std::move(values), call) : values[0];
}

Value run_body(Evaluator& e, const ast::Body& body, const std::vector<ast::TypeId>& results, Span call,
               const std::string& callee) {
  Value value;
  if (body.block) {
    run_block(e, *body.block);
    if (e.frame->failed || e.exhausted) return Value(Poison{});
    if (!e.frame->returned) {
      complain(e, DiagnosticKind::no_result, call, "`{}` ends without `return`", callee);
      return Value(Poison{});
    }
    value = std::move(*e.frame->returned);
  } else {
    value = evaluate(e, body.value);
  }
  return check_results(e, std::move(value), results, call, callee);
}

Value run_function(Evaluator& e, const Declared& declared, std::vector<Argument> arguments, Span call) {
  const auto& function = declared.decl().as<ast::Function>();
  auto bound = bind_arguments(e, declared.name, parameter_infos(function.parameters), arguments, call, false);
  if (!bound) return Value(Poison{});
  if (std::find(e.active.begin(), e.active.end(), &declared) != e.active.end()) {
    complain(e, DiagnosticKind::recursion, call, "`{}` calls itself", declared.name);
    return Value(Poison{});
  }
  locate_nodes(e, call);
  const Span outer_span = e.context.span;
  Frame inner;
  inner.kind = Frame::function;
  inner.file = declared.file;
  inner.ast = declared.ast;
  inner.layer = e.frame->layer;
  e.active.push_back(&declared);
  bool ran = false;
  Value result = within(e, inner, [&] {
    ran = bind_parameters(e, function.parameters, *bound, call, declared.name);
    return ran ? run_body(e, function.body, function.results, call, declared.name) : Value(Poison{});
  });
  e.active.pop_back();
  e.context.span = outer_span;
  if (result.is_poison()) return result;
  const auto gradient = declared.file->gradients.find(declared.name);
  if (gradient != declared.file->gradients.end() && e.forward && result.is_tensor()) {
    std::vector<std::pair<std::string, Value>> parameters;
    for (size_t k = 0; k < bound->values.size(); ++k)
      parameters.emplace_back(function.parameters[k].name.text, bound->values[k]->value);
    result = attach_gradient(e, declared, *gradient->second, parameters, result, call);
    e.context.span = outer_span;
  }
  if (!in_prelude(e, call)) result.origin = call;
  return result;
}

}  // namespace nnc
