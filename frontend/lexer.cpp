#include "frontend/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <limits>
#include <utility>

namespace nnc {

namespace {

struct Spelling {
  TokenKind kind;
  std::string_view text;
  bool reserved;
};

constexpr auto spellings = std::to_array<Spelling>({
#define NNC_TOKEN(name, spelling) {TokenKind::name, spelling, false},
#define NNC_RESERVED(name, spelling) {TokenKind::name, spelling, true},
#include "frontend/tokens.def"
#undef NNC_TOKEN
#undef NNC_RESERVED
});

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || is_digit(c); }
bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

struct Lexer {
  std::string_view text;
  FileId file;
  Diagnostics& diagnostics;
  Tokens result;
  size_t at = 0;
  bool first_on_line = true;
  bool after_stray = false;

  char peek(size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : '\0'; }
  Span span(size_t begin, size_t end) const { return {file, static_cast<uint32_t>(begin), static_cast<uint32_t>(end)}; }
  void push(TokenKind kind, size_t begin) {
    result.tokens.push_back({kind, std::exchange(first_on_line, false), std::exchange(after_stray, false),
                             static_cast<uint32_t>(begin), static_cast<uint32_t>(at)});
  }
};

// One diagnostic for each run of bytes that are no text. The lexer then passes over them as over white space.
void check_text(Lexer& lexer) {
  std::string_view text = lexer.text;
  for (size_t i = 0; i < text.size();) {
    size_t begin = i;
    if (text[i] == '\0') {
      while (i < text.size() && text[i] == '\0') ++i;
      report(lexer.diagnostics, DiagnosticKind::invalid_text, lexer.span(begin, i), "NUL byte in a source file");
    } else if (size_t length = utf8_length(text.substr(i))) {
      i += length;
    } else {
      while (i < text.size() && utf8_length(text.substr(i)) == 0) ++i;
      report(lexer.diagnostics, DiagnosticKind::invalid_text, lexer.span(begin, i), "invalid UTF-8: byte 0x{:02X}",
             static_cast<unsigned char>(text[begin]))
          .help("save the file as UTF-8");
    }
  }
}

void lex_name(Lexer& lexer) {
  size_t begin = lexer.at;
  while (is_name_part(lexer.peek())) ++lexer.at;
  std::string_view word = lexer.text.substr(begin, lexer.at - begin);
  TokenKind kind = TokenKind::name;
  for (const Spelling& candidate : spellings) {
    if (candidate.reserved && candidate.text == word) kind = candidate.kind;
  }
  lexer.push(kind, begin);
}

// Digits with single `_` between them; false where an `_` stands elsewhere.
bool lex_digits(Lexer& lexer) {
  bool good = true;
  char previous = '_';
  for (; is_digit(lexer.peek()) || lexer.peek() == '_'; previous = lexer.text[lexer.at++]) {
    if (lexer.peek() == '_' && previous == '_') good = false;
  }
  return good && previous != '_';
}

void lex_number(Lexer& lexer) {
  size_t begin = lexer.at;
  const char* wrong = nullptr;
  if (lexer.peek() == '.') {
    wrong = "a number needs digits before its point";
  } else if (!lex_digits(lexer)) {
    wrong = "in a number `_` stands only between digits";
  }
  if (lexer.peek() == '.' && lexer.peek(1) != '.') {
    ++lexer.at;
    if (!is_digit(lexer.peek())) {
      wrong = "a number needs digits behind its point";
    } else if (!lex_digits(lexer) && !wrong) {
      wrong = "in a number `_` stands only between digits";
    }
  }
  if (lexer.peek() == 'e' || lexer.peek() == 'E') {
    size_t sign = lexer.peek(1) == '+' || lexer.peek(1) == '-' ? 1 : 0;
    lexer.at += 1 + (is_digit(lexer.peek(1 + sign)) ? sign : 0);
    if (!is_digit(lexer.peek())) {
      wrong = "a number needs digits behind its `e`";
    } else if (!lex_digits(lexer) && !wrong) {
      wrong = "in a number `_` stands only between digits";
    }
  }
  if (is_name_part(lexer.peek())) {
    while (is_name_part(lexer.peek())) ++lexer.at;
    if (!wrong) wrong = "a number ends in letters";
  }
  std::string_view spelled = lexer.text.substr(begin, lexer.at - begin);
  if (!wrong && number_value(spelled) == std::numeric_limits<double>::infinity()) {
    wrong = "a number is out of the range of a 64-bit float";
  }
  if (wrong) report(lexer.diagnostics, DiagnosticKind::bad_number, lexer.span(begin, lexer.at), "{}", wrong);
  lexer.push(TokenKind::number, begin);
}

void lex_string(Lexer& lexer) {
  size_t begin = lexer.at++;
  for (; lexer.peek() != '"'; ++lexer.at) {
    if (lexer.at >= lexer.text.size() || lexer.peek() == '\n') {
      if (lexer.text[lexer.at - 1] == '\r') --lexer.at;
      report(lexer.diagnostics, DiagnosticKind::unterminated_string, lexer.span(begin, lexer.at),
             "a string does not end on its line")
          .help("close it with `\"`; a line break in a string is written `\\n`");
      return lexer.push(TokenKind::string, begin);
    }
    if (lexer.peek() != '\\') continue;
    char escaped = lexer.peek(1);
    if (escaped == '"' || escaped == '\\' || escaped == 'n' || escaped == 't') {
      ++lexer.at;
      continue;
    }
    size_t length =
        lexer.at + 1 < lexer.text.size() && !is_space(escaped) ? utf8_length(lexer.text.substr(lexer.at + 1)) : 0;
    report(lexer.diagnostics, DiagnosticKind::bad_escape, lexer.span(lexer.at, lexer.at + 1 + length),
           "no such escape in a string")
        .help("there are `\\\"`, `\\\\`, `\\n` and `\\t`; a backslash is written `\\\\`");
  }
  ++lexer.at;
  lexer.push(TokenKind::string, begin);
}

struct StrayCharacter {
  std::string_view character;
  const char* help;
  TokenKind meant;  // `end`: unknown
};

constexpr StrayCharacter stray_characters[] = {
    {"!", "negation is the word `not`, inequality is `!=`", TokenKind::word_not},
    {"&", "the logical operator is the word `and`", TokenKind::word_and},
    {"|", "the logical operator is the word `or`, a pipe is `|>`", TokenKind::word_or},
    {"^", "a power is written `**`", TokenKind::star_star},
    {"\u00D7", "a product is written `*`", TokenKind::star},
    {"\u2212", "a minus is written `-`", TokenKind::minus},
    {"\u2026", "an ellipsis is written `...`", TokenKind::ellipsis},
    {"\u2192", "an arrow is written `->`", TokenKind::right_arrow},
    {";", "statements need no semicolons", TokenKind::end},
    {"'", "strings stand between double quotes", TokenKind::end},
    {"\u201C", "strings stand between plain double quotes: `\"`", TokenKind::end},
    {"\u201D", "strings stand between plain double quotes: `\"`", TokenKind::end},
    {"\u00A0", "this is a non-breaking space: replace it by a plain one", TokenKind::end},
};

// 'text' is read as the string that was meant.
bool lex_single_quoted(Lexer& lexer) {
  size_t close = lexer.text.find_first_of("'\n\\", lexer.at + 1);
  if (close == std::string_view::npos || lexer.text[close] != '\'') return false;
  size_t begin = std::exchange(lexer.at, close + 1);
  report(lexer.diagnostics, DiagnosticKind::stray_character, lexer.span(begin, lexer.at), "stray character `'`")
      .help("strings stand between double quotes");
  lexer.push(TokenKind::string, begin);
  return true;
}

void lex_stray(Lexer& lexer) {
  size_t length = utf8_length(lexer.text.substr(lexer.at));
  if (length == 0 || lexer.peek() == '\0') {  // reported by check_text
    lexer.after_stray = true;
    ++lexer.at;
    return;
  }
  if (lexer.peek() == '\'' && lex_single_quoted(lexer)) return;
  std::string_view character = lexer.text.substr(lexer.at, length);
  size_t begin = lexer.at;
  // `&&`, `$$$`: one mistake.
  while (lexer.text.substr(lexer.at, length) == character) lexer.at += length;
  auto byte = static_cast<unsigned char>(character[0]);
  bool control = byte < 0x20 || byte == 0x7F;
  std::string message =
      control ? fmt::format("stray control character 0x{:02X}", byte) : fmt::format("stray character `{}`", character);
  Diagnostic& diagnostic = report_message(lexer.diagnostics, DiagnosticKind::stray_character,
                                          lexer.span(begin, lexer.at), std::move(message));
  auto known = std::find_if(std::begin(stray_characters), std::end(stray_characters),
                            [&](const StrayCharacter& stray) { return stray.character == character; });
  if (known == std::end(stray_characters)) {
    lexer.after_stray = true;
    return;
  }
  diagnostic.help(known->help);
  if (known->meant != TokenKind::end) lexer.push(known->meant, begin);
}

bool lex_punctuation(Lexer& lexer) {
  for (size_t i = static_cast<size_t>(TokenKind::open_paren); !spellings[i].reserved; ++i) {
    if (!lexer.text.substr(lexer.at).starts_with(spellings[i].text)) continue;
    size_t begin = lexer.at;
    lexer.at += spellings[i].text.size();
    lexer.push(spellings[i].kind, begin);
    return true;
  }
  return false;
}

// `.5` is a number with a mistake, but in `x.5` the point reaches into x.
bool at_number(const Lexer& lexer) {
  if (is_digit(lexer.peek())) return true;
  if (lexer.peek() != '.' || !is_digit(lexer.peek(1))) return false;
  if (lexer.at == 0) return true;
  char previous = lexer.text[lexer.at - 1];
  return !is_name_part(previous) && previous != ')' && previous != ']' && previous != '.';
}

void lex_all(Lexer& lexer) {
  while (lexer.at < lexer.text.size()) {
    char c = lexer.peek();
    if (is_space(c)) {
      lexer.first_on_line |= c == '\n';
      ++lexer.at;
    } else if (c == '#') {
      while (lexer.at < lexer.text.size() && lexer.peek() != '\n') ++lexer.at;
    } else if (is_name_start(c)) {
      lex_name(lexer);
    } else if (at_number(lexer)) {
      lex_number(lexer);
    } else if (c == '"') {
      lex_string(lexer);
    } else if (!lex_punctuation(lexer)) {
      lex_stray(lexer);
    }
  }
  lexer.first_on_line = true;
  lexer.push(TokenKind::end, lexer.at);
}

TokenKind opener_of(TokenKind close) { return static_cast<TokenKind>(static_cast<int>(close) - 1); }

// How many brackets of each kind stand open since the innermost open brace.
struct OpenCounts {
  uint32_t round = 0, square = 0;
  uint32_t& of(TokenKind open) { return open == TokenKind::open_paren ? round : square; }
};

bool is_opener(TokenKind kind) {
  return kind == TokenKind::open_paren || kind == TokenKind::open_square || kind == TokenKind::open_brace;
}
bool is_closer(TokenKind kind) {
  return kind == TokenKind::close_paren || kind == TokenKind::close_square || kind == TokenKind::close_brace;
}

// Whether the token at the beginning of a line can only start a statement: then no bracket reaches over it.
bool surely_starts_statement(const Lexer& lexer, size_t i) {
  const std::vector<Token>& tokens = lexer.result.tokens;
  const Token& token = tokens[i];
  if (!token.first_on_line || i + 1 >= tokens.size()) return false;
  if (token.kind == TokenKind::word_return || token.kind == TokenKind::word_yield) return true;
  if (token.kind == TokenKind::word_if || tokens[i + 1].kind == TokenKind::left_arrow) return true;
  if (token.kind != TokenKind::name || tokens[i + 1].kind != TokenKind::name) return false;
  constexpr std::string_view words[] = {"param", "state", "input",  "target", "output", "loss",      "metric",  "fn",
                                        "layer", "model", "option", "const",  "grad",   "optimizer", "schedule"};
  std::string_view text = lexer.text.substr(token.begin, token.end - token.begin);
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

// A closer takes the nearest open bracket of its kind; what was opened in between stays unclosed. Round and square
// closers do not reach out of braces, nor over the start of a statement. The counts say beforehand whether there is a
// partner, so that stray closers cannot each cost a walk through the stack.
void pair_brackets(Lexer& lexer) {
  Tokens& result = lexer.result;
  result.partner.assign(result.tokens.size(), 0);
  std::vector<uint32_t> open;
  std::vector<OpenCounts> levels(1);
  for (uint32_t i = 0; i < result.tokens.size(); ++i) {
    TokenKind kind = result.tokens[i].kind;
    if (surely_starts_statement(lexer, i)) {
      while (!open.empty() && result.tokens[open.back()].kind != TokenKind::open_brace) open.pop_back();
      levels.back() = {};
    }
    if (is_opener(kind)) {
      open.push_back(i);
      if (kind == TokenKind::open_brace) {
        levels.emplace_back();
      } else {
        levels.back().of(kind) += 1;
      }
    }
    if (!is_closer(kind)) continue;
    TokenKind wanted = opener_of(kind);
    bool brace = kind == TokenKind::close_brace;
    result.partner[i] = i;
    if (brace ? levels.size() == 1 : levels.back().of(wanted) == 0) continue;
    for (bool found = false; !found; open.pop_back()) {
      TokenKind top = result.tokens[open.back()].kind;
      found = top == wanted;
      if (found) {
        result.partner[i] = open.back();
        result.partner[open.back()] = i;
      }
      if (top != TokenKind::open_brace) levels.back().of(top) -= 1;
    }
    if (brace) levels.pop_back();
  }
}

}  // namespace

const char* spelling(TokenKind kind) { return spellings[static_cast<size_t>(kind)].text.data(); }

bool is_reserved_word(TokenKind kind) { return spellings[static_cast<size_t>(kind)].reserved; }

Tokens lex(const SourceFiles& sources, FileId file, Diagnostics& diagnostics) {
  Lexer lexer{sources[file].text, file, diagnostics, {}, 0, true};
  check_text(lexer);
  lex_all(lexer);
  pair_brackets(lexer);
  return std::move(lexer.result);
}

std::string string_value(std::string_view token_text) {
  std::string value;
  for (size_t i = 1; i < token_text.size(); ++i) {
    char c = token_text[i];
    if (c == token_text[0]) break;
    if (c == '\\' && i + 1 < token_text.size()) {
      char escaped = token_text[++i];
      c = escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
    }
    value.push_back(c);
  }
  return value;
}

double number_value(std::string_view token_text) {
  std::string digits;
  for (char c : token_text) {
    if (c != '_') digits.push_back(c);
  }
  double value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range) return std::numeric_limits<double>::infinity();
  return error == std::errc() ? value : 0;
}

}  // namespace nnc
