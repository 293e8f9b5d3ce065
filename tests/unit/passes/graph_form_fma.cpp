// form_fma: which sums take a product in, and with which signs.
#include <fmt/format.h>

#include <algorithm>

#include "passes/graph/form_fma.h"
#include "passes/graph/remove_dead.h"
#include "passes/pipeline.h"
#include "tests/unit/passes/graph_testing.h"

namespace nnc::testing {
namespace {

void form_and_clean(Graph& graph) {
  form_fma(graph);
  remove_dead(graph);
}

std::string inputs_of(std::string_view type) {
  return fmt::format("%a = input \"a\" : {0}\n%b = input \"b\" : {0}\n%c = input \"c\" : {0}\nfwd:\n", type);
}

void expect_formed(std::string_view before, std::string_view after, std::string_view type = "f32[3]") {
  SCOPED_TRACE(before);
  Case test = read_case(inputs_of(type) + std::string(before) + "\noutput \"y\" %y");
  Case expected = read_case(inputs_of(type) + std::string(after) + "\noutput \"y\" %y");
  form_and_clean(test.graph);
  remove_dead(expected.graph);
  EXPECT_EQ(plain_text(test.graph, test.program), plain_text(expected.graph, expected.program));
  expect_valid(test.graph, test.program, true);
}

void expect_kept(std::string_view body, std::string_view type = "f32[3]") { expect_formed(body, body, type); }

TEST(FormFma, takes_the_product_from_either_side_of_a_sum) {
  for (const char* type : {"f32[3]", "f32[]", "f64[]"}) {
    expect_formed("%t = mul %a %b\n%y = add %t %c", "%y = fma %a %b %c", type);
    expect_formed("%t = mul %a %b\n%y = add %c %t", "%y = fma %a %b %c", type);
    expect_formed("%t = mul %a 0.1\n%y = add %c %t", "%y = fma %a 0.1 %c", type);
  }
}

TEST(FormFma, negates_an_operand_of_a_difference) {
  expect_formed("%t = mul %a %b\n%y = sub %t %c", "%n = neg %c\n%y = fma %a %b %n");
  expect_formed("%t = mul %a %b\n%y = sub %c %t", "%n = neg %a\n%y = fma %n %b %c");
  expect_formed("%t = mul %a 0.1\n%y = sub %c %t", "%y = fma -0.1 %a %c");
  expect_formed("%t = mul %a %b\n%y = sub %t 0.5", "%y = fma %a %b -0.5");
}

TEST(FormFma, negates_what_repeats) {
  expect_formed("%s = reduce max \"a -> \" %c\n%r = broadcast \"-> a\" %s : f32[3]\n%t = mul %a %r\n%y = sub %b %t",
                "%s = reduce max \"a -> \" %c\n%r = broadcast \"-> a\" %s : f32[3]\n%n = neg %r\n%y = fma %n %a %b");
}

TEST(FormFma, takes_one_of_two_products_and_goes_on_along_a_chain) {
  expect_formed("%t = mul %a %b\n%u = mul %b %c\n%y = add %t %u", "%u = mul %b %c\n%y = fma %a %b %u");
  expect_formed("%t = mul %a %b\n%u = mul %b %c\n%y = sub %t %u", "%u = mul %b %c\n%n = neg %u\n%y = fma %a %b %n");
  expect_formed("%t = mul %a %b\n%s = add %t %c\n%u = mul %b %c\n%y = sub %s %u",
                "%s = fma %a %b %c\n%n = neg %b\n%y = fma %n %c %s");
  expect_formed("%t = mul %a %b\n%s = add %t %c\n%u = mul %s %b\n%y = add %u %a",
                "%s = fma %a %b %c\n%y = fma %s %b %a");
}

TEST(FormFma, negates_a_value_once) {
  expect_formed("%t = mul %a %b\n%s = sub %t %c\n%u = mul %b %b\n%v = sub %u %c\n%y = max %s %v",
                "%n = neg %c\n%s = fma %a %b %n\n%v = fma %b %b %n\n%y = max %s %v");
}

TEST(FormFma, leaves_products_that_somebody_else_reads) {
  expect_kept("%t = mul %a %b\n%s = add %t %c\n%y = max %s %t");
  expect_kept("%t = mul %a %b\n%y = add %t %t");
  expect_kept("%t = mul %a %b\n%y = add %t %c\noutput \"t\" %t");
  expect_kept("%t = mul %a %b\n%u = add %t %c\n%v = sub %c %t\n%y = max %u %v");
}

TEST(FormFma, does_not_count_readers_that_nothing_needs) {
  expect_formed("%t = mul %a %b\n%u = exp %t\n%v = neg %u\n%y = add %t %c", "%y = fma %a %b %c");
}

TEST(FormFma, leaves_integers_and_products_of_repeated_values) {
  expect_kept("%t = mul %a %b\n%y = add %t %c", "i32[3]");
  expect_kept("%s = reduce max \"a -> \" %b\n%r = broadcast \"-> a\" %s : f32[3]\n%t = mul %r 0.1\n%y = add %t %a");
}

TEST(FormFma, leaves_products_of_another_part_and_clones) {
  constexpr std::string_view later =
      "%a = input \"a\" : f32[3]\nfwd:\n%t = mul %a %a\nbwd:\n%y = add %t %a\ngradient \"y\" %y";
  expect_pass(form_and_clean, later, later);
  constexpr std::string_view cloned =
      "%a = input \"a\" : f32[3]\nfwd:\n%t = mul %a %a\n%y = add %t %a\noutput \"y\" %y\nbwd:\n"
      "%u = mul %a %a clone=%t\n%z = add %u %a clone=%y\ngradient \"z\" %z";
  expect_pass(form_and_clean, cloned, cloned);
}

// Sums of products that fit doubles twice over are exact either way, so the oracle sees the same values.
TEST(FormFma, keeps_values_and_locations) {
  Case test = read_case(
      "%a = input \"a\" : i32[5]\n%b = input \"b\" : i32[5]\n%c = input \"c\" : i32[5]\nfwd:\n%p = cast %a : f32[5]\n"
      "%q = cast %b : f32[5]\n%r = cast %c : f32[5]\n%t = mul %p %q !7\n%s = sub %t %r !8\n%u = mul %s %q\n%y = sub %r "
      "%u\noutput \"y\" %y");
  const Graph before = test.graph;
  form_and_clean(test.graph);
  expect_same_values(before, test.graph, test.program);
  for (const Node& node : test.graph.nodes) {
    if (node.op == Op::neg && !node.locations.empty()) {
      EXPECT_EQ(node.locations.size(), 2u);
    }
    EXPECT_NE(node.op, Op::mul);
    EXPECT_NE(node.op, Op::sub);
  }
}

TEST(FormFma, is_done_whatever_is_switched_off) {
  Case test = read_case(inputs_of("f32[3]") + "%t = mul %a %b\n%y = add %t %c\noutput \"y\" %y");
  test.graph.name = "predict";
  test.program.functions.push_back(test.graph);
  PipelineOptions options;
  for (const PassInfo& pass : pass_table()) options.disabled.insert(std::string(pass.name));
  options.stop_after = "fix_orders";
  const Lowered lowered = lower_program(test.program, options);
  const auto& nodes = lowered.program->functions[0].nodes;
  EXPECT_EQ(std::count_if(nodes.begin(), nodes.end(), [](const Node& node) { return node.op == Op::fma; }), 1);
}

}  // namespace
}  // namespace nnc::testing
