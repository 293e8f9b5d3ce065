// Expressions, by precedence climbing: chains of one level are loops, only brackets, signs and `**` recurse.
#include <limits>
#include <optional>

#include "frontend/parser_state.h"

namespace nnc::parsing {

using ast::BinaryOp;
using ast::ExprId;

ExprId add_expr(Parser& parser, Span span, decltype(ast::Expr::node) node) {
  parser.ast.exprs.push_back({span, false, std::move(node)});
  return ExprId(parser.ast.exprs.size() - 1);
}

namespace {

struct Operator {
  int level;
  BinaryOp op;
};

std::optional<Operator> operator_of(TokenKind kind) {
  switch (kind) {
    case TokenKind::pipe:
      return Operator{pipe_level, BinaryOp::pipe};
    case TokenKind::word_or:
      return Operator{or_level, BinaryOp::logical_or};
    case TokenKind::word_and:
      return Operator{and_level, BinaryOp::logical_and};
    case TokenKind::equal_equal:
      return Operator{compare_level, BinaryOp::equal};
    case TokenKind::not_equal:
      return Operator{compare_level, BinaryOp::not_equal};
    case TokenKind::less:
      return Operator{compare_level, BinaryOp::less};
    case TokenKind::less_equal:
      return Operator{compare_level, BinaryOp::less_equal};
    case TokenKind::greater:
      return Operator{compare_level, BinaryOp::greater};
    case TokenKind::greater_equal:
      return Operator{compare_level, BinaryOp::greater_equal};
    case TokenKind::plus:
      return Operator{sum_level, BinaryOp::add};
    case TokenKind::minus:
      return Operator{sum_level, BinaryOp::subtract};
    case TokenKind::star:
      return Operator{product_level, BinaryOp::multiply};
    case TokenKind::slash:
      return Operator{product_level, BinaryOp::divide};
    case TokenKind::slash_slash:
      return Operator{product_level, BinaryOp::floor_divide};
    case TokenKind::percent:
      return Operator{product_level, BinaryOp::modulo};
    case TokenKind::at:
      return Operator{product_level, BinaryOp::matmul};
    default:
      return std::nullopt;
  }
}

Span span_of(const Parser& parser, ExprId id) { return parser.ast[id].span; }

ExprId add_binary(Parser& parser, BinaryOp op, Span op_span, ExprId left, ExprId right) {
  Span span = join(span_of(parser, left), span_of(parser, right));
  return add_expr(parser, span, ast::Binary{op, op_span, left, right});
}

ExprId parse_unary(Parser& parser);

ExprId parse_not(Parser& parser) {
  Span op_span = span_at(parser);
  take(parser, TokenKind::word_not);
  Nest nest(parser);
  ExprId operand = at(parser, TokenKind::word_not) ? parse_not(parser) : parse_expr(parser, compare_level);
  return add_expr(parser, join(op_span, span_of(parser, operand)),
                  ast::Unary{ast::UnaryOp::logical_not, op_span, operand});
}

ast::Argument parse_argument(Parser& parser, bool& named_before) {
  ast::Argument argument;
  if (at(parser, TokenKind::name) && peek(parser, 1).kind == TokenKind::equal) {
    argument.name = expect_name(parser, "a name");
    take(parser, TokenKind::equal);
    named_before = true;
  }
  argument.value = parse_expr(parser);
  if (!argument.name && named_before && !parser.failed) {
    report(parser.diagnostics, DiagnosticKind::positional_after_named, span_of(parser, argument.value),
           "an argument without a name stands behind a named one");
  }
  return argument;
}

ExprId parse_call(Parser& parser, ExprId callee) {
  uint32_t open = parser.at;
  take(parser, TokenKind::open_paren);
  ast::Call call{callee, {}};
  bool named_before = false;
  while (!at(parser, TokenKind::close_paren) && !at(parser, TokenKind::end)) {
    call.arguments.push_back(parse_argument(parser, named_before));
    if (!take(parser, TokenKind::comma)) break;
  }
  close(parser, open, "`,` or `)`");
  Span span = join(span_of(parser, callee), span_from(parser, open));
  return add_expr(parser, span, std::move(call));
}

ast::IndexItem parse_index_item(Parser& parser) {
  using Kind = ast::IndexItem::Kind;
  uint32_t begin = parser.at;
  ast::IndexItem item;
  auto bound = [&] {
    bool empty = at(parser, TokenKind::colon) || at(parser, TokenKind::comma) || at(parser, TokenKind::close_square);
    return empty ? ExprId() : parse_expr(parser);
  };
  if (take(parser, TokenKind::ellipsis)) {
    item.kind = Kind::ellipsis;
  } else {
    if (!at(parser, TokenKind::colon)) item.at = parse_expr(parser);
    if (take(parser, TokenKind::colon)) {
      item.kind = Kind::slice;
      item.begin = std::exchange(item.at, ExprId());
      item.end = bound();
      if (take(parser, TokenKind::colon)) item.step = bound();
    }
  }
  item.span = span_from(parser, begin);
  return item;
}

ExprId parse_index(Parser& parser, ExprId base) {
  uint32_t open = parser.at;
  take(parser, TokenKind::open_square);
  ast::Index index{base, {}};
  if (at(parser, TokenKind::close_square)) fail_expected(parser, "an index");
  bool ellipsis_before = false;
  while (!at(parser, TokenKind::close_square) && !at(parser, TokenKind::end)) {
    index.items.push_back(parse_index_item(parser));
    bool ellipsis = index.items.back().kind == ast::IndexItem::Kind::ellipsis;
    if (ellipsis && ellipsis_before) {
      report(parser.diagnostics, DiagnosticKind::repeated_ellipsis, index.items.back().span,
             "a second `...` in one index");
    }
    ellipsis_before |= ellipsis;
    if (!take(parser, TokenKind::comma)) break;
  }
  close(parser, open, "`,` or `]`");
  Span span = join(span_of(parser, base), span_from(parser, open));
  return add_expr(parser, span, std::move(index));
}

ExprId parse_list(Parser& parser) {
  uint32_t open = parser.at;
  take(parser, TokenKind::open_square);
  ast::List list;
  while (!at(parser, TokenKind::close_square) && !at(parser, TokenKind::end)) {
    list.items.push_back(parse_expr(parser));
    if (list.items.size() == 1 && take(parser, TokenKind::word_for)) {
      ast::Comprehension comprehension{list.items[0], expect_name(parser, "a name"), {}};
      expect(parser, TokenKind::word_in);
      comprehension.sequence = parse_sequence(parser);
      close(parser, open, "`]`");
      return add_expr(parser, span_from(parser, open), std::move(comprehension));
    }
    if (!take(parser, TokenKind::comma)) break;
  }
  close(parser, open, "`,` or `]`");
  return add_expr(parser, span_from(parser, open), std::move(list));
}

ExprId parse_parenthesised(Parser& parser) {
  uint32_t open = parser.at;
  take(parser, TokenKind::open_paren);
  ExprId inner = parse_expr(parser);
  bool tuple = at(parser, TokenKind::comma);
  size_t before = parser.diagnostics.list.size();
  close(parser, open, "`)`");
  if (tuple && parser.diagnostics.list.size() > before) {
    parser.diagnostics.list.back().help("there are no tuples: a list is written `[a, b]`");
  }
  ast::Expr& expr = parser.ast.exprs[inner.value];
  expr.span = span_from(parser, open);
  expr.parenthesised = true;
  return inner;
}

ExprId parse_scan(Parser& parser) {
  uint32_t begin = parser.at;
  take(parser, TokenKind::word_scan);
  Nest nest(parser);
  ast::Scan scan{parse_names(parser, "the name of a slice"), {}, {}, false, {}};
  expect(parser, TokenKind::word_in, "`,` or `in`");
  do {
    scan.sequences.push_back(parse_sequence(parser));
  } while (take(parser, TokenKind::comma));
  Span header = span_from(parser, begin);
  expect(parser, TokenKind::word_along, "`,` or `along`");
  scan.axis = parse_expr(parser);
  scan.reverse = take(parser, TokenKind::word_reverse);
  if (!parser.failed && scan.names.size() != scan.sequences.size()) {
    report(parser.diagnostics, DiagnosticKind::unequal_scan, header, "{} named, but there {}",
           scan.names.size() == 1 ? "1 slice is" : fmt::format("{} slices are", scan.names.size()),
           scan.sequences.size() == 1 ? "is 1 sequence" : fmt::format("are {} sequences", scan.sequences.size()));
  }
  reach_block(parser);
  scan.body = parse_block(parser);
  return add_expr(parser, span_from(parser, begin), std::move(scan));
}

ExprId parse_word_or_number(Parser& parser) {
  Span span = span_at(parser);
  std::string_view text = text_at(parser);
  if (take(parser, TokenKind::number))
    return add_expr(parser, span, ast::Number{number_value(text), std::string(text)});
  if (take(parser, TokenKind::name)) return add_expr(parser, span, ast::NameRef{std::string(text)});
  if (take(parser, TokenKind::string)) return add_expr(parser, span, ast::String{string_value(text)});
  if (take(parser, TokenKind::word_true)) return add_expr(parser, span, ast::Boolean{true});
  if (take(parser, TokenKind::word_false)) return add_expr(parser, span, ast::Boolean{false});
  if (take(parser, TokenKind::word_inf)) {
    return add_expr(parser, span, ast::Number{std::numeric_limits<double>::infinity(), "inf"});
  }
  TokenKind previous = parser.at > 0 ? parser.lexed.tokens[parser.at - 1].kind : TokenKind::end;
  bool list_meant = text == "{" && (previous == TokenKind::equal || previous == TokenKind::open_paren);
  Diagnostic& diagnostic = fail_expected(parser, "an expression");
  if (list_meant) diagnostic.help("a list is written `[a, b]`");
  return add_expr(parser, span, ast::Error{});
}

ExprId parse_primary(Parser& parser) {
  if (at(parser, TokenKind::open_paren)) return parse_parenthesised(parser);
  if (at(parser, TokenKind::open_square)) return parse_list(parser);
  if (at(parser, TokenKind::word_scan)) {
    report(parser.diagnostics, DiagnosticKind::misplaced_scan, span_at(parser), "`scan` inside an expression")
        .help("bind its result to a name first: `hs = scan ...`");
    return parse_scan(parser);
  }
  return parse_word_or_number(parser);
}

ExprId parse_postfix(Parser& parser) {
  Nest nest(parser);
  if (!nest.fits) return add_expr(parser, span_at(parser), ast::Error{});
  ExprId value = parse_primary(parser);
  for (int links = 1;; ++links) {
    bool link = at(parser, TokenKind::open_paren) || at(parser, TokenKind::open_square) || at(parser, TokenKind::dot);
    if (!link) return value;
    Nest chain(parser, links);
    if (!chain.fits) return value;
    if (at(parser, TokenKind::open_paren)) {
      value = parse_call(parser, value);
    } else if (at(parser, TokenKind::open_square)) {
      value = parse_index(parser, value);
    } else {
      take(parser, TokenKind::dot);
      ast::Name name = expect_name(parser, "a name behind `.`");
      value = add_expr(parser, join(span_of(parser, value), name.span), ast::Member{value, name});
    }
  }
}

ExprId parse_power(Parser& parser) {
  ExprId base = parse_postfix(parser);
  Span op_span = span_at(parser);
  if (!take(parser, TokenKind::star_star)) return base;
  Nest nest(parser);
  ExprId exponent = parse_unary(parser);
  return add_binary(parser, BinaryOp::power, op_span, base, exponent);
}

ExprId parse_unary(Parser& parser) {
  Span op_span = span_at(parser);
  if (at(parser, TokenKind::word_not)) {
    report(parser.diagnostics, DiagnosticKind::needs_parentheses, op_span, "`not` needs parentheses here")
        .help("write `(not ...)`");
    return parse_not(parser);
  }
  if (!take(parser, TokenKind::minus)) return parse_power(parser);
  Nest nest(parser);
  ExprId operand = parse_unary(parser);
  return add_expr(parser, join(op_span, span_of(parser, operand)), ast::Unary{ast::UnaryOp::negate, op_span, operand});
}

bool is_bare_comparison(const Parser& parser, ExprId id) {
  const ast::Expr& expr = parser.ast[id];
  if (expr.parenthesised || expr.kind() != ast::ExprKind::binary) return false;
  BinaryOp op = expr.as<ast::Binary>().op;
  return op >= BinaryOp::equal && op <= BinaryOp::greater_equal;
}

ExprId parse_range_end(Parser& parser, ExprId begin) {
  if (parser.ast[begin].kind() == ast::ExprKind::range && !parser.ast[begin].parenthesised) {
    fail(parser, DiagnosticKind::misplaced_range, span_at(parser), "a range has one begin and one end");
    return begin;
  }
  take(parser, TokenKind::dot_dot);
  ExprId end = parse_expr(parser, sum_level);
  Span span = join(span_of(parser, begin), span_of(parser, end));
  ExprId range = add_expr(parser, span, ast::Range{begin, end});
  if (!parser.failed) parser.loose_ranges.push_back(range);
  return range;
}

}  // namespace

ExprId parse_expr(Parser& parser, int loosest) {
  bool negated = loosest <= not_level && at(parser, TokenKind::word_not);
  ExprId left = negated ? parse_not(parser) : parse_unary(parser);
  for (;;) {
    if (at(parser, TokenKind::dot_dot) && loosest <= range_level) {
      left = parse_range_end(parser, left);
      continue;
    }
    std::optional<Operator> next = operator_of(peek(parser).kind);
    if (!next || next->level < loosest) return left;
    Span op_span = span_at(parser);
    if (next->level == compare_level && is_bare_comparison(parser, left)) {
      fail(parser, DiagnosticKind::chained_comparison, op_span, "comparisons do not chain")
          .label(span_of(parser, left), "this is a bool")
          .help("join two comparisons with `and`: `a < b and b < c`");
      return left;
    }
    ++parser.at;
    ExprId right = parse_expr(parser, next->level + 1);
    left = add_binary(parser, next->op, op_span, left, right);
  }
}

ExprId parse_sequence(Parser& parser) {
  ExprId value = parse_expr(parser);
  std::vector<ExprId>& loose = parser.loose_ranges;
  if (!loose.empty() && loose.back() == value) loose.pop_back();
  return value;
}

ExprId parse_right_side(Parser& parser) {
  if (!at(parser, TokenKind::word_scan)) return parse_expr(parser);
  ExprId scan = parse_scan(parser);
  TokenKind next = peek(parser).kind;
  bool goes_on = operator_of(next) || next == TokenKind::star_star || next == TokenKind::open_paren ||
                 next == TokenKind::open_square || next == TokenKind::dot;
  if (goes_on) {
    fail(parser, DiagnosticKind::misplaced_scan, span_at(parser), "`scan` inside an expression")
        .help("bind its result to a name first: `hs = scan ...`");
  }
  return scan;
}

}  // namespace nnc::parsing
