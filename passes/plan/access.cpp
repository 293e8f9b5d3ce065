#include "passes/plan/access.h"

#include <algorithm>

#include "ir/check.h"
#include "ir/ops/op.h"

namespace nnc {

AxisIndex operator+(const AxisIndex& a, const AxisIndex& b) {
  if (is_opaque(a) || is_opaque(b)) return opaque_index();
  NNC_CHECK(!a.dynamic || !b.dynamic, "two run-time parts in one index");
  return {a.affine + b.affine, a.lane + b.lane, a.dynamic ? a.dynamic : b.dynamic};
}

AxisIndex operator*(const AxisIndex& a, int64_t factor) {
  if (is_opaque(a)) return a;
  NNC_CHECK(!a.dynamic || factor == 1, "a run-time index cannot be scaled");
  return {a.affine * factor, a.lane * factor, a.dynamic};
}

namespace {

// A reshape pairs runs of operand axes with runs of result axes of the same product.
struct ReshapeGroup {
  size_t operand_begin, operand_end, result_begin, result_end;
};

std::vector<ReshapeGroup> reshape_groups(const Dims& operand, const Dims& result) {
  std::vector<ReshapeGroup> groups;
  size_t i = 0, j = 0;
  while (i < operand.size() || j < result.size()) {
    ReshapeGroup group{i, i, j, j};
    // Unit axes stand in groups of their own, so that they never force two others together.
    if (i < operand.size() && operand[i] == 1) {
      group.operand_end = ++i;
    } else if (j < result.size() && result[j] == 1) {
      group.result_end = ++j;
    } else {
      int64_t left = operand[i++], right = result[j++];
      while (left != right) {
        if (left < right) {
          left *= operand[i++];
        } else {
          right *= result[j++];
        }
      }
      group.operand_end = i;
      group.result_end = j;
    }
    groups.push_back(group);
  }
  return groups;
}

std::optional<Indices> reshape_operand(const Dims& operand, const Dims& result, const Indices& at) {
  Indices indices(operand.size());
  for (const ReshapeGroup& group : reshape_groups(operand, result)) {
    const size_t parts = group.operand_end - group.operand_begin;
    if (parts == 0) continue;
    if (group.result_begin == group.result_end) continue;  // a unit axis of the operand: index 0
    if (parts > 1) return std::nullopt;
    AxisIndex linear;
    int64_t stride = 1;
    for (size_t j = group.result_end; j-- > group.result_begin; stride *= result[j]) linear = linear + at[j] * stride;
    indices[group.operand_begin] = linear;
  }
  return indices;
}

}  // namespace

bool is_view(const Graph& graph, NodeId node) {
  if (graph[node].op != Op::reshape) return false;
  const Indices zeros(graph.type(node).dims.size());
  return !reshape_operand(graph.type(graph[node].operands[0]).dims, graph.type(node).dims, zeros);
}

std::optional<Indices> operand_indices(const Graph& graph, NodeId node, size_t operand, const Indices& at,
                                       std::vector<Bounds>* bounds) {
  const Node& n = graph[node];
  const Dims& source = graph.type(n.operands[operand]).dims;
  Indices indices(source.size());
  switch (n.op) {
    case Op::broadcast:
      for (size_t k = 0; k < source.size(); ++k) {
        // An axis of extent 1 that is stretched is read at 0 throughout.
        const int64_t axis = n.as<BroadcastAttr>().axes[k];
        if (source[k] == n.type.dims[axis]) indices[k] = at[axis];
      }
      return indices;
    case Op::transpose:
      for (size_t k = 0; k < at.size(); ++k) indices[n.as<TransposeAttr>().permutation[k]] = at[k];
      return indices;
    case Op::slice:
      for (size_t k = 0; k < at.size(); ++k) {
        indices[k] = at[k] * n.as<SliceAttr>().step[k];
        indices[k].affine.constant += n.as<SliceAttr>().start[k];
      }
      return indices;
    case Op::reverse:
      indices = at;
      for (int64_t axis : n.as<ReverseAttr>().axes) {
        indices[axis] = at[axis] * -1;
        indices[axis].affine.constant += source[axis] - 1;
      }
      return indices;
    case Op::pad:
      for (size_t k = 0; k < at.size(); ++k) {
        NNC_CHECK(n.as<PadAttr>().step[k] == 1, "pad with a step reached the plan; expand_pads comes before");
        indices[k] = at[k];
        indices[k].affine.constant -= n.as<PadAttr>().before[k];
        const bool whole = n.as<PadAttr>().before[k] == 0 && n.as<PadAttr>().after[k] == 0;
        if (bounds && !whole) bounds->push_back({indices[k], 0, source[k]});
      }
      return indices;
    case Op::concat: {
      const int64_t axis = n.as<AxisAttr>().axis;
      int64_t begin = 0;
      for (size_t k = 0; k < operand; ++k) begin += graph.type(n.operands[k]).dims[axis];
      indices = at;
      indices[axis].affine.constant -= begin;
      if (bounds) bounds->push_back({indices[axis], 0, source[axis]});
      return indices;
    }
    case Op::reshape:
      return reshape_operand(source, n.type.dims, at);
    default:
      break;
  }
  NNC_CHECK(false, "{} is no movement of indices", name_of(n.op));
  return std::nullopt;
}

std::pair<int64_t, int64_t> range_of(const Affine& affine, const VarRange& range) {
  int64_t low = affine.constant, high = affine.constant;
  for (const auto& [var, coefficient] : affine.terms) {
    const auto [first, last] = range(var);
    low += coefficient * (coefficient > 0 ? first : last);
    high += coefficient * (coefficient > 0 ? last : first);
  }
  return {low, high};
}

std::optional<PhysicalIndices> physical_indices(const Layout& layout, const Indices& at, int64_t lanes,
                                                const VarRange& range) {
  PhysicalIndices result;
  for (size_t k = 0; k < layout.factors.size(); ++k) {
    const Layout::Factor& factor = layout.factors[k];
    const AxisIndex& index = at[factor.axis];
    const bool cut = std::any_of(layout.factors.begin(), layout.factors.end(), [&](const Layout::Factor& other) {
      return other.axis == factor.axis && other.divisor != factor.divisor;
    });
    AxisIndex physical = index;
    if (cut) {
      if (index.dynamic) return std::nullopt;
      // index = width * panel + within: the terms that are multiples of the width choose the panel, the rest must stay
      // inside it.
      const int64_t width = factor.divisor == 1 ? factor.extent : factor.divisor;
      AxisIndex panel, within;
      panel.affine.constant = index.affine.constant / width;
      within.affine.constant = index.affine.constant % width;
      within.lane = index.lane;
      if (index.affine.constant < 0) return std::nullopt;
      for (const auto& [var, coefficient] : index.affine.terms) {
        if (coefficient % width == 0) {
          panel.affine.terms.emplace_back(var, coefficient / width);
        } else {
          within.affine.terms.emplace_back(var, coefficient);
        }
      }
      const auto [low, high] = range_of(within.affine, range);
      const int64_t reach = index.lane * (lanes - 1);
      if (low + std::min<int64_t>(reach, 0) < 0 || high + std::max<int64_t>(reach, 0) >= width) return std::nullopt;
      physical = factor.divisor == 1 ? within : panel;
    }
    if (physical.lane != 0) {
      if (result.lane_axis >= 0) return std::nullopt;
      result.lane_axis = static_cast<int64_t>(k);
      result.lane_step = physical.lane;
    }
    result.indices.push_back(physical);
  }
  return result;
}

}  // namespace nnc
