// The functions of a program, each a run of the model's body.
#include <algorithm>

#include "frontend/evaluator.h"

namespace nnc {

namespace {

void mark(const Graph& graph, std::vector<bool>& live, NodeId root) {
  std::vector<NodeId> pending{root};
  while (!pending.empty()) {
    const NodeId id = pending.back();
    pending.pop_back();
    if (live[id.value]) continue;
    live[id.value] = true;
    for (const NodeId operand : graph[id].operands) pending.push_back(operand);
  }
}

// Gradients the user wrote live as long as their outputs; they may need nodes of their own.
void mark_gradients(const Graph& graph, std::vector<bool>& live) {
  for (bool grew = true; grew;) {
    grew = false;
    for (const CustomGradient& custom : graph.custom_gradients) {
      if (!live[custom.outputs[0].value]) continue;
      for (const auto* nodes : {&custom.outputs, &custom.cotangents, &custom.inputs, &custom.gradients}) {
        for (const NodeId id : *nodes) {
          if (live[id.value]) continue;
          mark(graph, live, id);
          grew = true;
        }
      }
    }
  }
}

void begin_program(Evaluator& e) {
  e.program.name = e.unit.model->name;
  for (const SourceFile& file : e.unit.sources.files) e.program.files.push_back(file.name);
  for (const char* name : {"step", "seed"}) {
    StateDecl state;
    state.name = name;
    state.type = TensorType{DType::i64, 0, {}};
    e.program.states.push_back(std::move(state));
  }
  e.initialize.serial = ++e.next_serial;
  e.initialize.graph.name = "initialize";
  e.initialize_builder = std::make_unique<GraphBuilder>(e.initialize.graph);
  GraphBuilder& build = *e.initialize_builder;
  build.assign(StateId(0), build.constant(0, TensorType{DType::i64, 0, {}}));
}

// The seed is set before `initialize` runs and kept by it.
void finish_initialize(Evaluator& e) {
  auto& seed = e.initialize.state_nodes[StateId(1)];
  e.initialize_builder->set_locations({});
  if (!seed) seed = e.initialize_builder->state(StateId(1), TensorType{DType::i64, 0, {}});
  e.initialize_builder->assign(StateId(1), seed);
  e.program.functions.insert(e.program.functions.begin(), std::move(e.initialize.graph));
}

void add_roots(const Evaluator& e, Graph& graph, bool outputs, bool scores) {
  for (const DeclaredResult& result : e.results) {
    const bool output = result.kind == ast::ResultKind::output;
    if (output ? !outputs : !scores) continue;
    if (!result.native) continue;
    const Root::Kind kind = output ? Root::output : result.kind == ast::ResultKind::loss ? Root::loss : Root::metric;
    graph.roots.push_back({kind, result.name, result.tensor.node});
  }
}

enum class Function { step, evaluate, predict };

// Core functions without native code may feed nothing that is compiled.
bool check_lowered(Evaluator& e, const Graph& graph) {
  std::vector<bool> live(graph.nodes.size());
  for (const Root& root : graph.roots) mark(graph, live, root.node);
  for (size_t k = 0; k < graph.nodes.size(); ++k) {
    if (graph.nodes[k].op == Op::assign) mark(graph, live, NodeId(k));
  }
  for (const Unlowered& node : e.interpreted) {
    if (live[node.node.value]) no_lowering(e.context, node.what, node.span);
  }
  return !has_errors(e.unit.diagnostics);
}

// `rows`: of whole passes, for which metrics over all rows are built.
bool build_function(Evaluator& e, Function function, int64_t batch, const std::vector<int64_t>& rows = {}) {
  const char* name = function == Function::step ? "step" : function == Function::evaluate ? "evaluate" : "predict";
  GraphRun run;
  e.measure = {};
  e.interpreted.clear();
  if (function != Function::predict) begin_measures(e, name, batch, rows);
  if (!run_model(e, run, name, batch, function == Function::step) || e.unknown_inputs) return false;
  const bool has_loss = std::any_of(e.results.begin(), e.results.end(),
                                    [](const DeclaredResult& result) { return result.kind == ast::ResultKind::loss; });
  if (!has_loss && function == Function::step) {
    complain(e, DiagnosticKind::no_model, e.unit.model->decl().as<ast::Model>().name.span, "the model `{}` has no loss",
             e.unit.model->name)
        .help("`loss ce = cross_entropy(logits, y)`");
    return false;
  }
  add_roots(e, run.graph, function == Function::predict, function != Function::predict);
  if (function != Function::predict) finish_measures(e, run.graph);
  if (!check_lowered(e, run.graph)) return false;
  if (function == Function::predict && run.graph.roots.empty()) return true;
  prune(run.graph);
  e.program.functions.push_back(std::move(run.graph));
  return true;
}

// Slots depend on the optimizer only; they stand behind all states of the model.
bool build_functions(Evaluator& e, const BuildRequest& request) {
  const auto& evaluate_batches = request.evaluate_batches.empty() ? request.batches : request.evaluate_batches;
  const auto build_all = [&](Function function, const std::vector<int64_t>& batches, const std::vector<int64_t>& rows) {
    for (const int64_t batch : batches) {
      const bool first = batch == batches.front();
      if (!build_function(e, function, batch, !first ? std::vector<int64_t>{} : rows.empty() ? batches : rows))
        return false;
    }
    return true;
  };
  declare_accumulation(e);
  if (!build_all(Function::step, request.batches, request.step_rows)) return false;
  if (!build_all(Function::evaluate, evaluate_batches, request.evaluate_rows)) return false;
  const std::vector<int64_t> first{request.batches.front()};
  for (const int64_t batch : request.predict_batches.empty() ? first : request.predict_batches) {
    if (!build_function(e, Function::predict, batch)) return false;
  }
  build_updates(e);
  if (has_errors(e.unit.diagnostics)) return false;
  build_gradient_rules(e);
  average_weights(e);
  return !has_errors(e.unit.diagnostics);
}

}  // namespace

void prune(Graph& graph) {
  std::vector<bool> live(graph.nodes.size());
  for (const Root& root : graph.roots) mark(graph, live, root.node);
  for (size_t k = 0; k < graph.nodes.size(); ++k) {
    const Node& node = graph.nodes[k];
    const bool kept_input = node.op == Op::input && (!node.as<InputAttr>().is_target || graph.name != "predict");
    if (node.op == Op::assign || kept_input) mark(graph, live, NodeId(k));
  }
  mark_gradients(graph, live);
  std::vector<NodeId> renamed(graph.nodes.size());
  std::vector<Node> nodes;
  for (size_t k = 0; k < graph.nodes.size(); ++k) {
    if (!live[k]) continue;
    Node node = std::move(graph.nodes[k]);
    for (NodeId& operand : node.operands) operand = renamed[operand.value];
    renamed[k] = NodeId(nodes.size());
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
  for (Root& root : graph.roots) root.node = renamed[root.node.value];
  std::erase_if(graph.custom_gradients, [&](const CustomGradient& custom) { return !live[custom.outputs[0].value]; });
  for (CustomGradient& custom : graph.custom_gradients) {
    for (auto* list : {&custom.outputs, &custom.cotangents, &custom.inputs, &custom.gradients}) {
      for (NodeId& id : *list) id = renamed[id.value];
    }
  }
}

std::optional<Program> build_program(Unit& unit, const std::vector<FieldType>& fields, const BuildRequest& request) {
  NNC_CHECK(!request.batches.empty(), "a batch length is requested");
  const TrainSettings& train = train_settings(unit);
  if (unit.model == nullptr && !has_errors(unit.diagnostics)) {
    report(unit.diagnostics, DiagnosticKind::no_model, Place{unit.sources.files[0].name}, "the file holds no model");
  }
  // Mistakes in data and train do not hide those of the model.
  if (unit.model == nullptr) return std::nullopt;
  Evaluator e(unit);
  e.fields = &fields;
  e.unknown_inputs = std::any_of(fields.begin(), fields.end(), [](const FieldType& field) { return !field.known; });
  e.steps_per_epoch = static_cast<double>(request.steps_per_epoch);
  e.steps = e.steps_per_epoch * static_cast<double>(train.epochs);
  begin_program(e);
  if (!build_functions(e, request) || has_errors(unit.diagnostics)) return std::nullopt;
  finish_initialize(e);
  return std::move(e.program);
}

namespace {

void collect_inputs(const Ast& tree, const ast::Block& block, std::vector<ModelInput>& inputs) {
  for (const ast::StmtId id : block.stmts) {
    const ast::Stmt& stmt = tree[id];
    if (stmt.kind() == ast::StmtKind::declare_input) {
      const auto& input = stmt.as<ast::DeclareInput>();
      const ast::TypeExpr& type = tree[input.type];
      inputs.push_back({input.name.text, input.target, type.element == ast::ElementType::i32, input.name.span});
    } else if (stmt.kind() == ast::StmtKind::if_) {
      for (const ast::IfArm& arm : stmt.as<ast::If>().arms) collect_inputs(tree, arm.body, inputs);
      if (stmt.as<ast::If>().otherwise) collect_inputs(tree, *stmt.as<ast::If>().otherwise, inputs);
    }
  }
}

}  // namespace

std::vector<ModelInput> model_inputs(const Unit& unit) {
  std::vector<ModelInput> inputs;
  if (unit.model != nullptr) collect_inputs(*unit.model->ast, unit.model->decl().as<ast::Model>().body, inputs);
  return inputs;
}

}  // namespace nnc
