// Types, and what GraphBuilder appends.
#include <gtest/gtest.h>

#include "ir/graph/graph.h"
#include "ir/graph/interpreter.h"
#include "ir/graph/text.h"

namespace nnc {
namespace {

TEST(TensorTypes, SizesTextAndLimits) {
  TensorType type{DType::i32, 10, {128, 3}};
  EXPECT_EQ(to_string(type), "i32<10>[128,3]");
  EXPECT_EQ(to_string(TensorType{DType::i64, 0, {}}), "i64[]");
  EXPECT_EQ(type.elements(), 384);
  EXPECT_EQ(type.bytes(), 1536);
  EXPECT_EQ(row_major_strides({2, 3, 4}), (Dims{12, 4, 1}));
  EXPECT_EQ((TensorType{DType::f32, 0, {INT64_MAX, 3}}).elements(), INT64_MAX);
  EXPECT_EQ(why_invalid(type), "");
  EXPECT_EQ(why_invalid({DType::f32, 0, Dims(33, 1)}), "more than 32 axes");
  EXPECT_EQ(why_invalid({DType::f32, 4, {2}}), "only i32 has a bound");
  DType dtype{};
  EXPECT_TRUE(parse_dtype("bf16", dtype));
  EXPECT_EQ(dtype, DType::bf16);
  EXPECT_FALSE(parse_dtype("f16", dtype));
}

TEST(GraphBuilder, SetsPartsLocationsAndTypes) {
  Graph graph;
  GraphBuilder build(graph);
  build.set_locations({{0, 5, 2}});
  NodeId x = build.input("x", {DType::f32, 0, {4, 3}});
  build.set_part(Part::backward);
  NodeId y = build.mul(x, build.constant_like(2, x));
  EXPECT_EQ(graph[x].part, Part::forward);
  EXPECT_EQ(graph[y].part, Part::backward);
  EXPECT_EQ(graph[y].locations, (Locations{{0, 5, 2}}));
  EXPECT_EQ(build.type(build.compare(Comparison::lt, x, y)).dtype, DType::boolean);
  EXPECT_EQ(build.type(build.reduce(Reduction::argmax, x, {1})), (TensorType{DType::i32, 3, {4}}));
  EXPECT_EQ(build.type(build.cast(x, DType::bf16)), (TensorType{DType::bf16, 0, {4, 3}}));
  EXPECT_EQ(build.type(build.contract(build.cast(x, DType::bf16), x, "b i, c i -> c b")),
            (TensorType{DType::f32, 0, {4, 4}}));
}

TEST(GraphBuilder, NumbersTheIndicesOfContractsByAppearance) {
  Graph graph;
  GraphBuilder build(graph);
  NodeId x = build.input("x", {DType::f32, 0, {2, 3}});
  IndexMap map{{"unused", "i", "b"},
               {9, 3, 2},
               {{IndexTerm::plain(2), IndexTerm::plain(1)}, {IndexTerm::plain(2), IndexTerm::plain(1)}},
               {2}};
  NodeId y = build.contract(x, x, map);
  EXPECT_EQ(graph[y].as<ContractAttr>().map.names, (std::vector<std::string>{"b", "i"}));
  EXPECT_EQ(to_string(graph[y].as<ContractAttr>().map), "b i, b i -> b");
}

TEST(GraphBuilder, UsersAreListedOnceAndAscend) {
  Graph graph;
  GraphBuilder build(graph);
  NodeId x = build.input("x", {DType::f32, 0, {}});
  NodeId y = build.mul(x, x);
  NodeId z = build.add(x, y);
  auto users = users_of(graph);
  EXPECT_EQ(users[x.value], (std::vector<NodeId>{y, z}));
  EXPECT_EQ(users[y.value], (std::vector<NodeId>{z}));
  EXPECT_TRUE(users[z.value].empty());
}

TEST(GraphBuilder, RefusesWhatDoesNotInfer) {
  Graph graph;
  GraphBuilder build(graph);
  NodeId x = build.input("x", {DType::f32, 0, {2}}), y = build.input("y", {DType::f32, 0, {3}});
  EXPECT_DEATH(build.add(x, y), "add: operands differ: f32\\[2\\] and f32\\[3\\]");
}

TEST(Interpreter, StatesAreReadAtEntryAndAssignedAside) {
  Program program;
  Graph graph;
  ASSERT_EQ(parse_graph("graph g { %w = state \"w\" : f32[2] ; %x = input \"x\" : f32[2] ; %n = sub %w %x ; assign "
                        "\"w\" %n ; %m = mul %w 2 ; output \"m\" %m }",
                        program, graph),
            "");
  TensorType type{DType::f32, 0, {2}};
  std::map<uint32_t, ReferenceTensor> states = {{0, {type, {5, 7}}}};
  Evaluation evaluation = interpret(graph, {{"x", {type, {1, 2}}}}, states);
  EXPECT_EQ(evaluation.assigned.at(0).values, (std::vector<double>{4, 5}));
  EXPECT_EQ(evaluation.values[graph.roots[0].node.value].values, (std::vector<double>{10, 14}));
  EXPECT_EQ(states.at(0).values, (std::vector<double>{5, 7}));
}

}  // namespace
}  // namespace nnc
