// The model's body: inputs bound to fields, outputs, losses and metrics.
#include <algorithm>

#include "frontend/builtins/operands.h"
#include "frontend/evaluator.h"

namespace nnc {

namespace {

const FieldType* find_field(const Evaluator& e, const std::string& name) {
  const auto& fields = *e.fields;
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const FieldType& field) { return field.name == name; });
  return found != fields.end() ? &*found : nullptr;
}

void report_missing_field(Evaluator& e, const ast::DeclareInput& stmt) {
  std::vector<std::string> names;
  for (const FieldType& field : *e.fields) names.push_back(field.name);
  Diagnostic& error =
      complain(e, DiagnosticKind::missing_field, stmt.name.span, "no field `{}` in the data feeds this {}",
               stmt.name.text, stmt.target ? "target" : "input");
  if (const auto help = similar("field", stmt.name.text, names)) {
    error.help(*help);
  } else {
    error.help(fmt::format("add `{} = …` to the data block", stmt.name.text));
  }
}

std::string field_text(const FieldType& field) {
  std::vector<Dim> dims{{1, 1}};
  for (const int64_t extent : field.row_type.dims) dims.push_back({extent, 0});
  return type_text(field.row_type.dtype, field.row_type.bound, dims);
}

const std::string* bare(const Evaluator& e, ast::ExprId id) {
  if (!id) return nullptr;
  const ast::Expr& expr = (*e.frame->ast)[id];
  return expr.kind() == ast::ExprKind::name ? &expr.as<ast::NameRef>().text : nullptr;
}

void bind_fresh(Evaluator& e, ast::ExprId id, Number size) {
  const std::string* name = bare(e, id);
  if (name == nullptr || *name == "_" || visible_size(e, *name)) return;
  const Span span = (*e.frame->ast)[id].span;
  e.frame->scopes.front()[*name] = Binding{Binding::size, Value(size, span), {}, span};
}

bool bind_batch(Evaluator& e, const ast::TypeExpr& type) {
  const bool first = !type.dims.empty() && !type.dims[0].ellipsis && bare(e, type.dims[0].size) != nullptr;
  if (first) {
    bind_fresh(e, type.dims[0].size, Number{static_cast<double>(e.context.batch), 1, true});
    const std::string& name = *bare(e, type.dims[0].size);
    if (const auto size = visible_size(e, name); name == "_" || (size && size->batch_multiple == 1)) return true;
  }
  complain(e, DiagnosticKind::no_batch_axis, type.span, "the first axis must be the batch axis, with a name of its own")
      .help("write `[batch, …]`; the batch length is set by `train { batch = … }`");
  return false;
}

// The declared rows against the field's; binds free sizes.
std::optional<TensorType> match_field(Evaluator& e, const ast::TypeExpr& type, const ast::DeclareInput& stmt,
                                      const FieldType& field) {
  TensorType result{dtype_of(e, type.element), 0, {e.context.batch}};
  const auto mismatch = [&](std::string_view why) {
    complain(e, DiagnosticKind::field_mismatch, stmt.name.span, "the data gives `{}` as {}: {}", stmt.name.text,
             field_text(field), why);
    return std::nullopt;
  };
  if (type.dims.size() != field.row_type.dims.size() + 1)
    return mismatch(fmt::format("{} axes are declared", type.dims.size()));
  for (size_t k = 1; k < type.dims.size(); ++k) {
    if (type.dims[k].ellipsis) return mismatch("an input's rank is fixed, `...` cannot stand here");
    const int64_t extent = field.row_type.dims[k - 1];
    bind_fresh(e, type.dims[k].size, Number{static_cast<double>(extent), 0, false});
    const std::string* name = bare(e, type.dims[k].size);
    const auto declared = name != nullptr && *name == "_" ? std::optional(extent) : known_extent(e, type.dims[k].size);
    if (!declared) return std::nullopt;
    if (*declared != extent) return mismatch(fmt::format("axis {} is declared as {}", k, *declared));
    result.dims.push_back(extent);
  }
  if (result.dtype == DType::i32 && !is_integer(field.row_type.dtype))
    return mismatch("integers are declared, and floats do not convert to integers");
  if (result.dtype == DType::boolean && field.row_type.dtype != DType::boolean) return mismatch("bools are declared");
  if (!type.bound) {
    result.bound = result.dtype == DType::i32 ? field.row_type.bound : 0;
    return result;
  }
  if (field.row_type.bound == 0) return mismatch("labels below a bound are declared, and the data does not say one");
  bind_fresh(e, type.bound, Number{static_cast<double>(field.row_type.bound), 0, false});
  const auto bound = known_extent(e, type.bound);
  if (!bound) return std::nullopt;
  if (*bound < field.row_type.bound) {
    complain(e, DiagnosticKind::label_bound, (*e.frame->ast)[type.bound].span,
             "{} classes declared, but the data's `{}` holds labels below {}", *bound, stmt.name.text,
             field.row_type.bound);
    return std::nullopt;
  }
  result.bound = *bound;
  return result;
}

// The declared type alone, where the data could not be read; binds sizes that only they say to poison. Nothing if
// anything is left to them.
std::optional<TensorType> declared_type(Evaluator& e, const ast::TypeExpr& type) {
  TensorType result{dtype_of(e, type.element), 0, {e.context.batch}};
  bool known = type.bound || result.dtype != DType::i32;
  for (size_t k = 1; k < type.dims.size(); ++k) {
    const bool open = type.dims[k].ellipsis || bind_unknown(e, type.dims[k].size);
    const auto extent = open ? std::nullopt : known_extent(e, type.dims[k].size);
    known &= extent.has_value();
    result.dims.push_back(extent.value_or(0));
  }
  if (type.bound) {
    const auto bound = bind_unknown(e, type.bound) ? std::nullopt : known_extent(e, type.bound);
    known &= bound.has_value();
    result.bound = bound.value_or(0);
  }
  return known ? std::optional(result) : std::nullopt;
}

const char* kind_name(ast::ResultKind kind) {
  return kind == ast::ResultKind::output ? "output" : kind == ast::ResultKind::loss ? "loss" : "metric";
}

// Which nodes depend on a node of `from`.
std::vector<bool> reached_from(const Graph& graph, const std::vector<NodeId>& from) {
  std::vector<bool> reached(graph.nodes.size());
  for (const NodeId id : from) reached[id.value] = true;
  for (size_t k = 0; k < graph.nodes.size(); ++k) {
    for (const NodeId operand : graph.nodes[k].operands) reached[k] = reached[k] || reached[operand.value];
  }
  return reached;
}

void check_outputs(Evaluator& e, const Graph& graph) {
  for (const auto& [input, span] : e.inputs) {
    const auto& attribute = graph[input].as<InputAttr>();
    const std::vector<bool> reached = reached_from(graph, {input});
    bool used = false;
    for (const DeclaredResult& result : e.results) {
      const bool depends = reached[result.tensor.node.value];
      used |= depends;
      if (!depends || !attribute.is_target || result.kind != ast::ResultKind::output) continue;
      complain(e, DiagnosticKind::output_needs_target, result.span,
               "output `{}` depends on target `{}`, which does not exist at inference", result.name, attribute.name);
    }
    if (used || !e.warned.insert(span).second) continue;
    report(e.unit.diagnostics, DiagnosticKind::unused_input, span, "{} `{}` reaches no output, loss or metric",
           attribute.is_target ? "target" : "input", attribute.name);
  }
}

// A metric may hold a value per class, or a matrix.
bool is_table(const Tensor& tensor) {
  const bool rows = std::any_of(tensor.batch.begin(), tensor.batch.end(), [](int64_t mark) { return mark > 0; });
  return (tensor.rank() == 1 || tensor.rank() == 2) && !rows;
}

}  // namespace

void declare_input(Evaluator& e, const ast::DeclareInput& stmt, Span span) {
  if (e.frame->kind != Frame::model || e.frame->scan_scope > 0) {
    complain(e, DiagnosticKind::misplaced_statement, span, "`{}` stands in a model", stmt.target ? "target" : "input");
    return;
  }
  const auto poison = [&] {
    e.frame->scopes.front()[stmt.name.text] = Binding{Binding::local, Value(Poison{}), {}, stmt.name.span};
  };
  if (!e.kinds_declared.insert(stmt.name.text).second) {
    complain(e, DiagnosticKind::already_declared, stmt.name.span, "`{}` is declared already", stmt.name.text);
    return;
  }
  const ast::TypeExpr& type = (*e.frame->ast)[stmt.type];
  if (type.kind != ast::TypeKind::tensor) {
    complain(e, DiagnosticKind::wrong_kind, type.span, "an input is a tensor");
    return poison();
  }
  const FieldType* field = find_field(e, stmt.name.text);
  if (field == nullptr) report_missing_field(e, stmt);
  if (!bind_batch(e, type) || field == nullptr) return poison();
  const auto matched = field->known ? match_field(e, type, stmt, *field) : declared_type(e, type);
  if (!matched) return poison();
  locate_nodes(e, stmt.name.span);
  const NodeId node = e.context.build->input(stmt.name.text, *matched, stmt.target);
  e.inputs.emplace_back(node, stmt.name.span);
  std::vector<int64_t> batch(matched->dims.size());
  batch[0] = 1;
  Value value = tensor_value(e.context, node, batch);
  value.origin = stmt.name.span;
  e.frame->scopes.front()[stmt.name.text] = Binding{Binding::local, value, {}, stmt.name.span};
}

void declare_result(Evaluator& e, const ast::DeclareResult& stmt, Span span) {
  const char* kind = kind_name(stmt.kind);
  if (e.frame->kind != Frame::model || e.frame->scan_scope > 0) {
    complain(e, DiagnosticKind::misplaced_statement, span, "`{}` stands in a model", kind);
    return;
  }
  const bool metric = stmt.kind == ast::ResultKind::metric;
  e.measure.recording = metric && e.measure.active ? 1 : 0;
  e.measure.applied.clear();
  Value value = evaluate(e, stmt.value);
  e.measure.recording = 0;
  const Span value_span = (*e.frame->ast)[stmt.value].span;
  if (stmt.type && !value.is_poison() &&
      !check_types(e, {{stmt.type, &value, value_span, fmt::format("`{}`", stmt.name.text)}})) {
    value = Value(Poison{});
  }
  value.origin = stmt.name.span;
  if (value.is_poison()) return bind_local(e, stmt.name, value);
  if (!e.kinds_declared.insert("result " + stmt.name.text).second) {
    complain(e, DiagnosticKind::already_declared, stmt.name.span, "the model has a result `{}` already",
             stmt.name.text);
    return;
  }
  const bool table = metric && value.is_tensor() && is_table(value.tensor());
  const bool scalar = stmt.kind != ast::ResultKind::output && !table;
  if (!value.is_tensor() || (scalar && value.tensor().rank() != 0)) {
    Diagnostic& error =
        scalar && value.is_tensor()
            ? complain(e, DiagnosticKind::not_scalar, stmt.name.span, "{} `{}` must be a scalar, found {}", kind,
                       stmt.name.text, describe(value))
            : complain(e, DiagnosticKind::wrong_kind, stmt.name.span,
                       "{} `{}` must be computed from the inputs, found {}", kind, stmt.name.text, describe(value));
    if (scalar && value.is_tensor())
      error.help(fmt::format("take its mean: `mean({})`", text_of(e.unit.sources, value_span)));
    return bind_local(e, stmt.name, Value(Poison{}));
  }
  locate_nodes(e, value_span);
  Tensor tensor = value.tensor();
  const bool converts = (scalar || table) && tensor.type.dtype != e.context.compute_type;
  if (converts) tensor = tensor_value(e.context, cast_node(e.context, tensor.node, e.context.compute_type)).tensor();
  const bool native = !metric || !e.measure.active || measure_metric(e, stmt, tensor);
  e.results.push_back({stmt.kind, stmt.name.text, tensor, stmt.name.span, native});
  Node& node = e.context.build->graph()[tensor.node];
  if (node.label.empty()) node.label = stmt.name.text;
  bind_local(e, stmt.name, Value(tensor, stmt.name.span));
}

bool run_model(Evaluator& e, GraphRun& run, const std::string& name, int64_t batch, bool training) {
  run = GraphRun{};
  run.serial = ++e.next_serial;
  run.graph.name = name;
  run.graph.batch = batch;
  run.root = std::make_shared<LayerInstance>();
  GraphBuilder builder(run.graph);
  const Context outer_context = e.context;
  GraphRun* outer_run = std::exchange(e.run, &run);
  e.context.build = &builder;
  e.context.graph = run.serial;
  e.context.training = training;
  e.context.batch = batch;
  e.forward = training;
  e.work = 0;
  e.results.clear();
  e.inputs.clear();
  e.kinds_declared.clear();
  Frame frame;
  frame.kind = Frame::model;
  frame.file = e.unit.model->file;
  frame.ast = e.unit.model->ast;
  frame.layer = run.root.get();
  const ast::Model& model = e.unit.model->decl().as<ast::Model>();
  within(e, frame, [&] { run_block(e, model.body); });
  const bool fine = !has_errors(e.unit.diagnostics) && !e.exhausted;
  if (fine && !e.unknown_inputs) check_outputs(e, run.graph);
  for (const auto& [state, node] : run.current) {
    if (training && fine) builder.assign(state, node);
  }
  e.forward = false;
  e.context = outer_context;
  e.run = outer_run;
  return fine && !has_errors(e.unit.diagnostics);
}

}  // namespace nnc
