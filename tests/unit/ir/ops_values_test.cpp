// Single values: what ops do at kinks, with NaN, and in rounding; the random generator.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/graph/interpreter.h"
#include "ir/graph/text.h"
#include "ir/ops/normal.h"
#include "ir/ops/op.h"
#include "ir/ops/philox.h"

namespace nnc {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Runs `op` on vectors.
std::vector<double> apply(Op op, const std::vector<std::vector<double>>& operands, DType from = DType::f32,
                          Attributes attributes = {}, DType to = DType::f32, int64_t bound = 0) {
  Graph graph;
  GraphBuilder build(graph);
  std::vector<NodeId> nodes;
  std::map<std::string, ReferenceTensor> inputs;
  for (const auto& values : operands) {
    TensorType type{from, 0, {static_cast<int64_t>(values.size())}};
    std::string name = "x" + std::to_string(nodes.size());
    nodes.push_back(build.input(name, type));
    inputs[name] = {type, values};
  }
  NodeId y = build.append(op, nodes, std::move(attributes), {to, bound, {static_cast<int64_t>(operands[0].size())}});
  return interpret(graph, inputs, {}).values[y.value].values;
}

// The gradient of sum(op(x…)) with respect to operand `k`.
std::vector<double> slope(Op op, const std::vector<std::vector<double>>& operands, size_t k,
                          Attributes attributes = {}) {
  Graph graph;
  GraphBuilder build(graph);
  std::vector<NodeId> nodes;
  std::map<std::string, ReferenceTensor> inputs;
  for (const auto& values : operands) {
    TensorType type{DType::f32, 0, {static_cast<int64_t>(values.size())}};
    std::string name = "x" + std::to_string(nodes.size());
    nodes.push_back(build.input(name, type));
    inputs[name] = {type, values};
  }
  NodeId y = build.append(op, nodes, std::move(attributes));
  NodeId one = build.constant_like(1, y);
  const bool wanted[] = {true, true, true};
  GradientContext context{build, y, one, {wanted, nodes.size()}};
  std::vector<NodeId> gradients = definition(op).gradient(context);
  return interpret(graph, inputs, {}).values[gradients[k].value].values;
}

using Values = std::vector<double>;

TEST(OpValues, GradientsAtKinksArePyTorchs) {
  EXPECT_EQ(slope(Op::max, {{1, 2, 3}, {2, 2, 2}}, 0), (Values{0, 0.5, 1}));
  EXPECT_EQ(slope(Op::max, {{1, 2, 3}, {2, 2, 2}}, 1), (Values{1, 0.5, 0}));
  EXPECT_EQ(slope(Op::min, {{1, 2, 3}, {2, 2, 2}}, 0), (Values{1, 0.5, 0}));
  EXPECT_EQ(slope(Op::abs, {{-3, 0, 2}}, 0), (Values{-1, 0, 1}));
  EXPECT_EQ(slope(Op::pow, {{0, 2, 0}, {0, 0, 2}}, 0), (Values{0, 0, 0}));
  EXPECT_EQ(slope(Op::pow, {{0, 0}, {2, 0}}, 1), (Values{0, 0}));
}

TEST(OpValues, ReductionGradientsShareTiesAndSurviveZeros) {
  ReduceAttr max{Reduction::max, {0}, {}}, prod{Reduction::prod, {0}, {}};
  EXPECT_EQ(slope(Op::reduce, {{1, 4, 4, 2}}, 0, max), (Values{0, 0.5, 0.5, 0}));
  EXPECT_EQ(slope(Op::reduce, {{2, 3, 4}}, 0, prod), (Values{12, 8, 6}));
  EXPECT_EQ(slope(Op::reduce, {{2, 0, 4}}, 0, prod), (Values{0, 8, 0}));
  EXPECT_EQ(slope(Op::reduce, {{2, 0, 0}}, 0, prod), (Values{0, 0, 0}));
}

TEST(OpValues, NaNPassesThroughMaxAndMin) {
  for (Op op : {Op::max, Op::min}) {
    for (double value : apply(op, {{nan, 1, nan}, {1, nan, nan}})) EXPECT_TRUE(std::isnan(value));
  }
  for (Reduction reduction : {Reduction::max, Reduction::min}) {
    EXPECT_TRUE(std::isnan(apply(Op::reduce, {{1, nan, 2}}, DType::f32, ReduceAttr{reduction, {0}, {}})[0]));
  }
  EXPECT_EQ(apply(Op::sign, {{nan, -2, 0}}), (Values{0, -1, 0}));
}

TEST(OpValues, ComparisonsWithNaNAreFalseButNe) {
  for (Comparison comparison : {Comparison::eq, Comparison::lt, Comparison::le, Comparison::gt, Comparison::ge}) {
    EXPECT_EQ(apply(Op::compare, {{nan, 1}, {1, nan}}, DType::f32, CompareAttr{comparison}), (Values{0, 0}));
  }
  EXPECT_EQ(apply(Op::compare, {{nan, 1}, {1, nan}}, DType::f32, CompareAttr{Comparison::ne}), (Values{1, 1}));
}

TEST(OpValues, ArgmaxTakesTheFirstAndNaNIsLargest) {
  auto argmax = [](Values values) {
    return apply(Op::reduce, {std::move(values)}, DType::f32, ReduceAttr{Reduction::argmax, {0}, {}})[0];
  };
  EXPECT_EQ(argmax({1, 5, 5, 2}), 1);
  EXPECT_EQ(argmax({1, nan, 9, nan}), 1);
  EXPECT_EQ(argmax({-std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}), 0);
}

TEST(OpValues, Rounding) {
  EXPECT_EQ(apply(Op::round, {{0.5, 1.5, 2.5, -0.5, -1.5}}), (Values{0, 2, 2, -0.0, -2}));
  EXPECT_EQ(apply(Op::floor, {{0.5, -0.5, 2}}), (Values{0, -1, 2}));
}

TEST(OpValues, CastsRound) {
  EXPECT_EQ(apply(Op::cast, {{1.9, -1.9, 0.5}}, DType::f32, {}, DType::i32), (Values{1, -1, 0}));
  EXPECT_EQ(apply(Op::cast, {{0, -0.0, 2, nan}}, DType::f32, {}, DType::boolean), (Values{0, 0, 1, 1}));
  // 1 + 2^-8 lies between two bf16 neighbours 2^-7 apart: to the even one; just above it: up.
  EXPECT_EQ(apply(Op::cast, {{1 + 0x1p-8, 1 + 3 * 0x1p-8, 1 + 0x1p-8 + 0x1p-20}}, DType::f32, {}, DType::bf16),
            (Values{1, 1 + 0x1p-6, 1 + 0x1p-7}));
  EXPECT_EQ(apply(Op::cast, {{0.1, 1e300}}, DType::f64, {}, DType::f32)[0], 0.1);
}

TEST(OpValues, SigmoidDoesNotOverflow) {
  Values values = apply(Op::sigmoid, {{-1000, 0, 1000}});
  EXPECT_EQ(values, (Values{0, 0.5, 1}));
}

TEST(Philox, KnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox_4x32_10({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox_4x32_10({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox_4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Normal, ErfinvInvertsErf) {
  for (double x = -0.999999; x < 1; x += 0.000977) EXPECT_NEAR(std::erf(erfinv(x)), x, 1e-6) << x;
  EXPECT_NEAR(erfinv(0.5), 0.4769362762044699, 4e-7);
  EXPECT_NEAR(erfinv(1 - 0x1p-24), 3.8325069, 1e-5);
  EXPECT_EQ(erfinv(0), 0);
}

std::vector<double> draw(Distribution distribution, TensorType type, double seed, double step, uint32_t site) {
  Graph graph;
  GraphBuilder build(graph);
  TensorType number{DType::i64, 0, {}};
  NodeId node = build.random(distribution, build.input("seed", number), build.input("step", number), type, site);
  return interpret(graph, {{"seed", {number, {seed}}}, {"step", {number, {step}}}}, {}).values[node.value].values;
}

TEST(Random, ElementsComeFromTheDocumentedCounters) {
  const double seed = 5 + 0x1p33, step = 3;
  auto values = draw(Distribution::uniform, {DType::f32, 0, {2, 65}}, seed, step, 9);
  for (uint32_t e : {0u, 1u, 16u, 63u, 64u}) {  // the first row
    auto words = philox_4x32_10({16 * (e / 64) + e % 16, 9, 3, 0}, {5, 2});
    EXPECT_EQ(values[e], (words[e / 16 % 4] >> 8) * 0x1p-24) << e;
  }
  auto second_row = philox_4x32_10({32, 9, 3, 0}, {5, 2});  // element 128: rows take 128 numbers
  EXPECT_EQ(values[65], (second_row[0] >> 8) * 0x1p-24);
}

TEST(Random, MomentsOfTheDistributions) {
  auto moments = [](const std::vector<double>& values) {
    double sum = 0, squares = 0;
    for (double value : values) sum += value, squares += value * value;
    double mean = sum / static_cast<double>(values.size());
    return std::pair{mean, squares / static_cast<double>(values.size()) - mean * mean};
  };
  auto [uniform_mean, uniform_variance] = moments(draw(Distribution::uniform, {DType::f32, 0, {100000}}, 1, 2, 3));
  EXPECT_NEAR(uniform_mean, 0.5, 0.005);
  EXPECT_NEAR(uniform_variance, 1.0 / 12, 0.002);
  auto [normal_mean, normal_variance] = moments(draw(Distribution::normal, {DType::f32, 0, {100000}}, 1, 2, 4));
  EXPECT_NEAR(normal_mean, 0, 0.02);
  EXPECT_NEAR(normal_variance, 1, 0.02);
  auto [integer_mean, integer_variance] = moments(draw(Distribution::integer, {DType::i32, 10, {100000}}, 1, 2, 5));
  EXPECT_NEAR(integer_mean, 4.5, 0.05);
  EXPECT_NEAR(integer_variance, 8.25, 0.1);
}

}  // namespace
}  // namespace nnc
