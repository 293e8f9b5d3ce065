#include "passes/training/differentiate.h"

#include <algorithm>
#include <cmath>

#include "passes/graph/fold_constants.h"
#include "passes/graph/fold_movement.h"
#include "passes/graph/merge_duplicates.h"
#include "passes/graph/remove_dead.h"
#include "passes/graph/simplify.h"
#include "tests/unit/passes/graph_testing.h"

namespace nnc::testing {
namespace {

double objective(const Graph& graph, const Inputs& inputs, const States& states) {
  double sum = 0;
  for (const auto& [name, value] : roots_of(graph, Root::loss, inputs, states)) sum += value[0];
  return sum;
}

// Central differences of the sum of the losses against the gradient roots, for every element of every trained state.
void expect_gradients(const Case& test, const Graph& joint, double tolerance = 2e-7) {
  constexpr double h = 1e-5;
  Inputs inputs = random_inputs(test.graph);
  States states = random_states(test.program);
  auto gradients = roots_of(joint, Root::gradient, inputs, states);
  for (size_t k = 0; k < test.program.states.size(); ++k) {
    const StateDecl& state = test.program.states[k];
    if (!state.trained) continue;
    ASSERT_TRUE(gradients.contains(state.name)) << state.name;
    const auto& gradient = gradients[state.name];
    ASSERT_EQ(gradient.size(), static_cast<size_t>(state.type.elements()));
    for (size_t e = 0; e < gradient.size(); ++e) {
      States moved = states;
      double& value = moved[static_cast<uint32_t>(k)].values[e];
      double middle = value;
      value = middle + h;
      double above = objective(test.graph, inputs, moved);
      value = middle - h;
      double slope = (above - objective(test.graph, inputs, moved)) / (2 * h);
      EXPECT_NEAR(gradient[e], slope, tolerance * (1 + std::abs(slope))) << state.name << "[" << e << "]";
    }
  }
}

// Differentiates, compares with finite differences, then again after the cleaning passes. Returns the clean joint
// graph.
Graph expect_differentiable(const Case& test) {
  Graph joint = test.graph;
  differentiate(joint, test.program);
  expect_valid(joint, test.program);
  EXPECT_TRUE(joint.custom_gradients.empty());
  EXPECT_TRUE(std::is_sorted(joint.nodes.begin(), joint.nodes.end(), [](auto& a, auto& b) { return a.part < b.part; }));
  expect_gradients(test, joint);
  for (auto pass : {simplify, fold_constants, fold_movement, merge_duplicates, remove_dead}) pass(joint);
  expect_valid(joint, test.program);
  expect_gradients(test, joint);
  return joint;
}

size_t count(const Graph& graph, Op op) {
  return static_cast<size_t>(
      std::count_if(graph.nodes.begin(), graph.nodes.end(), [&](auto& node) { return node.op == op; }));
}

TEST(Differentiate, one_scalar) {
  Case test = read_case("%w = state \"w\" : f32[] trained\nfwd:\n%y = exp %w !7\nloss \"y\" %y");
  Graph joint = expect_differentiable(test);
  expect_graph(joint, test.program,
               "%w = state \"w\" : f32[] trained\nfwd:\n%y = exp %w\nloss \"y\" %y\ngradient \"w\" %y");
  Graph raw = test.graph;
  differentiate(raw, test.program);
  EXPECT_EQ(raw.nodes.back().op, Op::mul);
  EXPECT_EQ(raw.nodes.back().part, Part::backward);
  ASSERT_EQ(raw.nodes.back().locations.size(), 1u);
  EXPECT_EQ(raw.nodes.back().locations[0].line, 7u);
}

// 3-4-2 with ReLU and softmax cross entropy, the latter with a gradient written by hand over an inner one.
constexpr std::string_view mlp = R"(
  %x = input "x" : f32[5,3]
  %y = input "y" : i32<2>[5]
  %w1 = state "w1" : f32[4,3] trained
  %b1 = state "b1" : f32[4] trained
  %w2 = state "w2" : f32[2,4] trained
  %b2 = state "b2" : f32[2] trained
fwd:
  %t1 = transpose "o i -> i o" %w1
  %z1 = contract "b i, i o -> b o" %x %t1
  %c1 = broadcast "o -> b o" %b1 : f32[5,4]
  %a1 = add %z1 %c1
  %h1 = max %a1 0
  %t2 = transpose "o i -> i o" %w2
  %z2 = contract "b i, i o -> b o" %h1 %t2
  %c2 = broadcast "o -> b o" %b2 : f32[5,2]
  %l = add %z2 %c2
  %mx = reduce max "b c -> b" %l
  %mb = broadcast "b -> b c" %mx : f32[5,2]
  %dm = sub %l %mb
  %e = exp %dm
  %s = reduce sum "b c -> b" %e
  %ln = log %s
  %ls = add %mx %ln
  %io = iota axis=1 : i32<2>[5,2]
  %yb = broadcast "b -> b c" %y : i32<2>[5,2]
  %hot = compare eq %io %yb
  %lh = select %hot %l 0
  %pk = reduce sum "b c -> b" %lh
  %nl = sub %ls %pk
  %su = reduce sum "b -> " %nl
  %ce = mul %su 0.2
  loss "ce" %ce
)";

TEST(Differentiate, mlp_with_softmax_cross_entropy) {
  Graph joint = expect_differentiable(read_case(mlp));
  // Forward two; weights two, hidden one, none for the input.
  EXPECT_EQ(count(joint, Op::contract), 5u);
  EXPECT_EQ(count(joint, Op::transpose), 0u);
}

TEST(Differentiate, mlp_with_custom_gradient) {
  Case test = read_case(std::string(mlp) + R"(
bwd:
  %d = cotangent : f32[]
  %lb = broadcast "b -> b c" %ls : f32[5,2]
  %dp = sub %l %lb
  %p = exp %dp
  %oh = cast %hot : f32[5,2]
  %q = sub %p %oh
  %db = broadcast "-> b c" %d : f32[5,2]
  %q2 = mul %q %db
  %dl = mul %q2 0.2
  %dr = cotangent : f32[5,4]
  %k = compare gt %h1 0
  %dz = select %k %dr 0
  %other = cotangent : f32[5]
  %wrong = mul %other 77
  grad outputs=%h1 cotangents=%dr inputs=%a1 gradients=%dz
  grad outputs=%ln cotangents=%other inputs=%s gradients=%wrong
  grad outputs=%ce cotangents=%d inputs=%l,%y gradients=%dl,-
)");
  Graph joint = expect_differentiable(test);
  // Nothing between %l and %ce was differentiated: %wrong is not there, and no second log or reduce.
  EXPECT_EQ(count(joint, Op::log), 1u);
  for (const Node& node : joint.nodes) {
    if (node.op == Op::constant) {
      EXPECT_NE(node.as<ConstantAttr>().value, 77);
    }
  }
}

TEST(Differentiate, custom_gradient_replaces_the_real_one) {
  Case test = read_case(
      "%w = state \"w\" : f32[2] trained\nfwd:\n%r = round %w\n%s = reduce sum \"a -> \" %r\nloss \"s\" %s\n"
      "bwd:\n%t = cotangent : f32[2]\n%g = mul %t 3\ngrad outputs=%r cotangents=%t inputs=%w gradients=%g");
  differentiate(test.graph, test.program);
  expect_valid(test.graph, test.program);
  auto gradients = roots_of(test.graph, Root::gradient, {}, random_states(test.program));
  EXPECT_EQ(gradients["w"], (std::vector<double>{3, 3}));
}

TEST(Differentiate, custom_gradient_of_two_outputs) {
  // a = 2 w, b = w^2; the rule sees both cotangents, of which the second is zero where nobody reads b.
  for (bool uses_b : {true, false}) {
    std::string loss = uses_b ? "%c = mul %b 5\n%m = add %a %c" : "%m = mul %a 1";
    Case test = read_case("%w = state \"w\" : f32[] trained\nfwd:\n%a = mul %w 2\n%b = mul %w %w\n" + loss +
                          "\nloss \"m\" %m\nbwd:\n%p = cotangent : f32[]\n%q = cotangent : f32[]\n%p2 = mul %p 2\n"
                          "%w2 = mul %w 2\n%q2 = mul %q %w2\n%g = add %p2 %q2\n"
                          "grad outputs=%a,%b cotangents=%p,%q inputs=%w gradients=%g");
    expect_differentiable(test);
  }
}

// g(x) = exp x has a rule of its own; f(x) = g(x) returns what g computed, and its rule counts.
TEST(Differentiate, outer_custom_gradient_of_a_shared_output_counts) {
  Case test = read_case(
      "%w = state \"w\" : f32[] trained\nfwd:\n%y = exp %w\nloss \"y\" %y\nbwd:\n%t = cotangent : f32[]\n%g = mul %t "
      "11\n"
      "%u = cotangent : f32[]\n%h = mul %u 13\n"
      "grad outputs=%y cotangents=%t inputs=%w gradients=%g\ngrad outputs=%y cotangents=%u inputs=%w gradients=%h");
  differentiate(test.graph, test.program);
  EXPECT_EQ(roots_of(test.graph, Root::gradient, {}, random_states(test.program))["w"], std::vector<double>{13});
}

// The templates stand where the function was applied; a function with a rule of its own was used inside a template.
TEST(Differentiate, custom_gradient_within_a_template_is_ignored) {
  Case test = read_case(
      "%w = state \"w\" : f32[] trained\nfwd:\n%y = sin %w\nbwd:\n%t = cotangent : f32[]\n%c = cos %w\n%g = mul %t %c\n"
      "%u = cotangent : f32[]\n%h = mul %u 13\nfwd:\n%z = mul %y %y\nloss \"z\" %z\n"
      "grad outputs=%c cotangents=%u inputs=%w gradients=%h\ngrad outputs=%y cotangents=%t inputs=%w gradients=%g");
  Graph joint = expect_differentiable(test);
  EXPECT_EQ(count(joint, Op::cos), 1u);
}

TEST(Differentiate, shared_weights_and_two_losses) {
  Graph joint = expect_differentiable(read_case(R"(
  %x = input "x" : f32[4,3]
  %w = state "w" : f32[3,3] trained
fwd:
  %a = contract "b i, o i -> b o" %x %w
  %h = tanh %a
  %v = state "w" : f32[3,3] trained
  %c = contract "b o, o i -> b i" %h %v
  %d = sub %c %x
  %e = mul %d %d
  %l = reduce sum "b i -> " %e
  %n = mul %w %v
  %m = reduce sum "a b -> " %n
  loss "l" %l
  loss "m" %m
)"));
  EXPECT_EQ(count(joint, Op::state), 1u);
}

TEST(Differentiate, broadcasts_reductions_and_movement) {
  expect_differentiable(read_case(R"(
  %x = input "x" : f32[4,6]
  %w = state "w" : f32[3] trained
  %k = state "k" : f32[] trained
  %s = state "s" : f32[4,6]
fwd:
  %a = broadcast "c -> b d c" %w : f32[4,2,3]
  %b = reshape %a : f32[4,6]
  %c = mul %b %x
  %d = broadcast "-> a b" %k : f32[4,6]
  %e = sub %c %d
  %f = slice %e start=[1,0] step=[1,2] : f32[3,3]
  %g = pad %f before=[1,0] after=[0,3] step=[1,1] value=0.5
  %h = concat %g %s axis=0
  %i = reverse %h axes=[1]
  %j = reduce max "a b -> a" %i
  %m = sigmoid %j
  %n = reduce sum "a -> " %m
  %o = cumsum %c axis=1
  %p = reduce prod "a b -> a" %o
  %q = reduce sum "a -> " %p
  loss "n" %n
  loss "q" %q
)"));
}

TEST(Differentiate, embedding) {
  Graph joint = expect_differentiable(read_case(R"(
  %t = input "t" : i32<5>[4,3]
  %w = state "w" : f32[5,2] trained
fwd:
  %e = gather %w %t axis=0
  %m = reduce sum "a b c -> a c" %e
  %s = sin %m
  %p = mul %s %m
  %l = reduce sum "a c -> " %p
  loss "l" %l
)"));
  EXPECT_EQ(count(joint, Op::scatter_add), 1u);
}

TEST(Differentiate, layer_norm) {
  expect_differentiable(read_case(R"(
  %x = input "x" : f32[3,4]
  %w = state "w" : f32[4,4] trained
  %g = state "g" : f32[4] trained
  %b = state "b" : f32[4] trained
fwd:
  %z = contract "b i, o i -> b o" %x %w
  %s = reduce sum "b o -> b" %z
  %m = mul %s 0.25
  %mb = broadcast "b -> b o" %m : f32[3,4]
  %c = sub %z %mb
  %q = mul %c %c
  %v = reduce sum "b o -> b" %q
  %va = mul %v 0.25
  %ve = add %va 0.1
  %r = rsqrt %ve
  %rb = broadcast "b -> b o" %r : f32[3,4]
  %n = mul %c %rb
  %gb = broadcast "o -> b o" %g : f32[3,4]
  %ng = mul %n %gb
  %bb = broadcast "o -> b o" %b : f32[3,4]
  %y = add %ng %bb
  %t = tanh %y
  %u = mul %t %x
  %l = reduce sum "b o -> " %u
  loss "l" %l
)"));
}

TEST(Differentiate, detach_and_unreached_states) {
  Case test = read_case(
      "%w = state \"w\" : f32[2] trained\n%v = state \"v\" : f32[3] trained\n%u = state \"u\" : f32[2]\nfwd:\n"
      "%d = detach %w\n%y = mul %d %w\n%z = mul %y %u\n%l = reduce sum \"a -> \" %z\nloss \"l\" %l\nmetric \"d\" %d");
  differentiate(test.graph, test.program);
  expect_valid(test.graph, test.program);
  EXPECT_EQ(count(test.graph, Op::detach), 0u);
  States states = random_states(test.program);
  auto gradients = roots_of(test.graph, Root::gradient, {}, states);
  ASSERT_EQ(gradients.size(), 2u);
  EXPECT_EQ(gradients["v"], (std::vector<double>{0, 0, 0}));
  auto w = test.program.find_state("w").value, u = test.program.find_state("u").value;
  for (size_t k = 0; k < 2; ++k) EXPECT_EQ(gradients["w"][k], states[w].values[k] * states[u].values[k]);
}

TEST(Differentiate, hundred_thousand_nodes) {
  Case test = read_case("%w = state \"w\" : f32[] trained\nfwd:\n%a = exp %w\nloss \"a\" %a");
  GraphBuilder build(test.graph);
  NodeId last = test.graph.roots[0].node;
  for (int k = 0; k < 100000; ++k) last = build.sin(last);
  test.graph.roots[0].node = last;
  differentiate(test.graph, test.program);
  EXPECT_EQ(test.graph.roots.back().kind, Root::gradient);
  EXPECT_GT(test.graph.nodes.size(), 300000u);
}

}  // namespace
}  // namespace nnc::testing
