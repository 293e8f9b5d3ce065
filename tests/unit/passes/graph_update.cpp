// append_update and cut_functions.
#include <algorithm>

#include "passes/graph/cut_functions.h"
#include "passes/graph/fix_orders.h"
#include "passes/graph/fold_constants.h"
#include "passes/graph/fold_movement.h"
#include "passes/graph/merge_duplicates.h"
#include "passes/graph/remove_dead.h"
#include "passes/graph/simplify.h"
#include "passes/training/append_update.h"
#include "passes/training/differentiate.h"
#include "tests/unit/passes/graph_testing.h"

namespace nnc::testing {
namespace {

void add_slot(Program& program, const std::string& parameter, const std::string& suffix) {
  StateDecl slot;
  slot.name = parameter + ":" + suffix;
  slot.slot_of = program.find_state(parameter);
  slot.type = program[slot.slot_of].type;
  program.states.push_back(slot);
}

// p - 0.1 * (0.9 m + g)
void add_momentum(Program& program, const std::string& parameter) {
  add_slot(program, parameter, "m");
  UpdateRule rule{program.find_state(parameter), {}};
  TensorType type = program[rule.parameter].type;
  GraphBuilder build(rule.graph);
  NodeId p = build.input("p", type), g = build.input("g", type);
  NodeId m = build.state(program.find_state(parameter + ":m"), type);
  NodeId m1 = build.add(build.mul(m, build.constant_like(0.9, m)), g);
  build.assign(rule.parameter, build.sub(p, build.mul(m1, build.constant_like(0.1, m1))));
  build.assign(program.find_state(parameter + ":m"), m1);
  program.updates.push_back(std::move(rule));
}

// Adam as PyTorch has it, with lr 0.01; the corrections in f64.
void add_adam(Program& program, const std::string& parameter) {
  add_slot(program, parameter, "m");
  add_slot(program, parameter, "v");
  UpdateRule rule{program.find_state(parameter), {}};
  TensorType type = program[rule.parameter].type, scalar{DType::f64, 0, {}};
  GraphBuilder build(rule.graph);
  auto times = [&](NodeId x, double factor) { return build.mul(x, build.constant_like(factor, x)); };
  NodeId p = build.input("p", type), g = build.input("g", type);
  NodeId m = build.state(program.find_state(parameter + ":m"), type);
  NodeId v = build.state(program.find_state(parameter + ":v"), type);
  NodeId t = build.state(program.find_state("step"), {DType::i64, 0, {}});
  NodeId t1 = build.cast(build.add(t, build.constant_like(1, t)), DType::f64);
  auto correction = [&](double beta, NodeId over) {
    NodeId power = build.pow(build.constant(beta, scalar), t1);
    NodeId ratio = build.div(over, build.sub(build.constant(1, scalar), power));
    return build.broadcast(build.cast(ratio, DType::f32), type.dims, {});
  };
  NodeId m1 = build.add(times(m, 0.9), times(g, 0.1));
  NodeId v1 = build.add(times(v, 0.999), times(build.mul(g, g), 0.001));
  NodeId root = build.sqrt(build.mul(v1, correction(0.999, build.constant(1, scalar))));
  NodeId step = build.div(build.mul(m1, correction(0.9, build.constant(0.01, scalar))),
                          build.add(root, build.constant_like(1e-8, root)));
  build.assign(rule.parameter, build.sub(p, step));
  build.assign(program.find_state(parameter + ":m"), m1);
  build.assign(program.find_state(parameter + ":v"), v1);
  program.updates.push_back(std::move(rule));
}

void finish(Graph& graph) {
  for (auto pass : {simplify, fold_constants, fold_movement, merge_duplicates, remove_dead}) pass(graph);
  fix_orders(graph, target_avx512());
}

constexpr std::string_view line = R"(
  %x = input "x" : f32[4,3]
  %w = state "w" : f32[3] trained
  %b = state "b" : f32[] trained
fwd:
  %z = contract "n i, i -> n" %x %w
  %c = broadcast "-> n" %b : f32[4]
  %y = add %z %c
  %q = mul %y %y
  %l = reduce sum "n -> " %q
  loss "l" %l
)";

TEST(AppendUpdate, momentum_steps) {
  Case test = read_case(line);
  add_momentum(test.program, "w");
  add_momentum(test.program, "b");
  differentiate(test.graph, test.program);
  Graph joint = test.graph;
  append_update(joint, test.program);
  expect_valid(joint, test.program);
  for (const Root& root : joint.roots) EXPECT_NE(root.kind, Root::gradient);

  Inputs inputs = random_inputs(joint);
  States states = random_states(test.program);
  auto w = test.program.find_state("w").value, m = test.program.find_state("w:m").value;
  auto gradient = roots_of(test.graph, Root::gradient, inputs, states)["w"];
  Evaluation step = interpret(joint, inputs, states);
  EXPECT_EQ(step.assigned.size(), 5u);
  EXPECT_EQ(step.assigned.at(0).values[0], states[0].values[0] + 1);
  for (size_t k = 0; k < 3; ++k) {
    double m1 = states[m].values[k] * 0.9 + gradient[k];
    EXPECT_NEAR(step.assigned.at(m).values[k], m1, 1e-7);
    EXPECT_NEAR(step.assigned.at(w).values[k], states[w].values[k] - 0.1 * m1, 1e-7);
  }
}

TEST(AppendUpdate, first_adam_step_moves_by_the_learning_rate) {
  Case test = read_case(line);
  add_adam(test.program, "w");
  add_adam(test.program, "b");
  differentiate(test.graph, test.program);
  append_update(test.graph, test.program, true);
  expect_valid(test.graph, test.program);
  Inputs inputs = random_inputs(test.graph);
  States states = random_states(test.program);
  for (size_t k = 0; k < test.program.states.size(); ++k) {
    if (test.program.states[k].slot_of) std::ranges::fill(states[static_cast<uint32_t>(k)].values, 0.0);
  }
  states[0].values[0] = 0;
  auto gradients = roots_of(test.graph, Root::gradient, inputs, states);
  ASSERT_EQ(gradients.size(), 2u);
  Evaluation step = interpret(test.graph, inputs, states);
  for (const char* name : {"w", "b"}) {
    auto state = test.program.find_state(name).value;
    for (size_t k = 0; k < gradients[name].size(); ++k) {
      double moved = step.assigned.at(state).values[k] - states[state].values[k];
      EXPECT_NEAR(moved, gradients[name][k] > 0 ? -0.01 : 0.01, 1e-7) << name << k;
    }
  }
  EXPECT_EQ(step.assigned.at(0).values[0], 1);
}

TEST(AppendUpdate, rules_share_what_they_compute_alike) {
  Case test = read_case(line);
  add_adam(test.program, "w");
  add_adam(test.program, "b");
  differentiate(test.graph, test.program);
  append_update(test.graph, test.program);
  Graph before = test.graph;
  finish(test.graph);
  expect_valid(test.graph, test.program, true);
  auto count = [&](Op op) {
    return std::ranges::count_if(test.graph.nodes, [&](auto& node) { return node.op == op; });
  };
  EXPECT_EQ(count(Op::pow), 2);
  EXPECT_EQ(std::ranges::count_if(test.graph.nodes,
                                  [](auto& node) { return node.op == Op::add && node.type.dtype == DType::i64; }),
            1);
  expect_same_values(before, test.graph, test.program);
}

TEST(AppendUpdate, zero_gradient_of_an_unreached_state) {
  Case test = read_case(
      "%w = state \"w\" : f32[2] trained\n%v = state \"v\" : f32[] trained\nfwd:\n%l = exp %v\nloss \"l\" %l");
  add_momentum(test.program, "w");
  add_momentum(test.program, "v");
  differentiate(test.graph, test.program);
  append_update(test.graph, test.program);
  finish(test.graph);
  expect_valid(test.graph, test.program, true);
  States states = random_states(test.program);
  auto m = test.program.find_state("w:m").value;
  EXPECT_NEAR(interpret(test.graph, {}, states).assigned.at(m).values[1], 0.9 * states[m].values[1], 1e-12);
}

// Runs the three functions after one another, passing on what they save, and compares with the whole. Each sees the
// states as the one before left them.
void expect_cut_equals_step(const Graph& joint, const Program& program) {
  Cut cut = cut_functions(joint);
  Inputs values = random_inputs(joint);
  States states = random_states(program);
  Evaluation step = interpret(joint, values, states);
  std::map<uint32_t, std::vector<double>> assigned;
  std::map<std::string, std::vector<double>> roots;
  for (const Graph* function : {&cut.forward, &cut.backward, &cut.update}) {
    expect_valid(*function, program, true);
    Evaluation part = interpret(*function, values, states);
    for (const Root& root : function->roots) {
      const ReferenceTensor& value = part.values[root.node.value];
      if (root.kind == Root::saved) {
        values["saved:" + root.name] = value;
      } else {
        if (root.kind == Root::gradient) values["gradient:" + root.name] = value;
        roots[root.name] = value.values;
      }
    }
    for (const auto& [state, value] : part.assigned) {
      states[state] = value;
      EXPECT_TRUE(assigned.emplace(state, value.values).second) << "assigned twice";
    }
  }
  EXPECT_EQ(roots.size(), joint.roots.size());
  for (const Root& root : joint.roots) EXPECT_EQ(roots[root.name], step.values[root.node.value].values) << root.name;
  EXPECT_EQ(assigned.size(), step.assigned.size());
  for (const auto& [state, value] : step.assigned)
    EXPECT_EQ(assigned[state], value.values) << program.states[state].name;
}

TEST(CutFunctions, adam) {
  Case test = read_case(line);
  add_adam(test.program, "w");
  add_momentum(test.program, "b");
  differentiate(test.graph, test.program);
  append_update(test.graph, test.program, true);
  finish(test.graph);
  expect_cut_equals_step(test.graph, test.program);
  Cut cut = cut_functions(test.graph);
  EXPECT_EQ(cut.forward.name, "forward");
  // %y is all that backward needs besides the input.
  ASSERT_EQ(std::ranges::count_if(cut.forward.roots, [](auto& root) { return root.kind == Root::saved; }), 1);
  EXPECT_EQ(cut.forward.roots.back().name, "y");
  for (const Node& node : cut.forward.nodes) EXPECT_EQ(node.part, Part::forward);
}

// The forward part assigns a running mean that the gradient reads as it was before; the update reads it too.
TEST(CutFunctions, running_statistics) {
  Case test = read_case(R"(
  %x = input "x" : f32[4]
  %w = state "w" : f32[4] trained
  %r = state "r" : f32[4]
fwd:
  %a = mul %x %w
  %c = sub %a %r
  %q = mul %c %c
  %d = mul %q %r
  %l = reduce sum "n -> " %d
  loss "l" %l
  output "a" %a
  %s = mul %r 0.9
  %u = mul %a 0.1
  %n = add %s %u
  assign "r" %n
)");
  add_momentum(test.program, "w");
  GraphBuilder rule(test.program.updates[0].graph);
  StateId slot = test.program.find_state("w:m"), running = test.program.find_state("r");
  Node& last = test.program.updates[0].graph.nodes.back();
  ASSERT_EQ(last.op, Op::assign);
  NodeId momentum = last.operands[0];
  test.program.updates[0].graph.nodes.pop_back();
  rule.assign(slot, rule.add(momentum, rule.state(running, test.program[running].type)));
  differentiate(test.graph, test.program);
  append_update(test.graph, test.program, true);
  finish(test.graph);
  expect_cut_equals_step(test.graph, test.program);
  Cut cut = cut_functions(test.graph);
  EXPECT_TRUE(std::ranges::any_of(cut.backward.nodes, [](auto& node) {
    return node.op == Op::input && std::get<InputAttr>(node.attributes).name == "saved:r";
  }));
}

TEST(CutFunctions, random_masks_are_saved_and_random_seed_read) {
  Case test = read_case(R"(
  %w = state "w" : f32[6] trained
  %v = state "v" : f32[] trained
  %e = state "seed" : i64[]
  %t = state "step" : i64[]
fwd:
  %u = random uniform %e %t site=5 : f32[6]
  %k = compare lt %u 0.5
  %h = tanh %w
  %d = select %k %h 0
  %l = reduce sum "n -> " %d
  %o = exp %v
  loss "l" %l
  loss "o" %o
)");
  add_momentum(test.program, "w");
  add_adam(test.program, "v");
  differentiate(test.graph, test.program);
  append_update(test.graph, test.program, true);
  finish(test.graph);
  expect_cut_equals_step(test.graph, test.program);  // the gradient of v is the forward value %o
}

}  // namespace
}  // namespace nnc::testing
