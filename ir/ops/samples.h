// Building the small graphs that OpDefinition::samples returns.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ir/ops/op.h"

namespace nnc {

// Collects one sample: inputs in order, then the op; `finish` makes the last node appended the output "y".
struct SampleMaker {
  explicit SampleMaker(std::string name) {
    sample.name = std::move(name);
    sample.graph.name = "sample";
  }

  // An input whose elements are drawn from [low, high).
  NodeId input(TensorType type, double low = -2, double high = 2);
  NodeId input(Dims dims, double low = -2, double high = 2) {
    return input(TensorType{DType::f32, 0, std::move(dims)}, low, high);
  }
  OpSample finish();

  OpSample sample;
  GraphBuilder build{sample.graph};

  SampleMaker(const SampleMaker&) = delete;
  SampleMaker& operator=(const SampleMaker&) = delete;
};

}  // namespace nnc
