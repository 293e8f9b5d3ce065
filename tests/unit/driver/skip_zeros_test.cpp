// Products that skip the zeros of an input compute the bits of those that do not.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "codegen/codegen.h"
#include "driver/input_zeros.h"
#include "runtime/data/batches.h"
#include "tests/unit/driver/native_harness.h"
#include "tests/unit/driver/run.h"

namespace nnc::testing {
namespace {

constexpr int64_t kBatches[] = {24, 24, 7, 1};
constexpr int64_t kFeatures = 45;

// Adam's square roots make the update a deferred one, SGD's formula does not. `way` is how the layer reads its input.
std::string model_text(const std::string& optimizer, const std::string& way) {
  return R"(
model Sparse {
  input  x: [batch, )" +
         std::string(way == "x" ? "45" : "9, 5") + R"(]
  target y: i32<5>[batch]
  fc1 = Linear(70)
  fc2 = Linear(5)
  logits = fc2(relu(fc1()" +
         way + R"()))
  loss   ce = cross_entropy(logits, y)
}
train {
  optimizer = )" +
         optimizer + R"(
  batch = mini(24)
}
)";
}

Program model(const std::string& optimizer, const std::string& way = "x") {
  const Dims dims = way == "x" ? Dims{kFeatures} : Dims{9, 5};
  Program program =
      program_of(model_text(optimizer, way), {{"x", {DType::f32, 0, dims}}, {"y", {DType::i32, 5, {}}}}, {24, 7, 1});
  std::erase_if(program.functions,
                [](const Graph& graph) { return graph.name != "initialize" && graph.name != "step"; });
  return program;
}

// Runs of zeros as in images, among them negative ones, and denormals, which count as zeros when they are multiplied.
LoopRunner::Io batch_of(int64_t rows, uint32_t seed) {
  std::mt19937 random(seed);
  LoopRunner::Io io;
  Bytes& x = io["x"] = Bytes(rows * kFeatures * 4);
  Bytes& y = io["y"] = Bytes(rows * 4);
  for (int64_t place = 0; place < rows * kFeatures; ++place) {
    const bool margin = place % kFeatures < 14 || place % kFeatures > 30;
    double value = static_cast<double>(random() % 2000) / 1000 - 1;
    if (margin || random() % 3 == 0) value = 0;
    if (random() % 16 == 0) value = -0.0;
    if (random() % 32 == 0) value = 1e-40;
    write_element(DType::f32, x.data() + 4 * place, value);
  }
  for (int64_t at = 0; at < y.size(); at += 4)
    write_element(DType::i32, y.data() + at, static_cast<double>(random() % 5));
  return io;
}

struct Way {
  Target target = target_avx2();
  std::vector<InputZeros> zeros = {};
  std::set<std::string> disabled = {};
  bool cut = false;
};

std::shared_ptr<const Lowered> lower(const Program& program, const Way& way) {
  PipelineOptions options;
  options.target = way.target;
  options.zeros = way.zeros;
  options.disabled = way.disabled;
  options.cut = way.cut;
  return std::make_shared<Lowered>(lower_program(program, options));
}

std::vector<std::byte> train(const Executable& executable, bool cut, int64_t threads) {
  Runner runner(executable, threads);
  runner.start(3);
  std::vector<std::byte> all;
  uint32_t step = 0;
  for (const int64_t rows : kBatches) {
    LoopRunner::Io io = batch_of(rows, ++step);
    for (const char* part : cut ? std::vector{"forward", "backward", "update"} : std::vector{"step"})
      runner.run(part, rows, io);
    all.insert(all.end(), io.at("ce").data(), io.at("ce").data() + io.at("ce").size());
  }
  const std::vector<std::byte> states = runner.states_in_order();
  all.insert(all.end(), states.begin(), states.end());
  return all;
}

// Products of the step at `rows` that skip, and how many of them are deferred.
std::pair<int, int> count(const Lowered& lowered, int64_t rows, std::string_view function = "step") {
  std::pair<int, int> skipping;
  for (const Plan& plan : lowered.plans) {
    if (plan.graph.name != function || plan.graph.batch != rows) continue;
    EXPECT_TRUE(verify(plan).empty());
    for (const Region& region : plan.regions) {
      skipping.first += region.tiling.zeros >= 0;
      skipping.second += region.tiling.zeros >= 0 && region.tiling.deferred;
    }
  }
  return skipping;
}

const std::vector<InputZeros> kKnown = {{"y", {1, 0}, {1, 0}}, {"x", {0.5, 0}, {0.5, 0}}};

class SkipZeros : public OnTarget {};

TEST_P(SkipZeros, changes_no_bit_of_a_step) {
  for (const char* optimizer : {"Adam(lr = 1e-2)", "SGD(lr = 0.1)"}) {
    SCOPED_TRACE(optimizer);
    const bool adam = optimizer[0] == 'A';
    const Program program = model(optimizer);
    ASSERT_FALSE(program.functions.empty());
    const auto dense = lower(program, {target}), sparse = lower(program, {target, kKnown});
    EXPECT_EQ(count(*dense, 24), (std::pair{0, 0}));
    EXPECT_EQ(count(*sparse, 24), (std::pair{2, adam ? 1 : 0}));
    EXPECT_EQ(count(*sparse, 7), (std::pair{2, 0}));
    const std::vector<std::byte> expected = train(interpreted(dense), false, 1);
    const Executable skipping = native(sparse->module);
    for (const int64_t threads : {1, 2, 3})
      EXPECT_TRUE(train(skipping, false, threads) == expected) << threads << " threads";
    EXPECT_TRUE(train(interpreted(sparse), false, 2) == expected) << "interpreted";
    const auto cut = lower(program, {target, kKnown, {}, true});
    EXPECT_EQ(count(*cut, 24, "forward").first, 1);
    EXPECT_TRUE(train(interpreted(cut), true, 2) == expected) << "cut";
    const auto plain = lower(program, {target, kKnown, {"form_regions"}, false});
    EXPECT_TRUE(train(interpreted(plain), false, 2) == expected) << "plain";
  }
}

TEST_P(SkipZeros, sees_through_a_reshape_of_rows) {
  const Program program = model("Adam()", "flatten(x, from = 1)");
  ASSERT_FALSE(program.functions.empty());
  const auto dense = lower(program, {target}), sparse = lower(program, {target, kKnown});
  EXPECT_EQ(count(*sparse, 24).first, 2);
  EXPECT_TRUE(train(interpreted(sparse), false, 2) == train(interpreted(dense), false, 1));
}

INSTANTIATE_TEST_SUITE_P(Targets, SkipZeros, ::testing::Values("sse2", "avx2", "avx512"),
                         [](const auto& info) { return info.param; });

TEST(SkipZerosPlan, is_chosen_by_direction_share_input_and_pass) {
  const Program program = model("Adam()");
  const auto skipping = [&](std::vector<InputZeros> zeros, std::set<std::string> disabled = {}) {
    return count(*lower(program, {target_avx512(), std::move(zeros), std::move(disabled), false}), 24);
  };
  EXPECT_EQ(skipping({{"x", {0.25, 0}, {0.1, 0}}}), (std::pair{1, 0})) << "the layer's output";
  EXPECT_EQ(skipping({{"x", {0.1, 0}, {0.25, 0}}}), (std::pair{1, 1})) << "the weight's gradient";
  EXPECT_EQ(skipping({{"x", {0.1, 0}, {0.1, 0}}}), (std::pair{0, 0}));
  EXPECT_EQ(skipping({{"x", {0.5, 0.5}, {0.5, 0.1}}}), (std::pair{1, 1})) << "a branch that cannot be foretold";
  EXPECT_EQ(skipping({{"z", {1, 0}, {1, 0}}}), (std::pair{0, 0}));
  EXPECT_EQ(skipping({{"x", {1, 0}, {1, 0}}}, {"skip_zeros"}), (std::pair{0, 0}));
}

// The layer's sum over 45 places is odd and so stays f32; the gradient's over 24 rows reads pairs of bf16.
TEST(SkipZerosPlan, is_not_for_bf16) {
  PipelineOptions options;
  options.target = target_avx512();
  options.zeros = kKnown;
  options.precision = DType::bf16;
  const Lowered lowered = lower_program(model("Adam()"), options);
  EXPECT_EQ(count(lowered, 24), (std::pair{1, 0}));
}

TEST(SkipZerosPlan, is_printed_and_verified) {
  const auto lowered = lower(model("Adam()"), {target_avx512(), kKnown});
  Plan plan = lowered->plans[1];
  ASSERT_EQ(plan.graph.name, "step");
  EXPECT_NE(print(plan).find(" skips zeros of operand 0 "), std::string::npos);
  EXPECT_NE(print(plan).find(" skips zeros of operand 1 "), std::string::npos);
  for (Region& region : plan.regions) {
    if (region.tiling.zeros < 0) continue;
    region.tiling.zeros = 1 - region.tiling.zeros;
    const std::vector<std::string> broken = verify(plan);
    ASSERT_EQ(broken.size(), 1u);
    EXPECT_NE(broken[0].find("P11: operand"), std::string::npos) << broken[0];
    region.tiling.zeros = 1 - region.tiling.zeros;
  }
}

// Rows of 40: the first 20 places are zero in all rows, the others in every second row.
TEST(MeasureZeros, tells_rows_from_places) {
  Dataset dataset;
  dataset.fields.resize(2);
  DataField &field = dataset.fields[0], &labels = dataset.fields[1];
  field.name = "x";
  field.dims = {40};
  field.row_bytes = 160;
  field.values = *allocate(200 * 160, "the test");
  auto* values = reinterpret_cast<float*>(field.values.data());
  for (int64_t row = 0; row < 200; ++row) {
    dataset.train.push_back(static_cast<uint32_t>(row));
    for (int64_t place = 0; place < 40; ++place)
      values[row * 40 + place] = place < 20 || row % 2 == 0 ? (place == 3 ? -0.0f : 0.0f) : 1.5f;
  }
  labels.name = "y";
  labels.type = ElementType::i32;
  labels.row_bytes = 4;
  labels.values = *allocate(200 * 4, "the test");
  const std::vector<InputZeros> zeros = measure_zeros(dataset);
  ASSERT_EQ(zeros.size(), 1u) << "integers are not measured";
  EXPECT_EQ(zeros[0].name, "x");
  EXPECT_NEAR(zeros[0].across_rows.share, 0.5 + 0.5 / 64, 0.06);
  EXPECT_NEAR(zeros[0].along_row.share, 0.5 + 0.5 * 15 / 40, 0.06);
  EXPECT_EQ(measure_zeros(dataset)[0].along_row.share, zeros[0].along_row.share);
  EXPECT_NEAR(zeros[0].across_rows.changes, 2.0 / 40, 0.03) << "from place 19 to 20, and from the last to the first";
  EXPECT_NEAR(zeros[0].along_row.changes, 0.5 * 25 / 40, 0.06);
  field.dims = {2};
  field.row_bytes = 8;
  dataset.train.clear();
  EXPECT_TRUE(measure_zeros(dataset).empty());
  dataset.val = {0, 1};
  EXPECT_EQ(measure_zeros(dataset)[0].along_row.share, 1) << "rows shorter than a group";
}

// Four fifths of the digits' pixels are zero, and no measurement of the cancer data is.
TEST(SkipZerosBench, says_what_it_counts) {
  const std::string digits = std::string(NNC_SOURCE_DIR) + "/examples/mnist_mlp.nn";
  const std::vector<std::string> quick = {"bench", digits, "train.batch=mini(24)", "--seconds=0.02", "--threads=1"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), quick.begin(), quick.end());
    return run(more);
  };
  const auto lines = with({"--json"}).json();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].at("products_skipping_zeros"), 2);
  EXPECT_EQ(lines[0].at("products"), 8);
  EXPECT_NE(with({}).out.find("2 of 8 products skip the zeros"), std::string::npos);
  EXPECT_EQ(with({"--disable-pass", "skip_zeros"}).out.find("zeros"), std::string::npos);
  const std::string cancer = std::string(NNC_SOURCE_DIR) + "/examples/breast_cancer.nn";
  EXPECT_EQ(run({"bench", cancer, "--seconds=0.02", "--json"}).json()[0].at("products_skipping_zeros"), 0);
}

}  // namespace
}  // namespace nnc::testing
