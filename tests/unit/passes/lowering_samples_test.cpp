// Every op's samples, lowered to Loop IR, against the Graph's interpreter.
#include <fmt/format.h>

#include "ir/loop/text.h"
#include "tests/unit/passes/lowering_harness.h"

namespace nnc::testing {
namespace {

class LoweredSamples : public ::testing::TestWithParam<std::pair<const char*, bool>> {};

TEST_P(LoweredSamples, agree_with_the_oracle) {
  Target target;
  ASSERT_TRUE(parse_target(GetParam().first, target));
  int compared = 0;
  for (const OpDefinition& definition : all_definitions()) {
    uint32_t seed = 1;
    for (const OpSample& sample : definition.samples()) {
      if (!sample.native) continue;
      SCOPED_TRACE(fmt::format("{} {}", definition.name, sample.name));
      const Lowered lowered = lower_sample(sample, target, GetParam().second);
      const Inputs inputs = sample_inputs(sample, seed++);
      LoopRunner runner(lowered.module);
      LoopRunner::Io io;
      for (const auto& [name, tensor] : inputs) io[name] = to_bytes(tensor);
      runner.run("predict", io);
      const ReferenceTensor expected = expected_of(sample, inputs);
      EXPECT_EQ(compare(sample, expected, from_bytes(expected.type, io.at("y"))), "");
      ++compared;
    }
  }
  EXPECT_GT(compared, 150);
}

INSTANTIATE_TEST_SUITE_P(Targets, LoweredSamples,
                         ::testing::Values(std::pair("sse2", true), std::pair("sse2", false), std::pair("avx2", true),
                                           std::pair("avx2", false), std::pair("avx512", true),
                                           std::pair("avx512", false)),
                         [](const auto& info) {
                           return fmt::format("{}_{}", info.param.first, info.param.second ? "fused" : "plain");
                         });

}  // namespace
}  // namespace nnc::testing
