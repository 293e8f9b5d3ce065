// Reading of index maps: "n c (2*p+r-1) (2*q+s-1), k c r s -> n k p q".
#include <fmt/format.h>

#include <algorithm>

#include "ir/graph/attributes.h"

namespace nnc {
namespace {

constexpr size_t max_indices = 64;
constexpr int64_t max_coefficient = int64_t{1} << 20;  // with extents below 2^31, no term overflows

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct MapReader {
  std::string_view text;
  IndexMap& map;
  size_t at = 0;
  std::string error;

  bool fail(std::string why) {
    if (error.empty()) error = std::move(why);
    return false;
  }
  void skip_spaces() {
    while (at < text.size() && text[at] == ' ') ++at;
  }
  char peek() {
    skip_spaces();
    return at < text.size() ? text[at] : '\0';
  }
  bool accept(std::string_view word) {
    skip_spaces();
    if (text.substr(at, word.size()) != word) return false;
    at += word.size();
    return true;
  }
  bool expect(std::string_view word) {
    return accept(word) || fail(fmt::format("'{}' expected in \"{}\"", word, text));
  }

  bool index(int& result) {
    if (!is_name_start(peek())) return fail(fmt::format("an index name expected in \"{}\"", text));
    size_t start = at;
    while (at < text.size() && (is_name_start(text[at]) || is_digit(text[at]))) ++at;
    std::string name(text.substr(start, at - start));
    auto known = std::find(map.names.begin(), map.names.end(), name);
    result = static_cast<int>(known - map.names.begin());
    if (known != map.names.end()) return true;
    if (map.names.size() == max_indices) return fail(fmt::format("more than {} indices", max_indices));
    map.names.push_back(std::move(name));
    map.extents.push_back(0);
    return true;
  }

  bool number(int64_t& result) {
    if (!is_digit(peek())) return fail(fmt::format("a number expected in \"{}\"", text));
    for (result = 0; at < text.size() && is_digit(text[at]); ++at) {
      result = result * 10 + (text[at] - '0');
      if (result > max_coefficient) return fail(fmt::format("a number above {} in an index map", max_coefficient));
    }
    return true;
  }

  bool add(IndexTerm& term, int index, int64_t coefficient) {
    for (auto& [known, sum] : term.terms) {
      if (known == index)
        return fail(fmt::format("index {} occurs twice in one term", map.names[static_cast<size_t>(index)]));
    }
    if (coefficient == 0) return fail("coefficient 0 in an index map");
    term.terms.emplace_back(index, coefficient);
    return true;
  }

  bool summand(IndexTerm& term, int64_t sign) {
    int64_t value = 1;
    if (is_digit(peek())) {
      if (!number(value)) return false;
      if (!accept("*")) {
        term.offset += sign * value;
        return std::abs(term.offset) <= max_coefficient || fail("an offset that is too large in an index map");
      }
    }
    int name = 0;
    return index(name) && add(term, name, sign * value);
  }

  bool sum(IndexTerm& term) {
    int64_t sign = accept("-") ? -1 : 1;
    while (summand(term, sign)) {
      if (accept("+")) {
        sign = 1;
      } else if (accept("-")) {
        sign = -1;
      } else {
        std::sort(term.terms.begin(), term.terms.end());
        return true;
      }
    }
    return false;
  }

  bool axis(IndexTerm& term) {
    if (!accept("(")) {
      int name = 0;
      if (!index(name)) return false;
      term = IndexTerm::plain(name);
      return true;
    }
    if (!accept("(")) return sum(term) && expect(")");
    if (!sum(term) || !expect(")") || !expect("/") || !number(term.divisor) || !expect(")")) return false;
    return term.divisor != 0 || fail("division by 0 in an index map");
  }

  bool operand(std::vector<IndexTerm>& axes) {
    while (peek() != ',' && peek() != '-' && peek() != '\0') {
      if (!axis(axes.emplace_back())) return false;
    }
    return true;
  }

  bool result() {
    while (peek() != '\0') {
      int name = 0;
      if (!index(name)) return false;
      if (std::find(map.result.begin(), map.result.end(), name) != map.result.end()) {
        return fail(fmt::format("index {} occurs twice in the result", map.names[static_cast<size_t>(name)]));
      }
      map.result.push_back(name);
    }
    return true;
  }

  bool all() {
    do {
      if (!operand(map.operands.emplace_back())) return false;
    } while (accept(","));
    return expect("->") && result();
  }
};

// Sets the extents of plain indices from the operands' shapes.
std::string find_extents(IndexMap& map, const std::vector<TensorType>& operands) {
  for (size_t k = 0; k < operands.size(); ++k) {
    if (map.operands[k].size() != operands[k].dims.size()) {
      return fmt::format("the map names {} axes of {}", map.operands[k].size(), to_string(operands[k]));
    }
    for (size_t axis = 0; axis < operands[k].dims.size(); ++axis) {
      const IndexTerm& term = map.operands[k][axis];
      if (!term.is_plain()) continue;
      auto index = static_cast<size_t>(term.terms[0].first);
      int64_t& extent = map.extents[index];
      if (extent != 0 && extent != operands[k].dims[axis]) {
        return fmt::format("index {} has extents {} and {}", map.names[index], extent, operands[k].dims[axis]);
      }
      extent = operands[k].dims[axis];
    }
  }
  return "";
}

}  // namespace

std::string parse_index_map(std::string_view text, const std::vector<TensorType>& operands, IndexMap& map) {
  map = {};
  MapReader reader{text, map, 0, {}};
  if (!reader.all()) return reader.error;
  if (map.operands.size() != operands.size()) {
    return fmt::format("the map names {} operands, there are {}", map.operands.size(), operands.size());
  }
  if (std::string error = find_extents(map, operands); !error.empty()) return error;
  for (size_t index = 0; index < map.names.size(); ++index) {
    bool in_result = std::find(map.result.begin(), map.result.end(), static_cast<int>(index)) != map.result.end();
    if (map.extents[index] == 0 && !in_result) {
      return fmt::format("summed index {} occurs plain in no operand", map.names[index]);
    }
  }
  // "(2*p+r), ... -> r p": an affine term may name indices in another order than the sorted one that is printed.
  map = numbered_by_appearance(map);
  return "";
}

}  // namespace nnc
