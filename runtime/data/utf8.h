// UTF-8 as Unicode 15 defines it (table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nnc {

// Length in bytes, 1 to 4, of the character at the front, and its code point; 0, `point` as it was, where there is none
// or the text is empty.
size_t decode_utf8(std::string_view text, uint32_t& point);

// Whether the whole text is UTF-8. An empty one is.
bool is_utf8(std::string_view text);

}  // namespace nnc
