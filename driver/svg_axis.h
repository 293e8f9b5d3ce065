// Scales and ticks of charts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nnc {

// Text for HTML and SVG: markup escaped, control characters and broken UTF-8 replaced by U+FFFD.
std::string escape_html(std::string_view text);

struct Range {
  double low = 0, high = 1;
};

// The range of the finite values, in ±1e300; [0, 1] if there are none; widened where all are alike.
Range range_of(const std::vector<double>& values);
// Joins and widens by a share of its length at both ends.
Range join(Range a, Range b);
Range widen(Range range, double share);

struct Ticks {
  std::vector<double> at;          // ascending, inside the range
  std::vector<std::string> texts;  // one each, all different
};

// About `count` ticks at multiples of 1, 2 or 5 times a power of ten. Requires low < high, both finite.
Ticks nice_ticks(Range range, int count);
// Powers of ten, or fewer or more of them as fits. Requires 0 < low < high.
Ticks log_ticks(Range range);

// One direction of a chart: from values to places.
struct Scale {
  Range values;
  double from = 0, to = 1;  // places of values.low and values.high
  bool log = false;
  double operator()(double value) const;
};

// "0.1234", "1.23e-7", "12,345": a number for people to read.
std::string short_number(double value);

}  // namespace nnc
