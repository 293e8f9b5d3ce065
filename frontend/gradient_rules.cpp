// What the settings `accumulate`, `clip` and `average` make of a program: rules between the gradients and the updates,
// and evaluation on averaged weights.
#include <algorithm>

#include "frontend/evaluator.h"

namespace nnc {

namespace {

const TensorType scalar_f32{DType::f32, 0, {}};

// Held against dividing by a norm of 0: torch.nn.utils.clip_grad_norm_.
constexpr double norm_epsilon = 1e-6;

std::vector<StateId> trained_states(const Program& program) {
  std::vector<StateId> trained;
  for (size_t k = 0; k < program.states.size(); ++k) {
    if (program.states[k].trained) trained.push_back(StateId(k));
  }
  return trained;
}

// The batch's gradients weighted by its share of the group's rows, with what earlier batches left.
std::vector<NodeId> add_sums(Evaluator& e, GraphBuilder& build, const std::vector<StateId>& trained,
                             const std::vector<NodeId>& gradients) {
  const NodeId share = build.state(e.program.find_state(":share"), scalar_f32);
  std::vector<NodeId> totals;
  for (size_t k = 0; k < trained.size(); ++k) {
    const StateDecl& parameter = e.program[trained[k]];
    const NodeId weight = build.broadcast(share, parameter.type.dims, {});
    const NodeId sum = build.state(e.program.find_state(parameter.name + ":grad_sum"), parameter.type);
    totals.push_back(build.add(sum, build.mul(gradients[k], weight)));
  }
  return totals;
}

// coefficient = min(1, limit / (norm + 1e-6)), the norm over all gradients together.
void clip_by_norm(GraphBuilder& build, double limit, std::vector<NodeId>& gradients) {
  NodeId total;
  for (const NodeId gradient : gradients) {
    std::vector<int64_t> axes;
    for (int64_t axis = 0; axis < build.type(gradient).rank(); ++axis) axes.push_back(axis);
    NodeId squares = build.mul(gradient, gradient);
    if (!axes.empty()) squares = build.reduce(Reduction::sum, squares, axes);
    if (build.type(squares).dtype != DType::f32) squares = build.cast(squares, DType::f32);
    total = total ? build.add(total, squares) : squares;
  }
  const NodeId norm = build.add(build.sqrt(total), build.constant(norm_epsilon, scalar_f32));
  const NodeId ratio = build.div(build.constant(limit, scalar_f32), norm);
  const NodeId coefficient = build.min(ratio, build.constant(1, scalar_f32));
  for (NodeId& gradient : gradients) {
    const TensorType type = build.type(gradient);
    NodeId factor = coefficient;
    if (type.dtype != DType::f32) factor = build.cast(factor, type.dtype);
    gradient = build.mul(gradient, build.broadcast(factor, type.dims, {}));
  }
}

void clip_by_value(GraphBuilder& build, double limit, std::vector<NodeId>& gradients) {
  for (NodeId& gradient : gradients) {
    const NodeId held = build.max(gradient, build.constant_like(-limit, gradient));
    gradient = build.min(held, build.constant_like(limit, held));
  }
}

// `last`: the batch completes its group, and the update follows.
Graph gradient_rule(Evaluator& e, const std::vector<StateId>& trained, const std::string& name, bool last) {
  const TrainSettings& train = train_settings(e.unit);
  const TensorType counter{DType::i64, 0, {}};
  Graph graph;
  graph.name = name;
  GraphBuilder build(graph, Part::update);
  std::vector<NodeId> gradients;
  for (const StateId id : trained) {
    build.set_locations(e.program[id].locations);
    gradients.push_back(build.input("gradient:" + e.program[id].name, e.program[id].type));
  }
  if (train.accumulate > 1) {
    build.set_locations({});
    gradients = add_sums(e, build, trained, gradients);
    for (size_t k = 0; k < trained.size(); ++k) {
      const StateId sum = e.program.find_state(e.program[trained[k]].name + ":grad_sum");
      // Zeroed in the step that uses them: nothing of one group can reach the next.
      build.assign(sum, last ? build.constant(0, e.program[sum].type) : gradients[k]);
    }
    const StateId micro = e.program.find_state(":micro");
    const NodeId done = build.state(micro, counter);
    build.assign(micro, last ? build.constant(0, counter) : build.add(done, build.constant(1, counter)));
  }
  if (last && train.clip == Clip::norm) clip_by_norm(build, train.clip_limit, gradients);
  if (last && train.clip == Clip::value) clip_by_value(build, train.clip_limit, gradients);
  if (last) {
    for (size_t k = 0; k < trained.size(); ++k)
      graph.roots.push_back({Root::gradient, e.program[trained[k]].name, gradients[k]});
  }
  prune(graph);
  return graph;
}

}  // namespace

StateId add_own_state(Evaluator& e, StateDecl decl, double value) {
  const TensorType type = decl.type;
  const StateId id = add_state(e, std::move(decl));
  e.initialize_builder->set_locations({});
  e.initialize_builder->assign(id, e.initialize_builder->constant(value, type));
  return id;
}

void declare_accumulation(Evaluator& e) {
  if (train_settings(e.unit).accumulate == 1) return;
  StateDecl micro;
  micro.name = ":micro";  // batches done of the group
  micro.type = TensorType{DType::i64, 0, {}};
  add_own_state(e, std::move(micro), 0);
  StateDecl share;
  share.name = ":share";  // of the group's rows, that the next batch holds; set before each
  share.type = scalar_f32;
  add_own_state(e, std::move(share), 1);
}

void build_gradient_rules(Evaluator& e) {
  const TrainSettings& train = train_settings(e.unit);
  if (e.program.updates.empty()) return;
  const std::vector<StateId> trained = trained_states(e.program);
  if (train.accumulate > 1) {
    for (const StateId id : trained) {
      StateDecl sum;
      sum.name = e.program[id].name + ":grad_sum";
      sum.type = TensorType{e.program[id].type.dtype, 0, e.program[id].type.dims};
      sum.slot_of = id;
      sum.locations = e.program[id].locations;
      add_own_state(e, std::move(sum), 0);
    }
    e.program.gradient_rules.push_back(gradient_rule(e, trained, "accumulate", false));
    const auto step = std::find_if(e.program.functions.begin(), e.program.functions.end(),
                                   [](const Graph& graph) { return graph.name == "step"; });
    Graph accumulate = *step;
    accumulate.name = "accumulate";
    e.program.functions.push_back(std::move(accumulate));
  }
  if (train.accumulate > 1 || train.clip != Clip::none)
    e.program.gradient_rules.push_back(gradient_rule(e, trained, "step", true));
}

void average_weights(Evaluator& e) {
  if (train_settings(e.unit).average == 0) return;
  std::vector<StateId> averages(e.program.states.size());
  for (const StateId id : trained_states(e.program))
    averages[id.value] = e.program.find_state(e.program[id].name + ":average");
  for (Graph& graph : e.program.functions) {
    if (graph.name != "evaluate" && graph.name != "predict") continue;
    for (Node& node : graph.nodes) {
      if (node.op != Op::state) continue;
      auto& attribute = node.as<StateAttr>();
      if (averages[attribute.state.value]) attribute.state = averages[attribute.state.value];
    }
  }
}

}  // namespace nnc
