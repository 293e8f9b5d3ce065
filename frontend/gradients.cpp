// `grad f`: the gradient of one application, built over a leaf that stands for the result's cotangent.
#include "frontend/builtins/operands.h"
#include "frontend/evaluator.h"

namespace nnc {

namespace {

bool is_float_tensor(const Value& value) { return value.is_tensor() && is_float(value.tensor().type.dtype); }

std::vector<Dim> dims_of_tensor(const Tensor& tensor) {
  std::vector<Dim> dims;
  for (int64_t axis = 0; axis < tensor.rank(); ++axis) dims.push_back(tensor.dim(axis));
  return dims;
}

// The gradient's values, or nothing when the user's code failed.
std::optional<std::vector<Value>> run_gradient(Evaluator& e, const Declared& gradient,
                                               const std::vector<Value>& arguments, Span call) {
  const auto& decl = gradient.decl().as<ast::Gradient>();
  if (decl.parameters.size() != arguments.size()) {
    complain(e, DiagnosticKind::bad_gradient, in_prelude(e, decl.name.span) ? call : decl.name.span,
             "`grad {}` needs {} parameters: those of `{}`, its result and the cotangent; found {}", gradient.name,
             arguments.size(), gradient.name, decl.parameters.size());
    return std::nullopt;
  }
  Frame inner;
  inner.kind = Frame::gradient;
  inner.file = gradient.file;
  inner.ast = gradient.ast;
  inner.layer = e.frame->layer;
  for (size_t k = 0; k < arguments.size(); ++k) {
    const ast::Name& name = decl.parameters[k];
    if (!name.discards()) inner.scopes.front()[name.text] = Binding{Binding::parameter, arguments[k], {}, name.span};
  }
  const Value value = within(e, inner, [&] { return run_body(e, decl.body, {}, call, "grad " + gradient.name); });
  if (value.is_poison()) return std::nullopt;
  if (value.is_list()) return value.items();
  return std::vector<Value>{value};
}

// Whether a parameter stands for a tensor: it has a shape, or neither an annotation nor a default.
bool may_be_tensor(const Declared& function, size_t index) {
  const ast::Parameter& parameter = function.decl().as<ast::Function>().parameters[index];
  if (parameter.type) return (*function.ast)[parameter.type].kind == ast::TypeKind::tensor;
  return !parameter.otherwise;
}

// Indices of the parameters the returned values belong to, where numbers may have been passed for tensors; empty if
// their number fits no reading.
std::vector<size_t> receivers(const Declared& function, const std::vector<std::pair<std::string, Value>>& parameters,
                              size_t count) {
  std::vector<size_t> tensors, numbers_too;
  for (size_t k = 0; k < parameters.size(); ++k) {
    const Value& value = parameters[k].second;
    if (is_float_tensor(value)) tensors.push_back(k);
    if (is_float_tensor(value) || (value.is_number() && may_be_tensor(function, k))) numbers_too.push_back(k);
  }
  if (tensors.size() == count) return tensors;
  return numbers_too.size() == count ? numbers_too : std::vector<size_t>{};
}

}  // namespace

Value attach_gradient(Evaluator& e, const Declared& function, const Declared& gradient,
                      const std::vector<std::pair<std::string, Value>>& parameters, const Value& result, Span call) {
  bool wanted = false;
  for (const auto& [name, value] : parameters) wanted |= is_float_tensor(value);
  if (!wanted || !is_float(result.tensor().type.dtype)) return result;
  GraphBuilder& build = *e.context.build;
  locate_nodes(e, call);
  Tensor output = result.tensor();
  for (const auto& [name, value] : parameters) {
    // the result must be a node of its own, or the gradient would replace itself
    if (value.is_tensor() && value.tensor().node == output.node)
      output.node = build.reshape(output.node, output.type.dims);
  }
  e.forward = false;
  build.set_part(Part::backward);
  const NodeId cotangent = build.cotangent(output.type);
  std::vector<Value> arguments;
  for (const auto& [name, value] : parameters) arguments.push_back(value);
  arguments.push_back(Value(output, call));
  arguments.push_back(tensor_value(e.context, cotangent, output.batch));
  const auto values = run_gradient(e, gradient, arguments, call);
  CustomGradient custom{{output.node}, {cotangent}, {}, {}};
  bool fine = values.has_value();
  const std::vector<size_t> targets = fine ? receivers(function, parameters, values->size()) : std::vector<size_t>{};
  if (fine && targets.empty()) {
    const Span at = gradient.decl().as<ast::Gradient>().name.span;
    complain(e, DiagnosticKind::bad_gradient, in_prelude(e, at) ? call : at,
             "`grad {}` returns {} value{}, but `{}` has other float tensor parameters", function.name, values->size(),
             values->size() == 1 ? "" : "s", function.name);
    fine = false;
  }
  for (size_t k = 0; fine && k < targets.size(); ++k) {
    const Value& input = parameters[targets[k]].second;
    if (!is_float_tensor(input)) continue;
    locate_nodes(e, call);
    const auto fitted = fitted_to(e.context, (*values)[k], input.tensor().type.dtype, dims_of_tensor(input.tensor()),
                                  blame(e, (*values)[k].origin));
    if (!fitted) {
      fine = false;
      break;
    }
    custom.inputs.push_back(input.tensor().node);
    custom.gradients.push_back(fitted->node);
  }
  build.set_part(Part::forward);
  e.forward = true;
  if (!fine) return Value(Poison{});
  e.context.build->graph().custom_gradients.push_back(std::move(custom));
  return Value(output, result.origin);
}

}  // namespace nnc
