// Charts as inline SVG, without scripts: a page gives them their colours by the classes `s0` … `s5` (series), `grid`,
// `axis`, `mark` and `cell`, and by --accent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "driver/svg_axis.h"

namespace nnc {

struct Series {
  std::string name;
  std::vector<double> x, y;  // as many; NaN and infinities are gaps
  int color = 0;             // 0 … 5
  bool points = false;       // dots, not a line
  bool dashed = false;
};

struct LineChart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  std::optional<Range> x_range, y_range;  // else those of the values
  bool log_y = false;                     // followed where all values are positive
  bool whole_x = false;                   // ticks at whole numbers only
  bool diagonal = false;                  // the line y = x
  std::optional<double> mark;             // a vertical line here …
  std::string mark_text;                  // … with this beside it
  bool square = false;
};
std::string svg(const LineChart& chart);

// Bars of counts between edges.
struct BarChart {
  std::string title, x_label, y_label;
  std::vector<double> edges;   // ascending, one more than counts
  std::vector<double> counts;  // not negative
  bool small = false;          // one of many
};
std::string svg(const BarChart& chart);

// Counts by row and column; cells are shaded by their share of their row.
struct HeatMap {
  std::string title, row_label, column_label;
  std::vector<std::string> names;  // of rows and columns alike
  std::vector<int64_t> counts;     // [names][names]
};
std::string svg(const HeatMap& map);

}  // namespace nnc
