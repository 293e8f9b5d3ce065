// Types: `f32[batch, 784]`, `i32<10>[...]`, `[]`, and the annotations of static values.
#include <optional>

#include "frontend/parser_state.h"

namespace nnc::parsing {

using ast::ElementType;
using ast::TypeKind;

namespace {

std::optional<TypeKind> static_kind(std::string_view word) {
  if (word == "int") return TypeKind::static_int;
  if (word == "float") return TypeKind::static_float;
  if (word == "bool") return TypeKind::static_bool;
  if (word == "string") return TypeKind::static_string;
  if (word == "list") return TypeKind::static_list;
  if (word == "fn") return TypeKind::static_fn;
  return std::nullopt;
}

std::optional<ElementType> element_type(std::string_view word) {
  if (word == "f32") return ElementType::f32;
  if (word == "i32") return ElementType::i32;
  if (word == "bool") return ElementType::boolean;
  return std::nullopt;
}

bool at_shape_or_bound(const Parser& parser, uint32_t ahead) {
  TokenKind kind = peek(parser, ahead).kind;
  return kind == TokenKind::open_square || kind == TokenKind::less;
}

void parse_shape(Parser& parser, ast::TypeExpr& type) {
  uint32_t open = parser.at;
  if (!expect(parser, TokenKind::open_square, "a shape, as in `[batch, 3]`")) return;
  bool ellipsis_before = false;
  while (!at(parser, TokenKind::close_square) && !at(parser, TokenKind::end)) {
    uint32_t begin = parser.at;
    ast::Dimension dim;
    dim.ellipsis = take(parser, TokenKind::ellipsis);
    if (!dim.ellipsis) dim.size = parse_expr(parser, sum_level);
    dim.span = span_from(parser, begin);
    if (dim.ellipsis && ellipsis_before) {
      report(parser.diagnostics, DiagnosticKind::repeated_ellipsis, dim.span, "a second `...` in one shape");
    }
    ellipsis_before |= dim.ellipsis;
    type.dims.push_back(dim);
    if (!take(parser, TokenKind::comma)) break;
  }
  close(parser, open, "`,` or `]`");
}

void parse_element(Parser& parser, ast::TypeExpr& type) {
  std::string word(text_at(parser));
  Span span = span_at(parser);
  std::optional<ElementType> element = element_type(word);
  bool shaped = at_shape_or_bound(parser, 1);
  if (!element || !shaped) {
    Diagnostic& diagnostic =
        fail(parser, DiagnosticKind::bad_type, span,
             element             ? fmt::format("the type `{}` lacks its shape", word)
             : static_kind(word) ? fmt::format("`{}` annotates static values, which have no shape", word)
                                 : fmt::format("`{}` is no element type", word));
    if (element) {
      diagnostic.help(fmt::format("a scalar is `{}[]`", word));
    } else {
      diagnostic.help(
          "tensors hold `f32`, `i32`, `i32<n>` or `bool`; static values are "
          "`int`, `float`, `bool`, `string`, `list` or `fn`");
    }
    // The rest reads as if the word were right.
    parser.failed = false;
  }
  type.element = element.value_or(ElementType::compute);
  take(parser, TokenKind::name);
  if (!take(parser, TokenKind::less)) return;
  type.bound = parse_expr(parser, sum_level);
  if (element && element != ElementType::i32 && !parser.failed) {
    report(parser.diagnostics, DiagnosticKind::bad_type, span, "only `i32` takes a bound, found `{}<...>`", word);
  }
  expect(parser, TokenKind::greater, "`>`");
}

}  // namespace

ast::TypeId parse_type(Parser& parser) {
  uint32_t begin = parser.at;
  ast::TypeExpr type;
  if (at(parser, TokenKind::name)) {
    std::optional<TypeKind> kind = static_kind(text_at(parser));
    if (kind && !at_shape_or_bound(parser, 1)) {
      type.kind = *kind;
      take(parser, TokenKind::name);
    } else {
      parse_element(parser, type);
    }
  } else if (!at(parser, TokenKind::open_square)) {
    fail_expected(parser, "a type, as in `[batch, 3]`");
  }
  bool bare = type.kind == TypeKind::tensor && !type.bound && !at(parser, TokenKind::open_square);
  if (type.kind == TypeKind::tensor && !bare) parse_shape(parser, type);
  type.span = span_from(parser, begin);
  parser.ast.types.push_back(std::move(type));
  return ast::TypeId(parser.ast.types.size() - 1);
}

std::vector<ast::TypeId> parse_results(Parser& parser) {
  std::vector<ast::TypeId> results;
  if (!take(parser, TokenKind::right_arrow)) return results;
  do {
    results.push_back(parse_type(parser));
  } while (take(parser, TokenKind::comma));
  return results;
}

}  // namespace nnc::parsing
