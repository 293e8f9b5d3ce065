// Layers: made where they are written, named by what binds them, alive from their first application.
#include <algorithm>
#include <cctype>

#include "frontend/evaluator.h"

namespace nnc {

namespace {

constexpr int max_layer_nesting = 48;

int nesting_of(const LayerInstance* layer) {
  int depth = 0;
  for (; layer != nullptr; layer = layer->parent) ++depth;
  return depth;
}

void name_by_type(LayerInstance& layer) {
  const std::string type = snake_case(layer.declared->name);
  const int count = layer.parent->type_counts[type]++;
  layer.name = count == 0 ? type : fmt::format("{}_{}", type, count);
}

bool bind_statics(Evaluator& e, LayerInstance& layer, std::vector<Argument> arguments, Span call) {
  const auto& decl = layer.declared->decl().as<ast::Layer>();
  auto bound = bind_arguments(e, layer.declared->name, parameter_infos(decl.static_parameters), arguments, call, false);
  if (!bound) return false;
  Frame inner;
  inner.kind = Frame::function;
  inner.file = layer.declared->file;
  inner.ast = layer.declared->ast;
  inner.layer = layer.parent;
  const Span outer_span = e.context.span;
  locate_nodes(e, call);
  const bool fine =
      within(e, inner, [&] { return bind_parameters(e, decl.static_parameters, *bound, call, layer.declared->name); });
  e.context.span = outer_span;
  if (!fine) return false;
  layer.statics = std::move(inner.scopes.front());
  for (const auto& [name, binding] : layer.statics) name_layers(e, binding.value, name, &layer);
  return true;
}

bool activate(Evaluator& e, LayerInstance& layer, Span call) {
  if (layer.active) {
    complain(e, DiagnosticKind::recursion, call, "the layer `{}` is applied inside itself", path_of(layer));
    return false;
  }
  if (nesting_of(&layer) > max_layer_nesting) {
    complain(e, DiagnosticKind::recursion, call, "layers are nested more than {} deep", max_layer_nesting)
        .help(fmt::format("a layer may not make itself: does `{}`?", layer.declared->name));
    e.exhausted = true;
    return false;
  }
  if (layer.name.empty()) name_by_type(layer);
  layer.active = true;
  layer.visits.clear();
  return true;
}

Value run_layer(Evaluator& e, LayerInstance& layer, BoundArguments& bound, Span call) {
  const auto& decl = layer.declared->decl().as<ast::Layer>();
  Frame inner;
  inner.kind = Frame::layer_body;
  inner.file = layer.declared->file;
  inner.ast = layer.declared->ast;
  inner.layer = &layer;
  inner.scopes.front() = layer.statics;
  return within(e, inner, [&] {
    if (!bind_parameters(e, decl.tensor_parameters, bound, call, layer.declared->name)) return Value(Poison{});
    return run_body(e, ast::Body{{}, decl.body}, decl.results, call, layer.declared->name);
  });
}

}  // namespace

std::string path_of(LayerInstance& layer) {
  if (layer.declared == nullptr) return "";
  if (layer.name.empty()) name_by_type(layer);
  const std::string outer = path_of(*layer.parent);
  return outer.empty() ? layer.name : outer + "." + layer.name;
}

std::string snake_case(std::string_view type) {
  std::string text;
  for (size_t k = 0; k < type.size(); ++k) {
    const auto upper = [&](size_t at) {
      return at < type.size() && std::isupper(static_cast<unsigned char>(type[at])) != 0;
    };
    const auto lower = [&](size_t at) {
      return at < type.size() && std::islower(static_cast<unsigned char>(type[at])) != 0;
    };
    const bool starts_word = k > 0 && upper(k) && (!upper(k - 1) || lower(k + 1)) && type[k - 1] != '_';
    if (starts_word) text += '_';
    text += static_cast<char>(std::tolower(static_cast<unsigned char>(type[k])));
  }
  return text;
}

Value make_layer(Evaluator& e, const Declared& declared, std::vector<Argument> arguments, Span call) {
  LayerInstance* parent = e.frame->layer;
  if (parent == nullptr || (e.frame->kind != Frame::layer_body && e.frame->kind != Frame::model)) {
    complain(e, DiagnosticKind::misplaced_layer, call, "the layer `{}` owns parameters and cannot be made here",
             declared.name)
        .help("make it in a model or a layer, and pass it on if need be");
    return Value(Poison{});
  }
  const uint64_t place = (uint64_t{call.file.value} << 32) | call.begin;
  auto& layer = parent->children[{place, parent->visits[place]++}];
  if (layer == nullptr) {
    layer = std::make_shared<LayerInstance>();
    layer->declared = &declared;
    layer->parent = parent;
  }
  layer->made_at = call;
  if (!bind_statics(e, *layer, std::move(arguments), call)) return Value(Poison{});
  return Value(layer, call);
}

Value apply_layer(Evaluator& e, const std::shared_ptr<LayerInstance>& layer, std::vector<Argument> arguments,
                  Span call) {
  // A layer in a metric's expression is applied batch by batch, once: over all rows its results are leaves.
  MeasureState& measure = e.measure;
  if (measure.current != nullptr) {
    const bool known = measure.next_applied < measure.applied.size();
    return known ? measured_value(e, measure.applied[measure.next_applied++]) : Value(Poison{});
  }
  struct Recording {
    int& depth;
    explicit Recording(int& recorded) : depth(recorded) { depth += depth > 0 ? 1 : 0; }
    ~Recording() { depth -= depth > 0 ? 1 : 0; }
  } recording(measure.recording);
  const auto& decl = layer->declared->decl().as<ast::Layer>();
  auto bound =
      bind_arguments(e, layer->declared->name, parameter_infos(decl.tensor_parameters), arguments, call, false);
  if (!bound || !activate(e, *layer, call)) return Value(Poison{});
  locate_nodes(e, call);
  const Span outer_span = e.context.span;
  Value result = run_layer(e, *layer, *bound, call);
  layer->active = false;
  e.context.span = outer_span;
  if (!in_prelude(e, call)) result.origin = call;
  if (measure.recording == 2) measure.applied.push_back(result);
  return result;
}

void name_layers(Evaluator& e, const Value& value, const std::string& name, LayerInstance* parent) {
  if (parent == nullptr) return;
  if (value.is<std::shared_ptr<LayerInstance>>()) {
    const auto& layer = value.as<std::shared_ptr<LayerInstance>>();
    if (layer->name.empty()) {
      // an argument moves from where it was written to the layer that receives it
      if (layer->parent != parent && parent->parent == layer->parent) layer->parent = parent;
      layer->name = name;
    }
    if (name.find('.') == std::string::npos) parent->members[name] = value;
    return;
  }
  if (!value.is_list()) return;
  bool layers = false;
  for (size_t k = 0; k < value.items().size(); ++k) {
    const Value& item = value.items()[k];
    layers |= item.is<std::shared_ptr<LayerInstance>>() || item.is_list();
    if (item.is<std::shared_ptr<LayerInstance>>() || item.is_list())
      name_layers(e, item, fmt::format("{}.{}", name, k), parent);
  }
  if (layers && name.find('.') == std::string::npos) parent->members[name] = value;
}

std::optional<Factors> read_attributes(Evaluator& e, const std::vector<ast::Attribute>& attributes) {
  Factors factors;
  for (const ast::Attribute& attribute : attributes) {
    const Value value = evaluate(e, attribute.value);
    if (value.is_poison()) return std::nullopt;
    const std::string& name = attribute.name.text;
    const Span span = (*e.frame->ast)[attribute.value].span;
    if (name != "lr" && name != "weight_decay" && name != "frozen") {
      const std::vector<std::string> known{"lr", "weight_decay", "frozen"};
      complain(e, DiagnosticKind::bad_attribute, attribute.name.span, "there is no attribute `{}`", name)
          .help(similar("attribute", name, known));
      return std::nullopt;
    }
    if (name == "frozen" ? !value.is<bool>() : !(value.is_number() && value.number() >= 0)) {
      complain(e, DiagnosticKind::bad_attribute, span, "`{}` must be {}, found {}", name,
               name == "frozen" ? "true or false" : "a number of at least 0", describe(value));
      return std::nullopt;
    }
    if (name == "lr") factors.lr = value.number();
    if (name == "weight_decay") factors.weight_decay = value.number();
    if (name == "frozen") factors.frozen = value.as<bool>();
  }
  return factors;
}

void set_factors(Evaluator& e, const Value& value, const Factors& factors, Span span) {
  if (value.is_list()) {
    for (const Value& item : value.items()) {
      if (item.is_list() || item.is<std::shared_ptr<LayerInstance>>()) set_factors(e, item, factors, span);
    }
    return;
  }
  if (!value.is<std::shared_ptr<LayerInstance>>()) {
    complain(e, DiagnosticKind::bad_attribute, span, "`with` needs a param, a layer or a list of layers, found {}",
             describe(value));
    return;
  }
  LayerInstance& layer = *value.as<std::shared_ptr<LayerInstance>>();
  layer.lr = factors.lr;
  layer.weight_decay = factors.weight_decay;
  layer.frozen = factors.frozen;
}

}  // namespace nnc
