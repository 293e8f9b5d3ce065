#include "frontend/evaluator.h"

#include <algorithm>

namespace nnc {

namespace {

constexpr size_t max_work = 4'000'000;  // expressions and list items, in one run of the model
constexpr size_t max_nodes = 500'000;

// FNV-1a.
uint32_t hash_of(std::string_view text) {
  uint32_t hash = 2166136261u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

bool too_many_elements(const Dims& dims) {
  double product = 1;
  for (const int64_t extent : dims) product *= static_cast<double>(std::max<int64_t>(extent, 1));
  return product > static_cast<double>(max_elements);
}

}  // namespace

Evaluator::Evaluator(Unit& owner) : unit(owner) {
  context.evaluator = this;
  context.diagnostics = &unit.diagnostics;
  context.build = &scratch_builder;
}

bool in_prelude(const Evaluator& e, Span span) {
  return !span.file || (span.file.value < e.unit.prelude_sources.size() && e.unit.prelude_sources[span.file.value]);
}

Span blame(const Evaluator& e, Span span) { return in_prelude(e, span) ? e.context.span : span; }

void label_origin(Evaluator& e, Diagnostic& diagnostic, Span origin, std::string text) {
  if (!in_prelude(e, origin)) diagnostic.label(origin, std::move(text));
}

void locate_nodes(Evaluator& e, Span span) {
  if (!in_prelude(e, span)) e.context.span = span;
  if (!e.context.span.file) return;
  e.context.build->set_locations({locate(e.unit.sources, e.context.span)});
}

bool spend(Evaluator& e, Span span, size_t amount) {
  e.work += amount;
  if (e.exhausted) return false;
  const bool nodes = e.context.build->graph().nodes.size() > max_nodes;
  if (e.work <= max_work && !nodes) return true;
  e.exhausted = true;
  if (nodes) {
    complain(e, DiagnosticKind::too_large, span, "the model has more than {} operations", max_nodes)
        .help("loops are unrolled: fewer or smaller ones make fewer operations");
  } else {
    complain(e, DiagnosticKind::too_large, span, "the file takes too much work to evaluate")
        .help("loops and lists are walked while the model is built: make them shorter");
  }
  return false;
}

Value tensor_value(Context& context, NodeId node, std::vector<int64_t> batch) {
  const TensorType& type = context.build->type(node);
  if (too_many_elements(type.dims)) {
    Evaluator& e = *context.evaluator;
    if (e.warned.insert(context.span).second) {
      complain(e, DiagnosticKind::too_large, context.span, "a tensor of {} has more than 2^40 elements",
               to_string(type));
    }
    return Value(Poison{});
  }
  if (batch.empty()) batch.resize(type.dims.size());
  NNC_CHECK(batch.size() == type.dims.size(), "one batch mark per axis");
  return Value(Tensor{node, type, std::move(batch), {}, context.graph}, context.span);
}

Value tensor_value_of(Context& context, NodeId node, const std::vector<Dim>& dims) {
  std::vector<int64_t> batch;
  for (const Dim& dim : dims) batch.push_back(dim.batch_multiple);
  return tensor_value(context, node, std::move(batch));
}

NodeId seed_node(Context& context) {
  Evaluator& e = *context.evaluator;
  if (e.measure.current == nullptr) return read_state(e, StateId(1));
  complain(e, DiagnosticKind::misplaced_statement, context.span,
           "a metric that is computed from all rows cannot draw random numbers")
      .help("bind them to a name before the metric");
  return context.build->constant(0, TensorType{DType::i64, 0, {}});
}

NodeId step_node(Context& context) {
  Evaluator& e = *context.evaluator;
  if (e.initialised.empty() && e.measure.current == nullptr) {
    const int64_t group = context.training ? train_settings(e.unit).accumulate : 1;
    if (group == 1) return read_state(e, StateId(0));
    // Each batch of a group draws its own numbers.
    GraphBuilder& build = *context.build;
    const NodeId step = read_state(e, StateId(0)), micro = read_state(e, e.program.find_state(":micro"));
    return build.add(build.mul(step, build.constant_like(static_cast<double>(group), step)), micro);
  }
  return context.build->constant(0, TensorType{DType::i64, 0, {}});
}

uint32_t site_of(Evaluator& e, const std::string& key) {
  uint32_t site = hash_of(key);
  // two keys with one hash would draw the same numbers
  while (e.sites.emplace(site, key).first->second != key) ++site;
  return site;
}

uint32_t next_random_site(Context& context) {
  Evaluator& e = *context.evaluator;
  if (!e.initialised.empty()) {
    const uint32_t draw = e.initialiser_draws++;
    return site_of(e, draw == 0 ? e.initialised : fmt::format("{}#{}", e.initialised, draw));
  }
  LayerInstance* layer = e.frame != nullptr ? e.frame->layer : nullptr;
  if (layer == nullptr) return site_of(e, "#0");
  return site_of(e, fmt::format("{}#{}", path_of(*layer), layer->draws++));
}

Value apply(Context& context, const Value& callee, std::vector<Argument> arguments, Span at) {
  return call_value(*context.evaluator, callee, std::move(arguments), at);
}

void no_lowering(Context& context, std::string_view what, Span at) {
  Evaluator& e = *context.evaluator;
  const Span place = blame(e, at);
  if (!e.unlowered.insert(place).second) return;
  complain(e, DiagnosticKind::no_lowering, place, "{} has no native lowering yet", what)
      .note("its shapes were checked; it cannot be compiled");
}

void no_lowering_outside_metrics(Context& context, NodeId node, std::string_view what, Span at) {
  Evaluator& e = *context.evaluator;
  if (e.measure.current != nullptr) return;
  if (context.graph == e.run->serial) {
    e.interpreted.push_back({context.graph, node, std::string(what), blame(e, at)});
  } else {
    no_lowering(context, what, at);
  }
}

}  // namespace nnc
