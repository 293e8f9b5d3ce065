// Leaves: values that come from outside or from nowhere.
#include <fmt/format.h>

#include "ir/ops/definitions.h"
#include "ir/ops/inference.h"
#include "ir/ops/odometer.h"
#include "ir/ops/samples.h"

namespace nnc {
namespace {

using Types = std::span<const TensorType>;

TensorType infer_given(Types, const Attributes&, const TensorType& given, std::string&) { return given; }

std::vector<OpSample> no_samples() { return {}; }

std::vector<OpSample> input_samples() {
  std::vector<OpSample> samples;
  for (const Dims& dims : {Dims{1}, Dims{3, 17}}) {
    SampleMaker make(fmt::format("{}d", dims.size()));
    make.input(dims);
    samples.push_back(make.finish());
  }
  return samples;
}

TensorType infer_constant(Types, const Attributes& attributes, const TensorType& given, std::string& error) {
  double value = std::get<ConstantAttr>(attributes).value;
  if (!can_hold(given, value)) return fail(error, fmt::format("{} is no {}", value, to_string(given)));
  return given;
}

std::vector<OpSample> constant_samples() {
  std::vector<OpSample> samples;
  for (const auto& [name, value, type] :
       std::vector<std::tuple<const char*, double, TensorType>>{{"scalar", 0.1, {DType::f32, 0, {}}},
                                                                {"row", -2.5, {DType::f32, 0, {17}}},
                                                                {"whole", 7, {DType::i32, 10, {3, 5}}},
                                                                {"flag", 1, {DType::boolean, 0, {33}}}}) {
    SampleMaker make(name);
    make.build.constant(value, type);
    samples.push_back(make.finish());
  }
  return samples;
}

TensorType infer_iota(Types, const Attributes& attributes, const TensorType& given, std::string& error) {
  int64_t axis = std::get<IotaAttr>(attributes).axis;
  if (!has_axis(given, axis, error)) return {};
  if (given.dtype == DType::boolean) return fail(error, "needs numbers, not bool");
  double last = static_cast<double>(given.dims[static_cast<size_t>(axis)] - 1);
  if (!can_hold(given, last)) return fail(error, fmt::format("{} is no {}", last, to_string(given)));
  return given;
}

void evaluate_iota(const Node& node, std::span<const ReferenceTensor* const>, ReferenceTensor& result) {
  View number{0, Dims(node.type.dims.size(), 0)};
  number.strides[static_cast<size_t>(node.as<IotaAttr>().axis)] = 1;
  walk<2>(node.type.dims, {row_major(node.type.dims), number},
          [&](const auto& at) { result.values[static_cast<size_t>(at[0])] = static_cast<double>(at[1]); });
}

std::vector<OpSample> iota_samples() {
  std::vector<OpSample> samples;
  auto add = [&](const char* name, TensorType type, int64_t axis) {
    SampleMaker make(name);
    make.build.iota(std::move(type), axis);
    samples.push_back(make.finish());
  };
  add("one", {DType::f32, 0, {1}}, 0);
  add("columns", {DType::f32, 0, {3, 17}}, 1);
  add("rows", {DType::f32, 0, {5, 67}}, 0);
  add("classes", {DType::i32, 10, {7, 10}}, 1);
  return samples;
}

}  // namespace

constinit const OpDefinition op_input = {.attributes = attributes_of<InputAttr>,
                                         .typed = true,
                                         .infer = infer_given,
                                         .gradient = nullptr,
                                         .evaluate = nullptr,
                                         .samples = input_samples};

constinit const OpDefinition op_state = {.attributes = attributes_of<StateAttr>,
                                         .typed = true,
                                         .infer = infer_given,
                                         .gradient = nullptr,
                                         .evaluate = nullptr,
                                         .samples = no_samples};

constinit const OpDefinition op_constant = {
    .attributes = attributes_of<ConstantAttr>,
    .typed = true,
    .infer = infer_constant,
    .gradient = nullptr,
    .evaluate =
        [](const Node& node, std::span<const ReferenceTensor* const>, ReferenceTensor& result) {
          result.values.assign(result.values.size(), node.as<ConstantAttr>().value);
        },
    .samples = constant_samples};

constinit const OpDefinition op_iota = {.attributes = attributes_of<IotaAttr>,
                                        .typed = true,
                                        .infer = infer_iota,
                                        .gradient = nullptr,
                                        .evaluate = evaluate_iota,
                                        .samples = iota_samples};

constinit const OpDefinition op_cotangent = {
    .typed = true, .infer = infer_given, .gradient = nullptr, .evaluate = nullptr, .samples = no_samples};

}  // namespace nnc
