// Graph text: what the printer writes, what the parser reads, and that neither can be led astray.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

#include "ir/graph/text.h"
#include "ir/ops/op.h"

namespace nnc {
namespace {

constexpr const char* mlp = R"(# a small joint graph
graph step of mnist_mlp at B=128 {
  %x = input "x" : f32[128,784] !3 ; %y = input "y" target : i32<10>[128] !3 ; %t = state "step" : i64[]
  %w1 = state "fc1.weight" : f32[512,784] trained !4 ; %b1 = state "fc1.bias" : f32[512] trained !4
  %m1 = state "fc1.weight:m" : f32[512,784] !4
fwd:
  %z1 = contract "b i, o i -> b o" %x %w1 order=chain : f32[128,512] !5
  %c1 = broadcast "o -> b o" %b1 : f32[128,512] !5 ; %a1 = add %z1 %c1 !5 ; %h1 = max %a1 0 : f32[128,512] !5   # passes NaN on
  %mx = reduce max "b c -> b" %h1 order=lanes !8 ; %mb = broadcast "b -> b c" %mx : f32[128,512] !8
  %dm = sub %h1 %mb !8,prelude/loss.nn:7 ; %e = exp %dm !8
  %io = iota axis=1 : i32<512>[128,512] !8 ; %yb = broadcast "b -> b c" %y : i32<10>[128,512] !8
  %hot = compare eq %io %yb !8 ; %lh = select %hot %h1 0 !8
  %pk = reduce sum "b c -> b" %lh order=ways(4) !8 ; %su = reduce sum "b -> " %pk order=chunks(64) !8
  %ce = mul %su 0.0078125 !8 ; loss "ce" %ce ; saved "h1" %h1
bwd:
  %k = compare gt %h1 0 ; %h2 = max %a1 0 clone=%h1 : f32[128,512] !5
  %dz = select %k %h2 0 ; %gw1 = contract "b o, b i -> o i" %dz %x order=chain : f32[512,784]
  gradient "fc1.weight" %gw1
upd:
  %t1 = add %t 1 ; %tf = cast %t1 : f64[] ; %q1 = pow 0.9 %tf ; %n1 = sub 1 %q1 ; %s1 = cast %n1 : f32[]
  %u1 = mul %gw1 0.1 ; %mn = fma %m1 0.9 %u1 ; %wn = sub %w1 %mn : f32[512,784]
  assign "fc1.weight" %wn ; assign "fc1.weight:m" %mn ; assign "step" %t1 ; metric "s" %s1 }
)";

// Parses, and expects print -> parse -> print to end at once. Returns the print.
std::string fixed_point(std::string_view text) {
  Program program, fresh;
  Graph graph, again;
  std::string error = parse_graph(text, program, graph);
  EXPECT_EQ(error, "") << text;
  std::string printed = print(graph, program);
  EXPECT_EQ(parse_graph(printed, fresh, again), "") << printed;
  EXPECT_EQ(print(again, fresh), printed);
  return printed;
}

std::string parse_error(std::string_view text) {
  Program program;
  Graph graph;
  return parse_graph(text, program, graph);
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

TEST(GraphText, ReadsAndPrintsAJointGraph) {
  Program program;
  Graph graph;
  ASSERT_EQ(parse_graph(mlp, program, graph), "");
  for (const std::string& message : verify(graph, program)) ADD_FAILURE() << message;
  EXPECT_EQ(graph.name, "step");
  EXPECT_EQ(program.name, "mnist_mlp");
  EXPECT_EQ(graph.batch, 128);
  ASSERT_EQ(program.states.size(), 4u);
  EXPECT_TRUE(program[program.find_state("fc1.weight")].trained);
  EXPECT_EQ(program[program.find_state("fc1.weight:m")].slot_of, program.find_state("fc1.weight"));
  ASSERT_EQ(program.files.size(), 2u);
  EXPECT_EQ(program.files[1], "prelude/loss.nn");
  std::string text = fixed_point(mlp);
  for (const char* line :
       {"  %z1 = contract \"b i, o i -> b o\" %x %w1 order=chain : f32[128,512] !5\n",
        "  %h1 = max %a1 0 : f32[128,512] !5\n", "  %mx = reduce max \"a b -> a\" %h1 order=lanes : f32[128] !8\n",
        "  loss \"ce\" %ce\n", "bwd:\n", "upd:\n", "  %dm = sub %h1 %mb : f32[128,512] !8,prelude/loss.nn:7\n",
        " order=ways(4) ", " order=chunks(64) ", "  %h2 = max %a1 0 : f32[128,512] clone=%h1 !5\n",
        "  %q1 = pow 0.9 %tf : f64[]\n", "  %w1 = state \"fc1.weight\" : f32[512,784] trained !4\n",
        "  assign \"step\" %t1\n", "  %y = input \"y\" target : i32<10>[128] !3\n",
        "  %lh = select %hot %h1 0 : f32[128,512] !8\n"}) {
    EXPECT_TRUE(contains(text, line)) << line << text;
  }
}

TEST(GraphText, LiteralsTakeTheTypeBesideThem) {
  Program program;
  Graph graph;
  ASSERT_EQ(parse_graph("graph g { %x = input \"x\" : i32<10>[3] ; %a = compare lt %x 12 ; %b = compare lt 5 %x ; %c = "
                        "add 1 2 : f64[]\n"
                        "%d = constant 3 : f32[2] ; %e = select %a 1 0 : f32[3] ; output \"d\" %d }",
                        program, graph),
            "");
  auto literal = [&](size_t node, size_t operand) { return graph[graph.nodes[node].operands[operand]]; };
  EXPECT_EQ(literal(2, 1).type, (TensorType{DType::i32, 0, {3}}));   // 12 does not fit i32<10>
  EXPECT_EQ(literal(4, 0).type, (TensorType{DType::i32, 10, {3}}));  // 5 does
  EXPECT_EQ(literal(7, 0).type, (TensorType{DType::f64, 0, {}}));
  std::string text = fixed_point(print(graph, program));
  EXPECT_TRUE(contains(text, "%c = add 1 2 : f64[]")) << text;
  EXPECT_TRUE(contains(text, "%d = constant 3 : f32[2]")) << text;  // a root needs its name
  EXPECT_TRUE(contains(text, "%e = select %a 1 0 : f32[3]")) << text;
}

TEST(GraphText, NumbersReadBackExactly) {
  Program program;
  Graph graph;
  GraphBuilder build(graph);
  NodeId x = build.input("x", {DType::f32, 0, {2}});
  std::vector<double> values = {0.1,
                                1e-8,
                                -0.0,
                                1e300,
                                5e-324,
                                0.0078125,
                                1.0 / 3,
                                123456789,
                                std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::quiet_NaN()};
  for (double value : values) x = build.add(x, build.constant_like(value, x));
  graph.roots.push_back({Root::output, "x", x});
  Program fresh;
  Graph again;
  std::string text = print(graph, program);
  ASSERT_EQ(parse_graph(text, fresh, again), "") << text;
  EXPECT_EQ(print(again, fresh), text);
  for (size_t k = 0; k < values.size(); ++k) {
    double read = again.nodes[1 + 2 * k].as<ConstantAttr>().value;
    EXPECT_EQ(std::memcmp(&read, &values[k], sizeof read), 0) << values[k] << text;
  }
}

TEST(GraphText, NamesComeFromLabels) {
  Program program;
  Graph graph;
  GraphBuilder build(graph);
  for (const char* label : {"z", "z", "z_1", "", "7", "", "a b", "h.1"}) {
    graph.roots.push_back({Root::output, "o", build.input("x", {DType::f32, 0, {}})});
    graph.nodes.back().label = label;
  }
  std::string text = print(graph, program);
  for (const char* name : {"%z ", "%z_1 ", "%z_1_1 ", "%0 ", "%_7 ", "%1 ", "%a_b ", "%h.1 "})
    EXPECT_TRUE(contains(text, name)) << name << text;
  EXPECT_EQ(fixed_point(text), text);
}

TEST(GraphText, AttributesOfEveryKind) {
  std::string text = fixed_point(R"(graph g {
    %x = input "x" : f32[3,8] ; %i = input "i" : i32<3>[5] ; %s = input "seed" : i64[] ; %k = input "k" : f32[2,4]
    %0 = transpose "p q -> q p" %x ; %1 = reshape %x : f32[24] ; %2 = slice %x start=[1,0] step=[1,2] : f32[2,4]
    %3 = pad %x before=[0,1] after=[1,0] step=[2,1] value=-inf ; %4 = concat %x %x axis=1 ; %5 = reverse %x axes=[0,1]
    %6 = gather %x %i axis=0 ; %7 = scatter_add %6 %i axis=0 : f32[3,8] ; %8 = cumsum exclusive reverse %x axis=1
    %9 = contract "n (2*p+r-1), k r -> n k p" %x %k : f32[3,2,4]
    %10 = window max %x size=[1,2] stride=[1,2] dilation=[1,1] before=[0,0] after=[0,0] ; %11 = random normal %s %s site=4000000000 : f32[7]
    %12 = reduce argmax "a b -> a" %x ; %13 = contract "n k ((h-r+1)/2), k r -> n h" %9 %k : f32[3,8]
    output "o" %13 })");
  for (const char* part :
       {"%0 = transpose \"a b -> b a\" %x : f32[8,3]", "step=[2,1] value=-inf : f32[6,9]",
        "%8 = cumsum exclusive reverse %x axis=1 : f32[3,8]", "\"n (2*p+r-1), k r -> n k p\"", "site=4000000000",
        "%12 = reduce argmax \"a b -> a\" %x : i32<8>[3]", "\"n k ((h-r+1)/2), k r -> n h\""}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

TEST(GraphText, CustomGradientsAndBodies) {
  std::string text = fixed_point(R"(graph g {
    graph body at B=4 { %c = input "c" : f32[2] ; %d = add %c 1 ; output "c" %d }
    %x = input "x" : f32[2] ; %s = scan %x body=0 axis=0 carried=1 reverse : f32[2]
    %y = max %x 0
    bwd:
    %dy = cotangent : f32[2] ; %k = compare gt %y 0 ; %dx = select %k %dy 0
    grad outputs=%y cotangents=%dy inputs=%x,%s gradients=%dx,-
    output "y" %y ; metric "s" %s })");
  EXPECT_TRUE(contains(text, "  grad outputs=%y cotangents=%dy inputs=%x,%s gradients=%dx,-\n")) << text;
  EXPECT_TRUE(contains(text, "  graph body at B=4 {\n")) << text;
}

TEST(GraphText, WholePrograms) {
  Program program;
  Graph graph;
  ASSERT_EQ(parse_graph(mlp, program, graph), "");
  program.states[1].lr = 0.5;
  program.states[1].weight_decay = 0;
  program.files[0] = "a \"b\".nn";
  program.functions = {graph, graph};
  UpdateRule rule{program.find_state("fc1.weight"), {}};
  ASSERT_EQ(
      parse_graph(
          "graph sgd { %p = input \"p\" : f32[2] ; %g = input \"g\" : f32[2] ; %n = sub %p %g ; output \"p\" %n }",
          program, rule.graph),
      "");
  program.updates.push_back(rule);
  Measures measures{{"ce", "f 1"}, {"p"}, {}};
  ASSERT_EQ(parse_graph("graph step { %p = input \"p\" : f32[2] ; metric \"f 1\" %p }", program, measures.graph), "");
  program.measures.push_back(measures);
  std::string text = print(program);
  Program again;
  ASSERT_EQ(parse_program(text, again), "") << text;
  EXPECT_EQ(print(again), text);
  EXPECT_EQ(again.functions.size(), 2u);
  EXPECT_EQ(again.updates.size(), 1u);
  ASSERT_EQ(again.measures.size(), 1u);
  EXPECT_EQ(again.measures[0].names, measures.names);
  EXPECT_EQ(again.measures[0].per_row, measures.per_row);
  EXPECT_EQ(again.files, program.files);
  EXPECT_EQ(again.states[1].lr, 0.5);
}

TEST(GraphText, ErrorsNameTheLine) {
  EXPECT_EQ(parse_error("graph g {\n  %y = exp %x\n}"), "line 2: %x is not defined above");
  EXPECT_EQ(parse_error("graph g {\n  %x = input \"x\" : f32[0]\n}"), "line 2: extent 0 is not in 1..2147483647");
  EXPECT_EQ(parse_error("graph g {\n\n  %x = frob 1\n}"), "line 3: there is no op 'frob'");
  EXPECT_EQ(parse_error("graph g { %x = input \"x\" : f32[2] ; %x = exp %x }"), "line 1: %x is defined twice");
  EXPECT_EQ(parse_error("graph g { %x = input \"x\" : f32[2] ; %y = add %x %x %x }"),
            "line 1: add takes 2 operands, not 3");
  EXPECT_EQ(parse_error("graph g { %x = input \"x\" : f32[2] ; %y = broadcast \"a -> b a\" %x }"),
            "line 1: broadcast needs a type");
  EXPECT_EQ(parse_error("graph g { %x = input \"x\" : f32[2] ; %y = exp %x loud }"), "line 1: unknown word 'loud'");
  EXPECT_EQ(parse_error("graph g { %x = input \"x : f32[2] }"), "line 1: a string does not end");
  EXPECT_EQ(parse_error("graph g { %a = add 1 2 }"), "line 1: a number has no type here");
  EXPECT_EQ(parse_error("graph g { %a = iota axis=0 : f32[99999999,99999999] }"),
            "line 1: more than 1099511627776 elements");
  EXPECT_EQ(parse_error("graph g {"), "line 1: unexpected ''");
  EXPECT_EQ(parse_error(""), "line 1: 'graph' expected");
  std::string nested;
  for (int depth = 0; depth < 100000; ++depth) nested += "graph g { ";
  EXPECT_EQ(parse_error(nested), "line 1: bodies are nested too deeply");
}

TEST(GraphText, IndexMaps) {
  std::vector<TensorType> types = {{DType::f32, 0, {2, 3}}, {DType::f32, 0, {4, 3}}};
  IndexMap map;
  EXPECT_EQ(parse_index_map("b i, o i -> b o", types, map), "");
  EXPECT_EQ(to_string(map), "b i, o i -> b o");
  EXPECT_EQ(map.extents, (Dims{2, 3, 4}));
  EXPECT_EQ(parse_index_map("b (r-1+2*p), o r -> b o p", types, map), "");
  EXPECT_EQ(to_string(map), "b (r+2*p-1), o r -> b o p");
  EXPECT_EQ(map.extents, (Dims{2, 3, 0, 4}));  // only the result's type tells how long p is
  EXPECT_EQ(parse_index_map("b i, i o -> b o", types, map), "index i has extents 3 and 4");
  EXPECT_EQ(parse_index_map("b i, o i -> b b", types, map), "index b occurs twice in the result");
  EXPECT_EQ(parse_index_map("b (i+j), o j -> b o", types, map), "summed index i occurs plain in no operand");
  EXPECT_EQ(parse_index_map("b i o, o i -> b o", types, map), "the map names 3 axes of f32[2,3]");
  for (const char* bad :
       {"", "b", "b i, o i", "b (, o i -> b", "b (i, o i -> b", "b ((i)/0), o i -> b o", "b (0*i), o i -> b o",
        "b (i+i), o i -> b", "b (99999999999*i), o i -> b o", "b i, o i -> b (o)", "b i -> b", "b i, o i, q -> b"}) {
    EXPECT_NE(parse_index_map(bad, types, map), "") << bad;
  }
}

// Whatever the text: an answer, no crash; and what is accepted prints to a fixed point and can be verified.
TEST(GraphText, MutatedTextsNeverCrash) {
  std::mt19937 random(20240607);
  const std::string source = mlp;
  const std::string_view pieces[] = {
      "%x",       "0",    "-1",     "{",     "}",      "[",      "]",   "\"",       ",",  ":",
      "=",        "!",    "!a:1",   "graph", "axis=9", "f32[2]", "->",  "(",        ")",  "9999999999999999999",
      "i32<0>[]", "fwd:", "assign", "\n",    ";",      "#",      "inf", "clone=%x", "\\", "\xff",
      "trained"};
  size_t accepted = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text = source;
    for (auto edits = 1 + random() % 4; edits-- > 0 && !text.empty();) {
      size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text.erase(at, 1 + random() % 8);
          break;
        case 1:
          text.insert(at, pieces[random() % std::size(pieces)]);
          break;
        case 2:
          text[at] = static_cast<char>(random());
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
          break;
      }
    }
    Program program;
    Graph graph;
    std::string error = parse_graph(text, program, graph);
    if (!error.empty()) {
      ASSERT_EQ(error.substr(0, 5), "line ") << error;
      continue;
    }
    ++accepted;
    verify(graph, program, true);
    std::string printed = print(graph, program);
    Program fresh;
    Graph again;
    ASSERT_EQ(parse_graph(printed, fresh, again), "") << printed;
    ASSERT_EQ(print(again, fresh), printed);
  }
  EXPECT_GT(accepted, 100u);
}

}  // namespace
}  // namespace nnc
