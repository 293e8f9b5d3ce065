// The rules of the Graph.
//   G1  operands are defined above; forward uses only forward, backward nothing of update; an assign is no operand;
//   roots
//       and custom gradients name nodes
//   G2  a node's type is the one its op infers; maps take equal shapes and dtypes
//   G3  an index of a contract has one extent; a summed one occurs plain in an operand
//   G4  a state is read and assigned with its type, and assigned at most once
//   G5  bf16 only in cast, operands of contract and movement; f64 only at rank 0
//   G6  ids of gather and scatter_add are i32<n>, n <= extent of the axis
//   G7  random nodes of one site agree in type and distribution
//   G8  every reduction that adds or multiplies has an order (once orders are fixed)
//   G9  a clone equals its original, up to clones of its operands and equal constants, and stands in backward
//   G10 every node but an input reaches a root, an assign or a custom gradient (once orders are fixed: passes before
//   that
//       may leave dead nodes to remove_dead)
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "ir/graph/names.h"
#include "ir/graph/text.h"
#include "ir/ops/contract.h"
#include "ir/ops/op.h"

namespace nnc {
namespace {

struct GraphVerifier {
  const Graph& graph;
  const Program& program;
  bool orders_fixed;
  std::vector<std::string> names;
  std::vector<std::string> messages = {};
  std::map<uint32_t, NodeId> assigned = {}, sites = {};

  void report(NodeId id, std::string_view rule, const std::string& why) {
    std::string name = names[id.value];
    const auto* state = std::get_if<StateAttr>(&graph[id].attributes);
    if (graph[id].op == Op::assign && state && state->state.value < program.states.size()) {
      name += " " + quoted(program[state->state].name);
    }
    messages.push_back(fmt::format("{}: {}: {}", name, rule, why));
  }
  bool exists(NodeId id) const { return id.value < graph.nodes.size(); }

  // G1. False if the node's operands cannot be looked at.
  bool operands(NodeId id) {
    const Node& node = graph[id];
    bool sound = true;
    for (NodeId operand : node.operands) {
      if (operand.value >= id.value) {
        std::string what = exists(operand) ? names[operand.value] : fmt::format("number {}", operand.value);
        report(id, "G1", fmt::format("operand {} is not defined above", what));
        sound = false;
        continue;
      }
      Part part = graph[operand].part;
      if ((node.part == Part::forward && part != Part::forward) ||
          (node.part == Part::backward && part == Part::update)) {
        report(id, "G1", fmt::format("uses {} of a later part", names[operand.value]));
      }
      if (graph[operand].op == Op::assign) report(id, "G1", "uses an assign as a value");
    }
    return sound;
  }

  // G2 and G3. False if the attributes are another op's, so that no other rule can be looked at.
  bool type(NodeId id) {
    const Node& node = graph[id];
    const OpDefinition& found = definition(node.op);
    std::vector<TensorType> types;
    for (NodeId operand : node.operands) types.push_back(graph.type(operand));
    bool sound = node.attributes.index() == found.attributes &&
                 (found.arity < 0 || types.size() == static_cast<size_t>(found.arity));
    std::string error;
    if (sound && node.op == Op::contract) {
      error = check_index_map(node.as<ContractAttr>().map, types);
      if (!error.empty()) {
        report(id, "G3", error);
        return true;
      }
    }
    TensorType inferred = infer_type(node.op, types, node.attributes, node.type, error);
    if (!error.empty()) {
      report(id, "G2", error);
    } else if (inferred != node.type) {
      report(id, "G2", fmt::format("declared {}, inferred {}", to_string(node.type), to_string(inferred)));
    }
    if (sound && node.op == Op::scan && node.as<ScanAttr>().body >= graph.bodies.size())
      report(id, "G2", "the body does not exist");
    return sound;
  }

  void state(NodeId id) {
    const Node& node = graph[id];
    const auto* attribute = std::get_if<StateAttr>(&node.attributes);
    if (!attribute) return;
    if (attribute->state.value >= program.states.size()) return report(id, "G4", "there is no such state");
    const StateDecl& declared = program[attribute->state];
    if (node.type != declared.type) {
      report(
          id, "G4",
          fmt::format("state {} is {}, not {}", quoted(declared.name), to_string(declared.type), to_string(node.type)));
    }
    if (node.op == Op::assign && !assigned.emplace(attribute->state.value, id).second) {
      report(id, "G4", fmt::format("state {} is assigned twice", quoted(declared.name)));
    }
  }

  void dtypes(NodeId id) {
    const Node& node = graph[id];
    bool moves = node.op == Op::cast || definition(node.op).kind == OpKind::movement;
    bool halves = node.type.dtype == DType::bf16 && !moves;
    for (NodeId operand : node.operands) {
      halves = halves || (graph.type(operand).dtype == DType::bf16 && !moves && node.op != Op::contract);
    }
    if (halves) report(id, "G5", fmt::format("{} does not compute in bf16", name_of(node.op)));
    if (node.type.dtype == DType::f64 && node.type.rank() != 0)
      report(id, "G5", fmt::format("{}: f64 has rank 0", to_string(node.type)));
  }

  void ids(NodeId id) {
    const Node& node = graph[id];
    if (node.op != Op::gather && node.op != Op::scatter_add) return;
    const TensorType& whole = node.op == Op::gather ? graph.type(node.operands[0]) : node.type;
    const TensorType& numbers = graph.type(node.operands[1]);
    int64_t axis = node.as<AxisAttr>().axis;
    if (axis < 0 || axis >= whole.rank()) return;  // reported by G2
    int64_t extent = whole.dims[static_cast<size_t>(axis)];
    if (numbers.dtype != DType::i32 || numbers.bound == 0 || numbers.bound > extent) {
      report(id, "G6", fmt::format("ids {} for an axis of {}", to_string(numbers), extent));
    }
  }

  void site(NodeId id) {
    const Node& node = graph[id];
    if (node.op != Op::random) return;
    const auto& random = node.as<RandomAttr>();
    auto [first, is_new] = sites.emplace(random.site, id);
    const Node& other = graph[first->second];
    if (!is_new && (other.type != node.type || other.as<RandomAttr>().distribution != random.distribution)) {
      report(id, "G7", fmt::format("site {} is drawn otherwise by {}", random.site, names[first->second.value]));
    }
  }

  void tiles(NodeId id, const ContractAttr& contract) {
    if (contract.order.kind != Order::tiles) return;
    const int64_t count = contract.order.count;
    if (count < 2 || count % 2 != 0 || count > 4096) report(id, "G8", fmt::format("sums tiles of {} elements", count));
    const std::vector<int> summed = summed_indices(contract.map);
    const bool plain = summed.size() == 1 &&
                       std::all_of(contract.map.operands.begin(), contract.map.operands.end(), [&](const auto& axes) {
                         return std::count(axes.begin(), axes.end(), IndexTerm::plain(summed[0])) == 1;
                       });
    if (!plain) report(id, "G8", "sums tiles, but not over one plain index of both operands");
  }

  void order(NodeId id) {
    const Node& node = graph[id];
    bool missing = false;
    if (node.op == Op::reduce) {
      const auto& reduce = node.as<ReduceAttr>();
      bool depends = reduce.reduction == Reduction::sum || reduce.reduction == Reduction::prod;
      missing = depends && !reduce.axes.empty() && reduce.order.kind == Order::unset;
    } else if (node.op == Op::contract) {
      const auto& contract = node.as<ContractAttr>();
      missing = !summed_indices(contract.map).empty() && contract.order.kind == Order::unset;
      tiles(id, contract);
    }
    if (missing) report(id, "G8", "has no order");
  }

  bool is_constant_like(NodeId a, NodeId b) const {
    return graph[a].op == Op::constant && graph[b].op == Op::constant && graph.type(a) == graph.type(b) &&
           graph[a].attributes == graph[b].attributes;
  }

  void clone(NodeId id) {
    const Node& node = graph[id];
    if (!node.clone_of) return;
    if (node.clone_of.value >= id.value) return report(id, "G9", "its original is not defined above");
    const Node& original = graph[node.clone_of];
    if (node.part != Part::backward) report(id, "G9", "a clone stands in bwd");
    bool equal = node.op == original.op && node.type == original.type && node.attributes == original.attributes &&
                 node.operands.size() == original.operands.size();
    for (size_t k = 0; equal && k < node.operands.size(); ++k) {
      NodeId mine = node.operands[k], theirs = original.operands[k];
      equal = mine == theirs || graph[mine].clone_of == theirs || is_constant_like(mine, theirs);
    }
    if (!equal) report(id, "G9", fmt::format("differs from its original {}", names[node.clone_of.value]));
  }

  void reach() {
    std::vector<bool> reached(graph.nodes.size());
    auto mark = [&](NodeId id) {
      if (exists(id)) reached[id.value] = true;
    };
    for (const Root& root : graph.roots) mark(root.node);
    for (const CustomGradient& custom : graph.custom_gradients) {
      for (const auto* list : {&custom.outputs, &custom.cotangents, &custom.inputs, &custom.gradients}) {
        for (NodeId id : *list) mark(id);
      }
    }
    for (size_t n = graph.nodes.size(); n-- > 0;) {
      const Node& node = graph.nodes[n];
      if (node.op == Op::assign || node.op == Op::input) reached[n] = true;
      if (!reached[n]) report(NodeId(n), "G10", "reaches no root");
      // What only a dead node uses is dead with it, and one message is enough.
      for (NodeId operand : node.operands) mark(operand);
    }
  }

  void ends() {
    for (const Root& root : graph.roots) {
      if (!exists(root.node)) messages.push_back(fmt::format("root {}: G1: names no node", quoted(root.name)));
    }
    for (size_t k = 0; k < graph.custom_gradients.size(); ++k) {
      const CustomGradient& custom = graph.custom_gradients[k];
      auto complain = [&](const char* why) { messages.push_back(fmt::format("grad {}: G1: {}", k, why)); };
      if (custom.outputs.size() != custom.cotangents.size()) complain("outputs and cotangents differ in number");
      if (custom.inputs.size() != custom.gradients.size()) complain("inputs and gradients differ in number");
      for (const auto* list : {&custom.outputs, &custom.cotangents, &custom.inputs, &custom.gradients}) {
        for (NodeId id : *list) {
          // A gradient may be absent: it is zero.
          if (!exists(id) && (id || list != &custom.gradients)) complain("names no node");
        }
      }
      for (size_t i = 0; i < std::min(custom.outputs.size(), custom.cotangents.size()); ++i)
        pair(k, custom.outputs[i], custom.cotangents[i]);
      for (size_t i = 0; i < std::min(custom.inputs.size(), custom.gradients.size()); ++i)
        pair(k, custom.inputs[i], custom.gradients[i]);
    }
  }

  // A value and its cotangent have one type.
  void pair(size_t k, NodeId value, NodeId cotangent) {
    if (!exists(value) || !exists(cotangent) || graph.type(value) == graph.type(cotangent)) return;
    messages.push_back(fmt::format("grad {}: G2: the cotangent of {} : {} is {}", k, names[value.value],
                                   to_string(graph.type(value)), to_string(graph.type(cotangent))));
  }

  void all() {
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      NodeId id(n);
      if (!operands(id) || !type(id)) continue;
      state(id);
      dtypes(id);
      ids(id);
      site(id);
      if (orders_fixed) order(id);
      clone(id);
    }
    ends();
    if (orders_fixed) reach();
  }
};

}  // namespace

std::vector<std::string> verify(const Graph& graph, const Program& program, bool orders_fixed) {
  GraphVerifier verifier{graph, program, orders_fixed, node_names(graph, find_literals(graph))};
  verifier.all();
  for (const Graph& body : graph.bodies) {
    for (const std::string& message : verify(body, program, orders_fixed)) {
      verifier.messages.push_back(fmt::format("body {}: {}", word_or_quoted(body.name), message));
    }
  }
  return std::move(verifier.messages);
}

}  // namespace nnc
