// Declarations and the file.
#include <algorithm>
#include <optional>

#include "frontend/parser_state.h"

namespace nnc::parsing {

namespace {

using Node = decltype(ast::Decl::node);

const std::string declaration_words[] = {"import", "option",    "const", "fn",   "schedule", "grad",
                                         "layer",  "optimizer", "model", "data", "train"};

ast::Parameter parse_parameter(Parser& parser) {
  ast::Parameter parameter;
  parameter.name = expect_name(parser, "the name of a parameter");
  if (take(parser, TokenKind::colon)) parameter.type = parse_type(parser);
  if (take(parser, TokenKind::equal)) parameter.otherwise = parse_expr(parser);
  return parameter;
}

// `(`, items separated by commas, `)`.
template <class Item>
std::vector<Item> parse_list_of(Parser& parser, Item (*parse_item)(Parser&)) {
  std::vector<Item> items;
  uint32_t open = parser.at;
  if (!expect(parser, TokenKind::open_paren)) return items;
  while (!at(parser, TokenKind::close_paren) && !at(parser, TokenKind::end)) {
    items.push_back(parse_item(parser));
    if (!take(parser, TokenKind::comma)) break;
  }
  close(parser, open, "`,` or `)`");
  return items;
}

std::vector<ast::Parameter> parse_parameters(Parser& parser) { return parse_list_of(parser, parse_parameter); }

ast::Name parse_bare_name(Parser& parser) { return expect_name(parser, "a name"); }

ast::Body parse_body(Parser& parser) {
  ast::Body body;
  if (take(parser, TokenKind::equal)) {
    body.value = parse_right_side(parser);
    return body;
  }
  if (!parser.failed && !at(parser, TokenKind::open_brace)) fail_expected(parser, "`=` or `{`");
  reach_block(parser);
  body.block = parse_block(parser);
  return body;
}

Node parse_import(Parser& parser) {
  ast::Import import{{}, span_at(parser)};
  import.path = string_value(text_at(parser));
  expect(parser, TokenKind::string, "a path in quotes");
  return import;
}

// option and const
template <class Value>
Node parse_value(Parser& parser) {
  Value value;
  value.name = expect_name(parser, "a name");
  if (take(parser, TokenKind::colon)) value.type = parse_type(parser);
  expect(parser, TokenKind::equal);
  value.value = parse_expr(parser);
  return value;
}

Node parse_function(Parser& parser) {
  ast::Function function;
  function.name = expect_name(parser, "the name of a function");
  function.parameters = parse_parameters(parser);
  function.results = parse_results(parser);
  function.body = parse_body(parser);
  return function;
}

Node parse_schedule(Parser& parser) {
  ast::Schedule schedule;
  schedule.name = expect_name(parser, "the name of a schedule");
  schedule.parameters = parse_parameters(parser);
  schedule.body = parse_body(parser);
  return schedule;
}

Node parse_gradient(Parser& parser) {
  ast::Gradient gradient;
  gradient.name = expect_name(parser, "the name of a function");
  gradient.parameters = parse_list_of(parser, parse_bare_name);
  gradient.body = parse_body(parser);
  return gradient;
}

Node parse_layer(Parser& parser) {
  ast::Layer layer;
  layer.name = expect_name(parser, "the name of a layer");
  layer.static_parameters = parse_parameters(parser);
  if (!parser.failed && at(parser, TokenKind::open_brace)) {
    fail_expected(parser, "`(` and the tensors it applies to")
        .help("a layer has two lists: `layer Name(static values)(tensors) { ... }`");
  } else {
    layer.tensor_parameters = parse_parameters(parser);
  }
  layer.results = parse_results(parser);
  reach_block(parser);
  layer.body = parse_block(parser);
  return layer;
}

Node parse_optimizer(Parser& parser) {
  ast::Optimizer optimizer;
  optimizer.name = expect_name(parser, "the name of an optimizer");
  optimizer.parameters = parse_parameters(parser);
  reach_block(parser);
  uint32_t open = parser.at;
  if (!expect(parser, TokenKind::open_brace)) return optimizer;
  bool updates = false;
  while (in_block(parser, open)) {
    uint32_t begin = parser.at;
    if (!updates && at_keyword(parser, {"update"})) {
      updates = true;
      take(parser, TokenKind::name);
      optimizer.update_parameters = parse_list_of(parser, parse_bare_name);
      reach_block(parser);
      optimizer.update = parse_block(parser);
    } else if (updates) {
      fail_expected(parser, "`}` behind `update`");
    } else {
      parse_statement_into(parser, optimizer.setup);
    }
    if (parser.failed) find_next_statement(parser, begin);
  }
  if (!updates && !parser.reported_unclosed_brace) {
    report(parser.diagnostics, DiagnosticKind::unexpected_token, optimizer.name.span, "an optimizer without `update`")
        .help("its last part is `update(p, g) { p <- p - ... }`");
  }
  return optimizer;
}

Node parse_model(Parser& parser) {
  ast::Model model;
  model.name = expect_name(parser, "the name of the model");
  reach_block(parser);
  model.body = parse_block(parser);
  return model;
}

std::vector<ast::Setting> parse_settings(Parser& parser) {
  std::vector<ast::Setting> settings;
  uint32_t open = parser.at;
  take(parser, TokenKind::open_brace);
  while (in_block(parser, open)) {
    uint32_t begin = parser.at;
    ast::Setting setting{parse_names(parser, "a setting, as in `name = value`"), {}, {}};
    expect(parser, TokenKind::equal);
    setting.value = parse_expr(parser);
    setting.span = span_from(parser, begin);
    if (parser.failed) {
      find_next_statement(parser, begin);
    } else {
      settings.push_back(std::move(setting));
    }
  }
  return settings;
}

Node parse_declaration_node(Parser& parser) {
  std::string_view word = text_at(parser);
  take(parser, TokenKind::name);
  if (word == "import") return parse_import(parser);
  if (word == "option") return parse_value<ast::Option>(parser);
  if (word == "const") return parse_value<ast::Const>(parser);
  if (word == "fn") return parse_function(parser);
  if (word == "schedule") return parse_schedule(parser);
  if (word == "grad") return parse_gradient(parser);
  if (word == "layer") return parse_layer(parser);
  if (word == "optimizer") return parse_optimizer(parser);
  if (word == "model") return parse_model(parser);
  if (word == "data") return ast::Data{parse_settings(parser)};
  return ast::Train{parse_settings(parser)};
}

// The text of a line that holds nothing but a comment, without `#` and one space.
std::optional<std::string_view> comment_line(std::string_view text) {
  size_t mark = text.find_first_not_of(" \t");
  if (mark == std::string_view::npos || text[mark] != '#') return std::nullopt;
  text.remove_prefix(mark + 1);
  if (text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

// The comment lines right above the next token, if it is the first on its line.
std::string doc_above(const Parser& parser) {
  const Token& token = peek(parser);
  if (!token.first_on_line) return "";
  const SourceFile& file = parser.sources[parser.file];
  auto behind = std::upper_bound(file.line_starts.begin(), file.line_starts.end(), token.begin);
  auto line = static_cast<uint32_t>(behind - file.line_starts.begin());
  uint32_t first = line;
  while (first > 1 && comment_line(line_text(file, first - 1))) --first;
  std::string doc;
  for (uint32_t i = first; i < line; ++i) {
    if (i > first) doc += '\n';
    doc += *comment_line(line_text(file, i));
  }
  return doc;
}

void parse_declaration(Parser& parser) {
  ast::Decl decl;
  uint32_t begin = parser.at;
  decl.keyword_span = span_at(parser);
  decl.doc = doc_above(parser);
  decl.node = parse_declaration_node(parser);
  decl.span = span_from(parser, begin);
  parser.ast.decls.push_back(std::move(decl));
}

// Statements that stand where declarations should: the first of a run is reported, all are read.
void fail_at_file_level(Parser& parser, bool& reported) {
  Span span = span_at(parser);
  std::string word(text_at(parser));
  TokenKind kind = peek(parser).kind;
  TokenKind next = peek(parser, 1).kind;
  bool binds = kind == TokenKind::name && (next == TokenKind::equal || next == TokenKind::colon);
  bool statement = binds || (kind == TokenKind::name && (next == TokenKind::comma || next == TokenKind::left_arrow)) ||
                   at_keyword(parser, {"param", "state", "input", "target", "output", "loss", "metric", "require"}) ||
                   kind == TokenKind::word_return || kind == TokenKind::word_yield || kind == TokenKind::word_if ||
                   kind == TokenKind::word_for || kind == TokenKind::word_scan;
  if (!statement) {
    reported = false;
    if (kind == TokenKind::name && word.size() <= 40) {
      fail(parser, DiagnosticKind::not_a_declaration, span, fmt::format("`{}` starts no declaration", word))
          .help(similar("declaration", word, declaration_words));
    } else {
      fail_expected(parser, "a declaration");
    }
    return;
  }
  if (!std::exchange(reported, true)) {
    Diagnostic& diagnostic =
        report(parser.diagnostics, DiagnosticKind::not_a_declaration, span, "a statement at file level");
    if (binds && word.size() <= 40) {
      diagnostic.help(
          fmt::format("a value for the whole file is declared: `const {} = ...` or `option {} = ...`", word, word));
    } else {
      diagnostic.help("statements stand in the block of a model, layer or function");
    }
  }
  parse_dropped_statement(parser);
}

void find_next_declaration(Parser& parser, uint32_t start) {
  parser.failed = false;
  if (parser.at == start && !at(parser, TokenKind::open_brace)) skip(parser);
  while (!at(parser, TokenKind::end) && !at_declaration(parser)) {
    uint32_t partner = parser.lexed.partner[parser.at];
    TokenKind kind = peek(parser).kind;
    if (kind == TokenKind::close_brace) return;
    if (kind == TokenKind::open_brace && partner != 0) {
      parser.at = partner + 1;
    } else {
      skip(parser);
    }
  }
}

}  // namespace

void parse_file(Parser& parser) {
  bool reported = false;
  while (!at(parser, TokenKind::end)) {
    uint32_t begin = parser.at;
    if (at_declaration(parser)) {
      reported = false;
      parse_declaration(parser);
    } else {
      fail_at_file_level(parser, reported);
    }
    if (parser.failed) find_next_declaration(parser, begin);
  }
}

}  // namespace nnc::parsing
