// Products of bf16 in AMX tiles, native (emulated where the machine has none): the same bits as both interpreters give,
// however the step is planned, cut and run.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <random>

#include "codegen/codegen.h"
#include "ir/loop/text.h"
#include "tests/unit/codegen/amx_emulator.h"
#include "tests/unit/driver/native_harness.h"
#include "tests/unit/driver/run.h"

namespace nnc::testing {
namespace {

struct Product {
  const char* map;
  Dims left, right;
};

std::string name_of(const Product& product) {
  return fmt::format("{} of {}x{} and {}x{}", product.map, product.left[0], product.left[1], product.right[0],
                     product.right[1]);
}

// Rows, columns and lengths at and beside the sizes of tiles, blocks and panels.
std::vector<Product> products() {
  std::vector<Product> all;
  const auto add = [&](int64_t m, int64_t n, int64_t k) {
    switch (all.size() % 4) {
      case 0:
        return all.push_back({"m k, n k -> m n", {m, k}, {n, k}});
      case 1:
        return all.push_back({"m k, k n -> m n", {m, k}, {k, n}});
      case 2:
        return all.push_back({"k m, k n -> m n", {k, m}, {k, n}});
      default:
        return all.push_back({"k m, n k -> m n", {k, m}, {n, k}});
    }
  };
  for (int64_t m : {1, 15, 16, 17, 31, 32, 33, 67}) add(m, 48, 64);
  for (int64_t n : {2, 15, 16, 17, 33, 65, 97}) add(19, n, 32);
  for (int layout = 0; layout < 3; ++layout) {
    for (int64_t k : {32, 34, 62, 64, 66, 80, 96, 98, 208, 254, 256}) add(21, 37, k);
  }
  add(131, 211, 94);
  return all;
}

Program program_with(std::vector<StateDecl> states) {
  Program program;
  program.name = "products";
  for (const char* name : {"step", "seed"}) {
    StateDecl state;
    state.name = name;
    state.type = {DType::i64, 0, {}};
    program.states.push_back(std::move(state));
  }
  for (StateDecl& state : states) program.states.push_back(std::move(state));
  return program;
}

NodeId rounded(GraphBuilder& build, NodeId value) { return build.cast(value, DType::bf16); }

// Product k is "predict" at a batch of k + 1.
Program program_of_products(const std::vector<Product>& products) {
  Program program = program_with({});
  for (size_t k = 0; k < products.size(); ++k) {
    Graph graph;
    graph.name = "predict";
    graph.batch = static_cast<int64_t>(k) + 1;
    GraphBuilder build(graph);
    const NodeId a = rounded(build, build.input("a", {DType::f32, 0, products[k].left}));
    const NodeId b = rounded(build, build.input("b", {DType::f32, 0, products[k].right}));
    graph.roots.push_back({Root::output, "y", build.contract(a, b, products[k].map)});
    program.functions.push_back(std::move(graph));
  }
  return program;
}

ReferenceTensor random_tensor(const Dims& dims, double limit, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> numbers(-limit, limit);
  ReferenceTensor tensor;
  tensor.type = {DType::f32, 0, dims};
  tensor.values.resize(static_cast<size_t>(tensor.type.elements()));
  for (double& value : tensor.values) value = static_cast<float>(numbers(random));
  return tensor;
}

std::shared_ptr<Lowered> lower(const Program& program, std::set<std::string> disabled = {}, bool cut = false,
                               DType precision = DType::f32) {
  PipelineOptions options;
  options.target = target_amx();
  options.disabled = std::move(disabled);
  options.cut = cut;
  options.precision = precision;
  options.verify = true;
  return std::make_shared<Lowered>(lower_program(program, options));
}

class NativeTiles : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!enable_amx()) GTEST_SKIP() << "this machine lacks AVX-512";
    before = emulated_products();
  }
  void TearDown() override {
    if (!IsSkipped() && amx_is_emulated()) {
      EXPECT_GT(emulated_products(), before) << "no tiles were used";
    }
  }
  int64_t before = 0;
};

TEST_F(NativeTiles, multiply_to_the_bits_of_both_interpreters) {
  const std::vector<Product> all = products();
  const auto lowered = lower(program_of_products(all));
  // Without the passes of the Plan the same sums are computed in vectors, or one by one.
  const auto plain = lower(program_of_products(all), plan_passes());
  const Executable code = native(lowered->module);
  Runner compiled(code, 1), shared(code, 2);
  Runner stepped(interpreted(lowered), 2), vectors(native(plain->module), 1);
  for (size_t k = 0; k < all.size(); ++k) {
    SCOPED_TRACE(name_of(all[k]));
    const auto seed = static_cast<uint32_t>(k);
    const double limit = k % 5 == 4 ? 1e-19 : 1;  // products and sums around the least normal number
    const Inputs inputs = {{"a", random_tensor(all[k].left, limit, 2 * seed)},
                           {"b", random_tensor(all[k].right, limit, 2 * seed + 1)}};
    const Graph& graph = lowered->program->functions[k];
    EXPECT_NE(print(graph, *lowered->program).find("order=tiles(32)"), std::string::npos);
    const ReferenceTensor expected = interpret(graph, inputs, {}).values[graph.roots[0].node.value];
    for (Runner* runner : {&compiled, &shared, &stepped, &vectors}) {
      LoopRunner::Io io;
      for (const auto& [name, tensor] : inputs) io[name] = to_bytes(tensor);
      runner->run("predict", static_cast<int64_t>(k) + 1, io);
      EXPECT_EQ(compare_bits(DType::f32, to_bytes(expected), io.at("y")), "")
          << (runner == &compiled  ? "one thread"
              : runner == &shared  ? "two threads"
              : runner == &stepped ? "the Loop IR"
                                   : "without tiles");
    }
  }
}

// A weight at home in panels, as either factor and transposed.
TEST_F(NativeTiles, read_weights_as_they_lie) {
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{70, 90}, {208, 34}, {40, 208}, {37, 48}}) {
    StateDecl weight;
    weight.name = "w";
    weight.type = {DType::f32, 0, {rows, columns}};
    Program program = program_with({weight});
    const char* maps[] = {"b i, o i -> b o", "b o, o i -> b i", "o i, b o -> i b", "o i, b i -> o b"};
    const ReferenceTensor values = random_tensor(weight.type.dims, 1, 5);
    for (int64_t k = 0; k < 4; ++k) {
      Graph graph;
      graph.name = "predict";
      graph.batch = k + 1;
      GraphBuilder build(graph);
      const bool weight_first = k >= 2, over_rows = k == 1 || k == 2;
      const NodeId x = rounded(build, build.input("x", {DType::f32, 0, {23, over_rows ? rows : columns}}));
      const NodeId w = rounded(build, build.state(StateId(size_t{2}), weight.type));
      graph.roots.push_back(
          {Root::output, "y", weight_first ? build.contract(w, x, maps[k]) : build.contract(x, w, maps[k])});
      program.functions.push_back(std::move(graph));
    }
    const auto lowered = lower(program);
    Runner compiled(native(lowered->module), 2), stepped(interpreted(lowered), 1);
    for (Runner* runner : {&compiled, &stepped}) {
      runner->set_state("w", to_bytes(values));
      LoopRunner::Io none;
      if (runner->has("refresh", 0)) runner->run("refresh", 0, none);
    }
    for (size_t k = 0; k < 4; ++k) {
      SCOPED_TRACE(fmt::format("{} of {}x{}", maps[k], rows, columns));
      const Graph& graph = lowered->program->functions[k];
      const int64_t length = k == 1 || k == 2 ? rows : columns;
      const Inputs inputs = {{"x", random_tensor({23, length}, 1, static_cast<uint32_t>(k))}};
      const ReferenceTensor expected = interpret(graph, inputs, {{2, values}}).values[graph.roots[0].node.value];
      for (Runner* runner : {&compiled, &stepped}) {
        LoopRunner::Io io = {{"x", to_bytes(inputs.at("x"))}};
        runner->run("predict", static_cast<int64_t>(k) + 1, io);
        EXPECT_EQ(compare_bits(DType::f32, to_bytes(expected), io.at("y")), "");
      }
    }
  }
}

constexpr int64_t kFeatures = 70;
constexpr int64_t kBatches[] = {50, 50, 34};

constexpr const char* kModel = R"(
model Bits {
  input  x: [batch, 70]
  target y: i32<36>[batch]
  fc1 = Linear(150)
  fc2 = Linear(48)
  fc3 = Linear(36)
  h1 = relu(fc1(x)) |> Dropout(0.25)
  h2 = tanh(fc2(h1))
  logits = fc3(h2)
  loss   ce = cross_entropy(logits, y)
  metric accuracy = mean(argmax(logits) == y)
}
train {
  optimizer = Adam(lr = 1e-2)
  batch = mini(50)
}
)";

struct Way {
  std::set<std::string> disabled = {};
  bool cut = false;
  int64_t threads = 1;
  bool interpret = false;
};

// The bytes of all states, losses and metrics of the steps.
std::vector<std::byte> train(const Executable& code, const Way& way) {
  Runner runner(code, way.threads);
  runner.start(3);
  std::vector<std::byte> all;
  const auto append = [&](const Bytes& bytes) { all.insert(all.end(), bytes.data(), bytes.data() + bytes.size()); };
  uint32_t step = 0;
  for (const int64_t rows : kBatches) {
    LoopRunner::Io io;
    io["x"] = to_bytes(random_tensor({rows, kFeatures}, 1, ++step));
    Bytes& y = io["y"] = Bytes(rows * 4);
    for (int64_t row = 0; row < rows; ++row)
      write_element(DType::i32, y.data() + 4 * row, static_cast<double>((row * 7 + step) % 36));
    for (const char* part : way.cut ? std::vector{"forward", "backward", "update"} : std::vector{"step"})
      runner.run(part, rows, io);
    append(io.at("ce"));
    append(io.at("accuracy"));
  }
  const std::vector<std::byte> states = runner.states_in_order();
  all.insert(all.end(), states.begin(), states.end());
  return all;
}

std::vector<std::byte> train(const Program& program, const Way& way) {
  const auto lowered = lower(program, way.disabled, way.cut, DType::bf16);
  return train(way.interpret ? interpreted(lowered) : native(lowered->module), way);
}

TEST_F(NativeTiles, train_to_the_same_bits_however_they_are_planned_and_run) {
  Program program = program_of(kModel, {{"x", {DType::f32, 0, {kFeatures}}}, {"y", {DType::i32, 36, {}}}}, {50, 34});
  std::erase_if(program.functions,
                [](const Graph& graph) { return graph.name != "initialize" && graph.name != "step"; });
  ASSERT_FALSE(program.functions.empty());
  const Executable cut = native(lower(program, {}, true, DType::bf16)->module);
  const std::vector<std::byte> expected = train(cut, {});
  EXPECT_TRUE(train(cut, {{}, false, 2}) == expected) << "two threads";
  EXPECT_TRUE(train(cut, {{}, true, 3}) == expected) << "cut, three threads";
  EXPECT_TRUE(train(program, {{}, false, 1, true}) == expected) << "interpreted";
  EXPECT_TRUE(train(program, {plan_passes(), false, 2}) == expected) << "plain";
  for (const char* pass : {"form_regions", "choose_layouts"})
    EXPECT_TRUE(train(program, {{pass}, false, 2}) == expected) << "without " << pass;
}

TEST(TilesCode, is_shown_on_any_machine) {
  const Ran shown = run({"ir", "examples/digits.nn", "train.precision=bf16", "--cpu=amx", "--stage=asm"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("tdpbf16ps"), std::string::npos);
  const Ran plain = run({"ir", "examples/digits.nn", "--cpu=amx", "--stage=asm"});
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_EQ(plain.out.find("tile"), std::string::npos);
}

}  // namespace
}  // namespace nnc::testing
