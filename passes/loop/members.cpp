// What a region computes at a point: values of rows, then values of elements, then stores.
#include <algorithm>

#include "ir/check.h"
#include "ir/ops/op.h"
#include "passes/loop/region_lowering.h"

namespace nnc {

double identity_of(Reduction reduction, DType dtype) {
  const bool integer = is_integer(dtype);
  switch (reduction) {
    case Reduction::sum:
      return 0;
    case Reduction::prod:
      return 1;
    case Reduction::max:
      return integer ? -2147483648.0 : -INFINITY;
    case Reduction::min:
      return integer ? 2147483647.0 : INFINITY;
    case Reduction::argmax:
      break;
  }
  NNC_CHECK(false, "argmax has no identity");
}

LoopOp combine_op(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum:
      return LoopOp::add;
    case Reduction::prod:
      return LoopOp::mul;
    case Reduction::max:
      return LoopOp::max;
    case Reduction::min:
      return LoopOp::min;
    case Reduction::argmax:
      break;
  }
  NNC_CHECK(false, "argmax combines pairs");
}

// Members at the full position that `node` reads, directly or through others, ascending.
std::vector<NodeId> RegionLowering::ancestors(NodeId node) const {
  std::vector<bool> wanted(graph_.nodes.size(), false);
  wanted[node.value] = true;
  std::vector<NodeId> found;
  for (size_t m = region_.members.size(); m-- > 0;) {
    const NodeId member = region_.members[m];
    if (!wanted[member.value]) continue;
    for (NodeId read : reads_.at(member)) wanted[read.value] = true;
    if (member != node && member != region_.anchor && !at_row(plan_, region_, member)) found.push_back(member);
  }
  std::reverse(found.begin(), found.end());
  return found;
}

void RegionLowering::evaluate_members(const std::vector<NodeId>& members, const Indices& at) {
  for (NodeId member : members) evaluate(member, at);
}

void RegionLowering::store_outputs(bool row, const Indices& at) {
  for (const Region::Output& output : region_.outputs) {
    const bool is_row = is_member(output.value) && at_row(plan_, region_, output.value);
    if (is_row != row) continue;
    const LoopOperand value = evaluate(output.value, at);
    writer_.set_locations(graph_[output.value].locations);
    store(output.storage, at, value);
  }
}

void RegionLowering::reduce_row(NodeId id, const Indices& row, const Indices& at,
                                const std::function<void(const Indices&, const Body&)>& lanes) {
  const Node& node = graph_[id];
  const ReduceAttr& reduce = node.as<ReduceAttr>();
  const LoopOperand identity = KernelWriter::literal(identity_of(reduce.reduction, node.type.dtype));
  const int64_t lane_axis = region_.tiling.lane_axis;
  // One accumulator for each row in flight: the family of the row's index, not of the vectors along it.
  writer_.set_locations(node.locations);
  const ValueId sum = writer_.define_var(node.type.dtype, true, family_of(row), identity);
  const std::vector<NodeId> needed = ancestors(id);
  lanes(at, [&](Indices inside) {
    evaluate_members(needed, inside);
    LoopOperand value = evaluate(node.operands[0], inside);
    writer_.set_locations(node.locations);
    const auto [low, high] = range_of(inside[lane_axis].affine, writer_.range());
    if (high + writer_.lanes() - 1 >= region_.domain[lane_axis]) {
      const LoopOperand valid = within(inside[lane_axis], 0, region_.domain[lane_axis]);
      value = writer_.define(LoopOp::select, node.type.dtype, true, {valid, value, identity});
    } else if (vectors_var_ && !writer_.is_vector(value)) {
      // The same scalar in every lane of every vector: still one addition each.
      const LoopOperand valid = within(inside[lane_axis], 0, region_.domain[lane_axis]);
      value = writer_.define(LoopOp::select, node.type.dtype, true, {valid, value, identity});
    }
    writer_.assign(sum, combine_op(reduce.reduction), {{sum, 0}, splat(value, node.type.dtype)});
  });
  LoopStmt patch;
  patch.reduction = reduce.reduction;
  writer_.set_locations(node.locations);
  set(id, row, writer_.define(LoopOp::lanes, node.type.dtype, false, {{sum, 0}}, patch));
}

void RegionLowering::compute_members(const Indices& at, const std::function<void(const Indices&, const Body&)>& lanes) {
  Indices row = at;
  if (!row.empty()) row.pop_back();
  std::vector<NodeId> full;
  for (NodeId member : region_.members) {
    if (member == region_.anchor) continue;
    if (!at_row(plan_, region_, member)) {
      full.push_back(member);
    } else if (region_.column_sum) {
      continue;  // by compute_columns
    } else if (is_row_reduce(plan_, region_, member)) {
      reduce_row(member, row, at, lanes);
    } else {
      evaluate(member, row);
    }
  }
  if (!region_.column_sum) store_outputs(true, row);
  const bool stores_full = std::any_of(
      region_.outputs.begin(), region_.outputs.end(),
      [&](const Region::Output& output) { return !is_member(output.value) || !at_row(plan_, region_, output.value); });
  if (!stores_full) return;
  lanes(at, [&](Indices inside) {
    evaluate_members(full, inside);
    store_outputs(false, inside);
  });
}

}  // namespace nnc
