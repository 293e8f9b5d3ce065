// Activations and losses of the prelude against PyTorch's formulas, and the gradients they state by hand against
// central differences.
#include <cmath>
#include <functional>
#include <numeric>

#include "builtins_model.h"

namespace nnc::testing {
namespace {

double logistic(double v) { return 1 / (1 + std::exp(-v)); }
double log_sum_exp(const Doubles& row) {
  double sum = 0;
  for (double v : row) sum += std::exp(v);
  return std::log(sum);
}

const Doubles points{-3, -0.7, 0, 0.4, 2, 9};

void expect_activation(const std::string& name, const std::function<double(double)>& formula) {
  Doubles expected;
  for (double v : points) expected.push_back(formula(v));
  SCOPED_TRACE(name);
  expect_near(value_of(name, {points}), expected, 1e-9);
}

TEST(PreludeActivations, FollowPyTorch) {
  expect_activation("relu(x)", [](double v) { return std::max(v, 0.0); });
  expect_activation("relu6(x)", [](double v) { return std::min(std::max(v, 0.0), 6.0); });
  expect_activation("x |> leaky_relu(negative_slope = 0.1)", [](double v) { return v > 0 ? v : 0.1 * v; });
  expect_activation("elu(x)", [](double v) { return v > 0 ? v : std::expm1(v); });
  expect_activation("celu(x, 2)", [](double v) { return v > 0 ? v : 2 * std::expm1(v / 2); });
  expect_activation("selu(x)",
                    [](double v) { return 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * std::expm1(v)); });
  expect_activation("gelu(x)", [](double v) { return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))); });
  expect_activation("gelu(x, approximate = \"tanh\")", [](double v) {
    return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
  });
  expect_activation("silu(x)", [](double v) { return v * logistic(v); });
  expect_activation("mish(x)", [](double v) { return v * std::tanh(std::log1p(std::exp(v))); });
  expect_activation("softplus(x)", [](double v) { return std::log1p(std::exp(v)); });
  expect_activation("logsigmoid(x)", [](double v) { return std::log(logistic(v)); });
  expect_activation("hardtanh(x)", [](double v) { return std::clamp(v, -1.0, 1.0); });
  expect_activation("hardsigmoid(x)", [](double v) { return std::clamp(v / 6 + 0.5, 0.0, 1.0); });
  expect_activation("hardswish(x)", [](double v) { return v * std::clamp(v + 3, 0.0, 6.0) / 6; });
  expect_activation("softsign(x)", [](double v) { return v / (1 + std::abs(v)); });
  expect_activation("sigmoid(x)", logistic);
  expect_near(value_of("glu(x)", {{1, 2, 3, -1}}), {logistic(3), 2 * logistic(-1)});
  expect_near(value_of("swiglu(x)", {{1, 2, 3, -1}}), {3 * logistic(1), -2 * logistic(2)});
}

TEST(PreludeActivations, SoftmaxIsStable) {
  expect_near(value_of("softmax(x)", {{0, std::log(3)}, {1000, 1000}, {-1000, 1000}}), {0.25, 0.75, 0.5, 0.5, 0, 1});
  expect_near(value_of("log_softmax(x)", {{1000, 1000}}), {-std::log(2), -std::log(2)});
  expect_near(value_of("softmax(x.T, axis = 0).T", {{0, std::log(3)}}), {0.25, 0.75});
  expect_near(value_of("logsumexp(x)", {{-1000, -1000}, {1, 2}}), {-1000 + std::log(2), log_sum_exp({1, 2})});
  expect_near(value_of("softplus(x)", {{1000, -1000}}), {1000, 0});
}

// The loss `expression` over p: f32[batch, 3], q: f32[batch, 3] and labels y: i32<3>[batch].
struct LossCase {
  std::vector<Doubles> p, q;
  Doubles labels;
};
const LossCase logits{{{1, -2, 0.5}, {0, 3, 0.25}}, {{0.1, 0.5, 0.9}, {1, 0, 0.3}}, {2, 0}};
const LossCase shares{{{0.2, 0.5, 0.9}, {0.7, 1, 0}}, {{0, 1, 0.5}, {1, 1, 0}}, {2, 0}};

Doubles joined(const std::vector<Doubles>& rows) {
  Doubles flat;
  for (const Doubles& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return flat;
}

Built build_loss(const std::string& expression) {
  return build("model M { input p: [batch, 3]\n input q: [batch, 3]\n target y: i32<3>[batch]\n loss l = " +
                   expression + " }\ntrain { optimizer = SGD() }",
               {{"p", {DType::f32, 0, {3}}}, {"q", {DType::f32, 0, {3}}}, {"y", {DType::i32, 3, {}}}}, 2);
}

std::map<std::string, ReferenceTensor> inputs_of(const LossCase& data) {
  return {{"p", tensor(DType::f32, {2, 3}, joined(data.p))},
          {"q", tensor(DType::f32, {2, 3}, joined(data.q))},
          {"y", tensor(DType::i32, {2}, data.labels, 3)}};
}

double loss_of(const std::string& expression, const LossCase& data) {
  Built built = build_loss(expression);
  EXPECT_TRUE(built.program) << expression << "\n" << built.complaints();
  if (!built.program) return NAN;
  return run(built, "evaluate", inputs_of(data), initial_states(built)).roots.at("l").values.at(0);
}

// The mean of f(p, q) over all elements.
double mean_of(const LossCase& data, const std::function<double(double, double)>& f) {
  Doubles p = joined(data.p), q = joined(data.q);
  double sum = 0;
  for (size_t k = 0; k < p.size(); ++k) sum += f(p[k], q[k]);
  return sum / static_cast<double>(p.size());
}

double binary_entropy(double p, double y) {
  return -(y * std::max(std::log(p), -100.0) + (1 - y) * std::max(std::log(1 - p), -100.0));
}

TEST(PreludeLosses, OfElementsFollowPyTorch) {
  EXPECT_NEAR(loss_of("mse(p, q)", logits), mean_of(logits, [](double p, double q) { return (p - q) * (p - q); }),
              1e-12);
  EXPECT_NEAR(loss_of("l1(p, q)", logits), mean_of(logits, [](double p, double q) { return std::abs(p - q); }), 1e-12);
  EXPECT_NEAR(loss_of("huber(p, q, delta = 0.75)", logits),
              mean_of(logits,
                      [](double p, double q) {
                        double d = std::abs(p - q);
                        return d <= 0.75 ? 0.5 * d * d : 0.75 * (d - 0.375);
                      }),
              1e-12);
  EXPECT_NEAR(loss_of("smooth_l1(p, q, beta = 0.5)", logits),
              mean_of(logits,
                      [](double p, double q) {
                        double d = std::abs(p - q);
                        return d < 0.5 ? d * d : d - 0.25;
                      }),
              1e-12);
  EXPECT_NEAR(loss_of("bce(p, q)", shares), mean_of(shares, binary_entropy), 1e-12);
  EXPECT_NEAR(loss_of("categorical_cross_entropy(p, q)", shares), 3 * mean_of(shares, binary_entropy), 1e-12);
  EXPECT_NEAR(loss_of("bce_with_logits(p, q)", logits),
              mean_of(logits, [](double z, double y) { return binary_entropy(logistic(z), y); }), 1e-12);
  EXPECT_NEAR(
      loss_of("bce_with_logits(p, q, pos_weight = 3)", logits),
      mean_of(logits, [](double z,
                         double y) { return -(3 * y * std::log(logistic(z)) + (1 - y) * std::log(1 - logistic(z))); }),
      1e-12);
  EXPECT_NEAR(loss_of("kl_div(p, q)", logits),
              mean_of(logits, [](double p, double q) { return q > 0 ? q * (std::log(q) - p) : 0; }), 1e-12);
  EXPECT_NEAR(loss_of("poisson_nll(p, q)", logits),
              mean_of(logits, [](double p, double q) { return std::exp(p) - q * p; }), 1e-12);
  EXPECT_NEAR(loss_of("hinge(p, 2 * q - 1)", shares),
              mean_of(shares, [](double p, double q) { return std::max(1 - (2 * q - 1) * p, 0.0); }), 1e-12);
  EXPECT_NEAR(loss_of("focal(p, q)", logits),
              mean_of(logits,
                      [](double z, double y) {
                        double p = logistic(z), share = p * y + (1 - p) * (1 - y);
                        return (0.25 * y + 0.75 * (1 - y)) * binary_entropy(p, y) * (1 - share) * (1 - share);
                      }),
              1e-12);
}

TEST(PreludeLosses, CrossEntropyFollowsPyTorch) {
  double first = log_sum_exp(logits.p[0]) - logits.p[0][2], second = log_sum_exp(logits.p[1]) - logits.p[1][0];
  EXPECT_NEAR(loss_of("cross_entropy(p, y)", logits), (first + second) / 2, 1e-12);
  EXPECT_NEAR(loss_of("nll(log_softmax(p), y)", logits), (first + second) / 2, 1e-12);
  // Class weights weigh the mean too.
  EXPECT_NEAR(loss_of("cross_entropy(p, y, weight = [1, 5, 3])", logits), (3 * first + second) / 4, 1e-12);
  EXPECT_NEAR(loss_of("cross_entropy(p, y, ignore_index = 0)", logits), first, 1e-12);
  double smooth = 0;
  for (const Doubles& row : logits.p) {
    for (double v : row) smooth += (log_sum_exp(row) - v) / 3;
  }
  EXPECT_NEAR(loss_of("cross_entropy(p, y, label_smoothing = 0.1)", logits),
              (0.9 * (first + second) + 0.1 * smooth) / 2, 1e-12);
}

TEST(PreludeMetrics, CountRows) {
  EXPECT_NEAR(loss_of("accuracy(p, y)", logits), 0, 1e-12);
  EXPECT_NEAR(loss_of("accuracy(p, y)", {{{0, 1, 2}, {0, 1, 2}}, logits.q, {2, 0}}), 0.5, 1e-12);
  EXPECT_NEAR(loss_of("top_k(p, y, k = 2)", logits), 0.5, 1e-12);
  EXPECT_NEAR(loss_of("precision(p, q) + 10 * recall(p, q)", shares), 2.0 / 3 + 10 * 2.0 / 3, 1e-12);
  EXPECT_NEAR(loss_of("f1(p, q)", shares), 2.0 / 3, 1e-12);
  EXPECT_NEAR(loss_of("rmse(p, q)", logits), std::sqrt(loss_of("mse(p, q)", logits)), 1e-12);
}

// Evaluates `graph` with every cotangent leaf set to 1.
Evaluation with_unit_cotangents(Graph graph, const std::map<std::string, ReferenceTensor>& inputs,
                                const std::map<uint32_t, ReferenceTensor>& states) {
  for (Node& node : graph.nodes) {
    if (node.op != Op::cotangent) continue;
    node.op = Op::constant;
    node.attributes = ConstantAttr{1};
  }
  return interpret(graph, inputs, states);
}

// A gradient written by hand against central differences of the sum of the results, where its input is the model's p.
void expect_stated_gradient(const std::string& expression, const LossCase& data) {
  SCOPED_TRACE(expression);
  Built built = build_loss(expression);
  ASSERT_TRUE(built.program) << built.complaints();
  const Graph& graph = built.function("step");
  auto states = initial_states(built);
  size_t checked = 0;
  for (const CustomGradient& stated : graph.custom_gradients) {
    for (size_t k = 0; k < stated.inputs.size(); ++k) {
      const Node& input = graph[stated.inputs[k]];
      if (input.op != Op::input || input.as<InputAttr>().name != "p") continue;
      Doubles gradient = with_unit_cotangents(graph, inputs_of(data), states).values[stated.gradients[k].value].values;
      for (size_t element = 0; element < gradient.size(); ++element) {
        auto sum_at = [&](double shift) {
          auto inputs = inputs_of(data);
          inputs["p"].values[element] += shift;
          Doubles results = with_unit_cotangents(graph, inputs, states).values[stated.outputs[0].value].values;
          return std::accumulate(results.begin(), results.end(), 0.0);
        };
        EXPECT_NEAR(gradient[element], (sum_at(1e-5) - sum_at(-1e-5)) / 2e-5, 1e-7) << "element " << element;
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 0u);
}

TEST(PreludeGradients, StatedOnesAgreeWithDifferences) {
  const LossCase inner{{{0.2, 0.5, 0.9}, {0.7, 0.3, 0.1}}, {{0, 1, 0.5}, {1, 1, 0}}, {2, 0}};
  expect_stated_gradient("sum(relu(p))", {{{1, -2, 0.5}, {0.1, 3, -0.25}}, logits.q, {2, 0}});
  expect_stated_gradient("sum(softplus(p))", logits);
  expect_stated_gradient("sum(logsumexp(p))", logits);
  expect_stated_gradient("sum(logsumexp(p, axis = 0, keepdim = true))", logits);
  expect_stated_gradient("sum(softmax(p) * q)", logits);
  expect_stated_gradient("sum(log_softmax(p, axis = 0))", logits);
  expect_stated_gradient("cross_entropy(p, y)", logits);
  expect_stated_gradient("bce(p, q)", inner);
}

}  // namespace
}  // namespace nnc::testing
