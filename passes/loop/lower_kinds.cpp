// How each kind of anchor is computed.
#include <algorithm>

#include "ir/check.h"
#include "passes/loop/region_lowering.h"

namespace nnc {
namespace {

constexpr int64_t kUnroll = 4;

}  // namespace

void RegionLowering::lower_map() {
  walk({},
       [&](Indices at) { compute_members(at, [&](const Indices& here, const Body& body) { for_lanes(here, body); }); });
}

void RegionLowering::lower_reduce() {
  const Node& node = graph_[region_.anchor];
  const ReduceAttr& reduce = node.as<ReduceAttr>();
  if (reduce.reduction == Reduction::argmax) return lower_argmax();
  const Dims& source = graph_.type(node.operands[0]).dims;
  const LoopOperand identity = KernelWriter::literal(identity_of(reduce.reduction, node.type.dtype));
  const bool in_lanes = reduce.order.kind == Order::lanes;
  walk({}, [&](Indices at) {
    for_lanes(at, [&](Indices point) {
      const bool vector = in_lanes || region_.tiling.lane_axis >= 0;
      std::vector<VarId> family;
      if (region_.tiling.lane_axis >= 0 && vectors_var_) family.push_back(vectors_var_);
      writer_.set_locations(node.locations);
      const ValueId sum = writer_.define_var(node.type.dtype, vector, family, identity);
      Indices there(source.size());
      size_t kept = 0;
      std::vector<size_t> summed;
      for (size_t axis = 0; axis < source.size(); ++axis) {
        const bool is_summed =
            std::find(reduce.axes.begin(), reduce.axes.end(), static_cast<int64_t>(axis)) != reduce.axes.end();
        if (is_summed) {
          summed.push_back(axis);
        } else {
          there[axis] = point[kept++];
        }
      }
      for (size_t axis : summed) {
        const bool lanes = in_lanes && axis == summed.back();
        const int64_t turns = lanes ? (source[axis] + writer_.lanes() - 1) / writer_.lanes() : source[axis];
        const VarId var = writer_.add_var(LoopVar::loop, "k", 0, turns);
        writer_.open_loop(var, axis == summed.back() ? std::min(kUnroll, turns) : 1);
        there[axis].affine = Affine::of(var, lanes ? writer_.lanes() : 1);
        there[axis].lane = lanes ? 1 : 0;
      }
      LoopOperand value = evaluate(node.operands[0], there);
      writer_.set_locations(node.locations);
      if (vector) value = splat(value, node.type.dtype);
      if (in_lanes && source[summed.back()] % writer_.lanes() != 0) {
        const LoopOperand valid = within(there[summed.back()], 0, source[summed.back()]);
        value = writer_.define(LoopOp::select, node.type.dtype, true, {valid, value, identity});
      }
      writer_.assign(sum, combine_op(reduce.reduction), {{sum, 0}, value});
      for (size_t k = 0; k < summed.size(); ++k) writer_.close();
      LoopOperand result = {sum, 0};
      if (in_lanes) {
        LoopStmt patch;
        patch.reduction = reduce.reduction;
        result = writer_.define(LoopOp::lanes, node.type.dtype, false, {result}, patch);
      }
      set(region_.anchor, point, result);
      compute_members(point, [&](const Indices&, const Body& body) { body(point); });
    });
  });
}

// The best value and where it was first seen, carried along the reduced axis. A NaN is better than any number.
void RegionLowering::lower_argmax() {
  const Node& node = graph_[region_.anchor];
  const ReduceAttr& reduce = node.as<ReduceAttr>();
  const TensorType& source = graph_.type(node.operands[0]);
  NNC_CHECK(reduce.axes.size() == 1, "argmax of one axis");
  const int64_t axis = reduce.axes[0];
  walk({}, [&](Indices at) {
    for_lanes(at, [&](Indices point) {
      const bool vector = region_.tiling.lane_axis >= 0;
      std::vector<VarId> family;
      if (vector && vectors_var_) family.push_back(vectors_var_);
      writer_.set_locations(node.locations);
      const ValueId best = writer_.define_var(source.dtype, vector, family,
                                              KernelWriter::literal(identity_of(Reduction::max, source.dtype)));
      const ValueId where = writer_.define_var(DType::i32, vector, family, KernelWriter::literal(0));
      const VarId var = writer_.add_var(LoopVar::loop, "k", 0, source.dims[axis]);
      writer_.open_loop(var);
      Indices there = point;
      there.insert(there.begin() + axis, AxisIndex{Affine::of(var), 0, {}});
      LoopOperand value = evaluate(node.operands[0], there);
      writer_.set_locations(node.locations);
      if (vector) value = splat(value, source.dtype);
      const auto compare = [&](Comparison comparison, LoopOperand a, LoopOperand b) {
        LoopStmt patch;
        patch.comparison = comparison;
        return writer_.define(LoopOp::compare, DType::boolean, vector, {a, b}, patch);
      };
      const LoopOperand greater = compare(Comparison::gt, value, {best, 0});
      const LoopOperand is_nan = compare(Comparison::ne, value, value);
      const LoopOperand had_number = compare(Comparison::eq, {best, 0}, {best, 0});
      const LoopOperand first_nan = writer_.define(LoopOp::logical_and, DType::boolean, vector, {is_nan, had_number});
      const LoopOperand better = writer_.define(LoopOp::logical_or, DType::boolean, vector, {greater, first_nan});
      const LoopOperand here = index_value({Affine::of(var), 0, {}}, DType::i32);
      writer_.assign(where, LoopOp::select, {better, here, {where, 0}});
      writer_.assign(best, LoopOp::select, {better, value, {best, 0}});
      writer_.close();
      set(region_.anchor, point, {where, 0});
      compute_members(point, [&](const Indices&, const Body& body) { body(point); });
    });
  });
}

void RegionLowering::lower_cumsum() {
  const Node& node = graph_[region_.anchor];
  const CumsumAttr& cumsum = node.as<CumsumAttr>();
  const int64_t extent = node.type.dims[cumsum.axis];
  walk({.skip = cumsum.axis}, [&](Indices at) {
    for_lanes(at, [&](Indices point) {
      const bool vector = region_.tiling.lane_axis >= 0;
      std::vector<VarId> family;
      if (vector && vectors_var_) family.push_back(vectors_var_);
      writer_.set_locations(node.locations);
      const ValueId sum = writer_.define_var(node.type.dtype, vector, family, KernelWriter::literal(0));
      const VarId var = writer_.add_var(LoopVar::loop, "k", 0, extent);
      writer_.open_loop(var);
      point[cumsum.axis].affine = cumsum.reverse ? Affine::of(extent - 1) + Affine::of(var, -1) : Affine::of(var);
      LoopOperand value = evaluate(node.operands[0], point);
      writer_.set_locations(node.locations);
      if (vector) value = splat(value, node.type.dtype);
      const LoopOperand total = writer_.define(LoopOp::add, node.type.dtype, vector, {{sum, 0}, value});
      const LoopOperand before = writer_.define(LoopOp::splat, node.type.dtype, vector, {{sum, 0}});
      for (const Region::Output& output : region_.outputs)
        store(output.storage, point, cumsum.exclusive ? before : total);
      writer_.assign(sum, LoopOp::splat, {total});
      writer_.close();
    });
  });
}

// Two kernels: zeros, then each update added to its row, ids ascending.
std::vector<LoweredKernel> RegionLowering::lower_scatter() {
  const Node& node = graph_[region_.anchor];
  const int64_t axis = node.as<AxisAttr>().axis;
  const TensorType& ids = graph_.type(node.operands[1]);
  const auto walk_all = [&](int64_t skip, const Body& body) { walk({.skip = skip}, body); };
  walk_all(-1, [&](Indices at) {
    for_lanes(at, [&](Indices point) {
      for (const Region::Output& output : region_.outputs) store(output.storage, point, KernelWriter::literal(0));
    });
  });
  std::vector<LoweredKernel> kernels = {finish("_zero")};
  restart();
  walk_all(axis, [&](Indices at) {
    Indices id_at(ids.rank());
    for (int64_t k = 0; k < ids.rank(); ++k) {
      const VarId var = writer_.add_var(LoopVar::loop, "e", 0, ids.dims[k]);
      writer_.open_loop(var);
      id_at[k].affine = Affine::of(var);
    }
    const LoopOperand row = evaluate(node.operands[1], id_at);
    for_lanes(at, [&](Indices point) {
      Indices from(point.begin(), point.begin() + axis);
      from.insert(from.end(), id_at.begin(), id_at.end());
      from.insert(from.end(), point.begin() + axis + 1, point.end());
      const LoopOperand update = evaluate(node.operands[0], from);
      point[axis] = {Affine::of(row.value ? 0 : static_cast<int64_t>(row.literal)), 0, row.value};
      writer_.set_locations(node.locations);
      for (const Region::Output& output : region_.outputs) add_in_place(output.storage, point, update);
    });
    for (int64_t k = 0; k < ids.rank(); ++k) writer_.close();
  });
  kernels.push_back(finish());
  return kernels;
}

}  // namespace nnc
