// The line a terminal shows while something runs:
//
//   epoch 3/50  42%|████▏     | 421/1000 [00:03<00:05, 130 step/s, loss 0.213]
#pragma once

#include <cstdint>
#include <string>

namespace nnc {

struct BarState {
  std::string title;    // "epoch 3/50"
  double fraction = 0;  // done, 0 … 1
  int64_t done = 0, total = 0;
  double seconds = 0;         // since the bar's start
  double left = 0;            // seconds; negative: unknown
  double rate = 0;            // done a second; 0: unknown
  std::string unit = "step";  // what is counted
  std::string note;           // "loss 0.213"
};

// The line in at most `columns` - 1 cells: the bar takes the room that is left, up to 40 cells; where there is none, it
// goes, and then the line's end. Eighths of a cell with `unicode`, else '#'. With `color` the bar alone is coloured.
std::string progress_line(const BarState& state, int64_t columns, bool unicode, bool color);

// "03:07", "1:02:03"
std::string format_clock(double seconds);

// Whether the environment (LC_ALL, LC_CTYPE, LANG) says that text is UTF-8.
bool utf8_locale();

}  // namespace nnc
