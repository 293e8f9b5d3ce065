// Mistakes: one diagnostic for each, as many as there are, and never a crash.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "frontend/parser.h"

namespace nnc {
namespace {

struct Outcome {
  std::string found;  // "line:column code" of each diagnostic
  std::string printed;
};

Outcome check(std::string text) {
  SourceFiles sources;
  Diagnostics diagnostics;
  Ast ast = parse(sources, add_source(sources, "a.nn", std::move(text)), diagnostics);
  Outcome outcome;
  for (const Diagnostic* diagnostic : sorted(diagnostics)) {
    Location at = locate(sources, diagnostic->span);
    outcome.found +=
        fmt::format("{}{}:{} {}", outcome.found.empty() ? "" : ", ", at.line, at.column, info(diagnostic->kind).code);
  }
  EXPECT_FALSE(render(sources, diagnostics).size() > 100000);
  outcome.printed = print_ast(ast);
  return outcome;
}

std::string repeat(std::string_view text, size_t times) {
  std::string result;
  for (size_t i = 0; i < times; ++i) result += text;
  return result;
}

TEST(Recovery, ReportsEveryRootCauseInOneRun) {
  Outcome outcome = check(R"(option a 3
model M {
  x = f(1, 2 3)
  y = [1, 2
  z = g(x)
  loss = = 2
  w = h(x) + (1 2) + (3 4)
  good = 1
}
layer L(n: int)(x: nonsense[3]) {
  if n > { y = 1 ) }
  for i 0..3 { return + }
}
train { epochs 3  batch = mini(3) }
)");
  EXPECT_EQ(outcome.found,
            "1:10 E006, 3:14 E006, 5:3 E007, 6:10 E006, 7:17 E006, 7:25 E006, 10:20 E015, 11:10 E006, 11:18 E008, "
            "12:9 E006, 12:23 E006, 14:16 E006");
  EXPECT_NE(outcome.printed.find("good = 1"), std::string::npos);
}

TEST(Recovery, AMissingBraceEndsAtTheNextDeclaration) {
  Outcome outcome = check("model M {\n  x = 1\n  if x {\n    y = 2\n}\ndata { a = 1 }\ntrain { b = 2 }\n");
  EXPECT_EQ(outcome.found, "6:1 E007");
  EXPECT_NE(outcome.printed.find("train {\n  b = 2\n}"), std::string::npos);
}

TEST(Recovery, UnclosedToTheEnd) {
  EXPECT_EQ(check("model M { if a { if b { x = 1").found, "1:30 E007");
  EXPECT_EQ(check("const a = f((g(1)").found, "1:18 E007");
  EXPECT_EQ(check("const a = f([1, 2").found, "1:18 E007");
}

TEST(Recovery, AStrayCloserIsNamed) {
  EXPECT_EQ(check("const a = 1)\nconst b = 2]\n").found, "1:12 E008, 2:12 E008");
  EXPECT_EQ(check("model M { x = 1 } }\nconst a = 1").found, "1:19 E008");
}

TEST(Recovery, StatementsAtFileLevelAreReportedOncePerRun) {
  EXPECT_EQ(check("x = 1\ny = 2\nparam w: [3] = zeros()\nconst a = 1\nz = 3").found, "1:1 E014, 5:1 E014");
  EXPECT_EQ(check("modle M { x = 1 }").found, "1:1 E014");
}

TEST(Recovery, DeepNestingIsOneDiagnostic) {
  for (auto [open, close] : {std::pair("(", ")"), {"[", "]"}, {"f(", ")"}, {"x[", "]"}}) {
    std::string opened = "const a = " + repeat(open, 100000);
    EXPECT_EQ(check(opened + "1" + repeat(close, 100000) + "\nconst b = 1").found.size(), 10u) << open;
    EXPECT_EQ(check(opened).found.size(), 10u) << open;
  }
  for (const char* link : {"-", "not ", "a ** ", "if x { "}) {
    Outcome outcome = check("fn f(x) { y = " + repeat(link, 100000) + "z }");
    EXPECT_NE(outcome.found.find("E009"), std::string::npos) << link;
    EXPECT_LT(outcome.found.size(), 100u) << link << outcome.found;
  }
  EXPECT_EQ(check("fn f(x) { " + repeat("if x { ", 100000)).found.substr(6), " E009");
  EXPECT_EQ(check("fn f(x) { " + repeat("if x { ", 100000) + repeat("}", 100001)).found.substr(6), " E009");
  EXPECT_NE(check("fn f(x) { y = " + repeat("scan a in ", 100000)).found.find("E009"), std::string::npos);
  EXPECT_EQ(check("const a = f" + repeat("(1)", 100000)).found.substr(5), " E009");
  EXPECT_EQ(check("const a = f" + repeat(".x", 100000)).found.substr(5), " E009");
  EXPECT_EQ(check("const a = " + repeat("(", 150) + "1" + repeat(")", 150)).found, "");
}

TEST(Recovery, ManyMistakesTakeLinearTime) {
  check(repeat("(", 500000) + repeat("]", 500000));
  check("fn f(x) { " + repeat("x = ( } {", 100000));
  check(repeat("x y ", 200000));
  check(repeat("#a\n", 300000) + "const a = 1");
  check("const a = " + repeat("1 < ", 200000));
  check("const a = " + repeat("1..", 200000) + "1");
  check(repeat("\xff ", 400000));
  check(repeat("model ", 150000));
  check(repeat("{", 500000));
  check(repeat("\"", 500000));
}

TEST(Recovery, TextMistakesKeepTheRest) {
  Outcome outcome =
      check("const a = 1. + .5 + 1e + 1__0 + 12ab + 1e999\nconst b = \"ab\\q\nconst c = 1 ; $$ \x80\xff\nconst d = 4");
  EXPECT_EQ(outcome.found,
            "1:11 E005, 1:16 E005, 1:21 E005, 1:26 E005, 1:33 E005, 1:40 E005, 2:11 E003, 2:14 E004, "
            "3:13 E001, 3:15 E001, 3:18 E002");
  EXPECT_NE(outcome.printed.find("const d = 4"), std::string::npos);
}

TEST(Recovery, ANulByteIsReported) { EXPECT_EQ(check(std::string("const a = 1\0\n", 13)).found, "1:12 E002"); }

TEST(Recovery, MistakesOfExpressions) {
  EXPECT_EQ(check("const a = 1 < 2 < 3").found, "1:17 E010");
  EXPECT_EQ(check("const a = (1 < 2) == (3 < 4)").found, "");
  EXPECT_EQ(check("const a = 0..4").found, "1:11 E011");
  EXPECT_EQ(check("const a = [x for x in 0..4]").found, "");
  EXPECT_EQ(check("const a = [x for x in 0..4..5]").found, "1:27 E011");
  EXPECT_EQ(check("const a = b == not c").found, "1:16 E017");
  EXPECT_EQ(check("const a = f(b = 1, 2)").found, "1:20 E016");
  EXPECT_EQ(check("const a = x[..., 1, ...] + x[]").found, "1:21 E018, 1:30 E006");
  EXPECT_EQ(check("const a = x.5").found, "1:13 E006");
  EXPECT_EQ(check("const in = 1").found, "1:7 E019");
  EXPECT_EQ(check("fn f(x) { y = 1 + scan a in x along 1 { yield a } }").found, "1:19 E012");
  EXPECT_EQ(check("fn f(x) { y = scan a in x along 1 { yield a } + 1 }").found, "1:47 E012");
  EXPECT_EQ(check("fn f(x) { scan a, b in x along 1 { y = a } }").found, "1:11 E020");
}

TEST(Recovery, MistakesOfTypesAndStatements) {
  EXPECT_EQ(check("fn f(a: f32, b: int[3], c: f64[2], d: f32<3>[], e: [..., ...]) = a").found,
            "1:9 E015, 1:17 E015, 1:28 E015, 1:39 E015, 1:58 E018");
  EXPECT_EQ(check("fn f(a) { g(a) }").found, "1:11 E013");
  EXPECT_EQ(check("fn f(a) { a += 1  return a }").found, "1:13 E013");
  EXPECT_EQ(check("fn f(a) { prama w: [3] = zeros() }").found, "1:17 E006");
  EXPECT_EQ(check("model M { param w = zeros()  fn f(x) = x }").found, "1:19 E006, 1:30 E013");
  EXPECT_EQ(check("optimizer O() { state m = zeros() }").found, "1:11 E006");
}

}  // namespace
}  // namespace nnc
