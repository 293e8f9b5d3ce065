// What the files of the parser share. Recursive descent: each function reads one construct at `at` and returns its
// node. A mistake is reported once and sets `failed`; from then on every look-ahead sees the end of the file, so all
// loops end and all expectations fail in silence, until somebody who knows where to go on clears it: a closed bracket
// (behind its partner), a block (at the next statement), the file (at the next declaration).
#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "frontend/ast.h"
#include "frontend/diagnostics.h"
#include "frontend/lexer.h"

namespace nnc::parsing {

struct Parser {
  const SourceFiles& sources;
  FileId file;
  Diagnostics& diagnostics;
  Tokens lexed;
  Ast ast;
  uint32_t at = 0;
  bool failed = false;
  bool reported_unclosed_brace = false;  // the braces around it are unclosed for the same reason
  bool reported_nesting = false;         // one such diagnostic for a file: what else is as deep goes without
  int depth = 0;
  std::vector<ast::ExprId> loose_ranges;  // not, or not yet, known to stand behind `in`
};

// The levels of precedence, loosest first.
enum Level : int { pipe_level, or_level, and_level, not_level, compare_level, range_level, sum_level, product_level };

// ---- looking and taking (parser.cpp)
const Token& peek(const Parser& parser, uint32_t ahead = 0);
inline bool at(const Parser& parser, TokenKind kind) { return peek(parser).kind == kind; }
bool take(Parser& parser, TokenKind kind);  // steps over it if it is there
std::string_view text_at(const Parser& parser, uint32_t ahead = 0);
bool at_word(const Parser& parser, std::string_view word);   // a name with this text
Span span_at(const Parser& parser, uint32_t ahead = 0);      // for the end of the file: behind the last token
Span span_from(const Parser& parser, uint32_t begin_token);  // up to the last token taken
// A word of the grammar is a keyword where a declaration or statement starts and none of `= , : <-` follows.
bool at_keyword(const Parser& parser, std::initializer_list<std::string_view> words);
bool at_declaration(const Parser& parser);

// ---- mistakes (parser.cpp)
// Reports unless already failed, and fails. The reference is valid until the next call.
Diagnostic& fail(Parser& parser, DiagnosticKind kind, Span span, std::string message);
// "expected WHAT, found ..." at the next token; an unmatched closing bracket is called that.
Diagnostic& fail_expected(Parser& parser, std::string_view what);
bool expect(Parser& parser, TokenKind kind, std::string_view what = {});
ast::Name expect_name(Parser& parser, std::string_view what);
// Takes the closing bracket of the one at `open`. After a mistake in between goes on behind it, if it is closed.
void close(Parser& parser, uint32_t open, std::string_view expected);
// Steps over one token, or a closed pair of round or square brackets with all within.
void skip(Parser& parser);

// One more level of nesting while it lives.
struct Nest {
  explicit Nest(Parser& parser, int levels = 1);
  Nest(const Nest&) = delete;
  ~Nest() { parser.depth -= levels; }
  Parser& parser;
  int levels;
  bool fits;  // if not it was reported, and the parser has failed
};

// ---- expressions and types (parse_expr.cpp, parse_type.cpp)
ast::ExprId add_expr(Parser& parser, Span span, decltype(ast::Expr::node) node);
ast::ExprId parse_expr(Parser& parser, int loosest = pipe_level);
ast::ExprId parse_sequence(Parser& parser);    // an expression or a range
ast::ExprId parse_right_side(Parser& parser);  // an expression or a scan
ast::TypeId parse_type(Parser& parser);
std::vector<ast::TypeId> parse_results(Parser& parser);  // [-> type, type]

// ---- statements (parse_stmt.cpp)
void parse_statement_into(Parser& parser, std::vector<ast::StmtId>& stmts);
ast::Block parse_block(Parser& parser);
// After a failure before a block: goes to the next `{` of this construct, if there is one, and clears the failure.
void reach_block(Parser& parser);
// A statement that is not part of the tree, for the diagnostics in it.
void parse_dropped_statement(Parser& parser);
// After a failure in the statement that began at token `start`: goes to where the next one begins.
void find_next_statement(Parser& parser, uint32_t start);
// What stands before the `}` of the block opened at `open`: true to go on with a statement; false at the `}`, which is
// taken, or where it is missing, which is reported.
bool in_block(Parser& parser, uint32_t open);
std::vector<ast::Name> parse_names(Parser& parser, std::string_view what);
// Whether an expression may go on with this token behind an operand.
bool operator_like(TokenKind kind);

// ---- declarations (parse_decl.cpp)
void parse_file(Parser& parser);

}  // namespace nnc::parsing
