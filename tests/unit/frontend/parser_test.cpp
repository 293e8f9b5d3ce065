#include "frontend/parser.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "samples.h"

namespace nnc {
namespace {

struct Parsed {
  SourceFiles sources;
  Diagnostics diagnostics;
  Ast ast;
  explicit Parsed(std::string_view text) {
    ast = parse(sources, add_source(sources, "a.nn", std::string(text)), diagnostics);
  }
  std::string problems() const { return render(sources, diagnostics); }
};

// The expression with a pair of parentheses around every operation.
std::string grouped(const Ast& ast, ast::ExprId id) {
  const ast::Expr& expr = ast[id];
  if (expr.kind() == ast::ExprKind::binary) {
    const auto& binary = expr.as<ast::Binary>();
    return fmt::format("({} {} {})", grouped(ast, binary.left), ast::spelling(binary.op), grouped(ast, binary.right));
  }
  if (expr.kind() == ast::ExprKind::unary) {
    const auto& unary = expr.as<ast::Unary>();
    return fmt::format("({} {})", ast::spelling(unary.op), grouped(ast, unary.operand));
  }
  return print_expr(ast, id);
}

std::string grouped(std::string_view text) {
  SourceFiles sources;
  Diagnostics diagnostics;
  ParsedExpression parsed = parse_expression(sources, add_source(sources, "a.nn", std::string(text)), diagnostics);
  return has_errors(diagnostics) ? render(sources, diagnostics) : grouped(parsed.ast, parsed.value);
}

TEST(Parser, Precedence) {
  EXPECT_EQ(grouped("x + x |> f"), "((x + x) |> f)");
  EXPECT_EQ(grouped("a |> f |> g"), "((a |> f) |> g)");
  EXPECT_EQ(grouped("a or b and c or d"), "((a or (b and c)) or d)");
  EXPECT_EQ(grouped("not a == b and c"), "((not (a == b)) and c)");
  EXPECT_EQ(grouped("not not a"), "(not (not a))");
  EXPECT_EQ(grouped("a and not b or c"), "((a and (not b)) or c)");
  EXPECT_EQ(grouped("a - b - c"), "((a - b) - c)");
  EXPECT_EQ(grouped("a + b * c @ d // e % f"), "(a + ((((b * c) @ d) // e) % f))");
  EXPECT_EQ(grouped("a + b < c * d"), "((a + b) < (c * d))");
  EXPECT_EQ(grouped("-x ** 2"), "(- (x ** 2))");
  EXPECT_EQ(grouped("2 ** -1"), "(2 ** (- 1))");
  EXPECT_EQ(grouped("a ** b ** c"), "(a ** (b ** c))");
  EXPECT_EQ(grouped("a * -b - -c"), "((a * (- b)) - (- c))");
  EXPECT_EQ(grouped("-a * b"), "((- a) * b)");
  EXPECT_EQ(grouped("x.T ** f(a)[0]"), "(x.T ** f(a)[0])");
}

TEST(Parser, SpansCoverParenthesesAndOperators) {
  SourceFiles sources;
  Diagnostics diagnostics;
  ParsedExpression parsed = parse_expression(sources, add_source(sources, "a.nn", "((a + b)) @ w[0]"), diagnostics);
  const auto& product = parsed.ast[parsed.value].as<ast::Binary>();
  EXPECT_EQ(text_of(sources, parsed.ast[parsed.value].span), "((a + b)) @ w[0]");
  EXPECT_EQ(text_of(sources, parsed.ast[product.left].span), "((a + b))");
  EXPECT_EQ(text_of(sources, product.op_span), "@");
  EXPECT_EQ(text_of(sources, parsed.ast[product.right].span), "w[0]");
  EXPECT_TRUE(parsed.ast[product.left].parenthesised);
  EXPECT_FALSE(parsed.ast[parsed.value].parenthesised);
}

TEST(Parser, PrintedSamplesAreAFixedPoint) {
  for (std::string_view sample : samples) {
    Parsed first(sample);
    ASSERT_EQ(first.problems(), "");
    std::string once = print_ast(first.ast);
    Parsed second(once);
    ASSERT_EQ(second.problems(), "") << once;
    EXPECT_EQ(print_ast(second.ast), once);
    EXPECT_EQ(second.ast.exprs.size(), first.ast.exprs.size());
    EXPECT_EQ(second.ast.stmts.size(), first.ast.stmts.size());
    EXPECT_EQ(second.ast.types.size(), first.ast.types.size());
  }
}

TEST(Parser, PrintsOneLayout) {
  Parsed parsed(samples[1]);
  EXPECT_EQ(print_ast(parsed.ast), R"nn(option D = 128
option T = 128

const heads: int = 4

layer Attention()(x: [batch, T, D]) -> [batch, T, D] {
  require D % heads == 0
  param wq, wk, wv: [D, D] = normal(0.02)
  param wo: [D, D] = normal(0.02 / sqrt(2 * depth)) with weight_decay = 0, lr = 2, frozen = true
  state count: [] = zeros()
  q = rearrange(x @ wq, "b t (h d) -> b h t d", h = heads)
  a = where(causal(T), q, -inf) |> softmax |> Dropout(drop)
  mlp = [Linear(4 * D), gelu, Linear(D), Dropout(drop)] with lr = 0.5
  blocks = [Block() for _ in 0..depth]
  s: f32[batch, ..., 2 * D // 3] = a[:, 1:-1, ::2] + a[..., 0]
  if training and not frozen {
    count <- count + 1
  } else if D > 3 {
    y = 1
  } else {
    y = 2
  }
  for i in 1..depth - 1 {
    x = x + blocks[i](x)
  }
  return rearrange(a, "b h t d -> b t (h d)") @ wo.T |> Dropout(drop), s
}
)nn");
}

TEST(Parser, DeclarationsInOrderWithDocs) {
  Parsed parsed(samples[0]);
  ASSERT_EQ(parsed.ast.decls.size(), 5u);
  EXPECT_EQ(parsed.ast.decls[0].kind(), ast::DeclKind::option);
  EXPECT_EQ(parsed.ast.decls[0].doc, "binary classification\nof a table");
  EXPECT_EQ(parsed.ast.decls[1].as<ast::Import>().path, "layers.nn");
  EXPECT_EQ(parsed.ast.decls[2].as<ast::Model>().name.text, "BCNet");
  EXPECT_EQ(parsed.ast.decls[2].as<ast::Model>().body.stmts.size(), 6u);
  EXPECT_EQ(parsed.ast.decls[2].doc, "");
  const auto& data = parsed.ast.decls[3].as<ast::Data>();
  ASSERT_EQ(data.settings.size(), 4u);
  EXPECT_EQ(data.settings[3].names[1].text, "next");
  EXPECT_EQ(parsed.ast.decls[4].as<ast::Train>().settings.size(), 4u);
}

TEST(Parser, WordsOfTheGrammarAreNamesWhereTheyAreBound) {
  Parsed parsed(R"(model M {
  state m: [] = zeros()  state = f(x)  loss = 1  loss, metric = g(loss)
  input: [3] = param  output <- update  require = 2  require require > model.data
  loss loss = train
}
fn data(data, train: fn = data) = layer
fn model(x) { option = x  return option }
)");
  ASSERT_EQ(parsed.problems(), "");
  const auto& stmts = parsed.ast.decls[0].as<ast::Model>().body.stmts;
  using enum ast::StmtKind;
  std::vector<ast::StmtKind> kinds;
  for (ast::StmtId id : stmts) kinds.push_back(parsed.ast[id].kind());
  EXPECT_EQ(kinds,
            (std::vector{declare_state, bind, bind, bind, bind, assign, bind, ast::StmtKind::require, declare_result}));
}

TEST(Parser, TypesSayWhatTheyHold) {
  Parsed parsed("fn f(a: i32<2*n>[..., 4*D], b: bool, c: bool[n], d: [], e: f32[1]) = a");
  ASSERT_EQ(parsed.problems(), "");
  const auto& types = parsed.ast.types;
  ASSERT_EQ(types.size(), 5u);
  EXPECT_EQ(types[0].element, ast::ElementType::i32);
  EXPECT_EQ(print_expr(parsed.ast, types[0].bound), "2 * n");
  EXPECT_TRUE(types[0].dims[0].ellipsis);
  EXPECT_EQ(types[1].kind, ast::TypeKind::static_bool);
  EXPECT_EQ(types[2].element, ast::ElementType::boolean);
  EXPECT_EQ(types[3].element, ast::ElementType::compute);
  EXPECT_TRUE(types[3].dims.empty());
  EXPECT_EQ(print_type(parsed.ast, ast::TypeId(4)), "f32[1]");
}

TEST(Parser, LongChainsNeedNoStack) {
  std::string text = "const a = 0";
  for (int i = 0; i < 100000; ++i) text += i % 2 ? " + 1" : " * b";
  Parsed sum(text);
  EXPECT_EQ(sum.problems(), "");
  EXPECT_EQ(print_ast(sum.ast), text + "\n");
  std::string branches = "fn f(x) { if x { y = 1 }";
  for (int i = 0; i < 40000; ++i) branches += " else if x { y = 1 }";
  EXPECT_EQ(Parsed(branches + " return y }").problems(), "");
}

TEST(Parser, LeftSpineStopsAtParentheses) {
  Parsed parsed("const a = (b + c) * d + e - f ** g");
  auto value = parsed.ast.decls[0].as<ast::Const>().value;
  std::vector<ast::ExprId> spine = ast::left_spine(parsed.ast, value);
  ASSERT_EQ(spine.size(), 3u);
  EXPECT_EQ(parsed.ast[spine[0]].as<ast::Binary>().op, ast::BinaryOp::multiply);
  EXPECT_EQ(spine[2], value);
}

}  // namespace
}  // namespace nnc
