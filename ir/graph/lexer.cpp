#include "ir/graph/lexer.h"

#include <fmt/format.h>

#include <charconv>

namespace nnc {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_word_char(char c) { return is_letter(c) || is_digit(c) || c == '.'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

GraphToken string_token(GraphLexer& lexer) {
  GraphToken token{GraphToken::string, "", 0, lexer.line};
  auto wrong = [&](const char* why) { return GraphToken{GraphToken::wrong, why, 0, token.line}; };
  for (++lexer.at; lexer.at < lexer.text.size(); ++lexer.at) {
    char c = lexer.text[lexer.at];
    if (c == '"') {
      ++lexer.at;
      return token;
    }
    if (c == '\n') break;
    if (c != '\\') {
      token.text += c;
      continue;
    }
    std::string_view rest = lexer.text.substr(lexer.at + 1, 3);
    if (rest.empty()) break;
    if (rest[0] == 'x') {
      int high = rest.size() == 3 ? hex_digit(rest[1]) : -1, low = rest.size() == 3 ? hex_digit(rest[2]) : -1;
      if (high < 0 || low < 0) return wrong("\\x needs two digits");
      token.text += static_cast<char>(high * 16 + low);
      lexer.at += 3;
    } else if (rest[0] == 'n' || rest[0] == 't' || rest[0] == '"' || rest[0] == '\\') {
      token.text += rest[0] == 'n' ? '\n' : rest[0] == 't' ? '\t' : rest[0];
      ++lexer.at;
    } else {
      return wrong("unknown escape in a string");
    }
  }
  return wrong("a string does not end");
}

// A number, or a lone '-'.
GraphToken number_token(GraphLexer& lexer) {
  GraphToken token{GraphToken::number, "", 0, lexer.line};
  const char* first = lexer.text.data() + lexer.at;
  const char* last = lexer.text.data() + lexer.text.size();
  auto [end, error] = std::from_chars(first, last, token.number_value);
  bool is_number = error == std::errc() && (end == last || !is_word_char(*end));
  if (!is_number && *first == '-') {
    ++lexer.at;
    return {GraphToken::mark, "-", 0, token.line};
  }
  if (!is_number) return {GraphToken::wrong, "a number is malformed or too large", 0, token.line};
  token.text.assign(first, end);
  lexer.at += static_cast<size_t>(end - first);
  return token;
}

// Up to a blank, ';' or '}' outside quotes.
GraphToken location_token(GraphLexer& lexer) {
  size_t start = ++lexer.at;
  for (bool inside = false; lexer.at < lexer.text.size(); ++lexer.at) {
    char c = lexer.text[lexer.at];
    if (c == '\n' || (!inside && (c == ' ' || c == '\t' || c == '\r' || c == ';' || c == '}' || c == '#'))) break;
    if (c == '\\' && inside && lexer.at + 1 < lexer.text.size() && lexer.text[lexer.at + 1] != '\n') ++lexer.at;
    if (c == '"') inside = !inside;
  }
  return {GraphToken::location, std::string(lexer.text.substr(start, lexer.at - start)), 0, lexer.line};
}

GraphToken word_token(GraphLexer& lexer, GraphToken::Kind kind) {
  size_t start = lexer.at;
  while (lexer.at < lexer.text.size() && is_word_char(lexer.text[lexer.at])) ++lexer.at;
  return {kind, std::string(lexer.text.substr(start, lexer.at - start)), 0, lexer.line};
}

}  // namespace

GraphToken GraphLexer::next() {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r')) ++at;
  if (at < text.size() && text[at] == '#') at = std::min(text.find('\n', at), text.size());
  if (at >= text.size()) return {GraphToken::end, "", 0, line};
  char c = text[at];
  if (c == '\n' || c == ';') {
    ++at;
    return {GraphToken::separator, "", 0, c == '\n' ? line++ : line};
  }
  if (c == '"') return string_token(*this);
  if (c == '!') return location_token(*this);
  if (is_digit(c) || c == '-') return number_token(*this);
  if (c == '%') {
    ++at;
    GraphToken token = word_token(*this, GraphToken::value);
    return token.text.empty() ? GraphToken{GraphToken::wrong, "a name is missing after %", 0, line} : token;
  }
  if (is_letter(c)) {
    GraphToken token = word_token(*this, GraphToken::word);
    if (token.text != "inf" && token.text != "nan") return token;
    at -= token.text.size();
    return number_token(*this);
  }
  if (std::string_view("=:,[]{}()<>").find(c) != std::string_view::npos) {
    ++at;
    return {GraphToken::mark, std::string(1, c), 0, line};
  }
  return {GraphToken::wrong, fmt::format("unexpected character 0x{:02x}", static_cast<unsigned char>(c)), 0, line};
}

}  // namespace nnc
