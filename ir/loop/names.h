// Names as the text form of Loop IR shows them. Internal to ir/loop.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/loop/loop.h"

namespace nnc {

// Words of the grammar, which no variable, value or buffer may be called.
bool is_loop_keyword(std::string_view word);

// One identifier per variable, value and buffer: letters, digits, `_` and `.`, no two alike, no keyword.
struct LoopNames {
  std::vector<std::string> vars, values, buffers;
};
LoopNames unique_names(const Kernel& kernel);

// Letters, digits, `_` and `.`; starts with a letter or `_`.
std::string as_identifier(std::string_view name);

}  // namespace nnc
