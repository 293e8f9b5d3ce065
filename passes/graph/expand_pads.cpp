#include "passes/graph/expand_pads.h"

#include <algorithm>

#include "passes/graph/rewrite.h"

namespace nnc {
namespace {

NodeId stretch(GraphBuilder& build, NodeId value, int64_t axis, int64_t step, double filling) {
  const Dims dims = build.type(value).dims;
  const size_t rank = dims.size() + 1;
  Dims split = dims, none(rank, 0), after(rank, 0), joined = dims;
  split.insert(split.begin() + axis + 1, 1);
  after[axis + 1] = step - 1;
  joined[axis] *= step;
  NodeId result = build.pad(build.reshape(value, split), none, after, Dims(rank, 1), filling);
  result = build.reshape(result, joined);
  joined[axis] -= step - 1;
  return build.slice(result, Dims(dims.size(), 0), joined, Dims(dims.size(), 1));
}

}  // namespace

void expand_pads(Graph& graph) {
  const auto stepped = [](const Node& node) {
    if (node.op != Op::pad) return false;
    const Dims& step = node.as<PadAttr>().step;
    return std::any_of(step.begin(), step.end(), [](int64_t s) { return s != 1; });
  };
  if (std::none_of(graph.nodes.begin(), graph.nodes.end(), stepped)) return;
  rebuild(graph, [&](Graph& rebuilt, Node node, NodeId) {
    if (!stepped(node)) return append_node(rebuilt, std::move(node));
    GraphBuilder build(rebuilt, node.part);
    build.set_locations(node.locations);
    const PadAttr pad = node.as<PadAttr>();
    NodeId value = node.operands[0];
    for (size_t axis = 0; axis < pad.step.size(); ++axis) {
      if (pad.step[axis] != 1) value = stretch(build, value, static_cast<int64_t>(axis), pad.step[axis], pad.value);
    }
    return build.pad(value, pad.before, pad.after, Dims(pad.step.size(), 1), pad.value);
  });
}

}  // namespace nnc
