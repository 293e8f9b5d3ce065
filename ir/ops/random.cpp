// Random numbers that depend on seed, step, site and element only: RandomAttr says exactly how.
#include "ir/ops/definitions.h"
#include "ir/ops/inference.h"
#include "ir/ops/normal.h"
#include "ir/ops/philox.h"
#include "ir/ops/samples.h"

#include <fmt/format.h>

#include <numbers>

namespace nnc {
namespace {

TensorType infer_random(std::span<const TensorType> operands, const Attributes& attributes, const TensorType& given,
                        std::string& error) {
  const TensorType number{DType::i64, 0, {}};
  if (operands[0] != number || operands[1] != number) return fail(error, "seed and step are i64[]");
  Distribution distribution = std::get<RandomAttr>(attributes).distribution;
  if (distribution == Distribution::integer) {
    if (given.dtype != DType::i32 || given.bound == 0) return fail(error, "random integers are i32 with a bound");
  } else if (given.dtype != DType::f32 && given.dtype != DType::f64) {
    return fail(error, fmt::format("random numbers are f32, not {}", name_of(given.dtype)));
  }
  return given;
}

double draw(Distribution distribution, uint32_t word, int64_t bound) {
  switch (distribution) {
    case Distribution::uniform:
      return (word >> 8) * 0x1p-24;
    case Distribution::normal:
      return std::numbers::sqrt2 * erfinv(2 * (((word >> 8) + 0.5) * 0x1p-24) - 1);
    case Distribution::integer:
      return static_cast<double>((uint64_t{word} * static_cast<uint64_t>(bound)) >> 32);
  }
  return 0;
}

void evaluate_random(const Node& node, std::span<const ReferenceTensor* const> operands, ReferenceTensor& result) {
  const auto& attributes = node.as<RandomAttr>();
  auto seed = static_cast<uint64_t>(static_cast<int64_t>(operands[0]->values[0]));
  auto step = static_cast<uint64_t>(static_cast<int64_t>(operands[1]->values[0]));
  uint64_t row = node.type.dims.empty() ? 1 : static_cast<uint64_t>(node.type.dims.back());
  uint64_t pitch = (row + 63) / 64 * 64;
  for (size_t i = 0; i < result.values.size(); ++i) {
    uint64_t e = i / row * pitch + i % row;
    auto words = philox_4x32_10({static_cast<uint32_t>(16 * (e / 64) + e % 16), attributes.site,
                                 static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32)},
                                {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
    result.values[i] = draw(attributes.distribution, words[e / 16 % 4], node.type.bound);
  }
}

std::vector<OpSample> random_samples() {
  std::vector<OpSample> samples;
  uint32_t site = 7;
  for (Distribution distribution : {Distribution::uniform, Distribution::normal, Distribution::integer}) {
    for (const Dims& dims : {Dims{}, Dims{1}, Dims{7}, Dims{3, 17}, Dims{2, 65}, Dims{2, 3, 130}}) {
      SampleMaker make(
          fmt::format("{}_{}d_{}", name_of(distribution), dims.size(), TensorType{DType::f32, 0, dims}.elements()));
      NodeId seed = make.input({DType::i64, 0, {}}, 0, 0x1p40), step = make.input({DType::i64, 0, {}}, 0, 1000);
      bool integer = distribution == Distribution::integer;
      TensorType type{integer ? DType::i32 : DType::f32, integer ? 10 : 0, dims};
      make.build.random(distribution, seed, step, type, site++);
      make.sample.differentiable = false;
      // The argument of erfinv is rounded to f32, and so is the logarithm it starts from.
      if (distribution == Distribution::normal) {
        make.sample.max_ulp = 64;
        make.sample.scale = 0.01;
      }
      samples.push_back(make.finish());
    }
  }
  return samples;
}

}  // namespace

constinit const OpDefinition op_random = {.attributes = attributes_of<RandomAttr>,
                                          .typed = true,
                                          .infer = infer_random,
                                          .gradient = nullptr,
                                          .evaluate = evaluate_random,
                                          .samples = random_samples};

}  // namespace nnc
