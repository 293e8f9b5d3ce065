#include "ir/loop/lexer.h"

namespace nnc {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

size_t end_of_name(std::string_view text, size_t at) {
  while (at < text.size() &&
         (is_letter(text[at]) || is_digit(text[at]) || (text[at] == '.' && text.substr(at, 2) != "..")))
    ++at;
  return at;
}

// Digits, one point that is not "..", an exponent. 0x… too.
size_t end_of_number(std::string_view text, size_t at) {
  if (text.substr(at, 2) == "0x") {
    at += 2;
    while (at < text.size() && (is_digit(text[at]) || is_letter(text[at]))) ++at;
    return at;
  }
  const auto digits = [&] {
    while (at < text.size() && is_digit(text[at])) ++at;
  };
  digits();
  if (at < text.size() && text[at] == '.' && text.substr(at, 2) != "..") {
    ++at;
    digits();
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    size_t digit = at + 1;
    if (digit < text.size() && (text[digit] == '+' || text[digit] == '-')) ++digit;
    if (digit < text.size() && is_digit(text[digit])) {
      at = digit;
      digits();
    }
  }
  return at;
}

}  // namespace

std::vector<LoopToken> split_loop_text(std::string_view text) {
  std::vector<LoopToken> tokens;
  int line = 1;
  size_t at = 0, last_end = SIZE_MAX;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '\n') ++line;
    if (is_space(c) || c == ';') {
      ++at;
      continue;
    }
    if (c == '#') {
      while (at < text.size() && text[at] != '\n') ++at;
      continue;
    }
    size_t next = at + 1;
    LoopToken::Kind kind = LoopToken::punctuation;
    if (is_letter(c)) {
      kind = LoopToken::name;
      next = end_of_name(text, at);
    } else if (is_digit(c)) {
      kind = LoopToken::number;
      next = end_of_number(text, at);
    } else if (c == '!') {
      while (next < text.size() && !is_space(text[next]) && text[next] != ';') ++next;
    } else if (text.substr(at, 2) == ":=" || text.substr(at, 2) == "..") {
      next = at + 2;
    }
    tokens.push_back({kind, text.substr(at, next - at), line, at == last_end});
    at = last_end = next;
  }
  tokens.push_back({LoopToken::end, {}, line, false});
  return tokens;
}

}  // namespace nnc
