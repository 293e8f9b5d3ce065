// Identities of movement: what moves nothing goes, two moves become one, a moved splat is a splat.
#include <algorithm>

#include "ir/ops/op.h"
#include "passes/graph/rewrite.h"
#include "passes/graph/simplify_rules.h"

namespace nnc {
namespace {

bool are_all(const Dims& values, int64_t value) {
  return std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == value; });
}

bool move_splat(Rewrite& r) {
  auto value = r.splat(0);
  return value && r.turns_into_constant(*value);
}

bool keep_shape(Rewrite& r) { return r.becomes(r.node.operands[0]); }

// A slice of the whole extent starts at 0 with step 1 on every axis longer than 1.
bool slice_all(Rewrite& r) { return r.node.type.dims == r.operand(0).type.dims && r.becomes(r.node.operands[0]); }

bool pad_nothing(Rewrite& r) {
  const auto& pad = r.node.as<PadAttr>();
  return are_all(pad.before, 0) && are_all(pad.after, 0) && are_all(pad.step, 1) && r.becomes(r.node.operands[0]);
}

bool reshape_reshaped(Rewrite& r) {
  const Node& inner = r.operand(0);
  return inner.op == Op::reshape && r.turns_into(Op::reshape, {inner.operands[0]});
}

// A broadcast that adds only axes of extent 1 relabels, and so does a transpose that moves only such.
bool broadcast_to_unit_axes(Rewrite& r) {
  return r.node.type.elements() == r.operand(0).type.elements() && r.turns_into(Op::reshape, {r.node.operands[0]});
}

bool transpose_unit_axes(Rewrite& r) {
  const auto& permutation = r.node.as<TransposeAttr>().permutation;
  int64_t last = -1;
  for (int64_t axis : permutation) {
    if (r.operand(0).type.dims[static_cast<size_t>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return r.turns_into(Op::reshape, {r.node.operands[0]});
}

bool transpose_transposed(Rewrite& r) {
  const Node& inner = r.operand(0);
  if (inner.op != Op::transpose) return false;
  const auto& first = inner.as<TransposeAttr>().permutation;
  std::vector<int64_t> both;
  for (int64_t axis : r.node.as<TransposeAttr>().permutation) both.push_back(first[static_cast<size_t>(axis)]);
  return r.turns_into(Op::transpose, {inner.operands[0]}, TransposeAttr{std::move(both)});
}

bool broadcast_broadcast(Rewrite& r) {
  const Node& inner = r.operand(0);
  if (inner.op != Op::broadcast) return false;
  const auto& outer = r.node.as<BroadcastAttr>().axes;
  std::vector<int64_t> both;
  for (int64_t axis : inner.as<BroadcastAttr>().axes) both.push_back(outer[static_cast<size_t>(axis)]);
  return r.turns_into(Op::broadcast, {inner.operands[0]}, BroadcastAttr{std::move(both)});
}

// A reshape that only adds axes of extent 1 leaves them to the broadcast behind it.
bool broadcast_widened(Rewrite& r) {
  const Node& inner = r.operand(0);
  if (inner.op != Op::reshape) return false;
  const Dims &from = r.graph.type(inner.operands[0]).dims, &to = inner.type.dims;
  const auto& outer = r.node.as<BroadcastAttr>().axes;
  std::vector<int64_t> axes;
  for (size_t k = 0; k < to.size(); ++k) {
    if (axes.size() < from.size() && to[k] == from[axes.size()]) {
      axes.push_back(outer[k]);
    } else if (to[k] != 1) {
      return false;
    }
  }
  return axes.size() == from.size() && r.turns_into(Op::broadcast, {inner.operands[0]}, BroadcastAttr{std::move(axes)});
}

bool slice_sliced(Rewrite& r) {
  const Node& inner = r.operand(0);
  if (inner.op != Op::slice) return false;
  const auto &first = inner.as<SliceAttr>(), &second = r.node.as<SliceAttr>();
  SliceAttr both = second;
  for (size_t k = 0; k < both.start.size(); ++k) {
    both.start[k] = first.start[k] + second.start[k] * first.step[k];
    // The step of a single element says nothing, and its product could leave the range of steps.
    both.step[k] = r.node.type.dims[k] == 1 ? 1 : first.step[k] * second.step[k];
  }
  return r.turns_into(Op::slice, {inner.operands[0]}, std::move(both));
}

bool concat_one(Rewrite& r) { return r.node.operands.size() == 1 && r.becomes(r.node.operands[0]); }

bool concat_equal_splats(Rewrite& r) {
  auto value = r.splat(0);
  if (!value) return false;
  for (size_t k = 1; k < r.node.operands.size(); ++k) {
    if (!r.is_splat(k, *value)) return false;
  }
  return r.turns_into_constant(*value);
}

bool reverse_nothing(Rewrite& r) {
  for (int64_t axis : r.node.as<ReverseAttr>().axes) {
    if (r.node.type.dims[static_cast<size_t>(axis)] != 1) return false;
  }
  return r.becomes(r.node.operands[0]);
}

bool reverse_reversed(Rewrite& r) {
  const Node& inner = r.operand(0);
  if (inner.op != Op::reverse) return false;
  const auto &first = inner.as<ReverseAttr>().axes, &second = r.node.as<ReverseAttr>().axes;
  std::vector<int64_t> both;
  std::set_symmetric_difference(first.begin(), first.end(), second.begin(), second.end(), std::back_inserter(both));
  return r.turns_into(Op::reverse, {inner.operands[0]}, ReverseAttr{std::move(both)});
}

bool reduce_nothing(Rewrite& r) {
  const auto& reduce = r.node.as<ReduceAttr>();
  return reduce.axes.empty() && reduce.reduction != Reduction::argmax && r.becomes(r.node.operands[0]);
}

bool choose_from_splat(Rewrite& r) {
  Reduction reduction = r.node.as<ReduceAttr>().reduction;
  auto value = r.splat(0);
  return value && (reduction == Reduction::max || reduction == Reduction::min) && r.turns_into_constant(*value);
}

constexpr SimplifyRule rules[] = {
    {Op::reshape, "reshape of a splat -> splat", move_splat},
    {Op::reshape, "reshape to the same shape -> x", keep_shape},
    {Op::reshape, "reshape of a reshape -> reshape", reshape_reshaped},
    {Op::transpose, "transpose of a splat -> splat", move_splat},
    {Op::transpose, "transpose of a transpose -> transpose", transpose_transposed},
    {Op::transpose, "transpose that keeps the order of longer axes -> reshape", transpose_unit_axes},
    {Op::broadcast, "broadcast of a splat -> splat", move_splat},
    {Op::broadcast, "broadcast that repeats nothing -> reshape", broadcast_to_unit_axes},
    {Op::broadcast, "broadcast of a broadcast -> broadcast", broadcast_broadcast},
    {Op::broadcast, "broadcast of added unit axes -> broadcast", broadcast_widened},
    {Op::slice, "slice of a splat -> splat", move_splat},
    {Op::slice, "slice of everything -> x", slice_all},
    {Op::slice, "slice of a slice -> slice", slice_sliced},
    {Op::pad, "pad by nothing -> x", pad_nothing},
    {Op::concat, "concat of one -> x", concat_one},
    {Op::concat, "concat of equal splats -> splat", concat_equal_splats},
    {Op::reverse, "reverse of a splat -> splat", move_splat},
    {Op::reverse, "reverse of axes of extent 1 -> x", reverse_nothing},
    {Op::reverse, "reverse of a reverse -> reverse", reverse_reversed},
    {Op::gather, "gather from a splat -> splat", move_splat},
    {Op::reduce, "reduce over nothing -> x", reduce_nothing},
    {Op::reduce, "max, min of a splat -> splat", choose_from_splat},
};

}  // namespace

std::span<const SimplifyRule> movement_rules() { return rules; }

}  // namespace nnc
