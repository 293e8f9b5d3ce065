#include "ir/graph/attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nnc {
namespace {

constexpr std::array<std::string_view, 6> comparison_names = {"eq", "ne", "lt", "le", "gt", "ge"};
constexpr std::array<std::string_view, 5> reduction_names = {"sum", "prod", "max", "min", "argmax"};
constexpr std::array<std::string_view, 3> distribution_names = {"uniform", "normal", "integer"};
constexpr std::array<std::string_view, 6> order_names = {"unset", "chain", "ways", "lanes", "chunks", "tiles"};

// Broken maps are printed too, in the verifier's messages.
std::string index_name(const std::vector<std::string>& names, int index) {
  bool known = index >= 0 && static_cast<size_t>(index) < names.size();
  return known ? names[static_cast<size_t>(index)] : fmt::format("?{}", index);
}

std::string to_string(const IndexTerm& term, const std::vector<std::string>& names) {
  if (term.is_plain()) return index_name(names, term.terms[0].first);
  std::string sum;
  for (const auto& [index, coefficient] : term.terms) {
    std::string name = index_name(names, index);
    std::string_view sign = coefficient < 0 ? "-" : sum.empty() ? "" : "+";
    int64_t size = coefficient < 0 ? -coefficient : coefficient;
    sum += size == 1 ? fmt::format("{}{}", sign, name) : fmt::format("{}{}*{}", sign, size, name);
  }
  if (sum.empty()) {
    sum = fmt::format("{}", term.offset);
  } else if (term.offset != 0) {
    sum += fmt::format("{:+}", term.offset);
  }
  return term.divisor == 1 ? fmt::format("({})", sum) : fmt::format("(({})/{})", sum, term.divisor);
}

}  // namespace

std::string_view name_of(Comparison comparison) { return comparison_names[static_cast<size_t>(comparison)]; }
std::string_view name_of(Reduction reduction) { return reduction_names[static_cast<size_t>(reduction)]; }
std::string_view name_of(Distribution distribution) { return distribution_names[static_cast<size_t>(distribution)]; }

std::string to_string(const Order& order) {
  std::string_view name = order_names[static_cast<size_t>(order.kind)];
  return order.count == 0 ? std::string(name) : fmt::format("{}({})", name, order.count);
}

std::string to_string(const IndexMap& map) {
  std::string text;
  for (const auto& operand : map.operands) {
    if (&operand != &map.operands.front()) text += ", ";
    for (size_t axis = 0; axis < operand.size(); ++axis) {
      if (axis != 0) text += ' ';
      text += to_string(operand[axis], map.names);
    }
  }
  text += " ->";
  for (int index : map.result) text += ' ' + index_name(map.names, index);
  return text;
}

IndexMap numbered_by_appearance(const IndexMap& map) {
  std::vector<int> number(map.names.size(), -1);
  IndexMap result;
  auto renumber = [&](int index) {
    int& known = number[static_cast<size_t>(index)];
    if (known < 0) {
      known = static_cast<int>(result.names.size());
      result.names.push_back(map.names[static_cast<size_t>(index)]);
      result.extents.push_back(map.extents[static_cast<size_t>(index)]);
    }
    return known;
  };
  for (const auto& operand : map.operands) {
    auto& axes = result.operands.emplace_back(operand);
    for (IndexTerm& term : axes) {
      for (auto& [index, coefficient] : term.terms) index = renumber(index);
      std::sort(term.terms.begin(), term.terms.end());
    }
  }
  for (int index : map.result) result.result.push_back(renumber(index));
  return result;
}

}  // namespace nnc
