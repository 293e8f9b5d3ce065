// Patterns of `rearrange` and `einsum`: "b t (h d) -> b h t d".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nnc {

// One axis of a side: a name, a group "(h d)", "1" (no names, an axis of size 1), or "..." before it is expanded.
struct PatternAxis {
  std::vector<std::string> names;
  bool ellipsis = false;
};

struct Pattern {
  std::vector<std::vector<PatternAxis>> operands;
  std::vector<PatternAxis> result;
};

// Reads a pattern; nothing, and in `error` what is wrong, if it is none. `groups`: whether "(…)" and "1" may occur.
std::optional<Pattern> parse_pattern(std::string_view text, bool groups, std::string& error);

// Puts as many axes as `rank` needs in place of "...", named "...0", "...1" from the last; false if the rank does not
// fit.
bool expand_ellipsis(std::vector<PatternAxis>& axes, size_t rank);

}  // namespace nnc
