#include "frontend/builtins/patterns.h"

#include <fmt/format.h>

#include <algorithm>

namespace nnc {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct PatternReader {
  std::string_view text;
  bool groups;
  size_t at = 0;
  std::string error;

  char peek() {
    while (at < text.size() && text[at] == ' ') ++at;
    return at < text.size() ? text[at] : '\0';
  }
  bool accept(std::string_view word) {
    peek();
    if (text.substr(at, word.size()) != word) return false;
    at += word.size();
    return true;
  }
  bool fail(std::string why) {
    if (error.empty()) error = std::move(why);
    return false;
  }

  bool name(std::vector<std::string>& names) {
    if (!is_letter(peek())) {
      return fail(at < text.size() ? fmt::format("`{}` is no name of an axis", text.substr(at, 1))
                                   : "the pattern ends too early");
    }
    size_t start = at;
    while (at < text.size() && (is_letter(text[at]) || is_digit(text[at]))) ++at;
    names.emplace_back(text.substr(start, at - start));
    return true;
  }

  bool axis(PatternAxis& result) {
    if (accept("...")) return result.ellipsis = true;
    if (!groups) return name(result.names);
    if (accept("1")) return true;
    if (!accept("(")) return name(result.names);
    while (!accept(")")) {
      if (!name(result.names)) return false;
    }
    return true;
  }

  bool side(std::vector<PatternAxis>& axes, std::string_view until) {
    while (peek() != '\0' && until.find(text[at]) == std::string_view::npos) {
      axes.emplace_back();
      if (!axis(axes.back())) return false;
    }
    auto dots = std::count_if(axes.begin(), axes.end(), [](const PatternAxis& axis) { return axis.ellipsis; });
    return dots <= 1 || fail("`...` occurs twice on one side");
  }
};

}  // namespace

std::optional<Pattern> parse_pattern(std::string_view text, bool groups, std::string& error) {
  PatternReader reader{text, groups, 0, {}};
  Pattern pattern;
  do {
    pattern.operands.emplace_back();
  } while (reader.side(pattern.operands.back(), ",-") && reader.accept(","));
  if (reader.error.empty() && !reader.accept("->")) reader.fail("`->` is missing");
  if (reader.error.empty()) reader.side(pattern.result, "");
  error = reader.error;
  if (!error.empty()) return std::nullopt;
  return pattern;
}

bool expand_ellipsis(std::vector<PatternAxis>& axes, size_t rank) {
  auto dots = std::find_if(axes.begin(), axes.end(), [](const PatternAxis& axis) { return axis.ellipsis; });
  if (dots == axes.end()) return axes.size() == rank;
  if (axes.size() - 1 > rank) return false;
  size_t count = rank - (axes.size() - 1);
  std::vector<PatternAxis> leading;
  for (size_t k = count; k-- > 0;) leading.push_back({{fmt::format("...{}", k)}, false});
  dots = axes.erase(dots);
  axes.insert(dots, leading.begin(), leading.end());
  return true;
}

}  // namespace nnc
