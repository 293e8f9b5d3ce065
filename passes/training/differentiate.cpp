#include "passes/training/differentiate.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "ir/check.h"
#include "ir/ops/op.h"
#include "passes/graph/remove_dead.h"

namespace nnc {
namespace {

constexpr size_t none = SIZE_MAX;

struct Differentiation {
  Graph& graph;
  const Program& program;
  GraphBuilder build;
  std::vector<Node> before;             // the table as it came; the templates of custom gradients stay here
  std::vector<NodeId> now;              // per node of `before`: the forward node that stands for it
  std::vector<CustomGradient> customs;  // those of forward nodes; ids are of `before`
  std::map<uint32_t, NodeId> reads;     // StateId::value -> its only state node

  // Per forward node.
  std::vector<size_t> custom_of;                   // the custom gradient that it is an output of, or none
  std::vector<bool> needed;                        // a trained state reaches it by way of gradients
  std::vector<std::vector<NodeId>> contributions;  // to its cotangent, so far
};

bool is_template(const Node& node) { return node.part == Part::backward; }

// Moves the forward nodes to the front. One read per trained state is enough, which lets its contributions meet.
void keep_forward(Differentiation& d) {
  d.before = std::exchange(d.graph.nodes, {});
  d.now.resize(d.before.size());
  for (size_t n = 0; n < d.before.size(); ++n) {
    if (is_template(d.before[n])) continue;
    Node node = d.before[n];
    for (NodeId& operand : node.operands) {
      operand = d.now[operand.value];
      NNC_CHECK(operand, "{}: forward node {} uses a backward one", d.graph.name, n);
    }
    if (node.op == Op::state) {
      auto [read, first] = d.reads.try_emplace(node.as<StateAttr>().state.value, NodeId(d.graph.nodes.size()));
      d.now[n] = read->second;
      if (!first) continue;
    }
    d.now[n] = NodeId(d.graph.nodes.size());
    d.graph.nodes.push_back(std::move(node));
  }
  for (Root& root : d.graph.roots) root.node = d.now[root.node.value];
}

// A custom gradient whose outputs are backward belongs to a function used inside a template: there is no second order.
void claim_outputs(Differentiation& d) {
  d.custom_of.assign(d.graph.nodes.size(), none);
  for (CustomGradient& custom : std::exchange(d.graph.custom_gradients, {})) {
    bool forward = std::none_of(custom.outputs.begin(), custom.outputs.end(),
                                [&](NodeId id) { return is_template(d.before[id.value]); });
    if (!forward || custom.outputs.empty()) continue;
    NodeId first = *std::min_element(custom.outputs.begin(), custom.outputs.end());
    for (NodeId input : custom.inputs) {
      NNC_CHECK(input < first, "{}: input {} of a custom gradient does not precede its output {}", d.graph.name,
                input.value, first.value);
    }
    for (NodeId output : custom.outputs) d.custom_of[d.now[output.value].value] = d.customs.size();
    d.customs.push_back(std::move(custom));
  }
}

void find_needed(Differentiation& d) {
  auto is_needed = [&](NodeId id) { return d.needed[id.value]; };
  d.needed.resize(d.graph.nodes.size());
  for (size_t n = 0; n < d.graph.nodes.size(); ++n) {
    const Node& node = d.graph.nodes[n];
    if (!is_float(node.type.dtype)) continue;
    if (d.custom_of[n] != none) {
      const auto& inputs = d.customs[d.custom_of[n]].inputs;
      d.needed[n] = std::any_of(inputs.begin(), inputs.end(), [&](NodeId id) { return is_needed(d.now[id.value]); });
    } else if (node.op == Op::state) {
      d.needed[n] = d.program[node.as<StateAttr>().state].trained;
    } else if (definition(node.op).gradient != nullptr) {
      d.needed[n] = std::any_of(node.operands.begin(), node.operands.end(), is_needed);
    }
  }
}

void contribute(Differentiation& d, NodeId to, NodeId cotangent) {
  if (!cotangent || !d.needed[to.value]) return;
  const TensorType &from = d.graph.type(cotangent), &type = d.graph.type(to);
  NNC_CHECK(from.dtype == type.dtype && from.dims == type.dims, "{}: the cotangent of {} node {}, {}, is {}",
            d.graph.name, name_of(d.graph[to].op), to.value, to_string(type), to_string(from));
  d.contributions[to.value].push_back(cotangent);
}

// The cotangent of a node all of whose users are done, or an invalid id for zero.
NodeId total(Differentiation& d, NodeId id) {
  NodeId sum;
  for (NodeId contribution : d.contributions[id.value]) sum = sum ? d.build.add(sum, contribution) : contribution;
  return sum;
}

void apply_op_gradient(Differentiation& d, NodeId id) {
  auto gradient = definition(d.graph[id].op).gradient;
  if (gradient == nullptr || d.contributions[id.value].empty()) return;
  std::vector<NodeId> operands = d.graph[id].operands;
  d.build.set_locations(d.graph[id].locations);
  auto wanted = std::make_unique<bool[]>(operands.size());
  for (size_t k = 0; k < operands.size(); ++k) wanted[k] = d.needed[operands[k].value];
  GradientContext context{d.build, id, total(d, id), {wanted.get(), operands.size()}};
  std::vector<NodeId> cotangents = gradient(context);
  for (size_t k = 0; k < operands.size() && k < cotangents.size(); ++k) contribute(d, operands[k], cotangents[k]);
}

// Copies what `wanted` is computed from, as far as it is template, and returns the copies of `wanted`.
// `copies` holds the cotangents in place of the leaves.
std::vector<NodeId> copy_templates(Differentiation& d, const std::vector<NodeId>& wanted,
                                   std::map<NodeId, NodeId>& copies) {
  auto stands = [&](NodeId id) { return !is_template(d.before[id.value]) || (copies.contains(id) && copies[id]); };
  std::vector<NodeId> pending = wanted, order;
  while (!pending.empty()) {
    NodeId id = pending.back();
    pending.pop_back();
    if (stands(id) || !copies.try_emplace(id).second) continue;
    order.push_back(id);
    const Node& node = d.before[id.value];
    NNC_CHECK(node.op != Op::cotangent, "{}: a custom gradient reads a foreign cotangent leaf", d.graph.name);
    pending.insert(pending.end(), node.operands.begin(), node.operands.end());
  }
  std::sort(order.begin(), order.end());
  auto copy_of = [&](NodeId id) { return is_template(d.before[id.value]) ? copies.at(id) : d.now[id.value]; };
  for (NodeId id : order) {
    Node node = d.before[id.value];
    for (NodeId& operand : node.operands) operand = copy_of(operand);
    node.clone_of = {};
    if (node.locations.empty()) node.locations = d.build.locations();
    d.graph.nodes.push_back(std::move(node));
    copies[id] = d.graph.last();
  }
  std::vector<NodeId> result;
  for (NodeId id : wanted) result.push_back(copy_of(id));
  return result;
}

void apply_custom_gradient(Differentiation& d, size_t which) {
  const CustomGradient& custom = d.customs[which];
  std::vector<NodeId> cotangents;
  bool reached = false;
  d.build.set_locations(d.graph[d.now[custom.outputs[0].value]].locations);
  for (NodeId output : custom.outputs) {
    NodeId id = d.now[output.value];
    cotangents.push_back(d.custom_of[id.value] == which ? total(d, id) : NodeId());
    reached |= static_cast<bool>(cotangents.back());
  }
  if (!reached) return;
  std::map<NodeId, NodeId> copies;
  for (size_t k = 0; k < custom.cotangents.size(); ++k) {
    if (!custom.cotangents[k]) continue;  // of an output without one, an integer say
    const TensorType& type = d.before[custom.cotangents[k].value].type;
    copies[custom.cotangents[k]] = cotangents[k] ? cotangents[k] : d.build.constant(0, type);
  }
  std::vector<NodeId> inputs, wanted;
  for (size_t k = 0; k < custom.inputs.size(); ++k) {
    NodeId input = d.now[custom.inputs[k].value];
    if (!d.needed[input.value] || !custom.gradients[k]) continue;
    inputs.push_back(input);
    wanted.push_back(custom.gradients[k]);
  }
  std::vector<NodeId> gradients = copy_templates(d, wanted, copies);
  for (size_t k = 0; k < inputs.size(); ++k) contribute(d, inputs[k], gradients[k]);
}

void walk_backward(Differentiation& d) {
  size_t forward_nodes = d.graph.nodes.size();
  d.contributions.resize(forward_nodes);
  for (const Root& root : d.graph.roots) {
    if (root.kind != Root::loss) continue;
    NNC_CHECK(d.graph.type(root.node).rank() == 0, "{}: loss {} is no scalar", d.graph.name, root.name);
    d.build.set_locations(d.graph[root.node].locations);
    if (d.needed[root.node.value]) contribute(d, root.node, d.build.constant_like(1, root.node));
  }
  // The outputs of a custom gradient wait for the first of them: by then the cotangents of all are complete.
  std::vector<size_t> outputs_left(d.customs.size());
  for (size_t owner : d.custom_of) {
    if (owner != none) ++outputs_left[owner];
  }
  for (size_t n = forward_nodes; n-- > 0;) {
    if (size_t owner = d.custom_of[n]; owner != none) {
      if (--outputs_left[owner] == 0) apply_custom_gradient(d, owner);
    } else if (d.needed[n]) {
      apply_op_gradient(d, NodeId(n));
    }
  }
}

void add_roots(Differentiation& d) {
  for (size_t k = 0; k < d.program.states.size(); ++k) {
    const StateDecl& state = d.program.states[k];
    if (!state.trained) continue;
    d.build.set_locations(state.locations);
    auto read = d.reads.find(static_cast<uint32_t>(k));
    NodeId gradient = read == d.reads.end() ? NodeId() : total(d, read->second);
    if (!gradient) gradient = d.build.constant(0, state.type);
    d.graph.roots.push_back({Root::gradient, state.name, gradient});
  }
}

// Once the gradients are there, detach means nothing more.
void drop_detach(Graph& graph) {
  std::vector<NodeId> now(graph.nodes.size());
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    for (NodeId& operand : node.operands) operand = now[operand.value];
    now[n] = node.op == Op::detach ? node.operands[0] : NodeId(n);
  }
  for (Root& root : graph.roots) root.node = now[root.node.value];
}

}  // namespace

void differentiate(Graph& graph, const Program& program) {
  Differentiation d{graph, program, GraphBuilder(graph, Part::backward), {}, {}, {}, {}, {}, {}, {}};
  keep_forward(d);
  claim_outputs(d);
  find_needed(d);
  walk_backward(d);
  add_roots(d);
  drop_detach(graph);
  remove_dead(graph);
}

}  // namespace nnc
