// Broken graphs: each is rejected with a message that names the node and the rule.
#include <gtest/gtest.h>

#include "ir/graph/text.h"
#include "ir/ops/op.h"

namespace nnc {
namespace {

struct Broken {
  const char* message;  // what one of the messages starts with
  const char* text;     // the nodes of a graph
};

const Broken broken_texts[] = {
    {"%f: G1: uses %b of a later part",
     "%x = input \"x\" : f32[2] ; bwd: \n %b = exp %x ; fwd: \n %f = exp %b ; output \"f\" %f"},
    {"%b: G1: uses %u of a later part",
     "%x = input \"x\" : f32[2] ; upd: \n %u = exp %x ; bwd: \n %b = exp %u ; output \"b\" %b"},
    {"grad 0: G1: outputs and cotangents differ in number",
     "%x = input \"x\" : f32[2] ; %y = exp %x ; grad outputs=%y cotangents= inputs=%x gradients=%y ; output \"y\" %y"},
    {"grad 0: G2: the cotangent of %x : f32[2] is f32[3]",
     "%x = input \"x\" : f32[2] ; %d = cotangent : f32[3] ; grad outputs=%x cotangents=%d inputs= gradients= ; output "
     "\"x\" %x"},
    {"%y: G2: declared f32[3], inferred f32[2]", "%x = input \"x\" : f32[2] ; %y = exp %x : f32[3] ; output \"y\" %y"},
    {"%y: G2: operands differ: f32[2] and f32[3]",
     "%x = input \"x\" : f32[2] ; %z = input \"z\" : f32[3] ; %y = add %x %z : f32[2] ; output \"y\" %y"},
    {"%y: G2: operands differ: f32[2] and i32[2]",
     "%x = input \"x\" : f32[2] ; %z = input \"z\" : i32[2] ; %y = mul %x %z : f32[2] ; output \"y\" %y"},
    {"%y: G2: exp takes 1 operands, not 2", "%x = input \"x\" : f32[2] ; %y = exp %x %x : f32[2] ; output \"y\" %y"},
    {"%y: G2: needs floats, not i32", "%x = input \"x\" : i32[2] ; %y = exp %x : i32[2] ; output \"y\" %y"},
    {"%y: G2: needs numbers, not bool", "%x = input \"x\" : bool[2] ; %y = add %x %x : bool[2] ; output \"y\" %y"},
    {"%y: G2: the condition is f32[2], not bool",
     "%x = input \"x\" : f32[2] ; %y = select %x %x 0 : f32[2] ; output \"y\" %y"},
    {"%y: G2: f32[2,3] does not reshape to f32[7]",
     "%x = input \"x\" : f32[2,3] ; %y = reshape %x : f32[7] ; output \"y\" %y"},
    {"%y: G2: the slice leaves axis 0 of f32[5]",
     "%x = input \"x\" : f32[5] ; %y = slice %x start=[3] step=[1] : f32[3] ; output \"y\" %y"},
    {"%y: G2: axis 0 of f32[2] does not fit f32[4,3]",
     "%x = input \"x\" : f32[2] ; %y = broadcast \"a -> b a\" %x : f32[4,3] ; output \"y\" %y"},
    {"%y: G2: f32[2] has no axis 1", "%x = input \"x\" : f32[2] ; %y = cumsum %x axis=1 : f32[2] ; output \"y\" %y"},
    {"%c: G2: 10 is no i32<10>[2]", "%c = constant 10 : i32<10>[2] ; output \"c\" %c"},
    {"%r: G2: seed and step are i64[]",
     "%s = input \"s\" : i32[] ; %r = random uniform %s %s site=1 : f32[2] ; output \"r\" %r"},
    {"%s: G2: the body does not exist",
     "%x = input \"x\" : f32[2] ; %s = scan %x body=3 axis=0 carried=0 : f32[2] ; output \"s\" %s"},
    {"assign \"w\": G4: state \"w\" is f32[2], not f32[3]",
     "%w = state \"w\" : f32[2] ; %x = input \"x\" : f32[3] ; assign \"w\" %x ; output \"w\" %w"},
    {"assign \"w\": G4: state \"w\" is assigned twice",
     "%w = state \"w\" : f32[2] ; %y = exp %w ; assign \"w\" %y ; assign \"w\" %w"},
    {"%v: G4: state \"w\" is f32[2], not f32[4]",
     "%w = state \"w\" : f32[2] ; %v = state \"w\" : f32[4] ; output \"w\" %w ; output \"v\" %v"},
    {"%y: G5: add does not compute in bf16",
     "%x = input \"x\" : f32[2] ; %h = cast %x : bf16[2] ; %y = add %h %h ; output \"y\" %y"},
    {"%x: G5: f64[2]: f64 has rank 0", "%x = input \"x\" : f64[2] ; output \"x\" %x"},
    {"%g: G6: ids i32[3] for an axis of 5",
     "%t = input \"t\" : f32[5,2] ; %i = input \"i\" : i32[3] ; %g = gather %t %i axis=0 ; output \"g\" %g"},
    {"%g: G6: ids i32<6>[3] for an axis of 5",
     "%t = input \"t\" : f32[5,2] ; %i = input \"i\" : i32<6>[3] ; %g = gather %t %i axis=0 ; output \"g\" %g"},
    {"%g: G6: ids i32<6>[3] for an axis of 5",
     "%u = input \"u\" : f32[3,2] ; %i = input \"i\" : i32<6>[3] ; %g = scatter_add %u %i axis=0 : f32[5,2] ; output "
     "\"g\" %g"},
    {"%q: G7: site 1 is drawn otherwise by %r",
     "%s = input \"s\" : i64[] ; %r = random uniform %s %s site=1 : f32[2] ; %q = random uniform %s %s site=1 : f32[3] "
     "; output \"r\" %r ; "
     "output \"q\" %q"},
    {"%q: G7: site 1 is drawn otherwise by %r",
     "%s = input \"s\" : i64[] ; %r = random uniform %s %s site=1 : f32[2] ; %q = random normal %s %s site=1 : f32[2] "
     "; output \"r\" %r ; "
     "output \"q\" %q"},
    {"%y: G8: has no order", "%x = input \"x\" : f32[2] ; %y = reduce sum \"a -> \" %x ; output \"y\" %y"},
    {"%y: G8: has no order", "%x = input \"x\" : f32[2] ; %y = contract \"a, a -> \" %x %x ; output \"y\" %y"},
    {"%y: G8: sums tiles of 31 elements",
     "%x = input \"x\" : f32[2,8] ; %y = contract \"a k, b k -> a b\" %x %x order=tiles(31) ; output \"y\" %y"},
    {"%y: G8: sums tiles, but not over one plain index of both operands",
     "%x = input \"x\" : f32[2,8] ; %y = contract \"a k, a k -> \" %x %x order=tiles(32) ; output \"y\" %y"},
    {"%k: G9: a clone stands in bwd",
     "%x = input \"x\" : f32[2] ; %y = exp %x ; %k = exp %x clone=%y ; output \"y\" %y ; output \"k\" %k"},
    {"%k: G9: differs from its original %y",
     "%x = input \"x\" : f32[2] ; %y = exp %x ; bwd: \n %k = log %x clone=%y ; output \"y\" %y ; output \"k\" %k"},
    {"%y: G10: reaches no root", "%x = input \"x\" : f32[2] ; %y = exp %x ; output \"x\" %x"},
};

bool starts_any(const std::vector<std::string>& messages, std::string_view start) {
  for (const std::string& message : messages) {
    if (std::string_view(message).substr(0, start.size()) == start) return true;
  }
  return false;
}

std::string joined(const std::vector<std::string>& messages) {
  std::string all;
  for (const std::string& message : messages) all += message + "\n";
  return all;
}

TEST(GraphVerifier, RejectsBrokenTexts) {
  for (const Broken& broken : broken_texts) {
    Program program;
    Graph graph;
    std::string text = std::string("graph g {\n") + broken.text + "\n}";
    ASSERT_EQ(parse_graph(text, program, graph), "") << text;
    auto messages = verify(graph, program, true);
    EXPECT_TRUE(starts_any(messages, broken.message)) << broken.message << "\n" << text << "\n" << joined(messages);
    EXPECT_EQ(messages.size(), 1u) << joined(messages) << text;
  }
}

// y = contract x w, which tests then break in its tables.
struct Product {
  Program program;
  Graph graph;
  NodeId x, w, y;

  Product() {
    GraphBuilder build(graph);
    x = build.input("x", {DType::f32, 0, {2, 3}});
    w = build.input("w", {DType::f32, 0, {5, 3}});
    y = build.contract(x, w, "b i, o i -> b o");
    graph[y].label = "y";
    graph[y].as<ContractAttr>().order = {Order::chain, 0};
    graph.roots.push_back({Root::output, "y", y});
  }
  IndexMap& map() { return graph[y].as<ContractAttr>().map; }
  void expect(std::string_view message) {
    auto messages = verify(graph, program, true);
    EXPECT_TRUE(starts_any(messages, message)) << message << "\n" << joined(messages);
    EXPECT_FALSE(print(graph, program).empty());  // what is broken can still be shown
  }
};

TEST(GraphVerifier, AcceptsTheProduct) {
  Product product;
  EXPECT_EQ(joined(verify(product.graph, product.program, true)), "");
}

TEST(GraphVerifier, RejectsBrokenIndexMaps) {
  auto broken = [](std::string_view message, auto change) {
    Product product;
    change(product);
    product.expect(message);
  };
  broken("%y: G3: index i has extents 4 and 3", [](Product& p) { p.map().extents[1] = 4; });
  broken("%y: G3: summed index i occurs plain in no operand", [](Product& p) {
    p.map().operands[0][1].offset = 1;
    p.map().operands[1][1].offset = 1;
  });
  broken("%y: G3: index o occurs twice in the result", [](Product& p) { p.map().result = {2, 2}; });
  broken("%y: G3: the result names no index", [](Product& p) { p.map().result = {0, 7}; });
  broken("%y: G3: a term names no index", [](Product& p) { p.map().operands[0][0] = IndexTerm::plain(9); });
  broken("%y: G3: divisor 0", [](Product& p) { p.map().operands[0][0].divisor = 0; });
  broken("%y: G3: indices are not numbered by appearance", [](Product& p) {
    std::swap(p.map().operands[0], p.map().operands[1]);
    std::swap(p.graph[p.y].operands[0], p.graph[p.y].operands[1]);
  });
  broken("%y: G3: the map names 1 axes of f32[2,3]", [](Product& p) { p.map().operands[0].pop_back(); });
  broken("%y: G3: the map is for 1 operands", [](Product& p) { p.map().operands.pop_back(); });
}

TEST(GraphVerifier, RejectsBrokenTables) {
  auto broken = [](std::string_view message, auto change) {
    Product product;
    change(product);
    product.expect(message);
  };
  broken("%y: G1: operand %y is not defined above", [](Product& p) { p.graph[p.y].operands[0] = p.y; });
  broken("%y: G1: operand number 77 is not defined above", [](Product& p) { p.graph[p.y].operands[0] = NodeId(77); });
  broken("%y: G1: operand number 4294967295 is not defined above",
         [](Product& p) { p.graph[p.y].operands[0] = NodeId(); });
  broken("%y: G2: contract takes 2 operands, not 1", [](Product& p) { p.graph[p.y].operands.pop_back(); });
  broken("%y: G2: contract carries the attributes of another op",
         [](Product& p) { p.graph[p.y].attributes = AxisAttr{0}; });
  broken("%0: G2: extent -1 is not in 1..", [](Product& p) { p.graph[p.x].type.dims[0] = -1; });
  broken("%0: G2: only i32 has a bound", [](Product& p) { p.graph[p.x].type.bound = 4; });
  broken("root \"y\": G1: names no node", [](Product& p) { p.graph.roots[0].node = NodeId(50); });
  broken("grad 0: G1: names no node",
         [](Product& p) { p.graph.custom_gradients.push_back({{NodeId(50)}, {p.x}, {}, {}}); });
  broken("%y: G9: its original is not defined above", [](Product& p) { p.graph[p.y].clone_of = NodeId(60); });
  broken("%y: G1: uses an assign as a value", [](Product& p) {
    p.program.states.push_back({.name = "x", .type = p.graph.type(p.x)});
    p.graph[p.x] = Node{.op = Op::assign, .type = p.graph.type(p.x), .attributes = StateAttr{StateId(size_t{0})}};
  });
  broken("assign: G4: there is no such state",
         [](Product& p) { GraphBuilder(p.graph).assign(StateId(size_t{9}), p.y); });
}

TEST(GraphVerifier, LooksIntoBodies) {
  Program program;
  Graph graph;
  ASSERT_EQ(parse_graph("graph g { graph inner { %x = input \"x\" : f64[2] ; output \"x\" %x } }", program, graph), "");
  EXPECT_EQ(joined(verify(graph, program)), "body inner: %x: G5: f64[2]: f64 has rank 0\n");
}

}  // namespace
}  // namespace nnc
