// Tokens of graph text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nnc {

struct GraphToken {
  enum Kind : unsigned char {
    end,        // of the text
    separator,  // line end or ';'
    word,       // fwd, contract, f32
    value,      // %z1; `text` is without the %
    number,     // 128, -1e-8, inf, nan
    string,     // "ce"; `text` is unescaped
    location,   // !5,prelude/loss.nn:7; `text` is without the !
    mark,       // one of = : , [ ] { } ( ) < > -
    wrong,      // `text` says why
  };
  Kind kind = end;
  std::string text;
  double number_value = 0;
  size_t line = 1;
};

// Hands out the tokens of `text` one by one; comments (# to the line's end) are skipped.
struct GraphLexer {
  std::string_view text;
  size_t at = 0;
  size_t line = 1;

  GraphToken next();
};

}  // namespace nnc
