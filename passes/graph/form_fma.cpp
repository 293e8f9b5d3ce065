#include "passes/graph/form_fma.h"

#include <map>
#include <utility>

#include "passes/graph/rewrite.h"

namespace nnc {
namespace {

struct Readers {
  int count = 0;        // operands of needed nodes, and roots, that name the node
  bool cloned = false;  // it has or is a clone
};

// Per node. Operands come before their readers, so one walk from the end sees what is needed.
std::vector<Readers> readers_of(const Graph& graph) {
  std::vector<Readers> readers(graph.nodes.size());
  for (const Root& root : graph.roots) ++readers[root.node.value].count;
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    if (node.clone_of) readers[n].cloned = readers[node.clone_of.value].cloned = true;
    if (readers[n].count == 0 && node.op != Op::assign) continue;
    for (NodeId operand : node.operands) ++readers[operand.value].count;
  }
  return readers;
}

// Whether a value repeats along some axis, so that loops over that axis need it once.
bool is_repeated(const Graph& graph, NodeId id) {
  return graph[id].op == Op::broadcast || graph[id].op == Op::constant;
}

class Former {
 public:
  explicit Former(const Graph& graph) : readers_(readers_of(graph)) {}

  NodeId operator()(Graph& rebuilt, Node node, NodeId old) {
    const bool sums = node.op == Op::add || node.op == Op::sub;
    const bool rounds = node.type.dtype == DType::f32 || node.type.dtype == DType::f64;
    if (sums && rounds && !readers_[old.value].cloned) {
      for (size_t k = 0; k < 2; ++k) {
        if (!is_free_product(rebuilt, node.operands[k], node)) continue;
        form(rebuilt, node, k);
        break;
      }
    }
    const NodeId id = append_node(rebuilt, std::move(node));
    readers_now_[id] = readers_[old.value];
    return id;
  }

 private:
  bool is_free_product(const Graph& rebuilt, NodeId id, const Node& sum) const {
    const Node& node = rebuilt[id];
    if (node.op != Op::mul || node.part != sum.part) return false;
    const Readers& readers = readers_now_.at(id);
    return readers.count == 1 && !readers.cloned &&
           !(is_repeated(rebuilt, node.operands[0]) && is_repeated(rebuilt, node.operands[1]));
  }

  // The product is operand `at` of the sum.
  void form(Graph& rebuilt, Node& sum, size_t at) {
    const Node& product = rebuilt[sum.operands[at]];
    NodeId a = product.operands[0], b = product.operands[1], c = sum.operands[1 - at];
    merge_into(sum.locations, product.locations);
    if (sum.op == Op::sub && at == 0) {
      c = negated(rebuilt, sum, c);
    } else if (sum.op == Op::sub) {
      if (is_repeated(rebuilt, b)) std::swap(a, b);
      a = negated(rebuilt, sum, a);
    }
    sum.op = Op::fma;
    sum.operands = {a, b, c};
  }

  // One negation per value and part.
  NodeId negated(Graph& rebuilt, const Node& reader, NodeId id) {
    NodeId& known = negated_[{id, reader.part}];
    if (known) return known;
    GraphBuilder build(rebuilt, reader.part);
    build.set_locations(reader.locations);
    const bool constant = rebuilt[id].op == Op::constant;
    return known = constant ? build.constant_like(-rebuilt[id].as<ConstantAttr>().value, id) : build.neg(id);
  }

  std::vector<Readers> readers_;           // by ids before
  std::map<NodeId, Readers> readers_now_;  // of the nodes of the rebuilt graph
  std::map<std::pair<NodeId, Part>, NodeId> negated_;
};

}  // namespace

void form_fma(Graph& graph) {
  Former former(graph);
  rebuild(graph, [&](Graph& rebuilt, Node node, NodeId old) { return former(rebuilt, std::move(node), old); });
}

}  // namespace nnc
