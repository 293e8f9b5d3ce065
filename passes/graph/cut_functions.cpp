#include "passes/graph/cut_functions.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <set>

#include "ir/ops/op.h"
#include "passes/graph/remove_dead.h"

namespace nnc {
namespace {

constexpr std::array<std::string_view, 3> names = {"forward", "backward", "update"};

// What becomes of a node in one of the functions.
enum class Use : uint8_t { absent, copied, received };

struct Cutting {
  const Graph& joint;
  std::vector<Part> home;                // the function that computes a node; what can be read anew belongs to forward
  std::map<uint32_t, Part> assigned_in;  // StateId::value -> function
  std::map<NodeId, std::string> gradients;  // backward nodes that are gradient roots, by their first name
  std::map<NodeId, std::string> saved;      // crossing values, named when the first crossing is met
  std::set<std::string> taken;
};

bool is_leaf(const Node& node) { return definition(node.op).kind == OpKind::leaf; }

void find_homes(Cutting& cut) {
  for (const Node& node : cut.joint.nodes) {
    // A state is read as of the entry of step, wherever its node stands.
    cut.home.push_back(is_leaf(node) ? Part::forward : node.part);
    if (node.op == Op::assign) cut.assigned_in[node.as<StateAttr>().state.value] = node.part;
  }
  for (const Root& root : cut.joint.roots) {
    bool computed = root.kind == Root::gradient && cut.home[root.node.value] == Part::backward;
    if (computed) cut.gradients.try_emplace(root.node, root.name);
  }
}

// Per node: whether the function `part` can compute it from what lies around, by moving at most.
std::vector<bool> find_readable(const Cutting& cut, Part part) {
  std::vector<bool> readable(cut.joint.nodes.size());
  for (size_t n = 0; n < readable.size(); ++n) {
    const Node& node = cut.joint.nodes[n];
    if (node.op == Op::state) {
      auto assigned = cut.assigned_in.find(node.as<StateAttr>().state.value);
      readable[n] = assigned == cut.assigned_in.end() || assigned->second >= part;
    } else if (is_leaf(node)) {
      readable[n] = true;
    } else if (definition(node.op).kind == OpKind::movement && node.operands.size() == 1) {
      readable[n] = readable[node.operands[0].value];
    }
  }
  return readable;
}

// Asks the functions before to save the node.
const std::string& name_of_saved(Cutting& cut, NodeId id) {
  auto [known, first] = cut.saved.try_emplace(id);
  if (first) {
    const Node& node = cut.joint[id];
    std::string name = node.label.empty() ? fmt::format("{}.{}", name_of(node.op), id.value) : node.label;
    // A label may look like such a name; numbers follow until nobody has it.
    for (std::string base = name; !cut.taken.insert(name).second;) name = fmt::format("{}.{}", base, cut.taken.size());
    known->second = std::move(name);
  }
  return known->second;
}

std::vector<Use> find_uses(const Cutting& cut, Part part) {
  std::vector<bool> readable = find_readable(cut, part);
  std::vector<Use> uses(cut.joint.nodes.size(), Use::absent);
  auto want = [&](NodeId id) {
    Use& use = uses[id.value];
    if (use == Use::absent) use = cut.home[id.value] == part || readable[id.value] ? Use::copied : Use::received;
  };
  for (const Root& root : cut.joint.roots) {
    if (root.kind == Root::gradient ? part == Part::backward : part == Part::forward) want(root.node);
  }
  for (size_t n = uses.size(); n-- > 0;) {
    const Node& node = cut.joint.nodes[n];
    if (cut.home[n] == part && !is_leaf(node)) want(NodeId(n));
    if (uses[n] != Use::copied) continue;
    for (NodeId operand : node.operands) want(operand);
  }
  return uses;
}

// The functions are cut from the last to the first, so that each knows what the later ones want saved.
Graph cut_one(Cutting& cut, Part part) {
  Graph graph;
  graph.name = names[static_cast<size_t>(part)];
  graph.batch = cut.joint.batch;
  graph.bodies = cut.joint.bodies;
  std::vector<Use> uses = find_uses(cut, part);
  std::vector<NodeId> now(uses.size());
  for (const auto& [id, name] : cut.saved) {
    if (cut.home[id.value] == part) uses[id.value] = Use::copied;
  }
  for (size_t n = 0; n < uses.size(); ++n) {
    if (uses[n] == Use::absent) continue;
    Node node = cut.joint.nodes[n];
    if (uses[n] == Use::received) {
      auto gradient = cut.gradients.find(NodeId(n));
      bool is_gradient = part == Part::update && gradient != cut.gradients.end();
      std::string name = is_gradient ? "gradient:" + gradient->second : "saved:" + name_of_saved(cut, NodeId(n));
      node.op = Op::input;
      node.part = Part::forward;
      node.operands.clear();
      node.attributes = InputAttr{std::move(name), false};
    }
    node.clone_of = {};  // what a clone saves is decided by the cut
    for (NodeId& operand : node.operands) operand = now[operand.value];
    now[n] = NodeId(graph.nodes.size());
    graph.nodes.push_back(std::move(node));
  }
  for (const Root& root : cut.joint.roots) {
    Part home = root.kind == Root::gradient ? Part::backward : Part::forward;
    if (home == part) graph.roots.push_back({root.kind, root.name, now[root.node.value]});
  }
  for (const auto& [id, name] : cut.saved) {
    if (cut.home[id.value] == part) graph.roots.push_back({Root::saved, name, now[id.value]});
  }
  remove_dead(graph);
  return graph;
}

}  // namespace

Cut cut_functions(const Graph& joint) {
  Cutting cut{joint, {}, {}, {}, {}, {}};
  find_homes(cut);
  Cut result;
  result.update = cut_one(cut, Part::update);
  result.backward = cut_one(cut, Part::backward);
  result.forward = cut_one(cut, Part::forward);
  return result;
}

}  // namespace nnc
