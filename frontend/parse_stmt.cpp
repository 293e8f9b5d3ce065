// Statements and blocks.
#include "frontend/parser_state.h"

namespace nnc::parsing {

using ast::ExprId;

namespace {

void add_stmt(Parser& parser, std::vector<ast::StmtId>& stmts, uint32_t begin, decltype(ast::Stmt::node) node) {
  if (parser.failed) return;
  parser.ast.stmts.push_back({span_from(parser, begin), std::move(node)});
  stmts.push_back(ast::StmtId(parser.ast.stmts.size() - 1));
}

std::vector<ast::Attribute> parse_attributes(Parser& parser) {
  std::vector<ast::Attribute> attributes;
  if (!take(parser, TokenKind::word_with)) return attributes;
  do {
    ast::Name name = expect_name(parser, "an attribute, as in `with lr = 2`");
    expect(parser, TokenKind::equal);
    attributes.push_back({std::move(name), parse_expr(parser)});
  } while (take(parser, TokenKind::comma));
  return attributes;
}

std::vector<ExprId> parse_values(Parser& parser) {
  std::vector<ExprId> values;
  do {
    values.push_back(parse_expr(parser));
  } while (take(parser, TokenKind::comma));
  return values;
}

ast::TypeId parse_annotation(Parser& parser) {
  return take(parser, TokenKind::colon) ? parse_type(parser) : ast::TypeId();
}

decltype(ast::Stmt::node) parse_declare_state(Parser& parser) {
  ast::DeclareState declaration;
  declaration.trained = at_word(parser, "param");
  take(parser, TokenKind::name);
  declaration.names = parse_names(parser, declaration.trained ? "the name of a parameter" : "the name of a state");
  if (declaration.trained && !at(parser, TokenKind::colon)) fail_expected(parser, "`:` and the type of the parameter");
  declaration.type = parse_annotation(parser);
  if (!at(parser, TokenKind::equal)) fail_expected(parser, "`=` and an initial value");
  take(parser, TokenKind::equal);
  declaration.init = parse_expr(parser);
  declaration.attributes = parse_attributes(parser);
  return declaration;
}

decltype(ast::Stmt::node) parse_declare_input(Parser& parser) {
  ast::DeclareInput declaration;
  declaration.target = at_word(parser, "target");
  take(parser, TokenKind::name);
  declaration.name = expect_name(parser, "a name");
  if (expect(parser, TokenKind::colon, "`:` and a type")) declaration.type = parse_type(parser);
  return declaration;
}

decltype(ast::Stmt::node) parse_declare_result(Parser& parser) {
  ast::DeclareResult declaration;
  declaration.kind = at_word(parser, "output") ? ast::ResultKind::output
                     : at_word(parser, "loss") ? ast::ResultKind::loss
                                               : ast::ResultKind::metric;
  take(parser, TokenKind::name);
  declaration.name = expect_name(parser, "a name");
  declaration.type = parse_annotation(parser);
  expect(parser, TokenKind::equal);
  declaration.value = parse_right_side(parser);
  return declaration;
}

decltype(ast::Stmt::node) parse_if(Parser& parser) {
  ast::If result;
  do {
    take(parser, TokenKind::word_if);
    ast::IfArm arm;
    arm.condition = parse_expr(parser);
    reach_block(parser);
    arm.body = parse_block(parser);
    result.arms.push_back(std::move(arm));
    if (!take(parser, TokenKind::word_else)) return result;
  } while (at(parser, TokenKind::word_if));
  result.otherwise = parse_block(parser);
  return result;
}

decltype(ast::Stmt::node) parse_for(Parser& parser) {
  ast::For loop;
  take(parser, TokenKind::word_for);
  loop.variable = expect_name(parser, "a name");
  expect(parser, TokenKind::word_in);
  loop.sequence = parse_sequence(parser);
  reach_block(parser);
  loop.body = parse_block(parser);
  return loop;
}

const std::string statement_words[] = {"param", "state",  "input",   "target", "output",
                                       "loss",  "metric", "require", "return", "yield"};

// The statement starts with a name and goes on with neither `=` nor `<-`.
void fail_statement(Parser& parser, uint32_t begin) {
  const Token& next = peek(parser);
  Span first{parser.file, parser.lexed.tokens[begin].begin, parser.lexed.tokens[begin].end};
  std::string word(text_of(parser.sources, first));
  bool assigns = peek(parser, 1).kind == TokenKind::equal;
  if (next.kind == TokenKind::name || next.kind == TokenKind::string || next.kind == TokenKind::number) {
    fail_expected(parser, word.size() > 40 ? "`=`" : fmt::format("`=` behind `{}`", word))
        .help(similar("statement", word, statement_words));
  } else if (operator_like(next.kind) && assigns) {
    fail(parser, DiagnosticKind::not_a_statement, span_at(parser), "there are no assignments with an operator")
        .help("write the name on both sides: `x = x + y`");
  } else if (operator_like(next.kind)) {
    fail(parser, DiagnosticKind::not_a_statement, first, "an expression alone is no statement")
        .help("bind its value to a name: `y = ...`");
  } else {
    fail_expected(parser, "`=`");
  }
}

decltype(ast::Stmt::node) parse_bind(Parser& parser) {
  uint32_t begin = parser.at;
  std::vector<ast::Name> names = parse_names(parser, "a name");
  if (names.size() == 1 && take(parser, TokenKind::left_arrow)) {
    return ast::Assign{names[0], parse_expr(parser)};
  }
  ast::Bind bind{std::move(names), {}, {}, {}};
  if (bind.names.size() == 1) bind.type = parse_annotation(parser);
  if (!take(parser, TokenKind::equal)) {
    if (bind.type || bind.names.size() > 1) {
      fail_expected(parser, "`=`");
    } else if (!parser.failed) {
      fail_statement(parser, begin);
    }
    return bind;
  }
  bind.value = parse_right_side(parser);
  bind.attributes = parse_attributes(parser);
  return bind;
}

decltype(ast::Stmt::node) parse_return(Parser& parser) {
  take(parser, TokenKind::word_return);
  if (at(parser, TokenKind::word_scan)) return ast::Return{{parse_right_side(parser)}};
  return ast::Return{parse_values(parser)};
}

decltype(ast::Stmt::node) parse_word_statement(Parser& parser) {
  if (at_keyword(parser, {"param", "state"})) return parse_declare_state(parser);
  if (at_keyword(parser, {"input", "target"})) return parse_declare_input(parser);
  if (at_keyword(parser, {"output", "loss", "metric"})) return parse_declare_result(parser);
  if (!at_keyword(parser, {"require"})) return parse_bind(parser);
  take(parser, TokenKind::name);
  return ast::Require{parse_expr(parser)};
}

void fail_start(Parser& parser) {
  TokenKind kind = peek(parser).kind;
  bool expression = kind == TokenKind::number || kind == TokenKind::string || kind == TokenKind::open_paren ||
                    kind == TokenKind::open_square;
  if (is_reserved_word(kind) && peek(parser, 1).kind == TokenKind::equal) {
    expect_name(parser, "a name");
  } else if (expression) {
    fail(parser, DiagnosticKind::not_a_statement, span_at(parser), "an expression alone is no statement")
        .help("bind its value to a name: `y = ...`");
  } else {
    Diagnostic& diagnostic = fail_expected(parser, "a statement");
    if (kind == TokenKind::left_arrow) diagnostic.help("below a negative number is written `a < -b`, with a space");
  }
}

bool ends_operand(TokenKind kind) {
  return kind == TokenKind::name || kind == TokenKind::number || kind == TokenKind::string ||
         kind == TokenKind::close_paren || kind == TokenKind::close_square || kind == TokenKind::close_brace ||
         kind == TokenKind::word_true || kind == TokenKind::word_false || kind == TokenKind::word_inf;
}

bool starts_statement(const Parser& parser) {
  const Token& token = peek(parser);
  switch (token.kind) {
    case TokenKind::word_return:
    case TokenKind::word_yield:
      return true;
    case TokenKind::word_if:
    case TokenKind::word_for:
    case TokenKind::word_scan:
      return token.first_on_line;
    case TokenKind::name:
      break;
    default:
      return false;
  }
  if (at_keyword(parser, {"param", "state", "input", "target", "output", "loss", "metric"})) {
    return peek(parser, 1).kind == TokenKind::name;
  }
  // Two operands never stand side by side, so behind one a name begins something new. On the same line it is more
  // likely that something is missing between them.
  return token.first_on_line && (parser.at == 0 || ends_operand(parser.lexed.tokens[parser.at - 1].kind));
}

}  // namespace

bool operator_like(TokenKind kind) {
  return (kind >= TokenKind::pipe && kind <= TokenKind::greater && kind != TokenKind::left_arrow) ||
         (kind >= TokenKind::plus && kind <= TokenKind::at) || kind == TokenKind::word_and ||
         kind == TokenKind::word_or || kind == TokenKind::dot || kind == TokenKind::open_paren ||
         kind == TokenKind::open_square;
}

std::vector<ast::Name> parse_names(Parser& parser, std::string_view what) {
  std::vector<ast::Name> names;
  do {
    names.push_back(expect_name(parser, what));
  } while (take(parser, TokenKind::comma));
  return names;
}

void parse_statement_into(Parser& parser, std::vector<ast::StmtId>& stmts) {
  uint32_t begin = parser.at;
  switch (peek(parser).kind) {
    case TokenKind::word_return:
      return add_stmt(parser, stmts, begin, parse_return(parser));
    case TokenKind::word_yield:
      take(parser, TokenKind::word_yield);
      return add_stmt(parser, stmts, begin, ast::Yield{parse_values(parser)});
    case TokenKind::word_if:
      return add_stmt(parser, stmts, begin, parse_if(parser));
    case TokenKind::word_for:
      return add_stmt(parser, stmts, begin, parse_for(parser));
    case TokenKind::word_scan:
      return add_stmt(parser, stmts, begin, ast::ScanStmt{parse_right_side(parser)});
    case TokenKind::name:
      return add_stmt(parser, stmts, begin, parse_word_statement(parser));
    default:
      return fail_start(parser);
  }
}

void parse_dropped_statement(Parser& parser) {
  std::vector<ast::StmtId> dropped;
  uint32_t begin = parser.at;
  parse_statement_into(parser, dropped);
  if (parser.failed) find_next_statement(parser, begin);
}

void find_next_statement(Parser& parser, uint32_t start) {
  parser.failed = false;
  if (parser.at == start && !at(parser, TokenKind::open_brace) && !at(parser, TokenKind::close_brace)) skip(parser);
  for (;;) {
    if (at(parser, TokenKind::end) || at_declaration(parser) || starts_statement(parser)) return;
    if (at(parser, TokenKind::close_brace)) {
      // A brace that closes nothing was reported or will be by the file; here it would never be passed.
      if (parser.lexed.partner[parser.at] != parser.at) return;
      skip(parser);
    } else if (at(parser, TokenKind::open_brace)) {
      // The block of a statement whose head was wrong: its own mistakes count.
      parse_block(parser);
      parser.failed = false;
    } else {
      skip(parser);
    }
  }
}

void reach_block(Parser& parser) {
  if (!parser.failed) return;
  uint32_t from = parser.at;
  parser.failed = false;
  while (!at(parser, TokenKind::end) && !at(parser, TokenKind::open_brace) && !at(parser, TokenKind::close_brace) &&
         !at_declaration(parser) && !(parser.at != from && starts_statement(parser))) {
    skip(parser);
  }
  parser.failed = !at(parser, TokenKind::open_brace);
}

bool in_block(Parser& parser, uint32_t open) {
  if (take(parser, TokenKind::close_brace)) return false;
  bool closed = parser.lexed.partner[open] != 0;
  if (!at(parser, TokenKind::end) && !(at_declaration(parser) && !closed)) return true;
  const Token& opener = parser.lexed.tokens[open];
  if (!parser.reported_unclosed_brace && !parser.failed) {
    report(parser.diagnostics, DiagnosticKind::unclosed_bracket, span_at(parser), "`{{` is not closed: expected `}}`")
        .label({parser.file, opener.begin, opener.end}, "opened here");
  }
  // Braces around this one have lost their partner with it.
  parser.reported_unclosed_brace = true;
  return false;
}

ast::Block parse_block(Parser& parser) {
  ast::Block block;
  uint32_t open = parser.at;
  block.span = span_at(parser);
  if (!expect(parser, TokenKind::open_brace)) return block;
  Nest nest(parser);
  if (!nest.fits) {
    uint32_t partner = parser.lexed.partner[open];
    parser.failed = false;
    parser.reported_unclosed_brace |= partner == 0;
    parser.at = partner != 0 ? partner + 1 : static_cast<uint32_t>(parser.lexed.tokens.size() - 1);
    return block;
  }
  while (in_block(parser, open)) {
    uint32_t begin = parser.at;
    if (at_declaration(parser)) {
      fail(parser, DiagnosticKind::not_a_statement, span_at(parser),
           fmt::format("`{}` stands at file level, not in a block", text_at(parser)));
    } else {
      parse_statement_into(parser, block.stmts);
    }
    if (parser.failed) find_next_statement(parser, begin);
  }
  block.span = span_from(parser, open);
  return block;
}

}  // namespace nnc::parsing
