// merge_duplicates, remove_dead, fold_constants, fold_movement, fix_orders.
#include <fmt/format.h>

#include <cmath>

#include "passes/graph/fix_orders.h"
#include "passes/graph/fold_constants.h"
#include "passes/graph/fold_movement.h"
#include "passes/graph/merge_duplicates.h"
#include "passes/graph/remove_dead.h"
#include "tests/unit/passes/graph_testing.h"

namespace nnc::testing {
namespace {

void fold_and_clean(Graph& graph) {
  fold_constants(graph);
  remove_dead(graph);
}

void fold_movement_and_clean(Graph& graph) {
  fold_movement(graph);
  remove_dead(graph);
}

TEST(MergeDuplicates, swaps_operands_of_commutative_ops) {
  expect_pass(merge_duplicates,
              "%x = input \"x\" : f32[2]\n%y = input \"y\" : f32[2]\nfwd:\n%a = mul %x %y\n%b = mul %y %x\n"
              "%c = sub %x %y\n%d = sub %y %x\n%e = add %a %b\n%f = add %c %d\noutput \"e\" %e\noutput \"f\" %f",
              "%x = input \"x\" : f32[2]\n%y = input \"y\" : f32[2]\nfwd:\n%a = mul %x %y\n"
              "%c = sub %x %y\n%d = sub %y %x\n%e = add %a %a\n%f = add %c %d\noutput \"e\" %e\noutput \"f\" %f");
}

TEST(MergeDuplicates, tells_attributes_types_and_signs_apart) {
  constexpr std::string_view text =
      "%x = input \"x\" : f32[2,2]\nfwd:\n%a = reduce sum \"a b -> a\" %x\n%b = reduce sum \"a b -> b\" %x\n"
      "%z = constant 0 : f32[2]\n%m = constant -0 : f32[2]\n%d = sub %z %a\n%e = sub %m %b\n"
      "%i = iota axis=0 : i32<2>[2]\n%j = iota axis=0 : i32<3>[2]\n%k = cast %i : f32[2]\n%l = cast %j : f32[2]\n"
      "output \"d\" %d\noutput \"e\" %e\noutput \"k\" %k\noutput \"l\" %l";
  Case test = read_case(text);
  size_t before = test.graph.nodes.size();
  merge_duplicates(test.graph);
  EXPECT_EQ(test.graph.nodes.size(), before);
}

TEST(MergeDuplicates, joins_random_nodes_of_one_site_only) {
  Case test = read_case(
      "%s = state \"seed\" : i64[]\n%t = state \"step\" : i64[]\nfwd:\n"
      "%a = random uniform %s %t site=1 : f32[4]\n%b = random uniform %s %t site=1 : f32[4]\n"
      "%c = random uniform %s %t site=2 : f32[4]\n%d = add %a %b\n%e = add %d %c\noutput \"e\" %e");
  Graph before = test.graph;
  merge_duplicates(test.graph);
  EXPECT_EQ(test.graph.nodes.size(), before.nodes.size() - 1);
  expect_same_values(before, test.graph, test.program);
}

TEST(MergeDuplicates, backward_joins_forward_but_not_the_other_way) {
  expect_pass(merge_duplicates,
              "%x = input \"x\" : f32[2]\nfwd:\n%a = exp %x\noutput \"a\" %a\nbwd:\n%b = exp %x\n%c = neg %b\ngradient "
              "\"g\" %c",
              "%x = input \"x\" : f32[2]\nfwd:\n%a = exp %x\noutput \"a\" %a\nbwd:\n%c = neg %a\ngradient \"g\" %c");
  Case test =
      read_case("%x = input \"x\" : f32[2]\nbwd:\n%b = exp %x\nfwd:\n%a = exp %x\noutput \"a\" %a\ngradient \"g\" %b");
  merge_duplicates(test.graph);
  EXPECT_EQ(test.graph.nodes.size(), 3u);
}

TEST(MergeDuplicates, keeps_clones_and_gathers_locations) {
  Case test = read_case(
      "%x = input \"x\" : f32[2]\nfwd:\n%a = exp %x !3\n%b = exp %x !5\n%f = add %a %b\noutput \"f\" %f\n"
      "bwd:\n%c = exp %x clone=%a\n%d = exp %x clone=%a\n%e = add %c %d\ngradient \"g\" %e");
  merge_duplicates(test.graph);
  EXPECT_EQ(test.graph.nodes.size(), 5u);
  ASSERT_EQ(test.graph.nodes[1].locations.size(), 2u);
  EXPECT_EQ(test.graph.nodes[1].locations[1].line, 5u);
}

TEST(MergeDuplicates, keeps_outputs_of_custom_gradients) {
  Case test = read_case(
      "%w = state \"w\" : f32[2] trained\nfwd:\n%a = exp %w\n%b = exp %w\n%c = add %a %b\n%l = reduce sum \"a -> \" "
      "%c\nloss \"l\" %l\n"
      "bwd:\n%t = cotangent : f32[2]\ngrad outputs=%b cotangents=%t inputs=%w gradients=%t");
  merge_duplicates(test.graph);
  EXPECT_EQ(test.graph.nodes.size(), 6u);
}

TEST(MergeDuplicates, many_slices_take_no_time) {
  Graph graph;
  graph.name = "step";
  GraphBuilder build(graph);
  constexpr int64_t n = 30000;
  NodeId x = build.input("x", {DType::f32, 0, {n}}), sum = build.constant(0, {DType::f32, 0, {1}});
  for (int64_t k = 0; k < n; ++k) sum = build.add(sum, build.slice(x, {k}, {1}, {1}));
  graph.roots.push_back({Root::output, "sum", sum});
  merge_duplicates(graph);
  EXPECT_EQ(graph.nodes.size(), static_cast<size_t>(2 * n + 2));
}

TEST(RemoveDead, keeps_roots_and_effects) {
  expect_pass(
      remove_dead,
      "%x = input \"x\" : f32[]\n%u = input \"u\" : f32[]\n%s = state \"s\" : f32[]\nfwd:\n%a = exp %x\n%b = log %x\n"
      "%c = neg %u\n%d = add %s %b\noutput \"b\" %b\nassign \"s\" %d",
      "%x = input \"x\" : f32[]\n%s = state \"s\" : f32[]\nfwd:\n%b = log %x\n%d = add %s %b\noutput \"b\" %b\nassign "
      "\"s\" %d");
}

TEST(RemoveDead, keeps_custom_gradients_of_live_values) {
  Case test = read_case(
      "%w = state \"w\" : f32[] trained\nfwd:\n%a = exp %w\n%b = sin %w\n%c = cos %w\nloss \"b\" %b\n"
      "bwd:\n%t = cotangent : f32[]\n%g = mul %t %c\n%u = cotangent : f32[]\n%h = mul %u %a\n"
      "grad outputs=%b cotangents=%t inputs=%w gradients=%g\ngrad outputs=%a cotangents=%u inputs=%w gradients=%h");
  remove_dead(test.graph);
  expect_graph(test.graph, test.program,
               "%w = state \"w\" : f32[] trained\nfwd:\n%b = sin %w\n%c = cos %w\nloss \"b\" %b\n"
               "bwd:\n%t = cotangent : f32[]\n%g = mul %t %c\ngrad outputs=%b cotangents=%t inputs=%w gradients=%g");
}

TEST(FoldConstants, computes_scalars_in_double) {
  Case test = read_case(
      "fwd:\n%a = constant 0.999 : f64[]\n%e = constant 3 : f64[]\n%p = pow %a %e\n%q = sub 1 %p\n%r = cast %q : "
      "f32[]\noutput \"r\" %r");
  fold_and_clean(test.graph);
  ASSERT_EQ(test.graph.nodes.size(), 1u);
  EXPECT_EQ(test.graph.nodes[0].as<ConstantAttr>().value, static_cast<float>(1 - std::pow(0.999, 3.0)));
  expect_valid(test.graph, test.program);
}

TEST(FoldConstants, rounds_as_f32_does) {
  Case test =
      read_case("fwd:\n%a = constant 0.1 : f32[7]\n%b = constant 0.2 : f32[7]\n%c = mul %a %b\noutput \"c\" %c");
  fold_and_clean(test.graph);
  ASSERT_EQ(test.graph.nodes.size(), 1u);
  EXPECT_EQ(test.graph.nodes[0].as<ConstantAttr>().value, 0.1f * 0.2f);
  EXPECT_EQ(test.graph.nodes[0].type.dims, Dims{7});
}

TEST(FoldConstants, flushes_denormals) {
  Case test =
      read_case("fwd:\n%a = constant -1e-30 : f32[]\n%b = constant 1e-10 : f32[]\n%c = mul %a %b\noutput \"c\" %c");
  fold_and_clean(test.graph);
  ASSERT_EQ(test.graph.nodes.size(), 1u);
  double value = test.graph.nodes[0].as<ConstantAttr>().value;
  EXPECT_EQ(value, 0);
  EXPECT_TRUE(std::signbit(value));
}

TEST(FoldConstants, leaves_series_wraps_and_sums) {
  for (const char* text :
       {"fwd:\n%a = constant 0.1 : f32[]\n%c = exp %a\noutput \"c\" %c",
        "fwd:\n%a = constant 0.1 : f32[]\n%c = fma %a %a %a\noutput \"c\" %c",
        "fwd:\n%a = constant 2147483647 : i32[]\n%b = constant 1 : i32[]\n%c = add %a %b\noutput \"c\" %c",
        "fwd:\n%a = constant 0.1 : f32[9]\n%c = reduce sum \"a -> \" %a\noutput \"c\" %c"}) {
    expect_pass(fold_and_clean, text, text);
  }
}

TEST(FoldMovement, operands) {
  for (auto [before, after] :
       {std::pair{"%t = transpose \"o i -> i o\" %w ; %z = contract \"b i, i o -> b o\" %x %t",
                  "%z = contract \"b i, o i -> b o\" %x %w"},
        std::pair{"%t = transpose \"b i -> i b\" %x ; %z = contract \"i b, o i -> b o\" %t %w",
                  "%z = contract \"b i, o i -> b o\" %x %w"},
        std::pair{"%z = contract \"b i, o i -> b o\" %x %w ; %t = transpose \"b o -> o b\" %z ; %u = exp %t",
                  "%z = contract \"b i, o i -> o b\" %x %w ; %u = exp %z"}}) {
    std::string head = "%x = input \"x\" : f32[4,3]\n%w = state \"w\" : f32[2,3]\nfwd:\n";
    std::string tail =
        std::string("\noutput \"z\" ") + (std::string_view(after).find("%u") != std::string_view::npos ? "%u" : "%z");
    Case test = read_case(head + before + tail);
    Graph original = test.graph;
    fold_movement_and_clean(test.graph);
    expect_graph(test.graph, test.program, head + after + tail);
    expect_same_values(original, test.graph, test.program);
  }
}

TEST(FoldMovement, batched_with_affine_terms) {
  Case test = read_case(
      "%x = input \"x\" : f32[2,3,9,5]\n%w = state \"w\" : f32[3,4,3]\nfwd:\n%t = transpose \"n c h u -> n u h c\" %x\n"
      "%v = transpose \"r k c -> k c r\" %w\n"
      "%z = contract \"n u (2*p+r-1) c, k c r -> n k p u\" %t %v : f32[2,4,5,5]\noutput \"z\" %z");
  Graph before = test.graph;
  fold_movement_and_clean(test.graph);
  expect_valid(test.graph, test.program);
  EXPECT_EQ(test.graph.nodes.size(), 3u);
  // The order of summation may differ, so compare with a tolerance.
  Inputs inputs = random_inputs(before);
  States states = random_states(test.program);
  auto x = roots_of(before, Root::output, inputs, states)["z"],
       y = roots_of(test.graph, Root::output, inputs, states)["z"];
  ASSERT_EQ(x.size(), y.size());
  for (size_t k = 0; k < x.size(); ++k) EXPECT_NEAR(x[k], y[k], 1e-12);
}

TEST(FoldMovement, keeps_a_contract_with_two_readers) {
  constexpr std::string_view text =
      "%x = input \"x\" : f32[4,3]\n%w = state \"w\" : f32[2,3]\nfwd:\n%z = contract \"b i, o i -> b o\" %x %w\n"
      "%t = transpose \"b o -> o b\" %z\noutput \"z\" %z\noutput \"t\" %t";
  expect_pass(fold_movement_and_clean, text, text);
}

TEST(FixOrders, depends_on_shape_and_target) {
  Case test = read_case(
      "%x = input \"x\" : f32[4,3]\n%y = input \"y\" : f32[3,1]\n%w = state \"w\" : f32[2,3]\nfwd:\n"
      "%z = contract \"b i, o i -> b o\" %x %w\n%a = reduce sum \"a b -> a\" %x\n%b = reduce max \"a b -> b\" %x\n"
      "%c = reduce prod \"a b -> \" %x\n%d = reduce argmax \"a b -> a\" %x\n%e = reduce sum \"a b -> a\" %y\n"
      "output \"z\" %z\noutput \"a\" %a\noutput \"b\" %b\noutput \"c\" %c\noutput \"d\" %d\noutput \"e\" %e");
  fix_orders(test.graph, target_avx2());
  auto order = [&](size_t root) {
    const Node& node = test.graph[test.graph.roots[root].node];
    return to_string(node.op == Op::contract ? node.as<ContractAttr>().order : node.as<ReduceAttr>().order);
  };
  EXPECT_EQ(order(0), "chain");
  EXPECT_EQ(order(1), "lanes(8)");
  EXPECT_EQ(order(2), "chain");
  EXPECT_EQ(order(3), "lanes(8)");
  EXPECT_EQ(order(4), "chain");
  EXPECT_EQ(order(5), "chain");
  expect_valid(test.graph, test.program, true);
  EXPECT_EQ(order_of(test.graph, test.graph.roots[1].node, target_avx512()), (Order{Order::lanes, 16}));
}

TEST(FixOrders, sums_products_with_one_vector_in_lanes) {
  const auto order = [](const char* left, const char* right, const char* map, const Target& target) {
    Case test = read_case(fmt::format(
        "%x = input \"x\" : f32{}\n%w = input \"w\" : f32{}\nfwd:\n%z = contract \"{}\" %x %w\noutput \"z\" %z", left,
        right, map));
    return to_string(order_of(test.graph, test.graph.roots[0].node, target));
  };
  EXPECT_EQ(order("[4,32]", "[1,32]", "b i, o i -> b o", target_avx512()), "lanes(16)");
  EXPECT_EQ(order("[1,32]", "[5,32]", "b i, o i -> b o", target_avx2()), "lanes(8)");
  EXPECT_EQ(order("[4,5,32]", "[32]", "a b i, i -> a b", target_avx512()), "lanes(16)");
  EXPECT_EQ(order("[32]", "[32]", "i, i -> ", target_avx512()), "lanes(16)");
  EXPECT_EQ(order("[4,15]", "[1,15]", "b i, o i -> b o", target_avx512()), "chain");    // less than a vector
  EXPECT_EQ(order("[32,4]", "[1,32]", "i b, o i -> b o", target_avx512()), "chain");    // the sum runs across rows
  EXPECT_EQ(order("[4,32]", "[2,32]", "b i, o i -> b o", target_avx512()), "chain");    // two vectors
  EXPECT_EQ(order("[4,2,16]", "[2,16]", "b h i, h i -> b", target_avx512()), "chain");  // two sums
  EXPECT_EQ(order("[32,32]", "[32]", "i i, i -> ", target_avx512()), "chain");          // a diagonal
}

// Else a batch of one row would cost every function a mirror of each weight.
TEST(FixOrders, leaves_states_of_several_rows_in_their_panels) {
  const auto order = [](int rows, int batch) {
    Case test =
        read_case(fmt::format("%x = input \"x\" : f32[{},32]\n%w = state \"w\" : f32[{},32] trained\nfwd:\n"
                              "%z = contract \"b i, o i -> b o\" %x %w\noutput \"z\" %z",
                              batch, rows));
    return to_string(order_of(test.graph, test.graph.roots[0].node, target_avx512()));
  };
  EXPECT_EQ(order(8, 1), "chain");
  EXPECT_EQ(order(1, 1), "lanes(16)");
  EXPECT_EQ(order(1, 8), "lanes(16)");
}

TEST(FixOrders, sums_products_of_bf16_in_tiles_where_there_are_any) {
  const auto order = [](const char* left, const char* right, const char* map, const Target& target) {
    Case test =
        read_case(fmt::format("%x = input \"x\" : f32{}\n%w = input \"w\" : f32{}\nfwd:\n"
                              "%a = cast %x : bf16{}\n%b = cast %w : bf16{}\n"
                              "%z = contract \"{}\" %a %b\noutput \"z\" %z",
                              left, right, left, right, map));
    fix_orders(test.graph, target);
    expect_valid(test.graph, test.program, true);
    const std::string text = print(test.graph, test.program);
    EXPECT_EQ(
        print(read_case(text.substr(text.find('{') + 1, text.rfind('}') - text.find('{') - 1)).graph, test.program),
        text);
    return to_string(test.graph[test.graph.roots[0].node].as<ContractAttr>().order);
  };
  EXPECT_EQ(order("[4,32]", "[5,32]", "b i, o i -> b o", target_amx()), "tiles(32)");
  EXPECT_EQ(order("[4,32]", "[5,32]", "b i, o i -> b o", target_avx512()), "chain");
  EXPECT_EQ(order("[45,4]", "[45,6]", "k b, k o -> o b", target_amx()), "tiles(32)");
  EXPECT_EQ(order("[4,31]", "[5,31]", "b i, o i -> b o", target_amx()), "chain");
  EXPECT_EQ(order("[64]", "[5,64]", "i, o i -> o", target_amx()), "lanes(16)");
}

}  // namespace
}  // namespace nnc::testing
