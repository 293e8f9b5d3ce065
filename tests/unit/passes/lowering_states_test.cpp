// States that are read and overwritten in one run: old values where they are wanted, new ones in every layout.
#include <fmt/format.h>

#include <cmath>

#include "tests/unit/passes/lowering_harness.h"

namespace nnc::testing {
namespace {

struct StateCase {
  const char* name;
  const char* body;
};

void PrintTo(const StateCase& test, std::ostream* out) { *out << test.name; }

const StateCase kCases[] = {
    {"a_swap", R"(%a = state "a" : f32[5,70] ; %b = state "b" : f32[5,70] ; assign "a" %b ; assign "b" %a)"},
    {"a_weight_in_both_directions", R"(%x = input "x" : f32[9,21] ; %w = state "w" : f32[70,21]
      fwd:
      %z = contract "b i, o i -> b o" %x %w ; %y = contract "b o, o i -> b i" %z %w ; output "y" %y
      %g = contract "b o, b i -> o i" %z %y ; %s = mul %g 0.0001 ; %n = sub %w %s ; assign "w" %n)"},
    {"an_old_value_read_after_the_new_one_is_known", R"(%x = input "x" : f32[9,21] ; %w = state "w" : f32[21]
      fwd:
      %m = reduce sum "b i -> i" %x ; %n = add %w %m ; assign "w" %n
      %b = broadcast "i -> b i" %n : f32[9,21] ; %c = broadcast "i -> b i" %w : f32[9,21] ; %q = mul %b %c ; %r = mul %q %x ; output "r" %r)"},
    {"a_transposed_copy", R"(%w = state "w" : f32[21,21]
      fwd:
      %t = transpose "a b -> b a" %w ; %n = add %t %w ; %h = tanh %n ; assign "w" %h)"},
    {"a_reversed_copy", R"(%w = state "w" : f32[9,21]
      fwd:
      %t = reverse %w axes=[0] ; %n = mul %t 0.5 ; assign "w" %n)"},
    {"a_weight_seen_in_another_shape", R"(%x = input "x" : f32[9,24] ; %w = state "w" : f32[17,4,6]
      fwd:
      %v = reshape %w : f32[17,24] ; %z = contract "b i, o i -> b o" %x %v ; %s = reduce sum "b o -> o" %z
      %q = broadcast "o -> o a c" %s : f32[17,4,6] ; %n = add %w %q ; assign "w" %n)"},
    {"a_weight_whose_panels_are_gathered",
     R"(%x = input "x" : f32[9,24] ; %i = input "i" : i32<17>[5] ; %w = state "w" : f32[17,24]
      fwd:
      %z = contract "b i, o i -> b o" %x %w ; output "z" %z ; %g = gather %w %i axis=0 ; output "g" %g
      %s = scatter_add %g %i axis=0 : f32[17,24] ; %n = sub %w %s ; assign "w" %n)"},
    {"halves_of_a_weight", R"(%x = input "x" : f32[9,24] ; %w = state "w" : f32[66,24]
      fwd:
      %a = slice %w start=[0,0] step=[1,1] : f32[33,24] ; %b = slice %w start=[33,0] step=[1,1] : f32[33,24]
      %y = contract "b i, o i -> b o" %x %a ; %z = contract "b i, o i -> b o" %x %b ; %q = mul %y %z ; output "q" %q
      %c = concat %b %a axis=0 ; assign "w" %c)"},
    {"running_means", R"(%x = input "x" : f32[9,70] ; %r = state "r" : f32[70] ; %k = state "k" : i64[]
      fwd:
      %s = reduce sum "b c -> c" %x ; %m = mul %s 0.1 ; %o = mul %r 0.9 ; %n = add %o %m ; assign "r" %n
      %b = broadcast "c -> b c" %r : f32[9,70] ; %d = sub %x %b ; output "d" %d ; %p = add %k 1 ; assign "k" %p)"},
    {"a_bias_beside_its_weight",
     R"(%x = input "x" : f32[20,300] ; %d = input "d" : f32[20,70] ; %w = state "w" : f32[70,300] ; %b = state "b" : f32[70]
      fwd:
      %z = contract "b i, o i -> b o" %x %w ; output "z" %z
      %g = contract "b o, b i -> o i" %d %x ; %s = mul %g %g ; %p = add %s 1 ; %r = sqrt %p ; %t = div %g %r ; %n = sub %w %t
      %h = reduce sum "b o -> o" %d ; %m = sub %b %h ; assign "w" %n ; assign "b" %m)"},
    {"a_weight_that_reads_its_old_bias",
     R"(%x = input "x" : f32[20,300] ; %d = input "d" : f32[20,70] ; %w = state "w" : f32[70,300] ; %b = state "b" : f32[70]
      fwd:
      %z = contract "b i, o i -> b o" %x %w ; output "z" %z
      %g = contract "b o, b i -> o i" %d %x ; %c = broadcast "o -> o i" %b : f32[70,300] ; %q = mul %w %c ; %u = add %g %q
      %s = mul %u %u ; %p = add %s 1 ; %r = sqrt %p ; %t = div %u %r ; %n = sub %w %t
      %h = reduce sum "b o -> o" %d ; %m = sub %b %h ; assign "w" %n ; assign "b" %m)"},
    {"one_value_for_two_states", R"(%x = input "x" : f32[9,21] ; %v = state "v" : f32[9,21] ; %w = state "w" : f32[9,21]
      fwd:
      %n = exp %x ; %m = mul %n %v ; %o = mul %m %w ; assign "v" %o ; assign "w" %o)"},
    {"a_state_from_an_input_and_from_a_constant",
     R"(%x = input "x" : f32[9,21] ; %c = constant 2 : f32[5] ; assign "a" %x ; assign "b" %c)"},
    {"random_initial_weights", R"(%e = state "seed" : i64[] ; %t = state "step" : i64[]
      fwd:
      %n = random normal %e %t site=3 : f32[33,70] ; %u = random uniform %e %t site=4 : f32[70] ; assign "w" %n ; assign "b" %u
      %p = add %t 1 ; assign "step" %p)"},
};

class LoweredStates : public ::testing::TestWithParam<StateCase> {};

void expect_close(const ReferenceTensor& got, const ReferenceTensor& exact) {
  ASSERT_EQ(got.values.size(), exact.values.size());
  for (size_t k = 0; k < exact.values.size(); ++k) {
    const double allowed = is_float(exact.type.dtype) ? 2e-5 * std::max(1.0, std::abs(exact.values[k])) : 0;
    ASSERT_NEAR(got.values[k], exact.values[k], allowed) << "element " << k;
  }
}

TEST_P(LoweredStates, hold_what_the_oracle_says_after_each_of_two_runs) {
  const Case test = read_case(GetParam().body);
  for (const Target& target : {target_sse2(), target_avx2(), target_avx512()}) {
    std::vector<std::byte> bits;
    for (const bool fuse : {true, false}) {
      SCOPED_TRACE(fmt::format("{} {}", target.name, fuse ? "fused" : "plain"));
      Program program = test.program;
      program.functions = {test.graph};
      program.functions[0].name = "predict";
      PipelineOptions options;
      options.target = target;
      if (!fuse) options.disabled = plan_passes();
      const Lowered lowered = lower_program(std::move(program), options);
      LoopRunner runner(lowered.module);
      States states = random_states(test.program);
      runner.set_states(states);
      for (const uint64_t run : {1, 2}) {
        const Inputs inputs = random_inputs(test.graph, run);
        LoopRunner::Io io;
        for (const auto& [name, tensor] : inputs) io[name] = to_bytes(tensor);
        const std::vector<std::string> races = runner.races("predict", io, 3);
        EXPECT_TRUE(races.empty()) << races.size() << " races, the first " << races[0] << "\n"
                                   << print(lowered.plans[0]);
        const Evaluation expected = interpret(test.graph, inputs, states);
        for (const Root& root : test.graph.roots) {
          const ReferenceTensor& exact = expected.values[root.node.value];
          SCOPED_TRACE(root.name);
          expect_close(from_bytes(exact.type, io.at(root.name)), exact);
        }
        for (const auto& [state, value] : expected.assigned) states[state] = value;
        for (const auto& [state, value] : states) {
          SCOPED_TRACE(test.program.states[state].name);
          expect_close(runner.state(StateId(state)), value);
          states[state] = runner.state(StateId(state));  // so that errors do not add up
        }
      }
      if (fuse) bits = runner.states_in_order();
      EXPECT_TRUE(runner.states_in_order() == bits);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, LoweredStates, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

// The checks themselves: without barriers a step has races, and only on several threads.
TEST(LoweredRaces, are_found_where_a_barrier_is_missing) {
  const Case test = read_case(kCases[1].body);
  Program program = test.program;
  program.functions = {test.graph};
  program.functions[0].name = "predict";
  PipelineOptions options;
  options.target = target_avx2();
  Lowered lowered = lower_program(std::move(program), options);
  std::vector<LoopPhase>& phases = lowered.module.entries[0].phases;
  ASSERT_GT(phases.size(), 1u);
  for (size_t p = 1; p < phases.size(); ++p) {
    for (KernelCall& call : phases[p].calls) phases[0].calls.push_back(std::move(call));
  }
  phases.resize(1);
  LoopRunner runner(lowered.module);
  runner.set_states(random_states(test.program));
  LoopRunner::Io io;
  for (const auto& [name, tensor] : random_inputs(test.graph)) io[name] = to_bytes(tensor);
  EXPECT_TRUE(runner.races("predict", io, 1).empty());
  EXPECT_FALSE(runner.races("predict", io, 2).empty());
}

}  // namespace
}  // namespace nnc::testing
