#include "passes/graph/remove_dead.h"

#include <algorithm>
#include <iterator>

#include "passes/graph/rewrite.h"

namespace nnc {
namespace {

// Marks what the nodes of `pending` are computed from; empties `pending`.
void mark(const Graph& graph, std::vector<NodeId>& pending, std::vector<bool>& live) {
  while (!pending.empty()) {
    NodeId id = pending.back();
    pending.pop_back();
    if (live[id.value]) continue;
    live[id.value] = true;
    const auto& operands = graph[id].operands;
    pending.insert(pending.end(), operands.begin(), operands.end());
  }
}

// A custom gradient is needed as long as one of its outputs is. What it reads may be the output of another one, made
// before it, so the list is walked from its end; a gradient that reads a later one's output waits for the next round.
void mark_custom_gradients(const Graph& graph, std::vector<bool>& live, std::vector<bool>& wanted) {
  std::vector<NodeId> pending;
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t k = graph.custom_gradients.size(); k-- > 0;) {
      const CustomGradient& custom = graph.custom_gradients[k];
      auto is_live = [&](NodeId id) { return live[id.value]; };
      if (wanted[k] || std::none_of(custom.outputs.begin(), custom.outputs.end(), is_live)) continue;
      wanted[k] = changed = true;
      for (const auto* list : {&custom.outputs, &custom.cotangents, &custom.inputs, &custom.gradients}) {
        std::copy_if(list->begin(), list->end(), std::back_inserter(pending),
                     [](NodeId id) { return static_cast<bool>(id); });
      }
      mark(graph, pending, live);
    }
  }
}

}  // namespace

void remove_dead(Graph& graph) {
  std::vector<bool> live(graph.nodes.size());
  std::vector<NodeId> pending;
  for (const Root& root : graph.roots) pending.push_back(root.node);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n].op == Op::assign) pending.emplace_back(n);
  }
  mark(graph, pending, live);
  std::vector<bool> wanted(graph.custom_gradients.size());
  mark_custom_gradients(graph, live, wanted);

  std::vector<CustomGradient> kept;
  for (size_t k = 0; k < wanted.size(); ++k) {
    if (wanted[k]) kept.push_back(std::move(graph.custom_gradients[k]));
  }
  graph.custom_gradients = std::move(kept);
  rebuild(graph, [&](Graph& rebuilt, Node node, NodeId old) {
    return live[old.value] ? append_node(rebuilt, std::move(node)) : NodeId();
  });
}

}  // namespace nnc
