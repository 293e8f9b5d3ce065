// Optimizers, schedules, losses, clipping and weight averages against PyTorch (tests/goldens/pytorch/training.py), and
// accumulated batches against one large one: all on the joint Graph, in double precision.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "ir/graph/text.h"
#include "passes/training/append_update.h"
#include "passes/training/differentiate.h"
#include "tests/unit/frontend/builtins_model.h"

namespace nnc::testing {
namespace {

using Json = nlohmann::json;
using Values = std::map<std::string, ReferenceTensor>;

const Json& golden() {
  static const Json json = [] {
    std::ifstream file(NNC_SOURCE_DIR "/tests/goldens/pytorch/training.json");
    return Json::parse(file);
  }();
  return json;
}

// A program whose training functions are joint graphs, and its states as they go.
struct Machine {
  UnitPointer unit;
  std::optional<Program> program;
  std::map<uint32_t, ReferenceTensor> states;

  Machine(const std::string& text, const std::vector<FieldType>& fields, const std::vector<int64_t>& batches) {
    unit = load_text("test.nn", text);
    BuildRequest request;
    request.batches = batches;
    if (!has_errors(unit->diagnostics)) program = build_program(*unit, fields, request);
    if (!program) {
      for (const Diagnostic& diagnostic : unit->diagnostics.list) ADD_FAILURE() << text << "\n" << diagnostic.message;
      return;
    }
    for (size_t k = 0; k < program->states.size(); ++k) {
      const TensorType& type = program->states[k].type;
      states[static_cast<uint32_t>(k)] = {type, Doubles(static_cast<size_t>(type.elements()), 0.0)};
    }
    for (Graph& graph : program->functions) {
      if (graph.name != "step" && graph.name != "accumulate") continue;
      differentiate(graph, *program);
      append_update(graph, *program);
      EXPECT_EQ(verify(graph, *program), std::vector<std::string>{}) << graph.name;
    }
    call("initialize", 0, {});
  }

  bool has(std::string_view name, int64_t batch) const {
    return std::any_of(program->functions.begin(), program->functions.end(),
                       [&](const Graph& graph) { return graph.name == name && graph.batch == batch; });
  }

  // Returns the roots.
  std::map<std::string, double> call(std::string_view name, int64_t batch, const Values& inputs) {
    for (const Graph& graph : program->functions) {
      if (graph.name != name || graph.batch != batch) continue;
      Values wanted;
      for (const Node& node : graph.nodes) {
        if (node.op == Op::input) wanted[node.as<InputAttr>().name] = inputs.at(node.as<InputAttr>().name);
      }
      Evaluation evaluation = interpret(graph, wanted, states);
      std::map<std::string, double> roots;
      for (const Root& root : graph.roots) roots[root.name] = evaluation.values[root.node.value].values.at(0);
      for (auto& [state, value] : evaluation.assigned) states[state] = value;
      return roots;
    }
    ADD_FAILURE() << "no function " << name << " for " << batch << " rows";
    return {};
  }

  Doubles& state(std::string_view name) {
    const StateId id = program->find_state(name);
    EXPECT_TRUE(id) << name;
    return states.at(id ? id.value : 0).values;
  }
};

void expect_all_near(const Doubles& actual, const Doubles& expected, double tolerance = 1e-9) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t k = 0; k < actual.size(); ++k) EXPECT_NEAR(actual[k], expected[k], tolerance) << "element " << k;
}

// A model whose parameters have the inputs' values as gradients.
Machine with_gradients(const std::string& train) {
  return Machine(
      "model M { input x: [batch, 3] input z: [batch, 3]\n param w, u: [3] = zeros()\n loss l = sum(x * w) + "
      "sum(z * u) }\ntrain { " +
          train + " }",
      {{"x", {DType::f32, 0, {3}}}, {"z", {DType::f32, 0, {3}}}}, {1});
}

Values given(const Doubles& x, const Doubles& z) {
  return {{"x", tensor(DType::f32, {1, 3}, x)}, {"z", tensor(DType::f32, {1, 3}, z)}};
}

TEST(PyTorch, optimizers_take_the_same_steps) {
  for (const Json& expected : golden().at("optimizers")) {
    const std::string optimizer = expected.at("nnc");
    SCOPED_TRACE(optimizer);
    Machine machine = with_gradients("optimizer = " + optimizer);
    ASSERT_TRUE(machine.program);
    machine.state("w") = golden().at("start").get<Doubles>();
    for (size_t t = 0; t < expected.at("steps").size(); ++t) {
      machine.call("step", 1, given(golden().at("gradients")[t].get<Doubles>(), {0, 0, 0}));
      expect_all_near(machine.state("w"), expected.at("steps")[t].get<Doubles>());
    }
  }
}

TEST(PyTorch, schedules_give_the_same_rates) {
  for (const Json& expected : golden().at("schedules")) {
    const std::string schedule = expected.at("nnc");
    SCOPED_TRACE(schedule);
    Machine machine = with_gradients("epochs = 10 optimizer = SGD(lr = " + schedule + ")");
    ASSERT_TRUE(machine.program);
    double before = 0;
    for (const Json& rate : expected.at("rates")) {
      machine.call("step", 1, given({1, 0, 0}, {0, 0, 0}));
      EXPECT_NEAR(before - machine.state("w")[0], rate.get<double>(), 1e-12);
      EXPECT_NEAR(machine.state(":lr")[0], rate.get<double>(), 1e-12);
      before = machine.state("w")[0];
    }
  }
}

Doubles joined(const Json& rows) {
  Doubles flat;
  for (const Json& row : rows) {
    for (const Json& value : row) flat.push_back(value);
  }
  return flat;
}

TEST(PyTorch, losses_and_their_gradients_are_the_same) {
  for (const Json& expected : golden().at("losses")) {
    const std::string loss = expected.at("nnc");
    SCOPED_TRACE(loss);
    // The gradient with respect to the predictions, as that of a parameter added to them.
    Machine machine(
        "model M { input x: [batch, 3] target q: [batch, 3] target y: i32<3>[batch]\n param w: [12] = "
        "zeros()\n p = x + reshape(w, batch, 3)\n loss l = " +
            loss +
            "\n loss unused = 0 * (sum(q) + sum(f32(y))) }\ntrain { "
            "optimizer = SGD(lr = 1) }",
        {{"x", {DType::f32, 0, {3}}}, {"q", {DType::f32, 0, {3}}}, {"y", {DType::i32, 3, {}}}}, {4});
    ASSERT_TRUE(machine.program);
    const auto roots = machine.call("step", 4,
                                    {{"x", tensor(DType::f32, {4, 3}, joined(expected.at("p")))},
                                     {"q", tensor(DType::f32, {4, 3}, joined(golden().at("q")))},
                                     {"y", tensor(DType::i32, {4}, golden().at("y").get<Doubles>(), 3)}});
    EXPECT_NEAR(roots.at("l"), expected.at("loss").get<double>(), 1e-9);
    Doubles gradient = machine.state("w");
    for (double& value : gradient) value = -value;
    expect_all_near(gradient, joined(expected.at("gradient")), 1e-8);
  }
}

TEST(PyTorch, gradients_are_clipped_the_same) {
  for (const Json& expected : golden().at("clips")) {
    const std::string clip = expected.at("nnc");
    SCOPED_TRACE(clip);
    Machine machine = with_gradients("optimizer = SGD(lr = 1) clip = " + clip);
    ASSERT_TRUE(machine.program);
    machine.call("step", 1,
                 given(expected.at("gradients")[0].get<Doubles>(), expected.at("gradients")[1].get<Doubles>()));
    for (size_t k = 0; k < 2; ++k) {
      Doubles clipped = machine.state(k == 0 ? "w" : "u");
      for (double& value : clipped) value = -value;
      expect_all_near(clipped, expected.at("clipped")[k].get<Doubles>());
    }
  }
}

TEST(PyTorch, averaged_weights_are_the_same) {
  for (const Json& expected : golden().at("averages")) {
    SCOPED_TRACE(expected.at("decay").dump());
    Machine machine = with_gradients("optimizer = SGD(lr = 0.1) average = ema(" + expected.at("decay").dump() + ")");
    ASSERT_TRUE(machine.program);
    machine.state("w") = golden().at("start").get<Doubles>();
    for (size_t t = 0; t < expected.at("steps").size(); ++t) {
      machine.call("step", 1, given(golden().at("gradients")[t].get<Doubles>(), {0, 0, 0}));
      expect_all_near(machine.state("w:average"), expected.at("steps")[t].get<Doubles>());
      // Evaluation sees the average: sum(x * w) at x = (1, 0, 0).
      EXPECT_NEAR(machine.call("evaluate", 1, given({1, 0, 0}, {0, 0, 0})).at("l"), machine.state("w:average")[0],
                  1e-12);
    }
  }
}

constexpr const char* kRegression =
    "model M { input x: [batch, 3] target y: [batch]\n h = x |> Linear(4) |> tanh\n loss "
    "l = mse(h |> Linear(1) |> squeeze(-1), y) }\n";
const std::vector<FieldType> kRows = {{"x", {DType::f32, 0, {3}}}, {"y", {DType::f32, 0, {}}}};

Values rows(int64_t first, int64_t count) {
  Doubles x, y;
  for (int64_t row = first; row < first + count; ++row) {
    for (int64_t k = 0; k < 3; ++k) x.push_back(std::sin(static_cast<double>(7 * row + 3 * k)));
    y.push_back(std::cos(static_cast<double>(row)));
  }
  return {{"x", tensor(DType::f32, {count, 3}, x)}, {"y", tensor(DType::f32, {count}, y)}};
}

// Groups of three batches of 4 rows, the last one of 2: as one batch of 10.
TEST(Accumulation, EqualsOneLargerBatchAlsoWithAShortLastOne) {
  const std::string train = "optimizer = Adam(lr = 0.05, weight_decay = 0.1) clip = norm(0.5)";
  Machine large(std::string(kRegression) + "train { " + train + " }", kRows, {10});
  Machine small(std::string(kRegression) + "train { accumulate = 3 " + train + " }", kRows, {4, 2});
  ASSERT_TRUE(large.program && small.program);
  for (int64_t update = 0; update < 5; ++update) {
    large.call("step", 10, rows(10 * update, 10));
    small.state(":share") = {0.4};
    small.call("accumulate", 4, rows(10 * update, 4));
    EXPECT_EQ(small.state("step")[0], static_cast<double>(update));
    EXPECT_EQ(small.state(":micro")[0], 1);
    small.call("accumulate", 4, rows(10 * update + 4, 4));
    small.state(":share") = {0.2};
    small.call("step", 2, rows(10 * update + 8, 2));
    EXPECT_EQ(small.state("step")[0], static_cast<double>(update + 1));
    EXPECT_EQ(small.state(":micro")[0], 0);
    for (const char* name : {"linear.weight", "linear.bias", "linear_1.weight", "linear_1.bias"}) {
      expect_all_near(small.state(name), large.state(name), 1e-12);
      // Nothing is left that could reach the next group.
      for (double sum : small.state(std::string(name) + ":grad_sum")) EXPECT_EQ(sum, 0);
    }
  }
}

TEST(Accumulation, EachBatchOfAGroupDrawsItsOwnNumbers) {
  Machine machine(
      "model M { input x: [batch, 64]\n param w: [64] = ones()\n loss l = mean(Dropout(0.5)(x * w)) "
      "}\ntrain { accumulate = 2 optimizer = SGD(lr = 0) }",
      {{"x", {DType::f32, 0, {64}}}}, {2});
  ASSERT_TRUE(machine.program);
  const Values ones = {{"x", tensor(DType::f32, {2, 64}, Doubles(128, 1.0))}};
  std::set<double> losses;
  for (int update = 0; update < 3; ++update) {
    losses.insert(machine.call("accumulate", 2, ones).at("l"));
    losses.insert(machine.call("step", 2, ones).at("l"));
  }
  EXPECT_GE(losses.size(), 4u);  // means of 128 draws may meet by chance
}

TEST(Regularisation, DropoutIsActiveInTrainingAndAbsentInEvaluation) {
  Machine machine(
      "model M { input x: [batch, 64]\n param w: [64] = ones()\n h = Dropout(0.5)(x * w)\n output o = "
      "mean(h)\n loss l = mean(h) }\ntrain { optimizer = SGD(lr = 0) }",
      {{"x", {DType::f32, 0, {64}}}}, {2});
  ASSERT_TRUE(machine.program);
  const Values ones = {{"x", tensor(DType::f32, {2, 64}, Doubles(128, 1.0))}};
  EXPECT_NE(machine.call("step", 2, ones).at("l"), 1);
  EXPECT_EQ(machine.call("evaluate", 2, ones).at("l"), 1);
  EXPECT_EQ(machine.call("predict", 2, ones).at("o"), 1);
}

TEST(Regularisation, WeightDecayOfAdamIsL2AndCanBeLeftOutForOneParameter) {
  Machine machine(
      "model M { input x: [batch, 3] input z: [batch, 3]\n param w: [3] = ones() with weight_decay = 0\n "
      "param u: [3] = ones()\n loss l = sum(x * w) + sum(z * u) }\ntrain { optimizer = SGD(lr = 0.5, "
      "weight_decay = 0.1) }",
      {{"x", {DType::f32, 0, {3}}}, {"z", {DType::f32, 0, {3}}}}, {1});
  ASSERT_TRUE(machine.program);
  machine.call("step", 1, given({0, 0, 0}, {0, 0, 0}));
  expect_all_near(machine.state("w"), {1, 1, 1});
  expect_all_near(machine.state("u"), {0.95, 0.95, 0.95});
}

TEST(Plateau, TheRuntimesFactorMultipliesTheRate) {
  Machine machine = with_gradients("optimizer = SGD(lr = reduce_on_plateau(0.5, patience = 3, monitor = \"train.l\"))");
  ASSERT_TRUE(machine.program);
  const std::optional<PlateauChoice>& plateau = train_settings(*machine.unit).plateau;
  ASSERT_TRUE(plateau);
  EXPECT_EQ(plateau->lr, 0.5);
  EXPECT_EQ(plateau->patience, 3);
  EXPECT_EQ(plateau->factor, 0.1);
  EXPECT_EQ(plateau->monitor, "train.l");
  EXPECT_FALSE(plateau->maximize);
  machine.call("step", 1, given({1, 0, 0}, {0, 0, 0}));
  EXPECT_EQ(machine.state("w")[0], -0.5);
  machine.state(":lr_factor") = {0.25};
  machine.call("step", 1, given({1, 0, 0}, {0, 0, 0}));
  EXPECT_EQ(machine.state("w")[0], -0.625);
  EXPECT_EQ(machine.state(":lr")[0], 0.125);
}

}  // namespace
}  // namespace nnc::testing
