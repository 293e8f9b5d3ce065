#include "driver/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace nnc {
namespace {

constexpr double glyph = 6.7;  // width of a digit in the charts' 12-pixel type

struct Frame {
  double width = 0, height = 0, left = 0, right = 0, top = 12, bottom = 0;  // the plot lies between
};

double widest(const std::vector<std::string>& texts) {
  size_t most = 1;
  for (const std::string& text : texts) most = std::max(most, text.size());
  return static_cast<double>(most) * glyph;
}

// As wide as its figure, but for what would grow too tall.
std::string open_svg(double width, double height, const std::string& title, bool limited = false) {
  const std::string limit = limited ? fmt::format(" style=\"max-width:{:.0f}px\"", width) : "";
  return fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\"{} role=\"img\" aria-label=\"{}\">\n", width, height, limit,
                     escape_html(title));
}

void put_text(std::string& out, double x, double y, const char* anchor, const std::string& text,
              const std::string& more = {}) {
  fmt::format_to(std::back_inserter(out), "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y,
                 anchor, more, escape_html(text));
}

void put_line(std::string& out, const char* name, double x1, double y1, double x2, double y2) {
  fmt::format_to(std::back_inserter(out),
                 "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" />\n", name, x1, y1, x2,
                 y2);
}

void put_axes(std::string& out, const Frame& frame, const Scale& x, const Ticks& xs, const Scale& y, const Ticks& ys,
              const std::string& x_label, const std::string& y_label) {
  for (size_t i = 0; i < ys.at.size(); ++i) {
    put_line(out, "grid", frame.left, y(ys.at[i]), frame.right, y(ys.at[i]));
    put_text(out, frame.left - 7, y(ys.at[i]) + 4, "end", ys.texts[i]);
  }
  for (size_t i = 0; i < xs.at.size(); ++i) {
    put_line(out, "axis", x(xs.at[i]), frame.bottom, x(xs.at[i]), frame.bottom + 4);
    put_text(out, x(xs.at[i]), frame.bottom + 18, "middle", xs.texts[i]);
  }
  put_line(out, "axis", frame.left, frame.bottom, frame.right, frame.bottom);
  if (!x_label.empty()) put_text(out, (frame.left + frame.right) / 2, frame.height - 4, "middle", x_label);
  if (y_label.empty()) return;
  const double middle = (frame.top + frame.bottom) / 2;
  put_text(out, 13, middle, "middle", y_label, fmt::format(" transform=\"rotate(-90 13 {:.1f})\"", middle));
}

// As many as `most` points that keep the shape: of each stretch its lowest and highest.
void thin_out(const Series& series, size_t most, std::vector<size_t>& kept) {
  const size_t count = std::min(series.x.size(), series.y.size());
  const size_t stretch = std::max<size_t>(1, (2 * count + most - 1) / std::max<size_t>(1, most));
  for (size_t begin = 0; begin < count; begin += stretch) {
    const size_t end = std::min(count, begin + stretch);
    if (stretch <= 2) {
      for (size_t i = begin; i < end; ++i) kept.push_back(i);
      continue;
    }
    size_t low = begin, high = begin;
    for (size_t i = begin; i < end; ++i) {
      if (!(series.y[i] >= series.y[low])) low = i;
      if (!(series.y[i] <= series.y[high])) high = i;
    }
    kept.push_back(std::min(low, high));
    if (low != high) kept.push_back(std::max(low, high));
  }
}

void put_series(std::string& out, const Series& series, const Scale& x, const Scale& y) {
  std::vector<size_t> kept;
  thin_out(series, series.points ? 4000 : 1200, kept);
  std::string path, dots;
  size_t run = 0;
  const auto end_run = [&] {
    // A lone point has no line: it becomes a dot.
    if (run == 1) dots += path.substr(path.rfind('M')) + "h0";
    run = 0;
  };
  for (const size_t i : kept) {
    if (!std::isfinite(series.x[i]) || !std::isfinite(series.y[i]) || (y.log && series.y[i] <= 0)) {
      end_run();
      continue;
    }
    const std::string place = fmt::format("{:.1f} {:.1f}", x(series.x[i]), y(series.y[i]));
    if (series.points) {
      dots += "M" + place + "h0";
    } else {
      path += (run == 0 ? "M" : "L") + place;
      ++run;
    }
  }
  end_run();
  const int color = series.color % 6;
  if (!path.empty())
    out += fmt::format("<path class=\"line s{}{}\" d=\"{}\" />\n", color, series.dashed ? " dashed" : "", path);
  if (!dots.empty())
    out += fmt::format("<path class=\"dots s{}{}\" d=\"{}\" />\n", color, kept.size() > 100 ? " many" : "", dots);
}

Frame frame_of(double width, double height, const Ticks& ys, bool x_label, bool y_label) {
  Frame frame{width, height};
  frame.left = widest(ys.texts) + (y_label ? 30 : 12);
  frame.right = width - 16;
  frame.bottom = height - (x_label ? 42 : 24);
  return frame;
}

void keep_whole(Ticks& ticks) {
  for (size_t i = ticks.at.size(); i-- > 0;) {
    if (ticks.at[i] == std::floor(ticks.at[i])) continue;
    ticks.at.erase(ticks.at.begin() + static_cast<ptrdiff_t>(i));
    ticks.texts.erase(ticks.texts.begin() + static_cast<ptrdiff_t>(i));
  }
}

}  // namespace

std::string svg(const LineChart& chart) {
  std::vector<double> all_x, all_y;
  double smallest = INFINITY;
  for (const Series& series : chart.series) {
    for (size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
      if (!std::isfinite(series.x[i]) || !std::isfinite(series.y[i])) continue;
      all_x.push_back(series.x[i]);
      all_y.push_back(series.y[i]);
      smallest = std::min(smallest, series.y[i]);
    }
  }
  const bool log_y = chart.log_y && smallest > 0 && std::isfinite(smallest);
  Scale x{chart.x_range.value_or(range_of(all_x))}, y{chart.y_range.value_or(range_of(all_y))};
  if (chart.diagonal && !chart.x_range) x.values = y.values = join(x.values, y.values);
  y.log = log_y;
  if (log_y)
    y.values = {std::max(smallest, 1e-300) / 1.1, y.values.high * 1.1};
  else if (!chart.y_range)
    y.values = widen(y.values, 0.04);
  const double width = chart.square ? 420 : 520, height = chart.square ? 400 : 300;
  const Ticks ys = log_y ? log_ticks(y.values) : nice_ticks(y.values, 5);
  Ticks xs = nice_ticks(x.values, chart.square ? 5 : 6);
  if (chart.whole_x) keep_whole(xs);
  const Frame frame = frame_of(width, height, ys, !chart.x_label.empty(), !chart.y_label.empty());
  x.from = frame.left;
  x.to = frame.right;
  y.from = frame.bottom;
  y.to = frame.top;
  std::string out = open_svg(width, height, chart.title, chart.square);
  put_axes(out, frame, x, xs, y, ys, chart.x_label, chart.y_label);
  if (chart.diagonal) put_line(out, "mark", x(x.values.low), y(x.values.low), x(x.values.high), y(x.values.high));
  if (chart.mark) {
    const double at = x(*chart.mark);
    put_line(out, "mark", at, frame.top, at, frame.bottom);
    const bool left = at > (frame.left + frame.right) / 2;
    put_text(out, at + (left ? -5 : 5), frame.top + 10, left ? "end" : "start", chart.mark_text);
  }
  for (const Series& series : chart.series) put_series(out, series, x, y);
  return out + "</svg>\n";
}

std::string svg(const BarChart& chart) {
  const double width = chart.small ? 320 : 520, height = chart.small ? 170 : 300;
  double most = 0;
  for (const double count : chart.counts) most = std::max(most, count);
  Scale x{chart.edges.size() > 1 ? Range{chart.edges.front(), chart.edges.back()} : Range{}};
  if (!(x.values.low < x.values.high)) x.values = range_of({x.values.low});
  Scale y{Range{0, most > 0 ? most * 1.05 : 1}};
  Ticks ys = nice_ticks(y.values, chart.small ? 3 : 5);
  keep_whole(ys);
  const Frame frame = frame_of(width, height, ys, !chart.x_label.empty(), !chart.y_label.empty());
  x.from = frame.left;
  x.to = frame.right;
  y.from = frame.bottom;
  y.to = frame.top;
  std::string out = open_svg(width, height, chart.title);
  put_axes(out, frame, x, nice_ticks(x.values, chart.small ? 4 : 6), y, ys, chart.x_label, chart.y_label);
  for (size_t i = 0; i < chart.counts.size() && i + 1 < chart.edges.size(); ++i) {
    if (!(chart.counts[i] > 0)) continue;
    const double from = x(chart.edges[i]), to = x(chart.edges[i + 1]), top = y(chart.counts[i]);
    out += fmt::format(
        "<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\">"
        "<title>{} to {}: {}</title></rect>\n",
        from, top, std::max(0.5, to - from - 0.8), frame.bottom - top, short_number(chart.edges[i]),
        short_number(chart.edges[i + 1]), short_number(chart.counts[i]));
  }
  return out + "</svg>\n";
}

std::string svg(const HeatMap& map) {
  const size_t count = map.names.size();
  const double cell = std::clamp(360.0 / static_cast<double>(std::max<size_t>(1, count)), 6.0, 130.0);
  std::vector<std::string> names;
  for (const std::string& name : map.names) {
    size_t cut = std::min<size_t>(name.size(), 16);
    while (cut > 0 && cut < name.size() && (name[cut] & 0xC0) == 0x80) --cut;
    names.push_back(cut < name.size() ? name.substr(0, cut) + "…" : name);
  }
  const bool labelled = cell >= 13;
  const double plot = cell * static_cast<double>(count);
  const double left = labelled ? widest(names) + 34 : 34;
  const bool slanted = labelled && widest(names) > cell - 4;
  const double below = !labelled ? 12 : slanted ? widest(names) * 0.72 + 16 : 22;
  const double width = left + plot + 16, height = 8 + plot + below + 22;
  std::string out = open_svg(width, height, map.title, true);
  for (size_t row = 0; row < count; ++row) {
    int64_t total = 0;
    for (size_t column = 0; column < count; ++column) total += map.counts[row * count + column];
    for (size_t column = 0; column < count; ++column) {
      const int64_t value = map.counts[row * count + column];
      const double share = total > 0 ? static_cast<double>(value) / static_cast<double>(total) : 0;
      const double x = left + cell * static_cast<double>(column), y = 8 + cell * static_cast<double>(row);
      out += fmt::format(
          "<rect class=\"cell\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill-opacity=\"{:.3f}\">"
          "<title>true {}, predicted {}: {}</title></rect>\n",
          x, y, cell - 1, cell - 1, 0.05 + 0.9 * share, escape_html(map.names[row]), escape_html(map.names[column]),
          value);
      const std::string text = fmt::format("{}", value);
      if (static_cast<double>(text.size()) * glyph > cell - 3 || cell < 16) continue;
      put_text(out, x + cell / 2, y + cell / 2 + 4, "middle", text, share > 0.5 ? " class=\"on\"" : "");
    }
  }
  for (size_t i = 0; labelled && i < count; ++i) {
    const double at = 8 + cell * (static_cast<double>(i) + 0.5), x = left + cell * (static_cast<double>(i) + 0.5);
    put_text(out, left - 6, at + 4, "end", names[i]);
    const double y = 8 + plot + 14;
    if (slanted)
      put_text(out, x + 4, y, "end", names[i], fmt::format(" transform=\"rotate(-45 {:.1f} {:.1f})\"", x, y));
    else
      put_text(out, x, y, "middle", names[i]);
  }
  put_text(out, left + plot / 2, height - 5, "middle", map.column_label);
  put_text(out, 13, 8 + plot / 2, "middle", map.row_label,
           fmt::format(" transform=\"rotate(-90 13 {:.1f})\"", 8 + plot / 2));
  return out + "</svg>\n";
}

}  // namespace nnc
