// Movement: the elements of the operand at other places. Evaluations are strided views; gradients move back.
#include <fmt/format.h>

#include <algorithm>

#include "ir/ops/definitions.h"
#include "ir/ops/inference.h"
#include "ir/ops/maps.h"
#include "ir/ops/odometer.h"
#include "ir/ops/samples.h"

namespace nnc {
namespace {

using Cotangents = std::vector<NodeId>;
using Operands = std::span<const ReferenceTensor* const>;
using Types = std::span<const TensorType>;

// result[index] = operand[view(index)]
void read_through(const View& view, const ReferenceTensor& operand, ReferenceTensor& result) {
  walk<2>(result.type.dims, {view, row_major(result.type.dims)}, [&](const auto& at) {
    result.values[static_cast<size_t>(at[1])] = operand.values[static_cast<size_t>(at[0])];
  });
}

// result[view(index)] = operand[index]
void write_through(const View& view, const ReferenceTensor& operand, ReferenceTensor& result) {
  walk<2>(operand.type.dims, {row_major(operand.type.dims), view}, [&](const auto& at) {
    result.values[static_cast<size_t>(at[1])] = operand.values[static_cast<size_t>(at[0])];
  });
}

// The view of a tensor of `dims` that starts at `start` and takes every step-th element.
View strided(const Dims& dims, const Dims& start, const Dims& step) {
  View view = row_major(dims);
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    view.start += start[axis] * view.strides[axis];
    view.strides[axis] *= step[axis];
  }
  return view;
}

bool in_range(const Dims& values, int64_t least, std::string_view what, std::string& error) {
  for (int64_t value : values) {
    if (value < least || value > max_extent) {
      error = fmt::format("{} {} is not in {}..{}", what, value, least, max_extent);
      return false;
    }
  }
  return true;
}

// ---- reshape

TensorType infer_reshape(Types operands, const Attributes&, const TensorType& given, std::string& error) {
  if (given.elements() != operands[0].elements()) {
    return fail(error, fmt::format("{} does not reshape to {}", to_string(operands[0]), to_string(given)));
  }
  return {operands[0].dtype, operands[0].bound, given.dims};
}

std::vector<OpSample> reshape_samples() {
  std::vector<OpSample> samples;
  auto add = [&](const char* name, Dims from, Dims to) {
    SampleMaker make(name);
    make.build.reshape(make.input(std::move(from)), std::move(to));
    samples.push_back(make.finish());
  };
  add("one", {1}, {1, 1});
  add("to_scalar", {1}, {});
  add("split", {6, 17}, {2, 3, 17});
  add("merge", {5, 67}, {335});
  add("other_rows", {3, 34}, {17, 6});
  return samples;
}

// ---- transpose

TensorType infer_transpose(Types operands, const Attributes& attributes, const TensorType&, std::string& error) {
  const auto& permutation = std::get<TransposeAttr>(attributes).permutation;
  std::vector<int64_t> sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  for (size_t k = 0; k < sorted.size(); ++k) {
    if (sorted[k] != static_cast<int64_t>(k)) return fail(error, "axes are not a permutation");
  }
  if (sorted.size() != operands[0].dims.size()) return fail(error, "the permutation is of another rank");
  TensorType result{operands[0].dtype, operands[0].bound, {}};
  for (int64_t axis : permutation) result.dims.push_back(operands[0].dims[static_cast<size_t>(axis)]);
  return result;
}

Cotangents transpose_gradient(GradientContext& context) {
  auto permutation = context.build.graph()[context.node].as<TransposeAttr>().permutation;
  std::vector<int64_t> inverse(permutation.size());
  for (size_t k = 0; k < permutation.size(); ++k)
    inverse[static_cast<size_t>(permutation[k])] = static_cast<int64_t>(k);
  return {context.build.transpose(context.cotangent, inverse)};
}

void evaluate_transpose(const Node& node, Operands operands, ReferenceTensor& result) {
  Dims strides = row_major_strides(operands[0]->type.dims);
  View view;
  for (int64_t axis : node.as<TransposeAttr>().permutation) view.strides.push_back(strides[static_cast<size_t>(axis)]);
  read_through(view, *operands[0], result);
}

std::vector<OpSample> transpose_samples() {
  std::vector<OpSample> samples;
  auto add = [&](const char* name, Dims dims, std::vector<int64_t> permutation) {
    SampleMaker make(name);
    make.build.transpose(make.input(std::move(dims)), std::move(permutation));
    samples.push_back(make.finish());
  };
  add("one", {1, 1}, {1, 0});
  add("matrix", {3, 17}, {1, 0});
  add("matrix_64", {64, 67}, {1, 0});
  add("batched", {2, 3, 17}, {0, 2, 1});
  add("heads", {2, 5, 3, 7}, {0, 2, 1, 3});
  add("rotate", {5, 2, 33}, {2, 0, 1});
  return samples;
}

// ---- broadcast

TensorType infer_broadcast(Types operands, const Attributes& attributes, const TensorType& given, std::string& error) {
  const auto& axes = std::get<BroadcastAttr>(attributes).axes;
  if (axes.size() != operands[0].dims.size()) return fail(error, "axes and operand differ in rank");
  if (!has_axes(given, axes, error)) return {};
  for (size_t k = 0; k < axes.size(); ++k) {
    if (given.dims[static_cast<size_t>(axes[k])] != operands[0].dims[k]) {
      return fail(error, fmt::format("axis {} of {} does not fit {}", k, to_string(operands[0]), to_string(given)));
    }
  }
  return {operands[0].dtype, operands[0].bound, given.dims};
}

Cotangents broadcast_gradient(GradientContext& context) {
  Rule r(context);
  auto kept = r.b.graph()[r.y].as<BroadcastAttr>().axes;
  std::vector<int64_t> added;
  for (int64_t axis = 0; axis < r.b.type(r.y).rank(); ++axis) {
    if (!std::binary_search(kept.begin(), kept.end(), axis)) added.push_back(axis);
  }
  return {added.empty() ? r.g : r.b.reduce(Reduction::sum, r.g, added)};
}

void evaluate_broadcast(const Node& node, Operands operands, ReferenceTensor& result) {
  Dims strides = row_major_strides(operands[0]->type.dims);
  const auto& axes = node.as<BroadcastAttr>().axes;
  View view{0, Dims(result.type.dims.size(), 0)};
  for (size_t k = 0; k < axes.size(); ++k) view.strides[static_cast<size_t>(axes[k])] = strides[k];
  read_through(view, *operands[0], result);
}

std::vector<OpSample> broadcast_samples() {
  std::vector<OpSample> samples;
  auto add = [&](const char* name, Dims from, Dims to, std::vector<int64_t> axes) {
    SampleMaker make(name);
    make.build.broadcast(make.input(std::move(from)), std::move(to), std::move(axes));
    samples.push_back(make.finish());
  };
  add("scalar", {}, {7}, {});
  add("one", {1}, {1, 1}, {0});
  add("rows", {17}, {3, 17}, {1});
  add("columns", {5}, {5, 67}, {0});
  add("middle", {2, 33}, {2, 3, 33}, {0, 2});
  return samples;
}

// ---- slice

TensorType infer_slice(Types operands, const Attributes& attributes, const TensorType& given, std::string& error) {
  const auto& [start, step] = std::get<SliceAttr>(attributes);
  const Dims& dims = operands[0].dims;
  if (start.size() != dims.size() || step.size() != dims.size() || given.dims.size() != dims.size()) {
    return fail(error, "start, step and sizes need one value per axis");
  }
  if (!in_range(start, 0, "start", error) || !in_range(step, 1, "step", error)) return {};
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (start[axis] + (given.dims[axis] - 1) * step[axis] >= dims[axis]) {
      return fail(error, fmt::format("the slice leaves axis {} of {}", axis, to_string(operands[0])));
    }
  }
  return {operands[0].dtype, operands[0].bound, given.dims};
}

Cotangents slice_gradient(GradientContext& context) {
  Rule r(context);
  auto [before, step] = r.b.graph()[r.y].as<SliceAttr>();
  Dims after, size = r.b.type(r.y).dims, whole = r.b.type(r.x(0)).dims;
  for (size_t axis = 0; axis < size.size(); ++axis) {
    after.push_back(whole[axis] - before[axis] - (size[axis] - 1) * step[axis] - 1);
  }
  return {r.b.pad(r.g, before, after, step, 0)};
}

void evaluate_slice(const Node& node, Operands operands, ReferenceTensor& result) {
  const auto& [start, step] = node.as<SliceAttr>();
  read_through(strided(operands[0]->type.dims, start, step), *operands[0], result);
}

std::vector<OpSample> slice_samples() {
  std::vector<OpSample> samples;
  auto add = [&](const char* name, Dims from, Dims start, Dims size, Dims step) {
    SampleMaker make(name);
    make.build.slice(make.input(std::move(from)), std::move(start), std::move(size), std::move(step));
    samples.push_back(make.finish());
  };
  add("one", {7}, {3}, {1}, {1});
  add("columns", {3, 33}, {0, 5}, {3, 17}, {1, 1});
  add("rows", {5, 67}, {2, 0}, {2, 67}, {1, 1});
  add("steps", {7, 65}, {1, 2}, {3, 16}, {2, 4});
  return samples;
}

// ---- pad

TensorType infer_pad(Types operands, const Attributes& attributes, const TensorType&, std::string& error) {
  const auto& pad = std::get<PadAttr>(attributes);
  TensorType result = operands[0];
  if (pad.before.size() != result.dims.size() || pad.after.size() != result.dims.size() ||
      pad.step.size() != result.dims.size()) {
    return fail(error, "before, after and step need one value per axis");
  }
  if (!in_range(pad.before, 0, "before", error) || !in_range(pad.after, 0, "after", error)) return {};
  if (!in_range(pad.step, 1, "step", error)) return {};
  if (!can_hold(result, pad.value)) return fail(error, fmt::format("{} is no {}", pad.value, to_string(result)));
  for (size_t axis = 0; axis < result.dims.size(); ++axis) {
    result.dims[axis] = pad.before[axis] + (result.dims[axis] - 1) * pad.step[axis] + 1 + pad.after[axis];
  }
  return result;
}

Cotangents pad_gradient(GradientContext& context) {
  Rule r(context);
  auto pad = r.b.graph()[r.y].as<PadAttr>();
  return {r.b.slice(r.g, pad.before, r.b.type(r.x(0)).dims, pad.step)};
}

void evaluate_pad(const Node& node, Operands operands, ReferenceTensor& result) {
  const auto& pad = node.as<PadAttr>();
  std::fill(result.values.begin(), result.values.end(), pad.value);
  write_through(strided(result.type.dims, pad.before, pad.step), *operands[0], result);
}

std::vector<OpSample> pad_samples() {
  std::vector<OpSample> samples;
  auto add = [&](const char* name, Dims from, Dims before, Dims after, Dims step, double value) {
    SampleMaker make(name);
    make.build.pad(make.input(std::move(from)), std::move(before), std::move(after), std::move(step), value);
    samples.push_back(make.finish());
  };
  add("one", {1}, {1}, {1}, {1}, 0);
  add("none", {7}, {0}, {0}, {1}, 0);
  add("columns", {3, 17}, {0, 2}, {0, 3}, {1, 1}, 0);
  add("both", {5, 33}, {1, 0}, {2, 31}, {1, 1}, -1.5);
  add("steps", {3, 7}, {1, 0}, {0, 2}, {2, 3}, 0);
  return samples;
}

// ---- concat

TensorType infer_concat(Types operands, const Attributes& attributes, const TensorType&, std::string& error) {
  int64_t axis = std::get<AxisAttr>(attributes).axis;
  if (operands.empty()) return fail(error, "nothing to concatenate");
  if (!has_axis(operands[0], axis, error)) return {};
  TensorType result = operands[0];
  int64_t& extent = result.dims[static_cast<size_t>(axis)];
  for (const TensorType& part : operands.subspan(1)) {
    Dims same = operands[0].dims;
    if (part.dims.size() == same.size()) same[static_cast<size_t>(axis)] = part.dims[static_cast<size_t>(axis)];
    if (part.dims != same || part.dtype != result.dtype) {
      return fail(error, fmt::format("operands differ: {} and {}", to_string(operands[0]), to_string(part)));
    }
    extent += part.dims[static_cast<size_t>(axis)];
    result.bound = result.bound == 0 || part.bound == 0 ? 0 : std::max(result.bound, part.bound);
  }
  return result;
}

Cotangents concat_gradient(GradientContext& context) {
  Rule r(context);
  auto axis = static_cast<size_t>(r.b.graph()[r.y].as<AxisAttr>().axis);
  Cotangents result(r.operands.size());
  const size_t rank = r.b.type(r.y).dims.size();
  Dims start(rank, 0);
  for (size_t k = 0; k < r.operands.size(); ++k) {
    Dims size = r.b.type(r.x(k)).dims;
    if (r.wanted[k]) result[k] = r.b.slice(r.g, start, size, Dims(rank, 1));
    start[axis] += size[axis];
  }
  return result;
}

void evaluate_concat(const Node& node, Operands operands, ReferenceTensor& result) {
  auto axis = static_cast<size_t>(node.as<AxisAttr>().axis);
  Dims start(result.type.dims.size(), 0), step(start.size(), 1);
  for (const ReferenceTensor* part : operands) {
    write_through(strided(result.type.dims, start, step), *part, result);
    start[axis] += part->type.dims[axis];
  }
}

std::vector<OpSample> concat_samples() {
  std::vector<OpSample> samples;
  auto add = [&](const char* name, std::vector<Dims> parts, int64_t axis) {
    SampleMaker make(name);
    std::vector<NodeId> operands;
    for (Dims& dims : parts) operands.push_back(make.input(std::move(dims)));
    make.build.concat(std::move(operands), axis);
    samples.push_back(make.finish());
  };
  add("single", {{7}}, 0);
  add("ones", {{1}, {1}}, 0);
  add("rows", {{2, 17}, {3, 17}}, 0);
  add("columns", {{3, 5}, {3, 16}, {3, 12}}, 1);
  add("middle", {{2, 3, 7}, {2, 5, 7}}, 1);
  return samples;
}

// ---- reverse

TensorType infer_reverse(Types operands, const Attributes& attributes, const TensorType&, std::string& error) {
  has_axes(operands[0], std::get<ReverseAttr>(attributes).axes, error);
  return operands[0];
}

void evaluate_reverse(const Node& node, Operands operands, ReferenceTensor& result) {
  View view = row_major(result.type.dims);
  for (int64_t reversed : node.as<ReverseAttr>().axes) {
    auto axis = static_cast<size_t>(reversed);
    view.start += (result.type.dims[axis] - 1) * view.strides[axis];
    view.strides[axis] = -view.strides[axis];
  }
  read_through(view, *operands[0], result);
}

std::vector<OpSample> reverse_samples() {
  std::vector<OpSample> samples;
  auto add = [&](const char* name, Dims dims, std::vector<int64_t> axes) {
    SampleMaker make(name);
    make.build.reverse(make.input(std::move(dims)), std::move(axes));
    samples.push_back(make.finish());
  };
  add("one", {1}, {0});
  add("columns", {3, 17}, {1});
  add("rows", {5, 67}, {0});
  add("both", {2, 3, 33}, {0, 2});
  return samples;
}

}  // namespace

constinit const OpDefinition op_reshape = {.typed = true,
                                           .infer = infer_reshape,
                                           .gradient = [](GradientContext& context) -> Cotangents {
                                             Rule r(context);
                                             return {r.b.reshape(r.g, Dims(r.b.type(r.x(0)).dims))};
                                           },
                                           .evaluate = map_unary<[](double a) { return a; }>,
                                           .samples = reshape_samples};

constinit const OpDefinition op_transpose = {.attributes = attributes_of<TransposeAttr>,
                                             .infer = infer_transpose,
                                             .gradient = transpose_gradient,
                                             .evaluate = evaluate_transpose,
                                             .samples = transpose_samples};

constinit const OpDefinition op_broadcast = {.attributes = attributes_of<BroadcastAttr>,
                                             .typed = true,
                                             .infer = infer_broadcast,
                                             .gradient = broadcast_gradient,
                                             .evaluate = evaluate_broadcast,
                                             .samples = broadcast_samples};

constinit const OpDefinition op_slice = {.attributes = attributes_of<SliceAttr>,
                                         .typed = true,
                                         .infer = infer_slice,
                                         .gradient = slice_gradient,
                                         .evaluate = evaluate_slice,
                                         .samples = slice_samples};

constinit const OpDefinition op_pad = {.attributes = attributes_of<PadAttr>,
                                       .infer = infer_pad,
                                       .gradient = pad_gradient,
                                       .evaluate = evaluate_pad,
                                       .samples = pad_samples};

constinit const OpDefinition op_concat = {.attributes = attributes_of<AxisAttr>,
                                          .infer = infer_concat,
                                          .gradient = concat_gradient,
                                          .evaluate = evaluate_concat,
                                          .samples = concat_samples};

constinit const OpDefinition op_reverse = {.attributes = attributes_of<ReverseAttr>,
                                           .infer = infer_reverse,
                                           .gradient = [](GradientContext& context) -> Cotangents {
                                             auto axes = context.build.graph()[context.node].as<ReverseAttr>().axes;
                                             return {context.build.reverse(context.cotangent, axes)};
                                           },
                                           .evaluate = evaluate_reverse,
                                           .samples = reverse_samples};

}  // namespace nnc
