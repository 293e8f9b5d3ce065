// Layers of the prelude: parameter names and shapes as PyTorch's, and their values.
#include <cmath>

#include "builtins_model.h"

namespace nnc::testing {
namespace {

// A model that is `expression` of x: f32[batch, 4].
Built build_layer(const std::string& expression, int64_t batch = 3) {
  return build("model M { input x: [batch, 4]\n o = " + expression +
                   "\n output out = o\n loss l = mean(o) }\ntrain { optimizer = SGD(lr = 0.1) }",
               {{"x", {DType::f32, 0, {4}}}}, batch);
}

// "name f32[2,3]" of every state that is a layer's.
std::string states_of(const Built& built) {
  if (!built.program) return built.complaints();
  std::string text;
  for (const StateDecl& state : built.program->states) {
    if (state.name != "step" && state.name != "seed" && !state.name.starts_with(":"))
      text += (text.empty() ? "" : " ") + state.name + to_string(state.type).substr(3);
  }
  return text;
}

TEST(PreludeLayers, NameTheirParametersAsPyTorch) {
  EXPECT_EQ(states_of(build_layer("x |> Linear(2)")), "linear.weight[2,4] linear.bias[2]");
  EXPECT_EQ(states_of(build_layer("x |> Linear(2, bias = false)")), "linear.weight[2,4]");
  EXPECT_EQ(states_of(build_layer("x |> LayerNorm()")), "layer_norm.weight[4] layer_norm.bias[4]");
  EXPECT_EQ(states_of(build_layer("x |> RMSNorm()")), "rms_norm.weight[4]");
  EXPECT_EQ(states_of(build_layer("x |> PReLU()")), "p_re_lu.weight[1]");
  EXPECT_EQ(states_of(build_layer("argmax(x) |> Embedding(8)")), "embedding.weight[4,8]");
  EXPECT_EQ(
      states_of(build_layer("reshape(x, batch, 2, 2) |> TransformerEncoderLayer(2, 8)")),
      "transformer_encoder_layer.self_attn.in_proj_weight[6,2] transformer_encoder_layer.self_attn.in_proj_bias[6] "
      "transformer_encoder_layer.self_attn.out_proj.weight[2,2] transformer_encoder_layer.self_attn.out_proj.bias[2] "
      "transformer_encoder_layer.norm1.weight[2] transformer_encoder_layer.norm1.bias[2] "
      "transformer_encoder_layer.linear1.weight[8,2] transformer_encoder_layer.linear1.bias[8] "
      "transformer_encoder_layer.linear2.weight[2,8] transformer_encoder_layer.linear2.bias[2] "
      "transformer_encoder_layer.norm2.weight[2] transformer_encoder_layer.norm2.bias[2]");
}

TEST(PreludeLayers, LinearIsOneContractionOverItsWeight) {
  Built built = build_layer("x |> Linear(2)");
  ASSERT_TRUE(built.program) << built.complaints();
  const Graph& graph = built.function("predict");
  size_t products = 0;
  for (const Node& node : graph.nodes) {
    if (node.op != Op::contract) continue;
    ++products;
    EXPECT_EQ(graph[node.operands[1]].op, Op::state);
  }
  EXPECT_EQ(products, 1u);
}

Ran run_layer(const std::string& expression, std::string_view function, const std::vector<Doubles>& rows) {
  Built built = build_layer(expression, static_cast<int64_t>(rows.size()));
  EXPECT_TRUE(built.program) << expression << "\n" << built.complaints();
  if (!built.program) return {};
  Doubles flat;
  for (const Doubles& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return run(built, function, {{"x", tensor(DType::f32, {static_cast<int64_t>(rows.size()), 4}, flat)}},
             initial_states(built));
}

TEST(PreludeLayers, NormalisationsNormalise) {
  const std::vector<Doubles> rows{{1, 2, 3, 4}, {0, 0, 8, 0}};
  double s = std::sqrt(1.25 + 1e-5), t = std::sqrt(12 + 1e-5);
  expect_near(run_layer("x |> LayerNorm()", "predict", rows).roots.at("out"),
              {-1.5 / s, -0.5 / s, 0.5 / s, 1.5 / s, -2 / t, -2 / t, 6 / t, -2 / t});
  double r = std::sqrt(7.5 + 1.1920928955078125e-7), q = std::sqrt(16 + 1.1920928955078125e-7);
  expect_near(run_layer("x |> RMSNorm()", "predict", rows).roots.at("out"),
              {1 / r, 2 / r, 3 / r, 4 / r, 0, 0, 8 / q, 0});
  double a = std::sqrt(0.25 + 1e-5), b = std::sqrt(16 + 1e-5);
  expect_near(run_layer("x |> GroupNorm(2)", "predict", rows).roots.at("out"),
              {-0.5 / a, 0.5 / a, -0.5 / a, 0.5 / a, 0, 0, 4 / b, -4 / b});
}

TEST(PreludeLayers, BatchNormKeepsRunningStatistics) {
  const std::vector<Doubles> rows{{1, 2, 3, 4}, {3, 2, 5, 0}};
  // Before any step the running mean is 0, the variance 1.
  double unit = std::sqrt(1 + 1e-5);
  expect_near(run_layer("x |> BatchNorm1d()", "predict", rows).roots.at("out"),
              {1 / unit, 2 / unit, 3 / unit, 4 / unit, 3 / unit, 2 / unit, 5 / unit, 0});
  Ran step = run_layer("x |> BatchNorm1d()", "step", rows);
  ASSERT_TRUE(step.assigned.count("batch_norm1d.running_mean"));
  expect_near(step.assigned.at("batch_norm1d.running_mean"), {0.2, 0.2, 0.4, 0.2});
  expect_near(step.assigned.at("batch_norm1d.running_var"), {0.9 + 0.2, 0.9, 0.9 + 0.2, 0.9 + 0.8});
  expect_near(step.roots.at("l"), {0}, 1e-9);
}

TEST(PreludeLayers, DropoutKeepsTheMeanInTrainingAndNothingElse) {
  const std::vector<Doubles> rows(256, Doubles{1, 1, 1, 1});
  expect_near(run_layer("x |> Dropout(0.25)", "evaluate", rows).roots.at("l"), {1});
  EXPECT_NEAR(run_layer("x |> Dropout(0.25)", "step", rows).roots.at("l").values.at(0), 1, 0.08);
  expect_near(run_layer("x |> Dropout(1)", "step", rows).roots.at("l"), {0});
}

TEST(PreludeLayers, AttentionOverOneKeyIsItsValue) {
  Built built = build_layer("reshape(x, batch, 1, 4) |> TransformerEncoderLayer(2, 8, norm_first = true)", 1);
  ASSERT_TRUE(built.program) << built.complaints();
  ReferenceTensor out =
      run(built, "predict", {{"x", tensor(DType::f32, {1, 4}, {1, 2, 3, 4})}}, initial_states(built)).roots.at("out");
  EXPECT_EQ(out.type.dims, (Dims{1, 1, 4}));
  for (double v : out.values) EXPECT_TRUE(std::isfinite(v));
}

TEST(PreludeLayers, RecurrentAndConvolutionalOnesAreChecked) {
  for (const char* expression :
       {"reshape(x, batch, 2, 2) |> LSTM(3)", "reshape(x, batch, 2, 2) |> GRU(3)", "reshape(x, batch, 2, 2) |> RNN(3)",
        "reshape(x, batch, 2, 2) |> Conv1d(3, 2)", "reshape(x, batch, 1, 2, 2) |> MaxPool2d(2, stride = 1)"}) {
    std::string complaints = build_layer(expression).complaints();
    EXPECT_EQ(complaints.substr(0, 4), "E501") << expression << "\n" << complaints;
    EXPECT_EQ(complaints.find('\n'), complaints.size() - 1) << complaints;
  }
}

}  // namespace
}  // namespace nnc::testing
