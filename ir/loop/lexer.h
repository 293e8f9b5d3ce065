// Words of the text form of Loop IR. Internal to ir/loop.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace nnc {

struct LoopToken {
  enum Kind : uint8_t { name, number, punctuation, end };
  Kind kind = end;
  std::string_view text;
  int line = 0;
  bool glued = false;  // no space between it and the token before
};

// Splits `text`; the last token is `end`. `#` starts a comment. Anything that is no word becomes a punctuation of one
// character (":=" and ".." are one token), so nothing fails here. A place "!a/b.nn:7,5" is one token.
std::vector<LoopToken> split_loop_text(std::string_view text);

}  // namespace nnc
