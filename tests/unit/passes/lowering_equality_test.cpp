// The Plan moves work and never changes a bit: training steps by every way of planning and running them.
#include <fmt/format.h>

#include "tests/unit/passes/lowering_harness.h"
#include "tests/unit/passes/lowering_training.h"

namespace nnc::testing {
namespace {

constexpr int kSteps = 3;

struct Way {
  Target target = target_avx2();
  std::set<std::string> disabled;
  bool cut = false;
  int64_t threads = 1;
  DType precision = DType::f32;
};

// Bytes of all states after the steps, then of the losses.
std::vector<std::byte> train(const MlpShape& shape, const Way& way) {
  PipelineOptions options;
  options.target = way.target;
  options.disabled = way.disabled;
  options.cut = way.cut;
  options.precision = way.precision;
  const Program program = mlp_program(shape);
  const Lowered lowered = lower_program(program, options);
  LoopRunner runner(lowered.module);
  runner.set_states(random_states(program));
  std::vector<std::byte> losses;
  for (int step = 0; step < kSteps; ++step) {
    LoopRunner::Io io;
    for (const auto& [name, tensor] : random_inputs(function(program, "step"), static_cast<uint64_t>(step)))
      io[name] = to_bytes(tensor);
    if (way.cut) {
      for (const char* part : {"forward", "backward", "update"}) runner.run(part, io, way.threads);
    } else {
      runner.run("step", io, way.threads);
    }
    losses.insert(losses.end(), io.at("ce").data(), io.at("ce").data() + io.at("ce").size());
  }
  std::vector<std::byte> bytes = runner.states_in_order();
  bytes.insert(bytes.end(), losses.begin(), losses.end());
  return bytes;
}

class TrainingSteps : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { ASSERT_TRUE(parse_target(GetParam(), target)); }
  Way way(std::set<std::string> disabled = {}, bool cut = false, int64_t threads = 1) const {
    return {target, std::move(disabled), cut, threads};
  }
  Target target;
};

TEST_P(TrainingSteps, are_the_same_bits_whatever_plan_pass_is_off) {
  const std::vector<std::byte> expected = train({}, way(plan_passes()));
  EXPECT_TRUE(train({}, way()) == expected) << "all passes";
  for (const std::string& pass : plan_passes()) EXPECT_TRUE(train({}, way({pass})) == expected) << "without " << pass;
}

TEST_P(TrainingSteps, are_the_same_bits_on_any_number_of_threads) {
  const std::vector<std::byte> expected = train({}, way());
  for (int64_t threads : {2, 3, 7}) {
    EXPECT_TRUE(train({}, way({}, false, threads)) == expected) << threads;
    EXPECT_TRUE(train({}, way(plan_passes(), false, threads)) == expected) << threads << " unfused";
  }
}

TEST_P(TrainingSteps, are_the_same_bits_cut_into_functions) {
  const std::vector<std::byte> expected = train({}, way());
  EXPECT_TRUE(train({}, way({}, true)) == expected);
  EXPECT_TRUE(train({}, way(plan_passes(), true)) == expected) << "unfused";
  EXPECT_TRUE(train({}, way({}, true, 3)) == expected) << "three threads";
}

TEST_P(TrainingSteps, do_not_depend_on_layouts_of_wide_and_narrow_layers) {
  for (const MlpShape& shape :
       {MlpShape{4, 3, 5, 2, 2, true}, MlpShape{6, 17, 130, 64, 33, true}, MlpShape{1, 1, 1, 1, 2, false}}) {
    SCOPED_TRACE(fmt::format("{} {} {} {} {}", shape.batch, shape.in, shape.hidden, shape.hidden2, shape.classes));
    const std::vector<std::byte> expected = train(shape, way(plan_passes()));
    EXPECT_TRUE(train(shape, way()) == expected);
    EXPECT_TRUE(train(shape, way({}, true, 3)) == expected) << "cut, three threads";
  }
}

// Tiles of every number of rows, panels of every number of vectors, sums that are and are not long enough to hide what
// follows them, copies of operands whose last square is not full.
TEST_P(TrainingSteps, do_not_depend_on_the_shapes_of_tiles) {
  for (const MlpShape& shape : {MlpShape{16, 30, 64, 32, 2, false}, MlpShape{17, 31, 49, 18, 16, false},
                                MlpShape{33, 97, 20, 81, 3, false}, MlpShape{20, 7, 113, 40, 34, false}}) {
    SCOPED_TRACE(fmt::format("{} {} {} {} {}", shape.batch, shape.in, shape.hidden, shape.hidden2, shape.classes));
    const std::vector<std::byte> expected = train(shape, way(plan_passes()));
    EXPECT_TRUE(train(shape, way({}, false, 2)) == expected);
    EXPECT_TRUE(train(shape, way({"choose_layouts"}, false, 3)) == expected);
  }
}

// Sums in blocks, strips of rows before panels, values that lie in rows and in panels: what wide layers and large
// batches have, of small ones before a smaller cache.
TEST_P(TrainingSteps, do_not_depend_on_what_fits_a_cache) {
  for (const MlpShape& shape : {MlpShape{50, 97, 130, 64, 16, false}, MlpShape{200, 61, 83, 150, 34, true}}) {
    SCOPED_TRACE(fmt::format("{} {} {} {} {}", shape.batch, shape.in, shape.hidden, shape.hidden2, shape.classes));
    for (const DType precision : {DType::f32, DType::bf16}) {
      Way plain = way(plan_passes()), small = way(), threaded = way({}, true, 3);
      small.target.near_cache = threaded.target.near_cache = 4096;
      plain.precision = small.precision = threaded.precision = precision;
      const std::vector<std::byte> expected = train(shape, plain);
      EXPECT_TRUE(train(shape, small) == expected) << name_of(precision);
      EXPECT_TRUE(train(shape, threaded) == expected) << name_of(precision) << ", cut, three threads";
    }
  }
}

TEST_P(TrainingSteps, in_bf16_are_the_same_bits_by_every_way) {
  for (const MlpShape& shape : {MlpShape{18, 20, 34, 64, 16, false}, MlpShape{17, 48, 100, 22, 40, true}}) {
    SCOPED_TRACE(fmt::format("{} {} {} {} {}", shape.batch, shape.in, shape.hidden, shape.hidden2, shape.classes));
    const auto bf16 = [&](std::set<std::string> disabled, bool cut, int64_t threads) {
      Way way{target, std::move(disabled), cut, threads, DType::bf16};
      return train(shape, way);
    };
    const std::vector<std::byte> expected = bf16(plan_passes(), false, 1);
    EXPECT_FALSE(train(shape, way()) == expected) << "nothing was rounded";
    EXPECT_TRUE(bf16({}, false, 1) == expected);
    EXPECT_TRUE(bf16({}, false, 3) == expected) << "three threads";
    EXPECT_TRUE(bf16({}, true, 2) == expected) << "cut, two threads";
  }
}

TEST_P(TrainingSteps, touch_no_byte_that_another_thread_writes) {
  for (const bool fuse : {true, false}) {
    PipelineOptions options;
    options.target = target;
    options.cut = true;
    if (!fuse) options.disabled = plan_passes();
    options.precision = fuse ? DType::bf16 : DType::f32;
    const Program program = mlp_program(fuse ? MlpShape{16, 18, 70, 20, 16, true} : MlpShape{8, 9, 70, 19, 10, true});
    const Lowered lowered = lower_program(program, options);
    for (int64_t threads : {2, 3, 7}) {
      LoopRunner runner(lowered.module);
      runner.set_states(random_states(program));
      for (const LoopEntry& entry : lowered.module.entries) {
        LoopRunner::Io io;
        for (const LoopEntry::Io& tensor : entry.io) io[tensor.name] = Bytes(tensor.type.bytes());
        const std::vector<std::string> races = runner.races(entry.name, io, threads);
        EXPECT_TRUE(races.empty()) << entry.name << " on " << threads << " threads: " << races.size()
                                   << " races, the first " << races[0];
      }
    }
  }
}

// The losses and states against the oracle, so that equal bits are also right bits.
TEST_P(TrainingSteps, agree_with_the_oracle) {
  const Program program = mlp_program({});
  PipelineOptions options;
  options.target = target;
  const Lowered lowered = lower_program(program, options);
  LoopRunner runner(lowered.module);
  States states = random_states(program);
  runner.set_states(states);
  const Graph& step = function(*lowered.program, "step");
  for (int k = 0; k < kSteps; ++k) {
    const Inputs inputs = random_inputs(step, static_cast<uint64_t>(k));
    LoopRunner::Io io;
    for (const auto& [name, tensor] : inputs) io[name] = to_bytes(tensor);
    runner.run("step", io);
    const Evaluation expected = interpret(step, inputs, states);
    const double loss = expected.values[step.roots[0].node.value].values[0];
    EXPECT_NEAR(from_bytes({DType::f32, 0, {}}, io.at("ce")).values[0], loss, 1e-5 * std::abs(loss));
    for (const auto& [state, value] : expected.assigned) states[state] = value;
  }
  EXPECT_EQ(states.size(), program.states.size());
  for (size_t s = 0; s < program.states.size(); ++s) {
    const ReferenceTensor got = runner.state(StateId(s));
    for (size_t k = 0; k < got.values.size(); ++k) {
      ASSERT_NEAR(got.values[k], states.at(static_cast<uint32_t>(s)).values[k], 2e-5)
          << program.states[s].name << " " << k;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, TrainingSteps, ::testing::Values("sse2", "avx2", "avx512"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace nnc::testing
