#include "passes/plan/skip_zeros.h"

#include <algorithm>

#include "ir/ops/op.h"

namespace nnc {
namespace {

constexpr double kLeastShare = 0.2;   // of steps skipped
constexpr double kLeastGain = 0.1;    // of the product's time
constexpr double kVectorBytes = 64;   // multiplied and added up in a cycle
constexpr double kIssued = 6;         // instructions a cycle
constexpr double kMispredicted = 30;  // cycles without new instructions after a branch that was guessed wrongly

// The input whose rows these are, or none.
const InputZeros* zeros_of(const Graph& graph, NodeId node, std::span<const InputZeros> known) {
  while (graph[node].op == Op::reshape) {
    const Dims &dims = graph.type(node).dims, &before = graph.type(graph[node].operands[0]).dims;
    if (dims.empty() || before.empty() || dims[0] != before[0]) return nullptr;
    node = graph[node].operands[0];
  }
  if (graph[node].op != Op::input) return nullptr;
  const auto at = std::find_if(known.begin(), known.end(),
                               [&](const InputZeros& zeros) { return zeros.name == graph[node].as<InputAttr>().name; });
  return at == known.end() ? nullptr : &*at;
}

// The axis of an operand that an index runs along; -1: none. Every axis of it is one index, plainly.
int64_t axis_of(const std::vector<IndexTerm>& operand, int index) {
  for (size_t axis = 0; axis < operand.size(); ++axis) {
    if (operand[axis].terms[0].first == index) return static_cast<int64_t>(axis);
  }
  return -1;
}

// What is known of the scalars that a step of this product reads of the operand, if it may skip their zeros.
InputZeros::Steps steps_of(const Graph& graph, const Region& region, size_t operand,
                           std::span<const InputZeros> known) {
  const Node& node = graph[region.anchor];
  const IndexMap& map = node.as<ContractAttr>().map;
  const auto& terms = map.operands[operand];
  const NodeId read = node.operands[operand];
  if (node.type.dtype != DType::f32 || graph.type(read).dtype != DType::f32) return {};
  if (!std::all_of(terms.begin(), terms.end(), [](const IndexTerm& term) { return term.is_plain(); })) return {};
  const Tiling& tiling = region.tiling;
  if (tiling.lane_axis < 0 || tiling.row_axis < 0 || axis_of(terms, map.result[tiling.lane_axis]) >= 0) return {};
  const InputZeros* zeros = zeros_of(graph, read, known);
  const int64_t axis = axis_of(terms, map.result[tiling.row_axis]);
  if (zeros == nullptr || axis < 0) return {};
  if (axis == 0) return zeros->across_rows;
  return axis + 1 == static_cast<int64_t>(terms.size()) ? zeros->along_row : InputZeros::Steps();
}

// Either the multipliers are busy, or they wait for instructions, of which wrong guesses keep them: a tile of many
// vectors hides what a small one does not.
bool is_worth_testing(const InputZeros::Steps& steps, const Tiling& tiling, const Target& target) {
  if (steps.share < kLeastShare) return false;
  const double rows = static_cast<double>(tiling.rows), vectors = static_cast<double>(tiling.vectors);
  const double dense = rows * vectors * std::max(0.5, target.lanes * sizeof(float) / kVectorBytes);
  const double tests = (rows + 3) / kIssued, body = (rows * vectors + rows + vectors) / kIssued;
  const double issue = tests + (1 - steps.share) * body + steps.changes * kMispredicted;
  return std::max((1 - steps.share) * dense, issue) < (1 - kLeastGain) * dense;
}

}  // namespace

void skip_zeros(Plan& plan, std::span<const InputZeros> known) {
  for (Region& region : plan.regions) {
    if (region.kind != Region::contract) continue;
    for (size_t operand = 0; operand < 2; ++operand) {
      if (is_worth_testing(steps_of(plan.graph, region, operand, known), region.tiling, plan.target))
        region.tiling.zeros = static_cast<int>(operand);
    }
  }
}

}  // namespace nnc
