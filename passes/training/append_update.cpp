#include "passes/training/append_update.h"

#include <algorithm>
#include <map>
#include <set>

#include "ir/check.h"
#include "passes/graph/remove_dead.h"

namespace nnc {
namespace {

// The state nodes and assigns a graph has already.
struct StateUses {
  std::map<uint32_t, NodeId> reads;
  std::set<uint32_t> assigned;
};

StateUses find_states(const Graph& graph) {
  StateUses uses;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (node.op == Op::state) uses.reads.try_emplace(node.as<StateAttr>().state.value, NodeId(n));
    if (node.op == Op::assign) uses.assigned.insert(node.as<StateAttr>().state.value);
  }
  return uses;
}

NodeId read(GraphBuilder& build, const Program& program, StateUses& uses, StateId state) {
  auto [known, first] = uses.reads.try_emplace(state.value);
  if (first) {
    build.set_locations(program[state].locations);
    known->second = build.state(state, program[state].type);
  }
  return known->second;
}

void copy_rule(GraphBuilder& build, const Program& program, StateUses& uses, const UpdateRule& rule, NodeId gradient) {
  Graph& graph = build.graph();
  std::vector<NodeId> now(rule.graph.nodes.size());
  for (size_t n = 0; n < rule.graph.nodes.size(); ++n) {
    const Node& from = rule.graph.nodes[n];
    if (from.op == Op::input) {
      const std::string& name = from.as<InputAttr>().name;
      NNC_CHECK(name == "p" || name == "g", "update of {}: unknown input {}", program[rule.parameter].name, name);
      now[n] = name == "g" ? gradient : read(build, program, uses, rule.parameter);
      NNC_CHECK(graph.type(now[n]) == from.type, "update of {}: input {} is {}, not {}", program[rule.parameter].name,
                name, to_string(from.type), to_string(graph.type(now[n])));
      continue;
    }
    if (from.op == Op::state) {
      now[n] = read(build, program, uses, from.as<StateAttr>().state);
      continue;
    }
    Node node = from;
    node.part = Part::update;
    if (node.locations.empty()) node.locations = program[rule.parameter].locations;
    for (NodeId& operand : node.operands) operand = now[operand.value];
    if (node.op == Op::assign) uses.assigned.insert(node.as<StateAttr>().state.value);
    graph.nodes.push_back(std::move(node));
    now[n] = graph.last();
  }
}

// Copies the function's gradient rule, if it has one, and puts its roots in place of the gradients.
void copy_gradient_rule(GraphBuilder& build, const Program& program, StateUses& uses,
                        std::map<std::string, NodeId>& gradients) {
  Graph& graph = build.graph();
  const auto rule = std::find_if(program.gradient_rules.begin(), program.gradient_rules.end(),
                                 [&](const Graph& candidate) { return candidate.name == graph.name; });
  if (rule == program.gradient_rules.end()) return;
  std::vector<NodeId> now(rule->nodes.size());
  for (size_t n = 0; n < rule->nodes.size(); ++n) {
    const Node& from = rule->nodes[n];
    if (from.op == Op::input) {
      constexpr std::string_view prefix = "gradient:";
      const std::string& name = from.as<InputAttr>().name;
      NNC_CHECK(name.starts_with(prefix), "gradients of {}: unknown input {}", graph.name, name);
      const auto gradient = gradients.find(name.substr(prefix.size()));
      NNC_CHECK(gradient != gradients.end(), "gradients of {}: no gradient for {}", graph.name, name);
      now[n] = gradient->second;
      continue;
    }
    if (from.op == Op::state) {
      now[n] = read(build, program, uses, from.as<StateAttr>().state);
      continue;
    }
    Node node = from;
    node.part = Part::update;
    for (NodeId& operand : node.operands) operand = now[operand.value];
    if (node.op == Op::assign) uses.assigned.insert(node.as<StateAttr>().state.value);
    graph.nodes.push_back(std::move(node));
    now[n] = graph.last();
  }
  for (const Root& root : rule->roots) gradients[root.name] = now[root.node.value];
}

void count_step(GraphBuilder& build, const Program& program, StateUses& uses) {
  StateId step = program.find_state("step");
  NNC_CHECK(step, "{}: the program has no state \"step\"", program.name);
  if (uses.assigned.contains(step.value)) return;
  NodeId done = read(build, program, uses, step);
  build.set_locations({});
  build.assign(step, build.add(done, build.constant_like(1, done)));
}

}  // namespace

void append_update(Graph& graph, const Program& program, bool keep_gradients) {
  std::map<std::string, NodeId> gradients;
  for (const Root& root : graph.roots) {
    if (root.kind == Root::gradient) gradients[root.name] = root.node;
  }
  StateUses uses = find_states(graph);
  GraphBuilder build(graph, Part::update);
  copy_gradient_rule(build, program, uses, gradients);
  const bool updates = graph.name != "accumulate";
  for (const UpdateRule& rule : program.updates) {
    if (!updates) break;
    auto gradient = gradients.find(program[rule.parameter].name);
    NNC_CHECK(gradient != gradients.end(), "{}: no gradient of {}", graph.name, program[rule.parameter].name);
    copy_rule(build, program, uses, rule, gradient->second);
  }
  if (updates) count_step(build, program, uses);
  if (!keep_gradients) std::erase_if(graph.roots, [](const Root& root) { return root.kind == Root::gradient; });
  remove_dead(graph);
}

}  // namespace nnc
