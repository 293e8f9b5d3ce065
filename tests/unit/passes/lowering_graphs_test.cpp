// Graphs of several ops, lowered in every way, against the Graph's interpreter: where one region reads what another
// wrote.
#include <fmt/format.h>

#include <cmath>

#include "tests/unit/passes/lowering_harness.h"

namespace nnc::testing {
namespace {

struct GraphCase {
  const char* name;
  const char* body;
};

void PrintTo(const GraphCase& test, std::ostream* out) { *out << test.name; }

const GraphCase kCases[] = {
    // Items of both regions are counted alike, but an item of the sum needs all items of the exponentials.
    {"sum_over_the_leading_axis", R"(%x = input "x" : f32[5,5,3,4]
      fwd:
      %e = exp %x ; output "e" %e ; %s = reduce sum "a b c d -> b c d" %e ; output "s" %s)"},
    {"max_over_a_middle_axis", R"(%x = input "x" : f32[3,3,3,5]
      fwd:
      %e = tanh %x ; output "e" %e ; %s = reduce max "a b c d -> a c d" %e ; output "s" %s)"},
    {"argmax_over_the_leading_axis", R"(%x = input "x" : f32[5,5,3,4]
      fwd:
      %e = exp %x ; output "e" %e ; %s = reduce argmax "a b c d -> b c d" %e ; output "s" %s)"},
    {"cumsum_over_the_leading_axis", R"(%x = input "x" : f32[7,40]
      fwd:
      %e = exp %x ; output "e" %e ; %s = cumsum %e axis=0 ; %q = mul %s %e ; output "s" %q)"},
    {"transpose_of_what_was_computed", R"(%x = input "x" : f32[20,20]
      fwd:
      %e = exp %x ; output "e" %e ; %t = transpose "a b -> b a" %e ; %s = add %e %t ; %q = tanh %s ; output "s" %q)"},
    {"product_of_a_stepped_slice", R"(%x = input "x" : f32[9,21] ; %w = input "w" : f32[17,10]
      fwd:
      %e = exp %x ; %s = slice %e start=[1,1] step=[2,2] : f32[4,10] ; %z = contract "b i, o i -> b o" %s %w ; output "z" %z)"},
    {"product_of_a_reversed_operand", R"(%x = input "x" : f32[9,21] ; %w = input "w" : f32[17,21]
      fwd:
      %s = reverse %x axes=[1] ; %z = contract "b i, o i -> b o" %s %w ; %r = reverse %w axes=[0,1]
      %y = contract "b i, o i -> b o" %x %r ; output "z" %z ; output "y" %y)"},
    {"product_of_a_split_axis", R"(%x = input "x" : f32[6,24] ; %w = input "w" : f32[19,2,12]
      fwd:
      %e = exp %x ; %s = reshape %e : f32[6,2,12] ; %z = contract "b h i, o h i -> b o" %s %w ; output "z" %z)"},
    {"product_of_merged_axes", R"(%x = input "x" : f32[6,3,8] ; %w = input "w" : f32[19,24]
      fwd:
      %e = exp %x ; %s = reshape %e : f32[6,24] ; %z = contract "b i, o i -> b o" %s %w ; output "z" %z)"},
    {"long_product_of_merged_axes", R"(%x = input "x" : f32[50,60] ; %w = input "w" : f32[4,15,140]
      fwd:
      %s = reshape %w : f32[60,140] ; %z = contract "b i, i o -> b o" %x %s ; %h = max %z 0 ; output "h" %h)"},
    {"long_product_of_gathered_rows",
     R"(%x = input "x" : f32[50,60] ; %w = input "w" : f32[17,140] ; %i = input "i" : i32<17>[60]
      fwd:
      %s = gather %w %i axis=0 ; %z = contract "b i, i o -> b o" %x %s ; %h = max %z 0 ; output "h" %h)"},
    {"a_part_of_more_panels", R"(%x = input "x" : f32[20,128] ; %y = input "y" : f32[20,128]
      fwd:
      %e = exp %x ; %s = reduce sum "a b -> b" %e ; %c = concat %e %y axis=1 ; %t = tanh %c ; output "s" %s ; output "t" %t)"},
    {"panels_of_two_widths",
     R"(%x = input "x" : f32[64,150] ; %y = input "y" : f32[64,190] ; %v = input "v" : f32[150,128] ; %w = input "w" : f32[190,96]
      fwd:
      %a = contract "b i, i o -> b o" %x %v ; %e = max %a 0 ; %p = slice %e start=[0,0] step=[1,1] : f32[64,96]
      %b = contract "b i, i o -> b o" %y %w ; %z = add %b %p ; %f = tanh %z ; output "e" %e ; output "f" %f)"},
    {"product_of_a_concatenation",
     R"(%x = input "x" : f32[6,5] ; %y = input "y" : f32[6,9] ; %w = input "w" : f32[19,14]
      fwd:
      %e = exp %x ; %s = concat %e %y axis=1 ; %z = contract "b i, o i -> b o" %s %w ; %t = tanh %z ; output "z" %t)"},
    {"product_of_a_padded_operand", R"(%x = input "x" : f32[6,9] ; %w = input "w" : f32[19,14]
      fwd:
      %e = exp %x ; %s = pad %e before=[1,2] after=[0,3] step=[1,1] value=0.5 ; %z = contract "b i, o i -> b o" %s %w ; output "z" %z)"},
    // Lanes behind the end of the sum hold exp(0) on both sides.
    {"dot_products_of_computed_rows", R"(%x = input "x" : f32[3,7,37] ; %w = input "w" : f32[37]
      fwd:
      %e = exp %x ; %v = exp %w ; %z = contract "a b i, i -> a b" %e %v ; %q = tanh %z ; output "z" %z ; output "q" %q)"},
    {"one_output_of_computed_rows", R"(%x = input "x" : f32[14,50] ; %w = input "w" : f32[1,50]
      fwd:
      %e = exp %x ; %z = contract "b i, o i -> b o" %e %w ; %y = max %z 0 ; %t = contract "b i, b j -> i j" %y %y
      output "y" %y ; output "t" %t)"},
    {"products_along_a_diagonal", R"(%g = input "g" : f32[19,19] ; %v = input "v" : f32[19] ; %c = input "c" : f32[]
      fwd:
      %e = exp %g ; %d = contract "i i, i -> i" %e %v ; %s = contract "i i, i -> " %e %v ; %t = contract ", i i -> i" %c %e
      output "d" %d ; output "s" %s ; output "t" %t)"},
    {"products_in_a_chain_across_rows", R"(%x = input "x" : f32[13,9] ; %w = input "w" : f32[13,13]
      fwd:
      %e = exp %w ; output "e" %e ; %z = contract "b i, i o -> b o" %e %x ; %y = contract "i b, i o -> b o" %e %z ; output "y" %y)"},
    {"batched_products",
     R"(%q = input "q" : f32[2,3,7,5] ; %k = input "k" : f32[2,3,11,5] ; %v = input "v" : f32[2,3,11,5]
      fwd:
      %s = contract "b h q e, b h k e -> b h q k" %q %k ; %m = reduce max "b h q k -> b h q" %s
      %mb = broadcast "b h q -> b h q k" %m : f32[2,3,7,11] ; %d = sub %s %mb ; %e = exp %d ; %u = reduce sum "b h q k -> b h q" %e
      %ub = broadcast "b h q -> b h q k" %u : f32[2,3,7,11] ; %p = div %e %ub ; %o = contract "b h q k, b h k e -> b h q e" %p %v
      output "o" %o)"},
    {"convolution_and_its_sums", R"(%x = input "x" : f32[2,3,9,9] ; %k = input "k" : f32[4,3,3,3]
      fwd:
      %c = contract "n c (2*p+r-1) (2*q+s-1), o c r s -> n o p q" %x %k : f32[2,4,5,5] ; %h = max %c 0
      %s = reduce sum "n o p q -> o" %h ; %b = broadcast "o -> n o p q" %s : f32[2,4,5,5] ; %d = sub %h %b ; output "d" %d)"},
    {"mean_of_a_long_vector", R"(%x = input "x" : f32[777]
      fwd:
      %e = exp %x ; %s = reduce sum "a -> " %e ; %m = mul %s 0.0012870012870012871 ; %b = broadcast "-> a" %m : f32[777]
      %d = sub %e %b ; output "d" %d ; output "m" %m)"},
    {"norm_of_long_rows", R"(%x = input "x" : f32[7,300]
      fwd:
      %q = mul %x %x ; %s = reduce sum "a b -> a" %q ; %r = sqrt %s ; %b = broadcast "a -> a b" %r : f32[7,300] ; %d = div %x %b
      %t = reduce sum "a -> " %r ; output "d" %d ; output "t" %t)"},
    {"rows_reduced_twice", R"(%x = input "x" : f32[11,70]
      fwd:
      %m = reduce max "a b -> a" %x ; %b = broadcast "a -> a b" %m : f32[11,70] ; %d = sub %x %b ; %e = exp %d
      %s = reduce sum "a b -> a" %e ; %l = log %s ; %o = add %l %m ; output "o" %o ; %n = reduce min "a b -> b" %e ; output "n" %n)"},
    {"gather_of_a_computed_table", R"(%x = input "x" : f32[7,33] ; %i = input "i" : i32<7>[4,5]
      fwd:
      %e = exp %x ; %g = gather %e %i axis=0 ; %h = tanh %g ; output "h" %h)"},
    {"scatter_of_computed_rows", R"(%x = input "x" : f32[20,33] ; %i = input "i" : i32<7>[20]
      fwd:
      %e = exp %x ; %s = scatter_add %e %i axis=0 : f32[7,33] ; %h = tanh %s ; output "h" %h)"},
    {"scatter_along_the_last_axis", R"(%x = input "x" : f32[5,20] ; %i = input "i" : i32<37>[20]
      fwd:
      %e = exp %x ; %s = scatter_add %e %i axis=1 : f32[5,37] ; %h = tanh %s ; output "h" %h)"},
    {"one_value_of_two_shapes", R"(%x = input "x" : f32[4,6]
      fwd:
      %e = exp %x ; %r = reshape %e : f32[2,12] ; %t = tanh %r ; %q = reshape %t : f32[24] ; output "e" %e ; output "q" %q)"},
    {"an_input_and_a_constant_as_results", R"(%x = input "x" : f32[4,6]
      fwd:
      %c = constant 3 : f32[2,5] ; %i = iota axis=1 : i32<9>[3,9] ; %b = broadcast "a b -> c a b" %x : f32[2,4,6]
      output "x2" %x ; output "c" %c ; output "i" %i ; output "b" %b)"},
    {"booleans_and_integers_between_regions", R"(%x = input "x" : f32[30,40] ; %y = input "y" : i32<40>[30]
      fwd:
      %a = reduce argmax "a b -> a" %x ; %h = compare eq %a %y ; %f = cast %h : f32[30] ; %s = reduce sum "a -> " %f ; output "s" %s
      %k = compare gt %x 0 ; output "k" %k ; %t = transpose "a b -> b a" %k ; %n = logical_not %t ; output "n" %n)"},
};

class LoweredGraphs : public ::testing::TestWithParam<GraphCase> {};

TEST_P(LoweredGraphs, agree_with_the_oracle_and_have_no_races) {
  const Case test = read_case(GetParam().body);
  const Inputs inputs = random_inputs(test.graph);
  const Evaluation expected = interpret(test.graph, inputs, {});
  for (const Target& target : {target_sse2(), target_avx2(), target_avx512()}) {
    for (const std::string_view way : {"fused", "plain", "before a small cache"}) {
      SCOPED_TRACE(fmt::format("{} {}", target.name, way));
      Program program = test.program;
      program.functions = {test.graph};
      program.functions[0].name = "predict";
      PipelineOptions options;
      options.target = target;
      options.verify = true;
      if (way == "plain") options.disabled = plan_passes();
      if (way == "before a small cache") options.target.near_cache = 4096;
      const Lowered lowered = lower_program(std::move(program), options);
      LoopRunner runner(lowered.module);
      LoopRunner::Io io;
      for (const auto& [name, tensor] : inputs) io[name] = to_bytes(tensor);
      for (int64_t threads : {1, 3}) {
        const std::vector<std::string> races = runner.races("predict", io, threads);
        EXPECT_TRUE(races.empty()) << races.size() << " races, the first " << races[0] << "\n"
                                   << print(lowered.plans[0]);
        for (const Root& root : test.graph.roots) {
          const ReferenceTensor& exact = expected.values[root.node.value];
          const ReferenceTensor got = from_bytes(exact.type, io.at(root.name));
          for (size_t k = 0; k < exact.values.size(); ++k) {
            const double allowed = is_float(exact.type.dtype) ? 1e-5 * std::max(1.0, std::abs(exact.values[k])) : 0;
            ASSERT_NEAR(got.values[k], exact.values[k], allowed) << root.name << " element " << k << "\n"
                                                                 << print(lowered.plans[0]);
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, LoweredGraphs, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace nnc::testing
