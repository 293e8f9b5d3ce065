#include "ir/ops/samples.h"

#include <fmt/format.h>

#include "ir/ops/maps.h"

namespace nnc {

NodeId SampleMaker::input(TensorType type, double low, double high) {
  sample.ranges.emplace_back(low, high);
  return build.input(fmt::format("x{}", sample.ranges.size() - 1), std::move(type));
}

OpSample SampleMaker::finish() {
  sample.graph.roots.push_back({Root::output, "y", sample.graph.last()});
  return std::move(sample);
}

std::vector<OpSample> map_samples(Op op, std::vector<SampleInput> inputs, Attributes attributes, bool differentiable) {
  static const std::vector<std::pair<const char*, Dims>> shapes = {
      {"one", {1}},  {"seven", {7}}, {"rows_of_17", {3, 17}}, {"rows_of_33", {2, 33}}, {"rows_of_67", {5, 67}},
      {"scalar", {}}};
  std::vector<OpSample> samples;
  for (const auto& [name, dims] : shapes) {
    SampleMaker make(name);
    std::vector<NodeId> operands;
    for (const SampleInput& input : inputs)
      operands.push_back(make.input({input.dtype, 0, dims}, input.low, input.high));
    make.build.append(op, operands, attributes, {DType::f32, 0, dims});
    make.sample.differentiable = differentiable;
    samples.push_back(make.finish());
  }
  return samples;
}

}  // namespace nnc
