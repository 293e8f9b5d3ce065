#include "ir/graph/interpreter.h"

#include "ir/check.h"

namespace nnc {
namespace {

template <class Key>
const ReferenceTensor& given(const std::map<Key, ReferenceTensor>& values, const Key& key, const Node& node,
                             const std::string& what) {
  auto found = values.find(key);
  NNC_CHECK(found != values.end(), "interpret: {} was not given", what);
  const ReferenceTensor& tensor = found->second;
  NNC_CHECK(tensor.type.dims == node.type.dims && tensor.type.dtype == node.type.dtype, "interpret: {} is {}, not {}",
            what, to_string(tensor.type), to_string(node.type));
  NNC_CHECK(static_cast<int64_t>(tensor.values.size()) == tensor.type.elements(), "interpret: {} has {} values for {}",
            what, tensor.values.size(), to_string(tensor.type));
  return tensor;
}

// Per node the last one that reads it: itself if none does, and none at all where a root needs it.
std::vector<size_t> last_uses(const Graph& graph) {
  std::vector<size_t> last(graph.nodes.size());
  for (size_t n = 0; n < last.size(); ++n) {
    last[n] = n;
    for (NodeId operand : graph.nodes[n].operands) last[operand.value] = n;
  }
  for (const Root& root : graph.roots) last[root.node.value] = graph.nodes.size();
  return last;
}

}  // namespace

Evaluation interpret(const Graph& graph, const std::map<std::string, ReferenceTensor>& inputs,
                     const std::map<uint32_t, ReferenceTensor>& states, Keep keep) {
  Evaluation evaluation;
  evaluation.values.resize(graph.nodes.size());
  const std::vector<size_t> last = last_uses(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    ReferenceTensor& result = evaluation.values[n];
    result.type = node.type;
    std::vector<const ReferenceTensor*> operands;
    for (NodeId operand : node.operands) operands.push_back(&evaluation.values[operand.value]);
    if (node.op == Op::input) {
      result.values =
          given(inputs, node.as<InputAttr>().name, node, "input \"" + node.as<InputAttr>().name + "\"").values;
    } else if (node.op == Op::state) {
      uint32_t state = node.as<StateAttr>().state.value;
      result.values = given(states, state, node, "state " + std::to_string(state)).values;
    } else if (node.op == Op::assign) {
      result.values = operands[0]->values;
      evaluation.assigned[node.as<StateAttr>().state.value] = result;
    } else {
      result.values.assign(static_cast<size_t>(node.type.elements()), 0.0);
      const OpDefinition& found = definition(node.op);
      // Cotangent leaves stand for values that only differentiate knows: until then they are zero.
      NNC_CHECK(found.evaluate || node.op == Op::cotangent, "interpret: {} cannot be evaluated", found.name);
      if (found.evaluate) found.evaluate(node, operands, result);
    }
    if (keep == Keep::all) continue;
    for (NodeId operand : node.operands) {
      if (last[operand.value] == n) evaluation.values[operand.value].values = {};
    }
    if (last[n] == n) result.values = {};
  }
  return evaluation;
}

}  // namespace nnc
