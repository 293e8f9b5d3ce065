// How a step is planned, cut and run never changes a bit of what it computes, natively as in the interpreter.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <random>

#include "codegen/codegen.h"
#include "tests/unit/driver/native_harness.h"

namespace nnc::testing {
namespace {

constexpr int64_t kBatches[] = {50, 50, 50, 50, 7};  // of an epoch's steps, the last one ragged
constexpr int64_t kFeatures = 130;

constexpr const char* kModel = R"(
model Bits {
  input  x: [batch, 130]
  target y: i32<5>[batch]
  fc1 = Linear(37)
  fc2 = Linear(16)
  fc3 = Linear(5)
  h1 = relu(fc1(x)) |> Dropout(0.25)
  h2 = relu(fc2(h1)) |> Dropout(0.5)
  logits = fc3(h2)
  loss   ce = cross_entropy(logits, y)
  metric accuracy = mean(argmax(logits) == y)
}
train {
  optimizer = Adam(lr = 1e-2)
  batch = mini(50)
}
)";

// Without the functions that no step calls.
Program model() {
  Program program = program_of(kModel, {{"x", {DType::f32, 0, {kFeatures}}}, {"y", {DType::i32, 5, {}}}}, {50, 7});
  std::erase_if(program.functions,
                [](const Graph& graph) { return graph.name != "initialize" && graph.name != "step"; });
  return program;
}

struct Way {
  Target target;
  std::set<std::string> disabled;
  bool cut = false;
  int64_t threads = 1;
  bool interpret = false;
  DType precision = DType::f32;
};

void append(std::vector<std::byte>& all, const Bytes& bytes) {
  all.insert(all.end(), bytes.data(), bytes.data() + bytes.size());
}

LoopRunner::Io batch_of(int64_t rows, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> numbers(-1, 1);
  LoopRunner::Io io;
  Bytes& x = io["x"] = Bytes(rows * kFeatures * 4);
  Bytes& y = io["y"] = Bytes(rows * 4);
  for (int64_t at = 0; at < x.size(); at += 4) write_element(DType::f32, x.data() + at, numbers(random));
  for (int64_t at = 0; at < y.size(); at += 4)
    write_element(DType::i32, y.data() + at, static_cast<double>(random() % 5));
  return io;
}

// Compiled once, run in several ways: on other numbers of threads, or as cuts.
struct Compiled {
  std::shared_ptr<const Lowered> lowered;
  Executable executable;
};

Compiled compile_way(const Program& program, const Way& way) {
  PipelineOptions options;
  options.target = way.target;
  options.disabled = way.disabled;
  options.cut = way.cut;
  options.precision = way.precision;
  Compiled compiled{std::make_shared<Lowered>(lower_program(program, options)), {}};
  compiled.executable = way.interpret ? interpreted(compiled.lowered) : native(compiled.lowered->module);
  return compiled;
}

// The bytes of all states, losses and metrics of the steps.
std::vector<std::byte> train(const Compiled& compiled, const Way& way, uint64_t seed = 3) {
  Runner runner(compiled.executable, way.threads);
  runner.start(seed);
  std::vector<std::byte> all = runner.states_in_order();
  uint32_t step = 0;
  for (const int64_t rows : kBatches) {
    LoopRunner::Io io = batch_of(rows, ++step);
    for (const char* part : way.cut ? std::vector{"forward", "backward", "update"} : std::vector{"step"})
      runner.run(part, rows, io);
    append(all, io.at("ce"));
    append(all, io.at("accuracy"));
  }
  const std::vector<std::byte> states = runner.states_in_order();
  EXPECT_TRUE(states != std::vector<std::byte>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(states.size())))
      << "nothing was trained";
  all.insert(all.end(), states.begin(), states.end());
  return all;
}

std::vector<std::byte> train(const Program& program, const Way& way) { return train(compile_way(program, way), way); }

class NativeBits : public OnTarget {
 protected:
  void SetUp() override {
    OnTarget::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    program = model();
    ASSERT_FALSE(program.functions.empty());
  }
  Program program;
};

TEST_P(NativeBits, are_the_same_on_a_second_run_and_on_any_number_of_threads) {
  const Compiled compiled = compile_way(program, {target});
  const std::vector<std::byte> expected = train(compiled, {target});
  EXPECT_TRUE(train(compiled, {target}) == expected) << "a second run";
  EXPECT_TRUE(train(program, {target}) == expected) << "a second compilation";
  for (const int64_t threads : {2, 3, 7})
    EXPECT_TRUE(train(compiled, {target, {}, false, threads}) == expected) << threads << " threads";
  EXPECT_FALSE(train(compiled, {target}, 4) == expected) << "another seed";
}

TEST_P(NativeBits, are_the_same_whatever_plan_pass_is_off) {
  const std::vector<std::byte> expected = train(program, {target});
  std::set<std::string> all;
  for (const PassInfo& pass : pass_table()) {
    if (pass.form != "plan") continue;
    const std::string name(pass.name);
    all.insert(name);
    EXPECT_TRUE(train(program, {target, {name}, false, 2}) == expected) << "without " << name;
  }
  EXPECT_GE(all.size(), 4u);
  EXPECT_TRUE(train(program, {target, all, false, 3}) == expected) << "without any";
}

TEST_P(NativeBits, are_the_same_cut_into_forward_backward_and_update) {
  const std::vector<std::byte> expected = train(program, {target});
  const Compiled cut = compile_way(program, {target, {}, true});
  for (const int64_t threads : {1, 3})
    EXPECT_TRUE(train(cut, {target, {}, true, threads}) == expected) << threads << " threads";
  EXPECT_TRUE(train(cut, {target, {}, false, 2}) == expected) << "the step beside its cuts";
  EXPECT_TRUE(train(program, {target, plan_passes(), true, 2}) == expected) << "plain";
}

TEST_P(NativeBits, are_those_of_the_interpreted_loops) {
  const std::vector<std::byte> expected = train(program, {target});
  EXPECT_TRUE(train(program, {target, {}, false, 1, true}) == expected);
  EXPECT_TRUE(train(program, {target, plan_passes(), true, 3, true}) == expected) << "plain and cut";
}

// What wide layers have of a real cache: sums in blocks, strips of rows before panels, values in rows and in panels.
TEST_P(NativeBits, are_the_same_before_a_smaller_cache) {
  for (const DType precision : {DType::f32, DType::bf16}) {
    const std::vector<std::byte> expected = train(program, {target, {}, false, 1, false, precision});
    Way small{target, {}, false, 1, false, precision};
    small.target.near_cache = 4096;
    EXPECT_TRUE(train(program, small) == expected) << name_of(precision);
    small.threads = 3;
    EXPECT_TRUE(train(program, small) == expected) << name_of(precision) << ", three threads";
  }
}

TEST_P(NativeBits, in_bf16_are_those_of_the_interpreted_loops) {
  constexpr DType bf16 = DType::bf16;
  const std::vector<std::byte> expected = train(program, {target, {}, false, 1, false, bf16});
  EXPECT_FALSE(train(program, {target}) == expected) << "nothing was rounded";
  EXPECT_TRUE(train(program, {target, {}, false, 3, false, bf16}) == expected) << "three threads";
  EXPECT_TRUE(train(program, {target, {}, false, 1, true, bf16}) == expected) << "interpreted";
  EXPECT_TRUE(train(program, {target, plan_passes(), true, 2, false, bf16}) == expected) << "plain and cut";
}

INSTANTIATE_TEST_SUITE_P(Targets, NativeBits, ::testing::Values("sse2", "avx2", "avx512"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace nnc::testing
