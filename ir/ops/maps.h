// What map definitions share: their evaluation from a function of scalars, their samples, and short words for gradient
// rules.
#pragma once

#include <utility>
#include <vector>

#include "ir/ops/inference.h"
#include "ir/ops/op.h"

namespace nnc {

// A gradient rule in short words: `Rule r(context); return {r.b.mul(r.g, r.y)};`.
// x(k) is operand k, y the result, g its cotangent, b the builder.
struct Rule {
  explicit Rule(GradientContext& context)
      : b(context.build),
        y(context.node),
        g(context.cotangent),
        wanted(context.wanted),
        operands(b.graph()[y].operands) {}

  NodeId x(size_t k) const { return operands[k]; }
  NodeId like(double value, NodeId node) { return b.constant_like(value, node); }

  GraphBuilder& b;
  NodeId y, g;
  std::span<const bool> wanted;
  std::vector<NodeId> operands;  // a copy: appending moves the nodes
};

// Evaluations from stateless functions of doubles.
template <double (*f)(double)>
void map_unary(const Node&, std::span<const ReferenceTensor* const> operands, ReferenceTensor& result) {
  for (size_t i = 0; i < result.values.size(); ++i) result.values[i] = f(operands[0]->values[i]);
}
template <double (*f)(double, double)>
void map_binary(const Node&, std::span<const ReferenceTensor* const> operands, ReferenceTensor& result) {
  for (size_t i = 0; i < result.values.size(); ++i) {
    result.values[i] = f(operands[0]->values[i], operands[1]->values[i]);
  }
}
template <double (*f)(double, double, double)>
void map_ternary(const Node&, std::span<const ReferenceTensor* const> operands, ReferenceTensor& result) {
  for (size_t i = 0; i < result.values.size(); ++i) {
    result.values[i] = f(operands[0]->values[i], operands[1]->values[i], operands[2]->values[i]);
  }
}

struct SampleInput {
  double low = -3, high = 3;
  DType dtype = DType::f32;
};

// One sample per shape (1, primes, no multiples of 16): inputs of that shape from the ranges, the op, the output "y".
std::vector<OpSample> map_samples(Op op, std::vector<SampleInput> inputs, Attributes attributes = {},
                                  bool differentiable = true);

}  // namespace nnc
