#include "ir/loop/names.h"

#include <algorithm>
#include <iterator>
#include <map>

#include <fmt/format.h>

namespace nnc {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Uniquifier {
 public:
  std::string take(std::string_view wanted) {
    std::string name = as_identifier(wanted);
    if (is_loop_keyword(name)) name += "_";
    if (used_.emplace(name, 1).second) return name;
    for (int& count = used_[name];; ++count) {
      std::string numbered = fmt::format("{}.{}", name, count);
      if (used_.emplace(numbered, 1).second) return numbered;
    }
  }

 private:
  std::map<std::string, int> used_;
};

template <class Table>
std::vector<std::string> unique(const Table& table) {
  Uniquifier names;
  std::vector<std::string> result;
  result.reserve(table.size());
  for (const auto& item : table) result.push_back(names.take(item.name));
  return result;
}

}  // namespace

bool is_loop_keyword(std::string_view word) {
  static constexpr std::string_view words[] = {"for",   "items",  "store", "prefetch", "var",  "load", "mask",
                                               "axis",  "step",   "in",    "inout",    "out",  "over", "unroll",
                                               "inf",   "nan",    "site",  "below",    "of",   "buf",  "zero",
                                               "valid", "kernel", "when",  "tiles",    "weave"};
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

std::string as_identifier(std::string_view name) {
  std::string result;
  for (char c : name) result += is_letter(c) || is_digit(c) || c == '.' ? c : '_';
  if (result.empty() || !is_letter(result.front())) result.insert(0, "_");
  return result;
}

LoopNames unique_names(const Kernel& kernel) {
  return {unique(kernel.vars), unique(kernel.values), unique(kernel.buffers)};
}

}  // namespace nnc
