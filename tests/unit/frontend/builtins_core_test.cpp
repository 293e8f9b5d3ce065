// Core functions by value: small expressions over a small x, run by the Graph interpreter.
#include <cmath>

#include "builtins_model.h"

namespace nnc::testing {
namespace {

const std::vector<Doubles> two_rows{{1, -2, 3, 4}, {0.5, 0, -1, 8}};
const Doubles flat{1, -2, 3, 4, 0.5, 0, -1, 8};

Doubles mapped(double (*f)(double)) {
  Doubles result;
  for (double value : flat) result.push_back(f(value));
  return result;
}

TEST(CoreElementwise, MapsComputeTheirFunctions) {
  expect_near(value_of("exp(x)", two_rows), mapped(std::exp));
  expect_near(value_of("tanh(x)", two_rows), mapped(std::tanh));
  expect_near(value_of("erf(x)", two_rows), mapped(std::erf));
  expect_near(value_of("sqrt(abs(x))", two_rows), mapped([](double v) { return std::sqrt(std::abs(v)); }));
  expect_near(value_of("sigmoid(x)", two_rows), mapped([](double v) { return 1 / (1 + std::exp(-v)); }));
  expect_near(value_of("sign(x)", two_rows), {1, -1, 1, 1, 1, 0, -1, 1});
  expect_near(value_of("floor(x / 2)", two_rows), {0, -1, 1, 2, 0, 0, -1, 4});
  expect_near(value_of("clamp(x, min = -1, max = 3)", two_rows), {1, -1, 3, 3, 0.5, 0, -1, 3});
  expect_near(value_of("max(x, 0)", two_rows), {1, 0, 3, 4, 0.5, 0, 0, 8});
  expect_near(value_of("where(x > 0 and x < 4, x, -inf)", two_rows),
              {1, -INFINITY, 3, -INFINITY, 0.5, -INFINITY, -INFINITY, -INFINITY});
}

TEST(CoreElementwise, StaticNumbersAreComputedAtOnce) {
  expect_near(value_of("x * sqrt(4)", {{1, 2}}), {2, 4});
  expect_near(value_of("x * max(1, 3, 2)", {{1, 2}}), {3, 6});
  expect_near(value_of("x * floor(2.5)", {{1, 2}}), {2, 4});
}

TEST(CoreOperators, FollowTheLanguage) {
  expect_near(value_of("x ** 2", {{-3, 2}}), {9, 4});
  expect_near(value_of("x ** 3", {{-3, 2}}), {-27, 8});
  expect_near(value_of("x ** -1", {{-4, 2}}), {-0.25, 0.5});
  expect_near(value_of("x ** 0.5", {{9, 2}}), {3, std::sqrt(2)});
  expect_near(value_of("2 ** x", {{3, -1}}), {8, 0.5});
  expect_near(value_of("x ** 1.5", {{4, 2}}), {8, std::pow(2, 1.5)});
  expect_near(value_of("x // 2", {{-3, 5}}), {-2, 2});
  expect_near(value_of("x % 2", {{-3, 5}}), {1, 1});
  expect_near(value_of("x % -2", {{-3, 5}}), {-1, -1});
  expect_near(value_of("-x ** 2", {{3, 1}}), {-9, -1});
  expect_near(value_of("f32(not (x > 0) or x == 5)", {{-3, 5, 2}}), {1, 1, 0});
  expect_near(value_of("f32((x > 0) + (x > 1))", {{-3, 1, 2}}), {0, 1, 2});
}

TEST(CoreOperators, SquareIsOneProduct) {
  Built built = build("model M { input x: [batch, 2]\n loss l = mean(x ** 2) }\ntrain { optimizer = SGD() }",
                      {{"x", {DType::f32, 0, {2}}}}, 3);
  ASSERT_TRUE(built.program) << built.complaints();
  size_t products = 0, powers = 0;
  for (const Node& node : built.function("step").nodes) {
    products += node.op == Op::mul && node.type.rank() == 2;
    powers += node.op == Op::pow;
  }
  EXPECT_EQ(products, 1u);
  EXPECT_EQ(powers, 0u);
}

TEST(CoreOperators, MatmulIsNumPys) {
  // A transpose is read through, so the product is one node over the weight itself.
  expect_near(value_of("x @ x.T", {{1, 2}, {3, 4}}), {5, 11, 11, 25});
  expect_near(value_of("x.T @ x", {{1, 2}, {3, 4}}), {10, 14, 14, 20});
  expect_near(value_of("x @ x[0]", {{1, 2}, {3, 4}}), {5, 11});
  expect_near(value_of("reshape(x, batch, 2, 2) @ x[0, 2:]", {{1, 2, 3, 4}, {5, 6, 7, 8}}), {11, 25, 39, 53});
  expect_near(value_of("reshape(x, batch, 2, 2) @ reshape(x, batch, 2, 2).T", {{1, 2, 3, 4}}), {5, 11, 11, 25});
}

TEST(CoreReductions, TakeAllAxesUnlessTold) {
  expect_near(value_of("x - sum(x)", {{1, 2}}), {-2, -1});
  expect_near(value_of("sum(x, axis = 1)", two_rows), {6, 7.5});
  expect_near(value_of("mean(x, axis = [0, 1], keepdim = true) + 0 * x[:, :1]", {{1, 2}, {3, 6}}), {3, 3});
  expect_near(value_of("max(x, axis = -1)", two_rows), {4, 8});
  expect_near(value_of("min(x, axis = -1, keepdim = true) + 0 * x", {{3, -2}, {5, 9}}), {-2, -2, 5, 5});
  expect_near(value_of("prod(x, axis = 1)", two_rows), {-24, 0});
  expect_near(value_of("var(x, axis = 1)", {{1, 2, 3, 6}}), {14.0 / 3});
  expect_near(value_of("std(x, axis = 1, correction = 0)", {{1, 2, 3, 6}}), {std::sqrt(14.0 / 4)});
  expect_near(value_of("f32(any(x > 3, axis = 1)) + 2 * f32(all(x > -2, axis = 1))", two_rows), {1, 3});
  expect_near(value_of("f32(argmax(x))", two_rows), {3, 3});
  expect_near(value_of("f32(argmin(x, keepdim = true))", two_rows), {1, 2});
  expect_near(value_of("cumsum(x)", two_rows), {1, -1, 2, 6, 0.5, 0.5, -0.5, 7.5});
  expect_near(value_of("mean(x > 0, axis = 1)", two_rows), {0.75, 0.5});
}

TEST(CoreShapes, MoveElements) {
  expect_near(value_of("flatten(transpose(reshape(x, batch, 2, 2), 1, 2), from = 1)", {{1, 2, 3, 4}}), {1, 3, 2, 4});
  expect_near(value_of("transpose(reshape(x, batch, 2, -1), [2, 1, 0])", {{1, 2, 3, 4}}), {1, 3, 2, 4});
  expect_near(value_of("expand(unsqueeze(x, 1), batch, 2, -1)", {{1, 2}}), {1, 2, 1, 2});
  expect_near(value_of("squeeze(unsqueeze(x, [0, 2]), 0) * unsqueeze(x, 1)", {{1, 2}}), {1, 4});
  expect_near(value_of("flip(x, 1)", {{1, 2, 3}}), {3, 2, 1});
  expect_near(value_of("pad(x, 1, 2, value = 9)", {{1, 2}}), {9, 1, 2, 9, 9});
  expect_near(value_of("concat(x, 2 * x)", {{1, 2}}), {1, 2, 2, 4});
  expect_near(value_of("concat([x, x], axis = 0)", {{1, 2}}), {1, 2, 1, 2});
  expect_near(value_of("stack(x, x + 1, axis = -1)", {{1, 2}}), {1, 2, 2, 3});
  expect_near(value_of("x * stack(1, 2.5)", {{1, 2}}), {1, 5});
  expect_near(value_of("a * b", {{1, 2, 3, 4}}, "a, b = split(x, 2)"), {3, 8});
  expect_near(value_of("b", {{1, 2, 3, 4}}, "a, b = split(x, [1, 3])"), {2, 3, 4});
}

TEST(CoreIndexing, IsNumPysBasicIndexing) {
  const std::vector<Doubles> rows{{0, 1, 2, 3, 4}, {5, 6, 7, 8, 9}};
  expect_near(value_of("x[:, 1]", rows), {1, 6});
  expect_near(value_of("x[..., -1]", rows), {4, 9});
  expect_near(value_of("x[:, 1:-1]", rows), {1, 2, 3, 6, 7, 8});
  expect_near(value_of("x[:, ::2]", rows), {0, 2, 4, 5, 7, 9});
  expect_near(value_of("x[:, ::-2]", rows), {4, 2, 0, 9, 7, 5});
  expect_near(value_of("x[:, 3:0:-1]", rows), {3, 2, 1, 8, 7, 6});
  expect_near(value_of("x[:, -100:2]", rows), {0, 1, 5, 6});
  expect_near(value_of("x * [2, 5, 7][-1]", {{1}}), {7});
  expect_near(value_of("x * len([2, 5, 7][1:])", {{1}}), {2});
}

TEST(CorePicking, TakesByIntegers) {
  expect_near(value_of("take(x.T, argmax(x, axis = 1))", {{1, 9, 3}, {7, 2, 4}}), {9, 2, 1, 7});
  expect_near(value_of("take_along(x, argmax(x, keepdim = true))", {{1, 9, 3}, {7, 2, 4}}), {9, 7});
  expect_near(value_of("f32(one_hot(argmax(x)))", {{1, 9, 3}, {7, 2, 4}}), {0, 1, 0, 1, 0, 0});
  expect_near(value_of("x * arange(3)", {{1, 9, 3}}), {0, 9, 6});
  expect_near(value_of("where(causal(2), x[:2], -1)", {{1, 2}, {3, 4}}), {1, -1, 3, 4});
}

TEST(CorePatterns, RearrangeSplitsPermutesAndMerges) {
  expect_near(value_of("rearrange(x, \"b (h d) -> b d h\", h = 2)", {{1, 2, 3, 4, 5, 6}}), {1, 4, 2, 5, 3, 6});
  expect_near(value_of("rearrange(x, \"... c -> c ...\")", {{1, 2}, {3, 4}}), {1, 3, 2, 4});
  expect_near(value_of("rearrange(x, \"b (c h w) -> b (h w c)\", c = 2, h = 1)", {{1, 2, 3, 4}}), {1, 3, 2, 4});
  expect_near(value_of("rearrange(x, \"b c -> b 1 c\") + 0 * unsqueeze(x, 1)", {{1, 2}}), {1, 2});
}

TEST(CorePatterns, EinsumSumsWhatIsLeftOut) {
  const std::vector<Doubles> square{{1, 2}, {3, 4}};
  expect_near(value_of("einsum(\"i j, k j -> i k\", x, x)", square), {5, 11, 11, 25});
  expect_near(value_of("einsum(\"i j -> j\", x)", square), {4, 6});
  expect_near(value_of("einsum(\"i j -> j i\", x)", square), {1, 3, 2, 4});
  expect_near(value_of("einsum(\"b i, b j, j k -> b i k\", x, x, x[:2])", {{1, 2}, {3, 4}}),
              {7, 10, 14, 20, 45, 66, 60, 88});
  expect_near(value_of("einsum(\"... i, i -> ...\", x, x[0])", square), {5, 11});
  expect_near(value_of("einsum(\"t t -> t\", w)", {{2, 3}}, "w = x.T @ x"), {4, 9});
  expect_near(value_of("einsum(\"b i, b -> b i\", x, x[:, 0])", square), {1, 2, 9, 12});
}

TEST(CorePools, WindowsThatTileAreReductions) {
  expect_near(value_of("reshape(x, batch, 1, 2, 4) |> MaxPool2d(2) |> flatten(from = 1)", {{1, 5, 2, 0, 3, 4, 9, 8}}),
              {5, 9});
  expect_near(value_of("reshape(x, batch, 1, 2, 4) |> AvgPool2d(2) |> flatten(from = 1)", {{1, 5, 2, 0, 3, 4, 9, 8}}),
              {3.25, 4.75});
  expect_near(value_of("reshape(x, batch, 1, 5) |> MaxPool1d(2) |> flatten(from = 1)", {{1, 5, 2, 0, 3}}), {5, 2});
  expect_near(value_of("reshape(x, batch, 2, 2) |> GlobalAvgPool()", {{1, 5, 2, 0}}), {3, 1});
}

}  // namespace
}  // namespace nnc::testing
