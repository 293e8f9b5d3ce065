#include "passes/graph/merge_duplicates.h"

#include <algorithm>
#include <bit>
#include <string>
#include <unordered_map>

#include "ir/ops/op.h"
#include "passes/graph/rewrite.h"

namespace nnc {
namespace {

// FNV-1a over 64-bit words.
struct Hash {
  uint64_t value = 0xcbf29ce484222325u;

  void add(uint64_t word) { value = (value ^ word) * 0x100000001b3u; }
  void add(const std::vector<int64_t>& words) {
    add(words.size());
    for (int64_t word : words) add(static_cast<uint64_t>(word));
  }

  // Only what tells many nodes of one operand apart; equality decides.
  template <class T>
  void operator()(const T&) {}
  void operator()(const InputAttr& a) { add(std::hash<std::string>{}(a.name)); }
  void operator()(const StateAttr& a) { add(a.state.value); }
  void operator()(const ConstantAttr& a) { add(std::bit_cast<uint64_t>(a.value)); }
  void operator()(const IotaAttr& a) { add(static_cast<uint64_t>(a.axis)); }
  void operator()(const CompareAttr& a) { add(static_cast<uint64_t>(a.comparison)); }
  void operator()(const TransposeAttr& a) { add(a.permutation); }
  void operator()(const BroadcastAttr& a) { add(a.axes); }
  void operator()(const SliceAttr& a) { add(a.start), add(a.step); }
  void operator()(const PadAttr& a) { add(a.before), add(a.after); }
  void operator()(const ReduceAttr& a) { add(static_cast<uint64_t>(a.reduction)), add(a.axes); }
  void operator()(const RandomAttr& a) { add(a.site), add(static_cast<uint64_t>(a.distribution)); }
};

std::vector<NodeId> normalised_operands(const Node& node) {
  std::vector<NodeId> operands = node.operands;
  if (definition(node.op).commutative) std::sort(operands.begin(), operands.end());
  return operands;
}

uint64_t hash_of(const Node& node, const std::vector<NodeId>& operands) {
  Hash hash;
  hash.add(static_cast<uint64_t>(node.op));
  hash.add(static_cast<uint64_t>(node.type.dtype));
  hash.add(node.type.dims);
  for (NodeId operand : operands) hash.add(operand.value);
  std::visit([&](const auto& attribute) { hash(attribute); }, node.attributes);
  return hash.value;
}

// Constants by their bits: 0 and -0 are two values.
bool same_attributes(const Attributes& a, const Attributes& b) {
  const auto* x = std::get_if<ConstantAttr>(&a);
  const auto* y = std::get_if<ConstantAttr>(&b);
  if (x && y) return std::bit_cast<uint64_t>(x->value) == std::bit_cast<uint64_t>(y->value);
  return a == b;
}

bool are_duplicates(const Node& a, const Node& b) {
  return a.op == b.op && a.type == b.type && a.clone_of == b.clone_of && a.part <= b.part &&
         same_attributes(a.attributes, b.attributes) && normalised_operands(a) == normalised_operands(b);
}

std::vector<bool> outputs_of_custom_gradients(const Graph& graph) {
  std::vector<bool> result(graph.nodes.size());
  for (const CustomGradient& custom : graph.custom_gradients) {
    for (NodeId id : custom.outputs) result[id.value] = true;
  }
  return result;
}

}  // namespace

void merge_duplicates(Graph& graph) {
  std::vector<bool> apart = outputs_of_custom_gradients(graph);
  std::unordered_multimap<uint64_t, NodeId> known;
  rebuild(graph, [&](Graph& rebuilt, Node node, NodeId old) {
    if (apart[old.value] || node.op == Op::assign || node.op == Op::cotangent)
      return append_node(rebuilt, std::move(node));
    uint64_t hash = hash_of(node, normalised_operands(node));
    auto [first, last] = known.equal_range(hash);
    for (; first != last; ++first) {
      Node& earlier = rebuilt[first->second];
      if (!are_duplicates(earlier, node)) continue;
      merge_into(earlier.locations, node.locations);
      if (earlier.label.empty()) earlier.label = std::move(node.label);
      return first->second;
    }
    NodeId id = append_node(rebuilt, std::move(node));
    known.emplace(hash, id);
    return id;
  });
}

}  // namespace nnc
