#include "ir/graph/token_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace nnc {

bool TokenReader::fail(std::string_view why) {
  if (error.empty()) error = fmt::format("line {}: {}", token.line, why);
  return false;
}

void TokenReader::move() {
  token = lexer.next();
  if (token.kind == GraphToken::wrong) fail(token.text);
}

bool TokenReader::accept(char c) {
  if (!is_mark(c) || !error.empty()) return false;
  move();
  return true;
}

bool TokenReader::accept(std::string_view word) {
  if (!is_word(word) || !error.empty()) return false;
  move();
  return true;
}

bool TokenReader::expect(char c) { return accept(c) || fail(fmt::format("'{}' expected", c)); }

bool TokenReader::expect(std::string_view word) { return accept(word) || fail(fmt::format("'{}' expected", word)); }

void TokenReader::skip_separators() {
  while (token.kind == GraphToken::separator && error.empty()) move();
}

bool TokenReader::at_end_of_statement() const {
  return token.kind == GraphToken::separator || token.kind == GraphToken::end || is_mark('}');
}

bool TokenReader::end_statement() {
  return (error.empty() && at_end_of_statement()) || fail("the line should end here");
}

bool TokenReader::name(std::string& result) {
  if (token.kind != GraphToken::word && token.kind != GraphToken::string) return fail("a name expected");
  result = token.text;
  move();
  return error.empty();
}

bool TokenReader::string(std::string& result) {
  if (token.kind != GraphToken::string) return fail("a name in quotes expected");
  return name(result);
}

bool TokenReader::integer(int64_t& result) {
  if (token.kind != GraphToken::number) return fail("a whole number expected");
  auto [end, code] = std::from_chars(token.text.data(), token.text.data() + token.text.size(), result);
  if (code != std::errc() || end != token.text.data() + token.text.size()) return fail("a whole number expected");
  move();
  return error.empty();
}

bool TokenReader::real(double& result) {
  if (token.kind != GraphToken::number) return fail("a number expected");
  result = token.number_value;
  move();
  return error.empty();
}

bool TokenReader::type(TensorType& type) {
  type = {};
  if (token.kind != GraphToken::word || !parse_dtype(token.text, type.dtype)) return fail("a type expected");
  move();
  if (accept('<')) {
    if (!integer(type.bound) || !expect('>')) return false;
    if (type.bound == 0) return fail("bound 0");
  }
  if (!expect('[') || !integers(type.dims)) return false;
  std::string why = why_invalid(type);
  return why.empty() || fail(why);
}

bool TokenReader::integers(std::vector<int64_t>& list) {
  if (accept(']')) return true;
  do {
    if (!integer(list.emplace_back())) return false;
  } while (accept(','));
  return expect(']');
}

bool TokenReader::setting(AttributeSetting& setting) {
  if (accept('[')) {
    setting.kind = AttributeSetting::list;
    return integers(setting.values);
  }
  if (token.kind == GraphToken::number) {
    setting.kind = AttributeSetting::number;
    return real(setting.value);
  }
  setting.kind = AttributeSetting::word;
  if (!name(setting.text)) return false;
  return !accept('(') || (integer(setting.count) && expect(')'));
}

// "5,prelude/loss.nn:7"
bool TokenReader::locations(Program& program, Locations& result) {
  if (program.files.empty()) program.files.emplace_back();  // !5 is a line of the program's own file
  const std::string text = token.text;
  GraphLexer inner{text};
  while (true) {
    Location location;
    std::string file;
    bool named = false;
    if (inner.at < text.size() && text[inner.at] == '"') {
      GraphToken quote = inner.next();
      if (quote.kind != GraphToken::string) return fail("a location is malformed");
      file = quote.text;
      named = true;
    } else if (size_t colon = text.find_first_of(":,", inner.at); colon != std::string::npos && text[colon] == ':') {
      file = text.substr(inner.at, colon - inner.at);
      inner.at = colon;
      named = true;
    }
    if (named) {
      if (inner.at >= text.size() || text[inner.at] != ':') return fail("a location is malformed");
      ++inner.at;
      auto known = std::find(program.files.begin(), program.files.end(), file);
      location.file = static_cast<uint32_t>(known - program.files.begin());
      if (known == program.files.end()) program.files.push_back(file);
    }
    auto [end, code] = std::from_chars(text.data() + inner.at, text.data() + text.size(), location.line);
    if (code != std::errc()) return fail("a location is malformed");
    inner.at = static_cast<size_t>(end - text.data());
    result.push_back(location);
    if (inner.at == text.size()) break;
    if (text[inner.at++] != ',') return fail("a location is malformed");
  }
  Locations sorted;
  merge_into(sorted, result);
  result = std::move(sorted);
  move();
  return error.empty();
}

}  // namespace nnc
