#include "tests/unit/passes/graph_testing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace nnc::testing {
namespace {

// Numbers from a name: FNV-1a, then a linear congruence.
struct Numbers {
  uint64_t state;

  Numbers(std::string_view name, uint64_t seed) : state(0xcbf29ce484222325u + seed * 0x9E3779B97F4A7C15u) {
    for (char c : name) state = (state ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  }
  double next() {  // in [0, 1)
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 11) * 0x1p-53;
  }
};

ReferenceTensor random_tensor(const std::string& name, const TensorType& type, uint64_t seed) {
  Numbers numbers(name, seed);
  ReferenceTensor result{type, {}};
  for (int64_t k = 0; k < type.elements(); ++k) {
    double value = numbers.next();
    if (is_float(type.dtype)) {
      value = static_cast<float>(2 * value - 1);
    } else {
      value = std::floor(value * static_cast<double>(type.bound != 0 ? type.bound : 2));
    }
    result.values.push_back(value);
  }
  return result;
}

Graph parse(std::string_view body, Program& program) {
  Graph graph;
  std::string error = parse_graph(fmt::format("graph step {{\n{}\n}}\n", body), program, graph);
  EXPECT_EQ(error, "") << body;
  return graph;
}

}  // namespace

Case read_case(std::string_view body) {
  Case result;
  for (const char* name : {"step", "seed"}) {
    StateDecl state;
    state.name = name;
    state.type = {DType::i64, 0, {}};
    result.program.states.push_back(state);
  }
  result.graph = parse(body, result.program);
  return result;
}

std::string plain_text(const Graph& graph, const Program& program) {
  Graph plain = graph;
  for (Node& node : plain.nodes) {
    node.label.clear();
    node.locations.clear();
  }
  return print(plain, program);
}

void expect_valid(const Graph& graph, const Program& program, bool orders_fixed) {
  EXPECT_EQ(fmt::format("{}", fmt::join(verify(graph, program, orders_fixed), "\n")), "") << print(graph, program);
}

void expect_graph(const Graph& graph, const Program& program, std::string_view body) {
  Program same = program;
  EXPECT_EQ(plain_text(graph, program), plain_text(parse(body, same), program));
  expect_valid(graph, program);
}

void expect_pass(const std::function<void(Graph&)>& pass, std::string_view before, std::string_view after) {
  Case test = read_case(before);
  pass(test.graph);
  expect_graph(test.graph, test.program, after);
}

Inputs random_inputs(const Graph& graph, uint64_t seed) {
  Inputs inputs;
  for (const Node& node : graph.nodes) {
    if (node.op != Op::input) continue;
    const std::string& name = node.as<InputAttr>().name;
    inputs[name] = random_tensor(name, node.type, seed);
  }
  return inputs;
}

States random_states(const Program& program, uint64_t seed) {
  States states;
  for (size_t k = 0; k < program.states.size(); ++k) {
    auto& state = states[static_cast<uint32_t>(k)] =
        random_tensor(program.states[k].name, program.states[k].type, seed);
    if (!program.states[k].name.ends_with(":v")) continue;
    for (double& value : state.values) value = std::abs(value);  // a mean of squares
  }
  return states;
}

std::map<std::string, std::vector<double>> roots_of(const Graph& graph, Root::Kind kind, const Inputs& inputs,
                                                    const States& states) {
  Evaluation evaluation = interpret(graph, inputs, states);
  std::map<std::string, std::vector<double>> result;
  for (const Root& root : graph.roots) {
    if (root.kind == kind) result[root.name] = evaluation.values[root.node.value].values;
  }
  return result;
}

void expect_same_values(const Graph& a, const Graph& b, const Program& program) {
  Inputs inputs = random_inputs(a);
  inputs.merge(random_inputs(b));
  States states = random_states(program);
  Evaluation x = interpret(a, inputs, states), y = interpret(b, inputs, states);
  ASSERT_EQ(a.roots.size(), b.roots.size());
  for (size_t k = 0; k < a.roots.size(); ++k) {
    EXPECT_EQ(x.values[a.roots[k].node.value].values, y.values[b.roots[k].node.value].values) << a.roots[k].name;
  }
  ASSERT_EQ(x.assigned.size(), y.assigned.size());
  for (const auto& [state, value] : x.assigned) EXPECT_EQ(value.values, y.assigned.at(state).values) << state;
}

}  // namespace nnc::testing
