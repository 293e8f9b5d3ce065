// From a model file to a Program: states, functions, naming, sharing, updates.
#include <algorithm>

#include "builtins_model.h"
#include "ir/graph/text.h"

namespace nnc::testing {
namespace {

const std::vector<FieldType> table{{"x", {DType::f32, 0, {30}}}, {"y", {DType::f32, 0, {}}}};

std::vector<std::string> state_names(const Program& program) {
  std::vector<std::string> names;
  for (const StateDecl& state : program.states) names.push_back(state.name);
  return names;
}

Built example(const std::string& name, const std::vector<FieldType>& fields, const BuildRequest& request,
              const std::vector<Override>& overrides = {}) {
  Built built{load(std::string(NNC_SOURCE_DIR) + "/examples/" + name, overrides), {}};
  if (!has_errors(built.unit->diagnostics)) built.program = build_program(*built.unit, fields, request);
  return built;
}

size_t count(const Graph& graph, Op op) {
  return static_cast<size_t>(
      std::count_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) { return node.op == op; }));
}

void expect_verified(const Program& program) {
  for (const Graph& graph : program.functions)
    EXPECT_EQ(verify(graph, program), std::vector<std::string>{}) << graph.name;
  for (const UpdateRule& rule : program.updates) EXPECT_EQ(verify(rule.graph, program), std::vector<std::string>{});
}

TEST(BuildProgram, BreastCancerHasItsFunctionsAndStates) {
  const Built built =
      example("breast_cancer.nn", table,
              {.batches = {32, 7}, .evaluate_batches = {64}, .predict_batches = {1}, .steps_per_epoch = 15});
  ASSERT_TRUE(built.program) << built.complaints();
  const Program& program = *built.program;
  std::vector<std::pair<std::string, int64_t>> functions;
  for (const Graph& graph : program.functions) functions.emplace_back(graph.name, graph.batch);
  EXPECT_EQ(functions, (std::vector<std::pair<std::string, int64_t>>{
                           {"initialize", 0}, {"step", 32}, {"step", 7}, {"evaluate", 64}, {"predict", 1}}));
  ASSERT_GE(program.states.size(), 8u);
  EXPECT_EQ(program.states[0].name, "step");
  EXPECT_EQ(program.states[1].name, "seed");
  EXPECT_EQ(program.states[2].name, "linear.weight");
  EXPECT_EQ(to_string(program.states[2].type), "f32[64,30]");
  EXPECT_EQ(program.states.size(), 2u + 6u * 3u + 1u);  // a weight or bias each with two slots, and the rate
  EXPECT_TRUE(program.find_state(":lr"));
  EXPECT_EQ(program.updates.size(), 6u);
  EXPECT_EQ(program[program.find_state("linear.weight:m")].slot_of, program.find_state("linear.weight"));
  const Graph& predict = built.function("predict");
  EXPECT_EQ(count(predict, Op::input), 1u);
  ASSERT_EQ(predict.roots.size(), 1u);
  EXPECT_EQ(predict.roots[0].name, "p");
  EXPECT_EQ(built.function("step").custom_gradients.size(), 3u);  // two relus, one softplus
  expect_verified(program);
}

TEST(BuildProgram, MnistMlpBuildsWithOverrides) {
  const std::vector<FieldType> fields{{"x", {DType::f32, 0, {784}}}, {"y", {DType::i32, 10, {}}}};
  const Built built = example("mnist_mlp.nn", fields, {.batches = {128, 96}, .steps_per_epoch = 422},
                              {{"train.optimizer.lr", "cosine(1e-2)"}, {"train.epochs", "3"}});
  ASSERT_TRUE(built.program) << built.complaints();
  EXPECT_EQ(train_settings(*built.unit).epochs, 3);
  EXPECT_EQ(train_settings(*built.unit).batch_size, 128);
  EXPECT_GE(count(built.program->updates[0].graph, Op::cos), 1u);
  expect_verified(*built.program);
  const DataSettings& data = data_settings(*built.unit);
  ASSERT_TRUE(data.source && data.split);
  EXPECT_EQ(data.source->text, "idx");
  ASSERT_NE(data.source->find_named("images"), nullptr);
  EXPECT_EQ(data.source->find_named("images")->text, "data/mnist-images-idx3-ubyte.gz");
  ASSERT_EQ(data.fields.size(), 2u);
  EXPECT_EQ(data.fields[0].value.text, "reshape");
  EXPECT_EQ(data.fields[0].value.items[0].text, "/");
}

TEST(BuildProgram, LayersTakeTheirNamesFromBindingsAndLists) {
  const Built built = build(R"(
layer Block(width: int, inner: fn)(x: [batch, D]) -> [batch, D] {
  up = Linear(width)
  return x + (x |> up |> inner |> Linear(D))
}
model Net {
  input x: [batch, 30]
  target y: [batch]
  blocks = [Block(8, Linear(8)) for _ in 0..2]
  head = [Linear(4), tanh, Linear(1)] with lr = 0.5
  shared = Linear(30) with weight_decay = 0, frozen = true
  z = x |> shared |> shared |> blocks |> head |> squeeze(-1)
  loss l = mse(z, y)
})",
                            table, 4);
  ASSERT_TRUE(built.program) << built.complaints();
  const std::vector<std::string> names = state_names(*built.program);
  for (const char* name : {"shared.weight", "blocks.0.up.weight", "blocks.0.inner.bias", "blocks.0.linear.weight",
                           "blocks.1.up.weight", "head.0.weight", "head.2.bias"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
  const Program& program = *built.program;
  EXPECT_EQ(std::count(names.begin(), names.end(), "shared.weight"), 1);
  EXPECT_FALSE(program[program.find_state("shared.weight")].trained);
  EXPECT_EQ(program[program.find_state("shared.weight")].weight_decay, 0);
  EXPECT_EQ(program[program.find_state("head.0.weight")].lr, 0.5);
}

TEST(BuildProgram, DropoutDrawsInTrainingOnly) {
  const Built built = build(
      "model Net { input x: [batch, 30] target y: [batch]\n z = x |> Dropout(0.5) |> Linear(1) |> Dropout(0.1) |> "
      "squeeze(-1)\n loss l = mse(z, y) output p = z }",
      table, 4);
  ASSERT_TRUE(built.program) << built.complaints();
  EXPECT_EQ(count(built.function("step"), Op::random), 2u);
  EXPECT_EQ(count(built.function("evaluate"), Op::random), 0u);
  std::vector<uint32_t> sites;
  for (const Node& node : built.function("step").nodes) {
    if (node.op == Op::random) sites.push_back(node.as<RandomAttr>().site);
  }
  EXPECT_NE(sites[0], sites[1]);
}

TEST(BuildProgram, StateIsWrittenInTrainingOnly) {
  const Built built = build(
      "model Net { input x: [batch, 30] target y: [batch]\n z = x |> BatchNorm1d() |> Linear(1) |> squeeze(-1)\n loss "
      "l = mse(z, y) }",
      table, 4);
  ASSERT_TRUE(built.program) << built.complaints();
  EXPECT_EQ(count(built.function("step"), Op::assign), 2u);
  EXPECT_EQ(count(built.function("evaluate"), Op::assign), 0u);
  EXPECT_FALSE(built.program->states[built.program->find_state("batch_norm1d.running_mean").value].trained);
}

TEST(BuildProgram, NodesCarryTheUsersLine) {
  const Built built = build(
      "model Net {\n input x: [batch, 30]\n target y: [batch]\n h = x |> Linear(3)\n z = relu(h)\n loss l = "
      "mse(mean(z, axis = 1), y)\n}",
      table, 4);
  ASSERT_TRUE(built.program) << built.complaints();
  for (const Node& node : built.function("step").nodes) {
    ASSERT_FALSE(node.locations.empty());
    EXPECT_EQ(node.locations[0].file, 0u);
    if (node.op == Op::contract) {
      EXPECT_EQ(node.locations[0].line, 4u);
    }
    if (node.op == Op::max) {
      EXPECT_EQ(node.locations[0].line, 5u);
    }
    if (node.label == "z") {
      EXPECT_EQ(node.op, Op::max);
    }
  }
}

TEST(BuildProgram, ParametersDependOnSeedAndNameOnly) {
  const Built one = build(
      "model Net { input x: [batch, 30] target y: [batch]\n a = Linear(1) b = Linear(1)\n loss l = mse(squeeze(a(x) + "
      "b(x), -1), y) }",
      table, 4);
  const Built two =
      build("model Net { input x: [batch, 30] target y: [batch]\n b = Linear(1)\n loss l = mse(squeeze(b(x), -1), y) }",
            table, 9);
  ASSERT_TRUE(one.program && two.program) << one.complaints() << two.complaints();
  const auto first = initial_states(one), second = initial_states(two);
  const auto values = [](const Built& built, const auto& states, const char* name) {
    return states.at(built.program->find_state(name).value).values;
  };
  EXPECT_EQ(values(one, first, "b.weight"), values(two, second, "b.weight"));
  EXPECT_NE(values(one, first, "a.weight"), values(one, first, "b.weight"));
}

TEST(BuildProgram, AdamIsPyTorchs) {
  const Built built = build(
      "model Net { input x: [batch, 30] target y: [batch]\n loss l = mse(squeeze(Linear(1)(x), -1), y) }\ntrain { "
      "optimizer = Adam(lr = 0.1) }",
      table, 4);
  ASSERT_TRUE(built.program) << built.complaints();
  const Program& program = *built.program;
  const UpdateRule& rule = program.updates[1];  // linear.bias: one element
  ASSERT_EQ(program[rule.parameter].name, "linear.bias");
  std::map<uint32_t, ReferenceTensor> states;
  for (size_t k = 0; k < program.states.size(); ++k) {
    const TensorType& type = program.states[k].type;
    states[static_cast<uint32_t>(k)] = {type, Doubles(static_cast<size_t>(type.elements()), 0.0)};
  }
  double p = 1, m = 0, v = 0;
  for (int t = 1; t <= 3; ++t) {
    const double g = 0.3 * t;
    states[0].values[0] = t - 1;
    const TensorType type = program[rule.parameter].type;
    const Evaluation result = interpret(rule.graph, {{"p", {type, {p}}}, {"g", {type, {g}}}}, states);
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    p -= 0.1 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
    EXPECT_NEAR(result.assigned.at(rule.parameter.value).values[0], p, 1e-6);
    for (const auto& [state, value] : result.assigned) states[state] = value;
    p = result.assigned.at(rule.parameter.value).values[0];
  }
}

TEST(BuildProgram, HostileFilesEndInDiagnostics) {
  const std::vector<std::string> texts{
      "model Net { input x: [batch, 30]\n xs = [1]\n for i in 0..64 { xs = xs + xs } }",
      "model Net { input x: [batch, 30]\n xs = [1]\n for i in 0..100000 { xs = [xs] } }",
      "model Net { input x: [batch, 30]\n z = zeros(1e9, 1e9, 1e9) }",
      "model Net { input x: [batch, 30]\n for i in 0..10000000 { x = x + 1 } }",
      "layer A()(x) { return B()(x) }\nlayer B()(x) { return A()(x) }\nmodel Net { input x: [batch, 30] z = x |> A() }",
      [] {
        std::string chain = "fn f0(x) = x\n";  // calls and nesting together
        for (int k = 1; k < 60; ++k)
          chain +=
              "fn f" + std::to_string(k) + "(x) = " + std::string(150, '-') + "f" + std::to_string(k - 1) + "(x)\n";
        return chain + "model Net { input x: [batch, 30] z = f59(x) }";
      }(),
      "option a = b\noption b = a\nmodel Net { input x: [a, 30] }",
  };
  for (const std::string& text : texts) {
    const Built built = build(text, table, 4);
    EXPECT_FALSE(built.program);
    EXPECT_TRUE(has_errors(built.unit->diagnostics)) << text;
  }
}

}  // namespace
}  // namespace nnc::testing
