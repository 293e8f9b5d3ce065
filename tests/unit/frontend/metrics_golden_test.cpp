// Metrics of the prelude against scikit-learn (tests/goldens/sklearn/metrics.py), and which of them are native.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ir/graph/text.h"
#include "tests/unit/frontend/builtins_model.h"

namespace nnc::testing {
namespace {

using Json = nlohmann::json;

constexpr double kBound = 1e-6;  // relative, of values above 1; else absolute

struct GoldenKind {
  std::string inputs;                                        // declarations
  std::vector<std::pair<std::string, std::string>> metrics;  // name in the goldens, expression
};

GoldenKind kind_of(const Json& golden) {
  const std::string kind = golden["kind"];
  GoldenKind made;
  auto plain = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) made.metrics.emplace_back(name, std::string(name) + "(p, y)");
  };
  if (kind == "binary") {
    made.inputs = "input p: [batch]\n target y: [batch]\n";
    plain({"binary_accuracy", "precision", "recall", "f1", "iou", "balanced_accuracy", "mcc", "roc_auc", "pr_auc",
           "log_loss", "confusion_matrix"});
  } else if (kind == "classes") {
    made.inputs = "input p: [batch, C]\n target y: i32<C>[batch]\n";
    plain({"accuracy", "balanced_accuracy", "mcc", "roc_auc", "pr_auc", "confusion_matrix"});
    for (const char* average : {"macro", "micro", "weighted"}) {
      for (const char* name : {"precision", "recall", "f1", "iou"})
        made.metrics.emplace_back(std::string(name) + "_" + average,
                                  std::string(name) + "(p, y, average = \"" + average + "\")");
    }
    made.metrics.emplace_back("top_k", "top_k(p, y, k = 2)");
    made.metrics.emplace_back("log_loss", "log_loss(p / sum(p, axis = -1, keepdim = true), y)");
  } else {
    const bool columns = golden["columns"] > 1;
    made.inputs = columns ? "input p: [batch, K]\n target y: [batch, K]\n" : "input p: [batch]\n target y: [batch]\n";
    plain({"rmse", "mae", "mape", "r2"});
  }
  return made;
}

std::map<std::string, ReferenceTensor> inputs_of(const Json& golden, std::vector<FieldType>& fields) {
  const int64_t rows = golden["rows"];
  const int64_t width = golden.value("classes", golden.value("columns", int64_t{1}));
  const bool classes = golden["kind"] == "classes";
  auto floats = [&](const char* name) {
    Doubles values;
    for (const double value : golden[name]) values.push_back(static_cast<float>(value));
    return values;
  };
  const Dims row = width > 1 ? Dims{width} : Dims{};
  Dims all = row;
  all.insert(all.begin(), rows);
  fields = {{"p", {DType::f32, 0, row}}, {"y", {DType::f32, 0, row}}};
  std::map<std::string, ReferenceTensor> inputs{{"p", tensor(DType::f32, all, floats("p"))},
                                                {"y", tensor(DType::f32, all, floats("y"))}};
  if (classes) {
    fields[1].row_type = {DType::i32, width, {}};
    inputs["y"] = tensor(DType::i32, {rows}, floats("y"), width);
  }
  return inputs;
}

// Every metric of the model, from the function itself or from its measures.
std::map<std::string, Doubles> measured(const Built& built, const std::map<std::string, ReferenceTensor>& inputs) {
  std::map<std::string, Doubles> values;
  const Ran ran = run(built, "evaluate", inputs, initial_states(built));
  for (const Root& root : built.function("evaluate").roots) {
    if (root.kind == Root::metric) values[root.name] = ran.roots.at(root.name).values;
  }
  for (const Measures& measures : built.program->measures) {
    if (measures.graph.name != "evaluate") continue;
    for (const std::string& message : verify(measures.graph, *built.program)) ADD_FAILURE() << message;
    std::map<std::string, ReferenceTensor> collected;
    for (const Node& node : measures.graph.nodes) {
      if (node.op == Op::input) collected[node.as<InputAttr>().name] = ran.roots.at(node.as<InputAttr>().name);
    }
    const Evaluation evaluation = interpret(measures.graph, collected, {}, Keep::roots);
    for (const Root& root : measures.graph.roots) values[root.name] = evaluation.values[root.node.value].values;
  }
  return values;
}

TEST(MetricGoldens, EveryMetricIsScikitLearns) {
  const Json goldens = Json::parse(std::ifstream(std::string(NNC_SOURCE_DIR) + "/tests/goldens/sklearn/metrics.json"));
  size_t compared = 0;
  for (const Json& golden : goldens["cases"]) {
    SCOPED_TRACE(golden["name"].get<std::string>());
    const GoldenKind kind = kind_of(golden);
    std::string model = "model M {\n" + kind.inputs + "loss fit = mean(p)\n";
    for (const auto& [name, expression] : kind.metrics) model += "metric m_" + name + " = " + expression + "\n";
    std::vector<FieldType> fields;
    const auto inputs = inputs_of(golden, fields);
    const Built built = build(model + "}\ntrain { optimizer = SGD(lr = 0.1) }\n", fields, golden["rows"]);
    ASSERT_TRUE(built.program) << built.complaints();
    const auto values = measured(built, inputs);
    for (const auto& [name, expression] : kind.metrics) {
      const Json& expected = golden["expected"].at(name);
      const Doubles& found = values.at("m_" + name);
      const Doubles wanted = expected.is_array()  ? expected.get<Doubles>()
                             : expected.is_null() ? Doubles{std::nan("")}
                                                  : Doubles{expected.get<double>()};
      ASSERT_EQ(found.size(), wanted.size()) << name;
      for (size_t k = 0; k < wanted.size(); ++k) {
        if (std::isnan(wanted[k])) {
          EXPECT_TRUE(std::isnan(found[k])) << name << " is " << found[k];
        } else {
          EXPECT_NEAR(found[k], wanted[k], kBound * std::max(1.0, std::abs(wanted[k]))) << name;
        }
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 500u);
}

// Names of the metrics that the function computes itself.
std::vector<std::string> native_metrics(const Built& built) {
  std::vector<std::string> names;
  for (const Root& root : built.function("evaluate").roots) {
    if (root.kind == Root::metric) names.push_back(root.name);
  }
  return names;
}

const std::vector<FieldType> kFields = {
    {"x", {DType::f32, 0, {5}}}, {"y", {DType::i32, 5, {}}}, {"z", {DType::f32, 0, {}}}};
Built with_metrics(const std::string& body) {
  return build(
      "model M {\n input x: [batch, 5]\n target y: i32<5>[batch]\n target z: [batch]\n loss ce = "
      "cross_entropy(x, y)\n" +
          body + "}\ntrain { optimizer = SGD(lr = 0.1) }\n",
      kFields, 6);
}

TEST(MetricKinds, MeansOverRowsAreNative) {
  const std::vector<std::string> native = {"mean(argmax(x) == y)",
                                           "accuracy(x, y)",
                                           "top_k(x, y, k = 2)",
                                           "ce",
                                           "2 * ce",
                                           "1 - mean(z)",
                                           "-mae(z, z)",
                                           "sum(z) / batch",
                                           "mean(sum(x * x, axis = 1)) + ce",
                                           "binary_accuracy(z, z)",
                                           "log_loss(softmax(x), y)",
                                           "mean(x[:, 0] * z)",
                                           "mean(x.T)",
                                           "mean(take(arange(5) * 2.5, y))",
                                           "mse(x, x * 2)",
                                           "bce_with_logits(z, z)",
                                           "einsum(\"b, b -> \", z, z) / batch",
                                           "mean(concat(x, x, axis = 1))",
                                           "mean(unsqueeze(z, 1) * x)"};
  const std::vector<std::string> collected = {"exp(ce)",
                                              "rmse(z, z)",
                                              "f1(z, z)",
                                              "sum(z)",
                                              "sum(z) / 6",
                                              "sum(z) / sum(z * z)",
                                              "max(z)",
                                              "ce * ce",
                                              "mean(z) * mean(z)",
                                              "mean((z - mean(z)) ** 2)",
                                              "r2(z, z)",
                                              "roc_auc(z, z)",
                                              "std(z)",
                                              "mean(cumsum(z, axis = 0))",
                                              "mean(z * ce)",
                                              "max(ce, 0)",
                                              "mean(flip(z, 0) * z)",
                                              "confusion_matrix(x, y)",
                                              "mean(x, axis = 0)"};
  for (const bool wanted : {true, false}) {
    for (const std::string& expression : wanted ? native : collected) {
      const Built built = with_metrics("metric m = " + expression + "\n");
      ASSERT_TRUE(built.program) << expression << "\n" << built.complaints();
      EXPECT_EQ(native_metrics(built).size(), wanted ? 1u : 0u) << expression;
      EXPECT_EQ(built.program->measures.size(), wanted ? 0u : 2u) << expression;
    }
  }
}

TEST(MetricKinds, LeavesAreTheNamesOfTheExpression) {
  const Built built = with_metrics(R"(
    fc = Linear(5)
    h = fc(x)
    q = softmax(h)
    others = [z, q[:, 0]]
    n = batch
    flipped = h.T
    metric a = rmse(others[1], z) + sum(flipped) / n
    metric b = sum(Linear(2)(x) * 0 + 1) / 2
    metric c = exp(ce) + sqrt(sum(fc.bias * fc.bias))
    metric d = 2 * a + b
    metric e = accuracy(h, y)
  )");
  ASSERT_TRUE(built.program) << built.complaints();
  EXPECT_EQ(native_metrics(built), std::vector<std::string>{"e"});
  std::vector<std::string> collected;
  for (const Root& root : built.function("evaluate").roots) {
    if (root.kind == Root::collected) collected.push_back(root.name);
  }
  EXPECT_EQ(collected, (std::vector<std::string>{"z", "value", "flipped", "value_1", "ce", "fc.bias"}));
  const Measures& measures = built.program->measures.back();
  EXPECT_EQ(measures.names, (std::vector<std::string>{"ce", "a", "b", "c", "d", "e"}));
  EXPECT_EQ(measures.per_row, (std::vector<std::string>{"z", "value", "flipped", "value_1"}));
  const Ran ran = run(built, "evaluate",
                      {{"x", tensor(DType::f32, {6, 5}, Doubles(30, 0.5))},
                       {"y", tensor(DType::i32, {6}, Doubles(6, 1), 5)},
                       {"z", tensor(DType::f32, {6}, Doubles(6, 1))}},
                      initial_states(built));
  std::map<std::string, ReferenceTensor> inputs;
  for (const std::string& name : collected) inputs[name] = ran.roots.at(name);
  const Evaluation evaluation = interpret(measures.graph, inputs, {});
  std::map<std::string, double> values;
  for (const Root& root : measures.graph.roots) values[root.name] = evaluation.values[root.node.value].values[0];
  EXPECT_EQ(values.at("b"), 6);  // `batch` rows
  EXPECT_NEAR(values.at("d"), 2 * values.at("a") + 6, 1e-12);
}

TEST(MetricKinds, LengthsOfPassesAndBatches) {
  Built built{load_text("test.nn",
                        "model M {\n input z: [batch]\n loss l = mean(z)\n metric all = sum(z)\n}\n"
                        "train { optimizer = SGD(lr = 0.1) }\n"),
              {}};
  BuildRequest request;
  request.batches = {4, 3};
  request.evaluate_batches = {8};
  request.step_rows = {11};
  request.evaluate_rows = {8, 16, 8};
  built.program = build_program(*built.unit, {kFields[2]}, request);
  ASSERT_TRUE(built.program) << built.complaints();
  std::vector<std::pair<std::string, int64_t>> made;
  for (const Measures& measures : built.program->measures) made.emplace_back(measures.graph.name, measures.graph.batch);
  EXPECT_EQ(made, (std::vector<std::pair<std::string, int64_t>>{{"step", 11}, {"evaluate", 8}, {"evaluate", 16}}));
  for (const Graph& graph : built.program->functions) {
    const bool measured = graph.name == "step" || graph.name == "evaluate";
    EXPECT_EQ(std::count_if(graph.roots.begin(), graph.roots.end(),
                            [](const Root& root) { return root.kind == Root::collected; }),
              measured ? 1 : 0)
        << graph.name;
  }
}

TEST(MetricKinds, RowsThatDoNotFitMemoryAreRefused) {
  Built built{load_text("test.nn",
                        "model M {\n input z: [batch]\n loss l = mean(z)\n"
                        " metric m = max(einsum(\"a, b -> a b\", z, z))\n}\ntrain { optimizer = SGD(lr = 0.1) }\n"),
              {}};
  BuildRequest request;
  request.batches = {4};
  request.step_rows = {100'000};
  EXPECT_FALSE(build_program(*built.unit, {kFields[2]}, request));
  EXPECT_NE(built.complaints().find("holds 10000000000 numbers"), std::string::npos) << built.complaints();
}

TEST(MetricKinds, WhatCannotBeMeasuredIsSaid) {
  auto said = [](const std::string& body) { return with_metrics(body).complaints(); };
  EXPECT_EQ(said("metric m = x\n"),
            "E401 metric `m` must be a scalar, found f32[batch, 5]; help: take its mean: `mean(x)`\n");
  EXPECT_TRUE(said("metric m = sum(rand_like(z))\n").starts_with("E")) << said("metric m = sum(rand_like(z))\n");
  EXPECT_TRUE(said("n = batch + 1\n metric m = sum(z) / n\n").find("`batch`") != std::string::npos);
  EXPECT_TRUE(said("k = x @ x.T\n metric m = max(k)\n").find("batch axis twice") != std::string::npos);
  EXPECT_TRUE(said("loss auc = roc_auc(z, z)\n").starts_with("E501 `sum_below` has no native lowering"))
      << said("loss auc = roc_auc(z, z)\n");
  EXPECT_TRUE(said("a = roc_auc(z, z)\n metric m = a\n").starts_with("E501"));
  EXPECT_EQ(said("a = roc_auc(z, z)\n metric m = roc_auc(z, z)\n"), "");
  EXPECT_TRUE(said("metric m = f1(x, y, average = \"mean\")\n").find("is required") != std::string::npos);
}

}  // namespace
}  // namespace nnc::testing
