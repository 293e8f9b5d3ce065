// For each value the weight of all smaller ones, in O(n log n): what ranking metrics are made of. Equal values do not
// count, nor does NaN, above which and below which nothing lies.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ir/ops/definitions.h"
#include "ir/ops/inference.h"
#include "ir/ops/odometer.h"
#include "ir/ops/samples.h"

namespace nnc {
namespace {

TensorType infer_sum_below(std::span<const TensorType> operands, const Attributes& attributes, const TensorType&,
                           std::string& error) {
  const TensorType &x = operands[0], &w = operands[1];
  if (!has_axis(x, std::get<AxisAttr>(attributes).axis, error)) return {};
  if (x.dtype == DType::boolean || w.dtype == DType::boolean) return fail(error, "needs numbers, not bool");
  if (x.dims != w.dims) return fail(error, "shapes differ: " + to_string(x) + " and " + to_string(w));
  return {w.dtype, 0, w.dims};
}

void evaluate_sum_below(const Node& node, std::span<const ReferenceTensor* const> operands, ReferenceTensor& result) {
  const auto axis = static_cast<size_t>(node.as<AxisAttr>().axis);
  Dims lines = result.type.dims;
  const auto extent = static_cast<size_t>(std::exchange(lines[axis], 1));
  const View view = row_major(result.type.dims);
  const auto stride = static_cast<size_t>(view.strides[axis]);
  const std::vector<double>&x = operands[0]->values, &w = operands[1]->values;
  std::vector<size_t> order;
  order.reserve(extent);
  walk<1>(lines, {view}, [&](const auto& at) {
    order.clear();
    for (size_t k = 0; k < extent; ++k) {
      const size_t i = static_cast<size_t>(at[0]) + k * stride;
      if (!std::isnan(x[i])) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return x[a] < x[b]; });
    double below = 0;
    for (size_t first = 0; first < order.size();) {
      size_t last = first;
      double equal = 0;
      for (; last < order.size() && x[order[last]] == x[order[first]]; ++last) {
        result.values[order[last]] = below;
        equal += w[order[last]];
      }
      below += equal;
      first = last;
    }
  });
}

std::vector<OpSample> sum_below_samples() {
  std::vector<OpSample> samples;
  struct Case {
    const char* name;
    Dims dims;
    int64_t axis;
  };
  for (const auto& [name, dims, axis] :
       {Case{"one", {1}, 0}, {"vector", {67}, 0}, {"rows", {3, 17}, 1}, {"columns", {7, 33}, 0}}) {
    SampleMaker make(name);
    const NodeId x = make.input(dims), w = make.input(dims);
    make.build.sum_below(x, w, axis);
    make.sample.differentiable = false;
    make.sample.native = false;
    make.sample.scale = 2 * static_cast<double>(dims[static_cast<size_t>(axis)]);
    samples.push_back(make.finish());
  }
  return samples;
}

}  // namespace

constinit const OpDefinition op_sum_below = {.attributes = attributes_of<AxisAttr>,
                                             .infer = infer_sum_below,
                                             .gradient = nullptr,
                                             .evaluate = evaluate_sum_below,
                                             .samples = sum_below_samples};

}  // namespace nnc
