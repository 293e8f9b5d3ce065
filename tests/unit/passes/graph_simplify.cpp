#include "passes/graph/simplify.h"

#include "passes/graph/remove_dead.h"
#include "tests/unit/passes/graph_testing.h"

namespace nnc::testing {
namespace {

void simplify_and_clean(Graph& graph) {
  simplify(graph);
  remove_dead(graph);
}

// Lines over %x %y : f32[2,3], %n : i32[2,3] and %c : bool[2,3]; the last value is %r.
struct Row {
  const char* name;
  const char* before;
  const char* after;
};

constexpr std::string_view inputs = R"(
  %x = input "x" : f32[2,3]
  %y = input "y" : f32[2,3]
  %n = input "n" : i32<9>[2,3]
  %c = input "c" : bool[2,3]
)";

// All inputs are outputs too, so that none dies.
std::string body(std::string_view lines, std::string_view result) {
  std::string text(inputs);
  text += "fwd:\n";
  text += lines;
  text += R"(
  output "x" %x ; output "y" %y ; output "n" %n ; output "c" %c
  output "r" )";
  text += result;
  return text;
}

const Row rows[] = {
    {"add_zero_stays", "%r = add %x 0", "%r = add %x 0"},
    {"add_minus_zero", "%r = add %x -0", "%r = reshape %x : f32[2,3]"},
    {"add_zero_to_exp", "%e = exp %x ; %r = add 0 %e", "%r = exp %x"},
    {"subtract_zero", "%r = sub %x 0", "%r = reshape %x : f32[2,3]"},
    {"subtract_minus_zero_stays", "%r = sub %x -0", "%r = sub %x -0"},
    {"zero_minus_stays", "%r = sub 0 %x", "%r = sub 0 %x"},
    {"one_times", "%r = mul 1 %x", "%r = reshape %x : f32[2,3]"},
    {"minus_one_times", "%r = mul %x -1", "%r = neg %x"},
    {"zero_times_stays", "%r = mul %x 0", "%r = mul %x 0"},
    {"integer_zero_times", "%m = mul %n 0 ; %r = cast %m : f32[2,3]",
     "%r = constant 0 : i32[2,3] ; %s = cast %r : f32[2,3]"},
    {"negated_factors", "%a = neg %x ; %b = neg %y ; %r = mul %a %b", "%r = mul %x %y"},
    {"powers_of_two", "%a = mul %x 0.5 ; %r = mul 0.25 %a", "%r = mul %x 0.125"},
    {"up_and_down_stays", "%a = mul %x 2 ; %r = mul %a 0.5", "%a = mul %x 2 ; %r = mul %a 0.5"},
    {"tenths_stay", "%a = mul %x 0.1 ; %r = mul %a 0.5", "%a = mul %x 0.1 ; %r = mul %a 0.5"},
    {"divide_by_one", "%r = div %x 1", "%r = reshape %x : f32[2,3]"},
    {"divide_by_four", "%r = div %x 4", "%r = mul %x 0.25"},
    {"divide_by_three_stays", "%r = div %x 3", "%r = div %x 3"},
    {"minus_minus", "%a = neg %x ; %r = neg %a", "%r = reshape %x : f32[2,3]"},
    {"plus_minus", "%a = neg %x ; %r = add %a %y", "%r = sub %y %x"},
    {"minus_negated", "%a = neg %x ; %r = sub %y %a", "%r = add %y %x"},
    {"absolute", "%a = neg %x ; %b = abs %a ; %r = abs %b", "%r = abs %x"},
    {"power_of_one", "%r = pow %x 1", "%r = reshape %x : f32[2,3]"},
    {"select_same", "%r = select %c %x %x", "%r = reshape %x : f32[2,3]"},
    {"select_true", "%t = constant 1 : bool[2,3] ; %r = select %t %x %y", "%r = reshape %x : f32[2,3]"},
    {"select_not", "%d = logical_not %c ; %r = select %d %x %y", "%r = select %c %y %x"},
    {"max_same", "%r = max %x %x", "%r = reshape %x : f32[2,3]"},
    {"and_true", "%t = constant 1 : bool[2,3] ; %d = logical_and %c %t ; %r = cast %d : f32[2,3]",
     "%r = cast %c : f32[2,3]"},
    {"or_true", "%t = constant 1 : bool[2,3] ; %r = logical_or %c %t", "%r = constant 1 : bool[2,3]"},
    {"not_not", "%d = logical_not %c ; %e = logical_not %d ; %r = cast %e : f32[2,3]", "%r = cast %c : f32[2,3]"},
    {"cast_same", "%r = cast %x : f32[2,3]", "%r = reshape %x : f32[2,3]"},
    {"cast_bool_twice", "%i = cast %c : i32[2,3] ; %r = cast %i : f32[2,3]", "%r = cast %c : f32[2,3]"},
    {"cast_down_and_up_stays", "%h = cast %x : bf16[2,3] ; %r = cast %h : f32[2,3]",
     "%h = cast %x : bf16[2,3] ; %r = cast %h : f32[2,3]"},
    {"detach", "%d = detach %x ; %r = exp %d", "%r = exp %x"},
    {"reshape_twice", "%a = reshape %x : f32[6] ; %r = reshape %a : f32[3,2]", "%r = reshape %x : f32[3,2]"},
    {"reshape_back", "%a = reshape %x : f32[6] ; %r = reshape %a : f32[2,3]", "%r = reshape %x : f32[2,3]"},
    {"transpose_back", "%a = transpose \"a b -> b a\" %x ; %r = transpose \"a b -> b a\" %a",
     "%r = reshape %x : f32[2,3]"},
    {"transpose_of_unit_axis", "%a = reshape %x : f32[1,2,3] ; %r = transpose \"a b c -> b a c\" %a",
     "%r = reshape %x : f32[2,1,3]"},
    {"broadcast_twice",
     "%a = broadcast \"a b -> q a b\" %x : f32[4,2,3] ; %r = broadcast \"q a b -> q a b p\" %a : f32[4,2,3,5]",
     "%r = broadcast \"a b -> q a b p\" %x : f32[4,2,3,5]"},
    {"broadcast_of_added_axis", "%a = reshape %x : f32[2,1,3] ; %r = broadcast \"a b c -> q a b c\" %a : f32[4,2,1,3]",
     "%r = broadcast \"a c -> q a b c\" %x : f32[4,2,1,3]"},
    {"broadcast_of_nothing", "%r = broadcast \"a b -> q a b\" %x : f32[1,2,3]", "%r = reshape %x : f32[1,2,3]"},
    {"broadcast_of_splat", "%k = constant 2 : f32[] ; %r = broadcast \"-> a\" %k : f32[5]", "%r = constant 2 : f32[5]"},
    {"slice_all", "%r = slice %x start=[0,0] step=[1,1] : f32[2,3]", "%r = reshape %x : f32[2,3]"},
    {"slice_twice", "%a = slice %x start=[1,0] step=[1,2] : f32[1,2] ; %r = slice %a start=[0,1] step=[1,1] : f32[1,1]",
     "%r = slice %x start=[1,2] step=[1,1] : f32[1,1]"},
    {"pad_nothing", "%r = pad %x before=[0,0] after=[0,0] step=[1,1] value=0", "%r = reshape %x : f32[2,3]"},
    {"concat_one", "%r = concat %x axis=0", "%r = reshape %x : f32[2,3]"},
    {"reverse_twice", "%a = reverse %x axes=[0] ; %r = reverse %a axes=[0,1]", "%r = reverse %x axes=[1]"},
    {"reduce_nothing", "%r = reduce sum \"a b -> a b\" %x", "%r = reshape %x : f32[2,3]"},
    {"sum_of_one_stays", "%a = reshape %x : f32[6,1] ; %r = reduce sum \"a b -> a\" %a",
     "%a = reshape %x : f32[6,1] ; %r = reduce sum \"a b -> a\" %a"},
    {"max_of_splat", "%k = constant 2 : f32[3,4] ; %r = reduce max \"a b -> a\" %k", "%r = constant 2 : f32[3]"},
};

class Simplify : public ::testing::TestWithParam<Row> {};

TEST_P(Simplify, rewrites) {
  const Row& row = GetParam();
  bool casts_integer = std::string_view(row.name) == "integer_zero_times";
  Case test = read_case(body(row.before, "%r"));
  Graph before = test.graph;
  simplify_and_clean(test.graph);
  // "reshape to the same shape" stands for: the value itself.
  std::string after = row.after;
  bool is_x = after == "%r = reshape %x : f32[2,3]";
  expect_graph(test.graph, test.program, is_x ? body("", "%x") : body(after, casts_integer ? "%s" : "%r"));
  expect_same_values(before, test.graph, test.program);
}

INSTANTIATE_TEST_SUITE_P(rows, Simplify, ::testing::ValuesIn(rows),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SimplifyGraph, keeps_clones) {
  Case test = read_case(body("%a = mul %x 1\nbwd:\n%r = mul %x 1 clone=%a\nfwd:", "%r"));
  simplify(test.graph);
  EXPECT_EQ(test.graph[test.graph.roots.back().node].op, Op::mul);
}

// Each of 1e5 steps folds into the one before.
TEST(SimplifyGraph, long_chain) {
  Graph graph;
  graph.name = "step";
  GraphBuilder build(graph);
  NodeId x = build.input("x", {DType::f32, 0, {2}});
  for (int k = 0; k < 100000; ++k) x = build.neg(x);
  graph.roots.push_back({Root::output, "x", x});
  simplify_and_clean(graph);
  EXPECT_EQ(graph.nodes.size(), 1u);
}

}  // namespace
}  // namespace nnc::testing
