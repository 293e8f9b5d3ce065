// Every op's samples as native code: against the Graph's interpreter in doubles, and bit for bit against the Loop IR's.
#include <fmt/format.h>

#include <algorithm>

#include "codegen/codegen.h"
#include "tests/unit/driver/native_harness.h"

namespace nnc::testing {
namespace {

struct NamedSample {
  std::string name;
  OpSample sample;
  Inputs inputs;
};

std::vector<NamedSample> native_samples() {
  std::vector<NamedSample> samples;
  for (const OpDefinition& definition : all_definitions()) {
    for (const OpSample& sample : definition.samples()) {
      if (!sample.native) continue;
      const auto seed = static_cast<uint32_t>(samples.size() + 1000);
      samples.push_back({fmt::format("{} {}", definition.name, sample.name), sample, sample_inputs(sample, seed)});
    }
  }
  return samples;
}

// All samples in one program, for one compilation: sample k is "predict" at a batch of k + 1.
Program program_of_samples(const std::vector<NamedSample>& samples) {
  Program program;
  program.name = "samples";
  for (const char* name : {"step", "seed"}) {
    StateDecl state;
    state.name = name;
    state.type = {DType::i64, 0, {}};
    program.states.push_back(std::move(state));
  }
  for (size_t k = 0; k < samples.size(); ++k) {
    Graph graph = samples[k].sample.graph;
    graph.name = "predict";
    graph.batch = static_cast<int64_t>(k) + 1;
    program.functions.push_back(std::move(graph));
  }
  return program;
}

struct Way {
  const char* target;
  bool fuse;
};

void PrintTo(const Way& way, std::ostream* out) { *out << way.target << (way.fuse ? " fused" : " plain"); }

class NativeSamples : public ::testing::TestWithParam<Way> {};

TEST_P(NativeSamples, agree_with_both_interpreters) {
  PipelineOptions options;
  ASSERT_TRUE(parse_target(GetParam().target, options.target));
  const std::vector<Target> targets = detect_host().targets;
  if (std::find(targets.begin(), targets.end(), options.target) == targets.end())
    GTEST_SKIP() << "this machine cannot run it";
  if (!GetParam().fuse) options.disabled = plan_passes();
  const std::vector<NamedSample> samples = native_samples();
  ASSERT_GT(samples.size(), 150u);
  const auto lowered = std::make_shared<Lowered>(lower_program(program_of_samples(samples), options));
  Runner compiled(native(lowered->module), 2);
  Runner stepped(interpreted(lowered), 2);
  for (size_t k = 0; k < samples.size(); ++k) {
    const auto& [name, sample, inputs] = samples[k];
    SCOPED_TRACE(name);
    LoopRunner::Io io, expected_io;
    for (const auto& [input, tensor] : inputs) io[input] = expected_io[input] = to_bytes(tensor);
    compiled.run("predict", static_cast<int64_t>(k) + 1, io);
    stepped.run("predict", static_cast<int64_t>(k) + 1, expected_io);
    const ReferenceTensor expected = expected_of(sample, inputs);
    EXPECT_EQ(compare(sample, expected, from_bytes(expected.type, io.at("y"))), "");
    EXPECT_EQ(compare_bits(expected.type.dtype, expected_io.at("y"), io.at("y")), "") << "against the Loop IR";
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, NativeSamples,
                         ::testing::Values(Way{"sse2", true}, Way{"sse2", false}, Way{"avx2", true}, Way{"avx2", false},
                                           Way{"avx512", true}, Way{"avx512", false}),
                         [](const auto& info) {
                           return fmt::format("{}_{}", info.param.target, info.param.fuse ? "fused" : "plain");
                         });

}  // namespace
}  // namespace nnc::testing
