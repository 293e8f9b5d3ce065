// Reductions over whole axes and the cumulative sum.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/ops/definitions.h"
#include "ir/ops/inference.h"
#include "ir/ops/maps.h"
#include "ir/ops/odometer.h"
#include "ir/ops/reductions.h"
#include "ir/ops/samples.h"

namespace nnc {
namespace {

using Cotangents = std::vector<NodeId>;
using Operands = std::span<const ReferenceTensor* const>;
using Types = std::span<const TensorType>;

std::vector<int64_t> axes_not_in(const std::vector<int64_t>& axes, int64_t rank) {
  std::vector<int64_t> others;
  for (int64_t axis = 0; axis < rank; ++axis) {
    if (!std::binary_search(axes.begin(), axes.end(), axis)) others.push_back(axis);
  }
  return others;
}

TensorType infer_reduce(Types operands, const Attributes& attributes, const TensorType&, std::string& error) {
  const auto& reduce = std::get<ReduceAttr>(attributes);
  const TensorType& from = operands[0];
  if (!has_axes(from, reduce.axes, error)) return {};
  if (from.dtype == DType::boolean) return fail(error, "needs numbers, not bool");
  TensorType result{from.dtype, 0, {}};
  for (int64_t axis : axes_not_in(reduce.axes, from.rank()))
    result.dims.push_back(from.dims[static_cast<size_t>(axis)]);
  if (reduce.reduction == Reduction::argmax) {
    if (reduce.axes.size() != 1) return fail(error, "argmax takes one axis");
    result.dtype = DType::i32;
    result.bound = from.dims[static_cast<size_t>(reduce.axes[0])];
  } else if (reduce.reduction == Reduction::max || reduce.reduction == Reduction::min) {
    result.bound = from.bound;
  }
  return result;
}

// sum: the cotangent everywhere. max, min: shared evenly by the elements equal to the result. prod: times the product
// of the others, which needs care where there are zeros: with one zero only that element has a slope, with two none
// has.
Cotangents reduce_gradient(GradientContext& context) {
  Rule r(context);
  auto attributes = r.b.graph()[r.y].as<ReduceAttr>();
  Dims dims = r.b.type(r.x(0)).dims;
  auto kept = axes_not_in(attributes.axes, static_cast<int64_t>(dims.size()));
  auto spread = [&](NodeId reduced) { return r.b.broadcast(reduced, dims, kept); };
  auto total = [&](NodeId all) { return r.b.reduce(Reduction::sum, all, attributes.axes); };
  DType dtype = r.b.type(r.y).dtype;
  NodeId x = r.x(0), zero = r.like(0, x), one = r.like(1, x);
  switch (attributes.reduction) {
    case Reduction::sum:
      return {spread(r.g)};
    case Reduction::max:
    case Reduction::min: {
      NodeId chosen = r.b.compare(Comparison::eq, x, spread(r.y));
      NodeId share = r.b.div(r.g, total(r.b.cast(chosen, dtype)));
      return {r.b.select(chosen, spread(share), zero)};
    }
    case Reduction::prod: {
      NodeId is_zero = r.b.compare(Comparison::eq, x, zero);
      NodeId filled = r.b.select(is_zero, one, x);
      NodeId zeros = total(r.b.cast(is_zero, dtype));
      NodeId others = r.b.mul(r.g, r.b.reduce(Reduction::prod, filled, attributes.axes));
      NodeId none = r.b.compare(Comparison::eq, zeros, r.like(0, zeros));
      NodeId single = r.b.compare(Comparison::eq, zeros, r.like(1, zeros));
      NodeId nothing = r.like(0, others);
      NodeId without = r.b.div(spread(r.b.select(none, others, nothing)), filled);
      return {r.b.select(is_zero, spread(r.b.select(single, others, nothing)), without)};
    }
    case Reduction::argmax:
      return {NodeId()};
  }
  return {NodeId()};
}

void evaluate_reduce(const Node& node, Operands operands, ReferenceTensor& result) {
  const auto& [reduction, axes, order] = node.as<ReduceAttr>();
  const ReferenceTensor& from = *operands[0];
  Dims result_strides = row_major_strides(result.type.dims);
  View to{0, Dims(from.type.dims.size(), 0)};
  auto kept = axes_not_in(axes, from.type.rank());
  for (size_t k = 0; k < kept.size(); ++k) to.strides[static_cast<size_t>(kept[k])] = result_strides[k];
  if (reduction != Reduction::argmax) {
    std::fill(result.values.begin(), result.values.end(), identity_of(reduction));
    walk<2>(from.type.dims, {row_major(from.type.dims), to}, [&, reduction = reduction](const auto& at) {
      double& sum = result.values[static_cast<size_t>(at[1])];
      sum = combine(reduction, sum, from.values[static_cast<size_t>(at[0])]);
    });
    return;
  }
  // NaN is the largest, as in PyTorch, and among equals the first wins.
  std::vector<double> best(result.values.size(), -std::numeric_limits<double>::infinity());
  auto axis = static_cast<size_t>(axes[0]);
  View number{0, Dims(from.type.dims.size(), 0)};
  number.strides[axis] = 1;
  walk<3>(from.type.dims, {row_major(from.type.dims), to, number}, [&](const auto& at) {
    double value = from.values[static_cast<size_t>(at[0])];
    double& known = best[static_cast<size_t>(at[1])];
    if (std::isnan(known) || !(value > known || std::isnan(value))) return;
    known = value;
    result.values[static_cast<size_t>(at[1])] = static_cast<double>(at[2]);
  });
}

std::vector<OpSample> reduce_samples() {
  struct Case {
    const char* name;
    Dims dims;
    std::vector<int64_t> axes;
  };
  const std::vector<Case> cases = {{"one", {1}, {0}},           {"vector", {67}, {0}},        {"rows", {3, 17}, {1}},
                                   {"columns", {5, 33}, {0}},   {"all", {5, 67}, {0, 1}},     {"wide", {2, 130}, {1}},
                                   {"middle", {2, 7, 17}, {1}}, {"outer", {3, 5, 16}, {0, 1}}};
  std::vector<OpSample> samples;
  for (Reduction reduction : {Reduction::sum, Reduction::prod, Reduction::max, Reduction::min, Reduction::argmax}) {
    for (const auto& [name, dims, axes] : cases) {
      if (reduction == Reduction::argmax && axes.size() != 1) continue;
      SampleMaker make(fmt::format("{}_{}", name_of(reduction), name));
      bool product = reduction == Reduction::prod;
      make.build.reduce(reduction, make.input(dims, product ? 0.7 : -2, product ? 1.4 : 2), axes);
      double terms = static_cast<double>(TensorType{DType::f32, 0, dims}.elements());
      if (product) make.sample.max_ulp = 4 + terms;
      if (reduction == Reduction::sum) make.sample.scale = 2 * terms;
      make.sample.differentiable = reduction != Reduction::argmax;
      samples.push_back(make.finish());
    }
  }
  return samples;
}

// ---- cumsum

TensorType infer_cumsum(Types operands, const Attributes& attributes, const TensorType&, std::string& error) {
  if (!has_axis(operands[0], std::get<CumsumAttr>(attributes).axis, error)) return {};
  if (operands[0].dtype == DType::boolean) return fail(error, "needs numbers, not bool");
  return {operands[0].dtype, 0, operands[0].dims};
}

void evaluate_cumsum(const Node& node, Operands operands, ReferenceTensor& result) {
  const auto& attributes = node.as<CumsumAttr>();
  auto axis = static_cast<size_t>(attributes.axis);
  Dims lines = result.type.dims;
  int64_t extent = std::exchange(lines[axis], 1);
  View view = row_major(result.type.dims);
  int64_t stride = view.strides[axis];
  walk<1>(lines, {view}, [&](const auto& at) {
    double sum = 0;
    for (int64_t k = 0; k < extent; ++k) {
      auto i = static_cast<size_t>(at[0] + (attributes.reverse ? extent - 1 - k : k) * stride);
      double value = operands[0]->values[i];
      result.values[i] = attributes.exclusive ? sum : sum + value;
      sum += value;
    }
  });
}

std::vector<OpSample> cumsum_samples() {
  std::vector<OpSample> samples;
  for (bool exclusive : {false, true}) {
    for (bool reverse : {false, true}) {
      for (const auto& [dims, axis] : {std::pair{Dims{1}, 0}, {Dims{67}, 0}, {Dims{3, 17}, 1}, {Dims{7, 33}, 0}}) {
        SampleMaker make(
            fmt::format("{}{}{}_{}", dims[0], exclusive ? "_exclusive" : "", reverse ? "_reverse" : "", axis));
        make.build.cumsum(make.input(dims), axis, exclusive, reverse);
        make.sample.scale = 2 * static_cast<double>(dims[static_cast<size_t>(axis)]);
        samples.push_back(make.finish());
      }
    }
  }
  return samples;
}

}  // namespace

double identity_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::prod:
      return 1;
    case Reduction::max:
    case Reduction::argmax:
      return -std::numeric_limits<double>::infinity();
    case Reduction::min:
      return std::numeric_limits<double>::infinity();
    case Reduction::sum:
      break;
  }
  return 0;
}

double combine(Reduction reduction, double sum, double value) {
  switch (reduction) {
    case Reduction::prod:
      return sum * value;
    case Reduction::max:
    case Reduction::argmax:
      return value > sum || std::isnan(value) ? value : sum;
    case Reduction::min:
      return value < sum || std::isnan(value) ? value : sum;
    case Reduction::sum:
      break;
  }
  return sum + value;
}

constinit const OpDefinition op_reduce = {.attributes = attributes_of<ReduceAttr>,
                                          .infer = infer_reduce,
                                          .gradient = reduce_gradient,
                                          .evaluate = evaluate_reduce,
                                          .samples = reduce_samples};

constinit const OpDefinition op_cumsum = {.attributes = attributes_of<CumsumAttr>,
                                          .infer = infer_cumsum,
                                          .gradient = [](GradientContext& context) -> Cotangents {
                                            auto [axis, exclusive, reverse] =
                                                context.build.graph()[context.node].as<CumsumAttr>();
                                            return {context.build.cumsum(context.cotangent, axis, exclusive, !reverse)};
                                          },
                                          .evaluate = evaluate_cumsum,
                                          .samples = cumsum_samples};

}  // namespace nnc
