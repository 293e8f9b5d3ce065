// `value.name`: a layer's parameters, states and sublayers, `x.T`, and a parameter's factors.
#include "frontend/builtins/indexing.h"
#include "frontend/evaluator.h"

namespace nnc {

namespace {

Value member_of_layer(Evaluator& e, LayerInstance& layer, const ast::Name& name) {
  if (const auto state = layer.states.find(name.text); state != layer.states.end()) {
    return value_of(e, Binding{Binding::param, {}, state->second, name.span}, name.span);
  }
  if (const auto sublayer = layer.members.find(name.text); sublayer != layer.members.end()) return sublayer->second;
  std::vector<std::string> known;
  for (const auto& [other, id] : layer.states) known.push_back(other);
  for (const auto& [other, value] : layer.members) known.push_back(other);
  Diagnostic& error = complain(e, DiagnosticKind::unknown_member, name.span,
                               "the layer has no parameter, state or sublayer `{}`", name.text);
  if (known.empty()) {
    error.help("a layer has its parameters once it has been applied");
  } else {
    error.help(similar("member", name.text, known));
  }
  return Value(Poison{});
}

}  // namespace

Value evaluate_member(Evaluator& e, const ast::Expr& expr) {
  const auto& node = expr.as<ast::Member>();
  const Value base = evaluate(e, node.base);
  if (base.is_poison()) return base;
  if (base.is<std::shared_ptr<LayerInstance>>())
    return member_of_layer(e, *base.as<std::shared_ptr<LayerInstance>>(), node.name);
  const std::string& name = node.name.text;
  if (base.is_tensor() && name == "T") {
    locate_nodes(e, expr.span);
    return transposed(e.context, base, expr.span);
  }
  if (base.is_tensor() && (name == "lr" || name == "weight_decay") && base.tensor().state &&
      e.frame->kind == Frame::optimizer) {
    const StateDecl& state = e.program[base.tensor().state];
    return number_value(name == "lr" ? state.lr : state.weight_decay, expr.span);
  }
  Diagnostic& error =
      complain(e, DiagnosticKind::unknown_member, node.name.span, "{} has no member `{}`", describe(base), name);
  const bool function = find_builtin(name) != nullptr || find_declared(e, *e.frame->file, name) != nullptr;
  if (function) error.help(fmt::format("there are no methods: write `{}(…)`", name));
  return Value(Poison{});
}

}  // namespace nnc
