// Pooling: a reduction over sliding windows of the last axes. `size`, `stride`, `dilation`, `before` and `after` have
// one value per axis of the operand; axes that are not pooled have 1, 1, 1, 0, 0. Padding holds the reduction's
// identity. extent = (before + n + after - dilation * (size - 1) - 1) / stride + 1, rounded down: PyTorch's formula.
#include <fmt/format.h>

#include "ir/ops/definitions.h"
#include "ir/ops/inference.h"
#include "ir/ops/odometer.h"
#include "ir/ops/reductions.h"
#include "ir/ops/samples.h"

namespace nnc {
namespace {

TensorType infer_window(std::span<const TensorType> operands, const Attributes& attributes, const TensorType&,
                        std::string& error) {
  const auto& window = std::get<WindowAttr>(attributes);
  TensorType result = operands[0];
  if (window.reduction == Reduction::argmax) return fail(error, "a window does not reduce by argmax");
  if (result.dtype == DType::boolean) return fail(error, "needs numbers, not bool");
  for (const Dims* values : {&window.size, &window.stride, &window.dilation, &window.before, &window.after}) {
    if (values->size() != result.dims.size()) return fail(error, "windows need one value per axis");
    int64_t least = values == &window.before || values == &window.after ? 0 : 1;
    for (int64_t value : *values) {
      if (value < least || value > max_extent) return fail(error, fmt::format("{} is no window", value));
    }
  }
  for (size_t axis = 0; axis < result.dims.size(); ++axis) {
    int64_t room = window.before[axis] + result.dims[axis] + window.after[axis];
    int64_t reach = window.dilation[axis] * (window.size[axis] - 1) + 1;
    if (reach > room) return fail(error, fmt::format("a window of {} in {} elements", reach, room));
    result.dims[axis] = (room - reach) / window.stride[axis] + 1;
  }
  if (window.reduction != Reduction::max && window.reduction != Reduction::min) result.bound = 0;
  return result;
}

void evaluate_window(const Node& node, std::span<const ReferenceTensor* const> operands, ReferenceTensor& result) {
  const auto& window = node.as<WindowAttr>();
  const Dims& dims = operands[0]->type.dims;
  Dims strides = row_major_strides(dims), place(dims.size(), 0);
  for (double& value : result.values) {
    double sum = identity_of(window.reduction);
    Dims offset(dims.size(), 0);
    for (bool more = true; more;) {
      int64_t at = 0;
      bool inside = true;
      for (size_t axis = 0; axis < dims.size(); ++axis) {
        int64_t index = place[axis] * window.stride[axis] + offset[axis] * window.dilation[axis] - window.before[axis];
        inside = inside && index >= 0 && index < dims[axis];
        at += index * strides[axis];
      }
      if (inside) sum = combine(window.reduction, sum, operands[0]->values[static_cast<size_t>(at)]);
      more = next_index(offset, window.size);
    }
    value = sum;
    next_index(place, result.type.dims);
  }
}

std::vector<OpSample> window_samples() {
  std::vector<OpSample> samples;
  for (Reduction reduction : {Reduction::max, Reduction::min, Reduction::sum}) {
    auto add = [&](const char* name, Dims dims, WindowAttr window) {
      SampleMaker make(fmt::format("window_{}_{}", name_of(reduction), name));
      window.reduction = reduction;
      make.sample.differentiable = false;
      make.sample.native = false;
      make.sample.scale = 2 * static_cast<double>(TensorType{DType::f32, 0, window.size}.elements());
      make.build.window(make.input(std::move(dims)), std::move(window));
      samples.push_back(make.finish());
    };
    add("one", {1}, {.size = {1}, .stride = {1}, .dilation = {1}, .before = {0}, .after = {0}});
    add("halves", {3, 8}, {.size = {1, 2}, .stride = {1, 2}, .dilation = {1, 1}, .before = {0, 0}, .after = {0, 0}});
    add("overlapping", {2, 7, 7},
        {.size = {1, 3, 3}, .stride = {1, 2, 2}, .dilation = {1, 1, 1}, .before = {0, 1, 1}, .after = {0, 1, 1}});
    add("dilated", {17}, {.size = {3}, .stride = {1}, .dilation = {2}, .before = {1}, .after = {2}});
  }
  return samples;
}

}  // namespace

constinit const OpDefinition op_window = {.attributes = attributes_of<WindowAttr>,
                                          .infer = infer_window,
                                          .gradient = nullptr,
                                          .evaluate = evaluate_window,
                                          .samples = window_samples};

}  // namespace nnc
