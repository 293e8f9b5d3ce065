// Update rules of the prelude, step by step, against PyTorch's formulas written out; initialisers and schedules.
#include <cmath>
#include <functional>
#include <numeric>

#include "builtins_model.h"

namespace nnc::testing {
namespace {

Built build_with(const std::string& optimizer, const std::string& parameter = "param w: [3] = zeros()",
                 const std::string& product = "x * w", const std::string& schedules = "") {
  return build(schedules + "model M { input x: [batch, 3]\n " + parameter + "\n loss l = mean(" + product +
                   ") }\ntrain { optimizer = " + optimizer + " }",
               {{"x", {DType::f32, 0, {3}}}}, 4);
}

// Applies the update of the only parameter for each gradient in turn; the parameter after each step.
std::vector<Doubles> updated(const std::string& optimizer, Doubles p, const std::vector<Doubles>& gradients) {
  Built built = build_with(optimizer);
  if (!built.program || built.program->updates.size() != 1) {
    ADD_FAILURE() << optimizer << "\n" << built.complaints();
    return {};
  }
  const UpdateRule& rule = built.program->updates[0];
  auto states = initial_states(built);
  uint32_t step = built.program->find_state("step").value;
  std::vector<Doubles> history;
  for (const Doubles& g : gradients) {
    states[rule.parameter.value].values = p;
    // What a rule sees as `step` is the state before it is counted up, or after: the builder adds the one.
    std::map<std::string, ReferenceTensor> inputs{{"p", tensor(DType::f32, {3}, p)}, {"g", tensor(DType::f32, {3}, g)}};
    Evaluation evaluation = interpret(rule.graph, inputs, states);
    for (auto& [state, value] : evaluation.assigned) states[state] = value;
    p = states.at(rule.parameter.value).values;
    states[step].values[0] += evaluation.assigned.count(step) ? 0 : 1;
    history.push_back(p);
  }
  return history;
}

const Doubles start{1, -2, 0.5};
const std::vector<Doubles> gradients{{0.1, -0.3, 2}, {0.2, 0.4, -1}, {-0.5, 0.1, 0.3}};

struct Scalars {
  double m = 0, v = 0, b = 0;
};

// Runs `rule(p, g, state, t)` for each element by itself.
void expect_updates(const std::string& optimizer, const std::function<double(double, double, Scalars&, int)>& rule) {
  SCOPED_TRACE(optimizer);
  auto actual = updated(optimizer, start, gradients);
  ASSERT_EQ(actual.size(), gradients.size());
  Doubles p = start;
  std::vector<Scalars> state(p.size());
  for (size_t t = 0; t < gradients.size(); ++t) {
    for (size_t k = 0; k < p.size(); ++k) {
      p[k] = rule(p[k], gradients[t][k], state[k], static_cast<int>(t) + 1);
      EXPECT_NEAR(actual[t][k], p[k], 1e-9) << "step " << t + 1 << " element " << k;
    }
  }
}

TEST(PreludeOptimizers, SgdFollowsPyTorch) {
  expect_updates("SGD(lr = 0.1)", [](double p, double g, Scalars&, int) { return p - 0.1 * g; });
  expect_updates("SGD(lr = 0.1, momentum = 0.9, weight_decay = 0.01)", [](double p, double g, Scalars& s, int t) {
    g += 0.01 * p;
    s.b = t == 1 ? g : 0.9 * s.b + g;
    return p - 0.1 * s.b;
  });
  expect_updates("SGD(lr = 0.1, momentum = 0.9, dampening = 0.5)", [](double p, double g, Scalars& s, int t) {
    s.b = t == 1 ? g : 0.9 * s.b + 0.5 * g;
    return p - 0.1 * s.b;
  });
  expect_updates("SGD(lr = 0.1, momentum = 0.9, nesterov = true)", [](double p, double g, Scalars& s, int t) {
    s.b = t == 1 ? g : 0.9 * s.b + g;
    return p - 0.1 * (g + 0.9 * s.b);
  });
}

double adam(double p, double g, Scalars& s, int t, double lr, double b1, double b2, double eps, bool amsgrad) {
  s.m = b1 * s.m + (1 - b1) * g;
  s.v = b2 * s.v + (1 - b2) * g * g;
  s.b = std::max(s.b, s.v);
  double second = amsgrad ? s.b : s.v;
  return p - lr / (1 - std::pow(b1, t)) * s.m / (std::sqrt(second) / std::sqrt(1 - std::pow(b2, t)) + eps);
}

TEST(PreludeOptimizers, AdamFollowsPyTorch) {
  expect_updates("Adam()",
                 [](double p, double g, Scalars& s, int t) { return adam(p, g, s, t, 1e-3, 0.9, 0.999, 1e-8, false); });
  expect_updates(
      "Adam(lr = 0.1, beta2 = 0.5, weight_decay = 0.1, amsgrad = true)",
      [](double p, double g, Scalars& s, int t) { return adam(p, g + 0.1 * p, s, t, 0.1, 0.9, 0.5, 1e-8, true); });
  expect_updates("AdamW(lr = 0.1)", [](double p, double g, Scalars& s, int t) {
    return adam(p * (1 - 0.1 * 0.01), g, s, t, 0.1, 0.9, 0.999, 1e-8, false);
  });
}

// Averages are counted from the nearer end, as PyTorch's lerp does: with beta = 0 nothing of the old value may be left.
TEST(PreludeOptimizers, AveragesMayBeShortOrScheduled) {
  const auto short_adam = [](double p, double g, Scalars& s, int t) {
    return adam(p, g, s, t, 0.1, 0.25, 0.4, 1e-8, false);
  };
  expect_updates("Adam(lr = 0.1, beta1 = 0.25, beta2 = 0.4)", short_adam);
  expect_updates("Adam(lr = 0.1, beta1 = exponential(0.25, 1), beta2 = exponential(0.4, 1))", short_adam);
  const auto tiny = updated("Lion(lr = 0.1, beta1 = 0)", {0, 0, 0}, {{1, 1, 1}, {1e-20, -1e-20, 0}});
  ASSERT_EQ(tiny.size(), 2u);
  EXPECT_NEAR(tiny[1][0], -0.2, 1e-12);
  EXPECT_NEAR(tiny[1][1], 0, 1e-12);
  EXPECT_NEAR(tiny[1][2], -0.1, 1e-12);
}

// Squares that overflow: PyTorch's averages of them stay infinite, and the elements stand still.
TEST(PreludeOptimizers, SquaresMayOverflow) {
  for (const char* optimizer : {"Adam(lr = 0.1)", "AdamW(lr = 0.1, weight_decay = 0)", "NAdam()", "RMSprop()",
                                "Adadelta()", "LAMB(weight_decay = 0)"}) {
    SCOPED_TRACE(optimizer);
    const auto history = updated(optimizer, start, {{1e160, 1e160, 1e160}, {1e160, 1e160, 1e160}, {1, 1, 1}});
    ASSERT_EQ(history.size(), 3u);
    EXPECT_EQ(history[2], start);
  }
}

TEST(PreludeOptimizers, OthersFollowPyTorch) {
  expect_updates("RMSprop(centered = true, momentum = 0.9)", [](double p, double g, Scalars& s, int) {
    s.v = 0.99 * s.v + 0.01 * g * g;
    s.m = 0.99 * s.m + 0.01 * g;
    s.b = 0.9 * s.b + g / (std::sqrt(s.v - s.m * s.m) + 1e-8);
    return p - 0.01 * s.b;
  });
  expect_updates("Adagrad(lr_decay = 0.1, initial_accumulator_value = 0.5)", [](double p, double g, Scalars& s, int t) {
    if (t == 1) s.v = 0.5;
    s.v += g * g;
    return p - 0.01 / (1 + (t - 1) * 0.1) * g / (std::sqrt(s.v) + 1e-10);
  });
  expect_updates("Adadelta()", [](double p, double g, Scalars& s, int) {
    s.v = 0.9 * s.v + 0.1 * g * g;
    double delta = std::sqrt(s.m + 1e-6) / std::sqrt(s.v + 1e-6) * g;
    s.m = 0.9 * s.m + 0.1 * delta * delta;
    return p - delta;
  });
  expect_updates("Adamax()", [](double p, double g, Scalars& s, int t) {
    s.m = 0.9 * s.m + 0.1 * g;
    s.v = std::max(0.999 * s.v, std::abs(g) + 1e-8);
    return p - 2e-3 / (1 - std::pow(0.9, t)) * s.m / s.v;
  });
  expect_updates("NAdam()", [](double p, double g, Scalars& s, int t) {
    auto mu = [](int at) { return 0.9 * (1 - 0.5 * std::pow(0.96, at * 4e-3)); };
    s.b = (t == 1 ? 1 : s.b) * mu(t);
    s.m = 0.9 * s.m + 0.1 * g;
    s.v = 0.999 * s.v + 0.001 * g * g;
    double root = std::sqrt(s.v / (1 - std::pow(0.999, t))) + 1e-8;
    return p - 2e-3 * (1 - mu(t)) / (1 - s.b) * g / root - 2e-3 * mu(t + 1) / (1 - s.b * mu(t + 1)) * s.m / root;
  });
  expect_updates("RAdam(beta2 = 0.6)", [](double p, double g, Scalars& s, int t) {
    s.m = 0.9 * s.m + 0.1 * g;
    s.v = 0.6 * s.v + 0.4 * g * g;
    double unbiased = s.m / (1 - std::pow(0.9, t)), limit = 2 / (1 - 0.6) - 1;
    double rho = limit - 2 * t * std::pow(0.6, t) / (1 - std::pow(0.6, t));
    if (rho <= 5) return p - 1e-3 * unbiased;
    double rectify = std::sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho));
    return p - 1e-3 * unbiased * rectify * std::sqrt(1 - std::pow(0.6, t)) / (std::sqrt(s.v) + 1e-8);
  });
  expect_updates("RAdam(beta2 = 0.9)", [](double p, double g, Scalars& s, int t) {
    s.m = 0.9 * s.m + 0.1 * g;
    s.v = 0.9 * s.v + 0.1 * g * g;
    double unbiased = s.m / (1 - std::pow(0.9, t)), limit = 2 / (1 - 0.9) - 1;
    double rho = limit - 2 * t * std::pow(0.9, t) / (1 - std::pow(0.9, t));
    if (rho <= 5) return p - 1e-3 * unbiased;
    double rectify = std::sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho));
    return p - 1e-3 * unbiased * rectify * std::sqrt(1 - std::pow(0.9, t)) / (std::sqrt(s.v) + 1e-8);
  });
  expect_updates("Rprop(lr = 0.1)", [](double p, double g, Scalars& s, int t) {
    if (t == 1) s.v = 0.1;
    double agree = g * s.m;
    s.v = std::clamp(s.v * (agree > 0 ? 1.2 : agree < 0 ? 0.5 : 1), 1e-6, 50.0);
    if (agree < 0) g = 0;
    s.m = g;
    return p - (g > 0 ? 1 : g < 0 ? -1 : 0) * s.v;
  });
  expect_updates("Lion(lr = 0.1, weight_decay = 0.5)", [](double p, double g, Scalars& s, int) {
    double u = 0.9 * s.m + 0.1 * g;
    s.m = 0.99 * s.m + 0.01 * g;
    return p * (1 - 0.05) - 0.1 * (u > 0 ? 1 : u < 0 ? -1 : 0);
  });
}

TEST(PreludeOptimizers, UnusedSlotsAreNotDeclared) {
  Built plain = build_with("SGD(lr = 0.1)"), momentum = build_with("SGD(lr = 0.1, momentum = 0.9)");
  ASSERT_TRUE(plain.program && momentum.program);
  EXPECT_FALSE(plain.program->find_state("w:momentum_buffer"));
  EXPECT_TRUE(momentum.program->find_state("w:momentum_buffer"));
}

TEST(PreludeOptimizers, MatrixOptimizersBuild) {
  for (const char* optimizer : {"Muon()", "LAMB(weight_decay = 0.1)"}) {
    Built built = build_with(optimizer, "param w: [3, 5] = normal(1)", "x @ w");
    EXPECT_TRUE(built.program) << optimizer << "\n" << built.complaints();
  }
}

// The rate of plain SGD in each of `count` steps: p moves by -rate for a gradient of 1.
Doubles rates(const std::string& schedule, size_t count) {
  auto history = updated("SGD(lr = " + schedule + ")", {0, 0, 0}, std::vector<Doubles>(count, Doubles{1, 1, 1}));
  Doubles result;
  double before = 0;
  for (const Doubles& p : history) {
    result.push_back(before - p[0]);
    before = p[0];
  }
  return result;
}

void expect_rates(const std::string& schedule, const Doubles& expected) {
  SCOPED_TRACE(schedule);
  Doubles actual = rates(schedule, expected.size());
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(actual[k], expected[k], 1e-9) << "step " << k + 1;
}

TEST(PreludeSchedules, GiveTheRateOfEachStep) {
  // Ten epochs of one step.
  auto cosine = [](double t) { return 0.5 * (1 + std::cos(M_PI * t)); };
  expect_rates("constant(0.5)", {0.5, 0.5});
  expect_rates("step(1, step_size = 2)", {1, 1, 0.1, 0.1, 0.01});
  expect_rates("multi_step(1, [1, 3], gamma = 0.5)", {1, 0.5, 0.5, 0.25});
  expect_rates("exponential(1, gamma = 0.5)", {1, 0.5, 0.25});
  expect_rates("linear(1, start_factor = 0.5, total_iters = 2)", {0.5, 0.75, 1, 1});
  expect_rates("polynomial(1, total_iters = 2, power = 2)", {1, 0.25, 0, 0});
  expect_rates("cosine(2)", {2 * cosine(0), 2 * cosine(0.1), 2 * cosine(0.2)});
  expect_rates("cosine_restarts(1, period = 2)", {1, 0.5, 1, 0.5});
  expect_rates("warmup_cosine(1, warmup = 2, floor = 0.1)",
               {0.5, 1, 0.1 + 0.9 * cosine(1.0 / 8), 0.1 + 0.9 * cosine(2.0 / 8)});
  expect_rates("warmup_linear(1, warmup = 2)", {0.5, 1, 7.0 / 8, 6.0 / 8});
  expect_rates("inverse_sqrt(1, warmup = 4)", {0.25, 0.5, 0.75, 1, std::sqrt(4.0 / 5)});
  expect_rates("cyclic(1, base = 0.5, step_size_up = 2, step_size_down = 2)", {0.5, 0.75, 1, 0.75, 0.5});
}

Doubles initial(const std::string& type, const std::string& initialiser) {
  Built built = build_with("SGD(lr = 0.1)", "param w: " + type + " = " + initialiser, "x * sum(w)");
  if (!built.program) {
    ADD_FAILURE() << initialiser << "\n" << built.complaints();
    return {0};
  }
  return initial_states(built).at(built.program->find_state("w").value).values;
}

double mean_square(const Doubles& values) {
  return std::inner_product(values.begin(), values.end(), values.begin(), 0.0) / static_cast<double>(values.size());
}

TEST(PreludeInitialisers, HaveTheirScaleAndRange) {
  auto largest = [](const Doubles& values) {
    double most = 0;
    for (double v : values) most = std::max(most, std::abs(v));
    return most;
  };
  EXPECT_EQ(initial("[2, 2]", "zeros()"), Doubles(4, 0));
  EXPECT_EQ(initial("[2, 2]", "ones()"), Doubles(4, 1));
  EXPECT_EQ(initial("[2]", "constant(0.25)"), Doubles(2, 0.25));
  EXPECT_EQ(initial("[2, 2]", "eye()"), (Doubles{1, 0, 0, 1}));
  EXPECT_NEAR(mean_square(initial("[64, 64]", "normal(0.02)")), 4e-4, 4e-5);
  Doubles kaiming = initial("[64, 48]", "kaiming_uniform(a = sqrt(5))");
  EXPECT_LE(largest(kaiming), 1 / std::sqrt(48));
  EXPECT_NEAR(mean_square(kaiming), 1.0 / 48 / 3, 1e-3);
  EXPECT_NEAR(mean_square(initial("[64, 48]", "kaiming_normal(nonlinearity = \"relu\")")), 2.0 / 48, 4e-3);
  EXPECT_NEAR(mean_square(initial("[64, 48]", "xavier_uniform()")), 2.0 / (64 + 48), 2e-3);
  EXPECT_LE(largest(initial("[64, 64]", "trunc_normal()")), 2);
  EXPECT_NEAR(mean_square(initial("[64, 64]", "trunc_normal()")), 0.7737, 0.05);
  Doubles q = initial("[5, 7]", "orthogonal()");
  for (size_t i = 0; i < 5; ++i) {
    for (size_t j = 0; j < 5; ++j) {
      EXPECT_NEAR(std::inner_product(&q[7 * i], &q[7 * i] + 7, &q[7 * j], 0.0), i == j ? 1 : 0, 1e-6);
    }
  }
}

}  // namespace
}  // namespace nnc::testing
