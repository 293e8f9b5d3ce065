#include "frontend/parser.h"

#include <algorithm>

#include "frontend/parser_state.h"

namespace nnc {

namespace parsing {

const Token& peek(const Parser& parser, uint32_t ahead) {
  const std::vector<Token>& tokens = parser.lexed.tokens;
  return parser.failed || parser.at + ahead >= tokens.size() ? tokens.back() : tokens[parser.at + ahead];
}

bool take(Parser& parser, TokenKind kind) {
  if (!at(parser, kind)) return false;
  if (kind != TokenKind::end) ++parser.at;
  return true;
}

std::string_view text_at(const Parser& parser, uint32_t ahead) {
  const Token& token = peek(parser, ahead);
  return std::string_view(parser.sources[parser.file].text).substr(token.begin, token.end - token.begin);
}

bool at_word(const Parser& parser, std::string_view word) {
  return at(parser, TokenKind::name) && text_at(parser) == word;
}

Span span_at(const Parser& parser, uint32_t ahead) {
  const Token& token = peek(parser, ahead);
  if (token.kind != TokenKind::end || parser.lexed.tokens.size() < 2) return {parser.file, token.begin, token.end};
  uint32_t end = parser.lexed.tokens[parser.lexed.tokens.size() - 2].end;
  return {parser.file, end, end};
}

Span span_from(const Parser& parser, uint32_t begin_token) {
  const std::vector<Token>& tokens = parser.lexed.tokens;
  uint32_t begin = tokens[std::min<size_t>(begin_token, tokens.size() - 1)].begin;
  uint32_t end = parser.at > begin_token ? tokens[parser.at - 1].end : begin;
  return {parser.file, begin, end};
}

bool at_keyword(const Parser& parser, std::initializer_list<std::string_view> words) {
  if (!at(parser, TokenKind::name)) return false;
  TokenKind next = peek(parser, 1).kind;
  if (next == TokenKind::equal || next == TokenKind::comma || next == TokenKind::colon ||
      next == TokenKind::left_arrow) {
    return false;
  }
  return std::find(words.begin(), words.end(), text_at(parser)) != words.end();
}

bool at_declaration(const Parser& parser) {
  TokenKind next = peek(parser, 1).kind, behind = peek(parser, 2).kind;
  bool reserved_name = is_reserved_word(next) && (behind == TokenKind::equal || behind == TokenKind::open_paren);
  switch (reserved_name ? TokenKind::name : next) {
    case TokenKind::name:
      return at_keyword(parser, {"option", "const", "fn", "schedule", "grad", "layer", "optimizer", "model"});
    case TokenKind::open_brace:
      return at_keyword(parser, {"data", "train"});
    case TokenKind::string:
      return at_keyword(parser, {"import"});
    default:
      return false;
  }
}

Diagnostic& fail(Parser& parser, DiagnosticKind kind, Span span, std::string message) {
  // What was left out of the text may well be what is missed here.
  parser.failed |= peek(parser).after_stray;
  if (!std::exchange(parser.failed, true)) return report_message(parser.diagnostics, kind, span, std::move(message));
  return parser.diagnostics.overflow = Diagnostic{kind};
}

namespace {

std::string describe(const Parser& parser) {
  const Token& token = peek(parser);
  if (token.kind == TokenKind::end) return "the end of the file";
  if (token.kind == TokenKind::string) return "a string";
  std::string_view text = text_at(parser);
  if (is_reserved_word(token.kind)) return fmt::format("the reserved word `{}`", text);
  if (text.size() > 40) return token.kind == TokenKind::number ? "a number" : "a long name";
  return fmt::format("`{}`", text);
}

bool is_closer(TokenKind kind) {
  return kind == TokenKind::close_paren || kind == TokenKind::close_square || kind == TokenKind::close_brace;
}

}  // namespace

Diagnostic& fail_expected(Parser& parser, std::string_view what) {
  Span span = span_at(parser);
  if (!parser.failed && is_closer(peek(parser).kind) && parser.lexed.partner[parser.at] == parser.at) {
    return fail(parser, DiagnosticKind::unmatched_bracket, span, fmt::format("`{}` closes nothing", text_at(parser)));
  }
  return fail(parser, DiagnosticKind::unexpected_token, span,
              fmt::format("expected {}, found {}", what, describe(parser)));
}

bool expect(Parser& parser, TokenKind kind, std::string_view what) {
  if (take(parser, kind)) return true;
  fail_expected(parser, what.empty() ? fmt::format("`{}`", spelling(kind)) : std::string(what));
  return false;
}

ast::Name expect_name(Parser& parser, std::string_view what) {
  ast::Name name{std::string(text_at(parser)), span_at(parser)};
  if (take(parser, TokenKind::name)) return name;
  if (is_reserved_word(peek(parser).kind)) {
    fail(parser, DiagnosticKind::reserved_word, name.span,
         fmt::format("`{}` is a reserved word, expected {}", name.text, what));
  } else {
    fail_expected(parser, what);
  }
  return {"_", name.span};
}

void close(Parser& parser, uint32_t open, std::string_view expected) {
  const Token& opener = parser.lexed.tokens[open];
  auto closer = static_cast<TokenKind>(static_cast<int>(opener.kind) + 1);
  if (take(parser, closer)) return;
  uint32_t partner = parser.lexed.partner[open];
  if (!parser.failed && partner == 0) {
    fail(parser, DiagnosticKind::unclosed_bracket, span_at(parser),
         fmt::format("`{}` is not closed: expected {}, found {}", spelling(opener.kind), expected, describe(parser)))
        .label({parser.file, opener.begin, opener.end}, "opened here");
  } else {
    fail_expected(parser, expected);
  }
  if (partner == 0) return;
  parser.at = partner + 1;
  parser.failed = false;
}

void skip(Parser& parser) {
  const Token& token = peek(parser);
  uint32_t partner = parser.lexed.partner[parser.at];
  bool bracket = token.kind == TokenKind::open_paren || token.kind == TokenKind::open_square;
  if (bracket && partner != 0) {
    parser.at = partner + 1;
  } else if (token.kind != TokenKind::end) {
    ++parser.at;
  }
}

Nest::Nest(Parser& nested, int more) : parser(nested), levels(more), fits(nested.depth + more <= max_nesting) {
  parser.depth += levels;
  if (!fits) {
    parser.failed |= std::exchange(parser.reported_nesting, true);
    fail(parser, DiagnosticKind::nested_too_deeply, span_at(parser),
         fmt::format("nested more than {} levels deep", max_nesting));
  }
}

}  // namespace parsing

namespace {

parsing::Parser make_parser(const SourceFiles& sources, FileId file, Diagnostics& diagnostics) {
  parsing::Parser parser{sources, file, diagnostics, lex(sources, file, diagnostics), {}};
  parser.ast.file = file;
  return parser;
}

void report_loose_ranges(parsing::Parser& parser) {
  for (ast::ExprId id : parser.loose_ranges) {
    report(parser.diagnostics, DiagnosticKind::misplaced_range, parser.ast[id].span, "a range stands only behind `in`")
        .help("as a tensor it is `arange(n)`, in an index it is `x[a:b]`");
  }
}

}  // namespace

Ast parse(const SourceFiles& sources, FileId file, Diagnostics& diagnostics) {
  parsing::Parser parser = make_parser(sources, file, diagnostics);
  parsing::parse_file(parser);
  report_loose_ranges(parser);
  return std::move(parser.ast);
}

ParsedExpression parse_expression(const SourceFiles& sources, FileId file, Diagnostics& diagnostics) {
  parsing::Parser parser = make_parser(sources, file, diagnostics);
  ast::ExprId value = parsing::parse_expr(parser);
  if (!parsing::at(parser, TokenKind::end)) parsing::fail_expected(parser, "nothing behind the value");
  report_loose_ranges(parser);
  return {std::move(parser.ast), value};
}

}  // namespace nnc
