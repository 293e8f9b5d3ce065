// Diagnostics as text with excerpts, and as JSON.
#include <algorithm>
#include <iterator>
#include <map>

#include "frontend/diagnostics.h"

namespace nnc {

namespace {

constexpr size_t widest_excerpt = 110;
constexpr size_t tab_width = 4;

struct Palette {
  const char *error, *warning, *label, *help, *bold, *off;
};
constexpr Palette coloured{"\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[1;36m", "\x1b[1m", "\x1b[0m"};
constexpr Palette plain{"", "", "", "", "", ""};

struct Codepoint {
  uint32_t value;  // U+FFFD for a byte that is not UTF-8
  size_t bytes;
};

Codepoint decode(std::string_view text) {
  size_t length = utf8_length(text);
  if (length == 0) return {0xFFFD, 1};
  auto first = static_cast<unsigned char>(text[0]);
  uint32_t value = length == 1 ? first : first & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) value = value << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  return {value, length};
}

// Columns a terminal gives to a code point: none to combining marks, two to East Asian wide characters and emoji.
size_t display_width(uint32_t c) {
  auto within = [c](uint32_t low, uint32_t high) { return low <= c && c <= high; };
  if (within(0x300, 0x36F) || within(0x200B, 0x200F) || within(0x20D0, 0x20FF) || within(0xFE00, 0xFE0F)) return 0;
  bool wide = within(0x1100, 0x115F) || within(0x2E80, 0xA4CF) || within(0xAC00, 0xD7A3) || within(0xF900, 0xFAFF) ||
              within(0xFE30, 0xFE6F) || within(0xFF00, 0xFF60) || within(0xFFE0, 0xFFE6) || within(0x1F300, 0x1FAFF) ||
              within(0x20000, 0x3FFFD);
  return wide ? 2 : 1;
}

bool is_control(uint32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

// The text with nothing in it that could move the cursor.
std::string printable(std::string_view text) {
  std::string safe;
  for (size_t i = 0; i < text.size();) {
    Codepoint c = decode(text.substr(i));
    if (c.value == 0xFFFD || is_control(c.value)) {
      safe += "\uFFFD";
    } else {
      safe += text.substr(i, c.bytes);
    }
    i += c.bytes;
  }
  return safe;
}

// One column or more of a line on the screen.
struct Cell {
  std::string shown;
  size_t byte;    // in the line
  size_t column;  // on the screen, from 0
};

struct ScreenLine {
  std::vector<Cell> cells;  // the last is empty and stands at the end
  size_t column_of(size_t byte) const {
    auto after = std::upper_bound(cells.begin(), cells.end(), byte, [](size_t b, const Cell& c) { return b < c.byte; });
    return std::prev(after)->column;
  }
};

ScreenLine lay_out(std::string_view line) {
  ScreenLine result;
  size_t column = 0;
  for (size_t i = 0; i < line.size();) {
    Codepoint c = decode(line.substr(i));
    size_t width = line[i] == '\t' ? tab_width - column % tab_width : is_control(c.value) ? 1 : display_width(c.value);
    std::string shown = line[i] == '\t' ? std::string(width, ' ') : printable(line.substr(i, c.bytes));
    result.cells.push_back({std::move(shown), i, column});
    column += width;
    i += c.bytes;
  }
  result.cells.push_back({"", line.size(), column});
  return result;
}

struct Mark {
  size_t begin, end;  // bytes in the line, then columns on the screen
  bool primary;
  std::vector<std::string> texts;
};

// What of a long line is shown.
struct Window {
  size_t begin, end;
  bool cut_left, cut_right;
};

Window window_around(size_t column, size_t width) {
  if (width <= widest_excerpt) return {0, width, false, false};
  size_t begin = column < widest_excerpt * 2 / 3 ? 0 : column - widest_excerpt / 3;
  size_t end = std::min(width, begin + widest_excerpt);
  return {begin, end, begin > 0, end < width};
}

std::string shown_text(const ScreenLine& line, const Window& window) {
  std::string text = window.cut_left ? "…" : "";
  for (const Cell& cell : line.cells) {
    if (cell.column >= window.begin && cell.column < window.end) text += cell.shown;
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return window.cut_right ? text + "…" : text;
}

// Bytes to columns on the screen; what lies outside of the window moves to its edge.
void place_marks(std::vector<Mark>& marks, const ScreenLine& line, const Window& window) {
  for (Mark& mark : marks) {
    size_t begin = std::clamp(line.column_of(mark.begin), window.begin, window.end);
    size_t end = std::clamp(line.column_of(mark.end), window.begin, window.end);
    mark.begin = begin - window.begin + window.cut_left;
    mark.end = std::max(end - window.begin + window.cut_left, mark.begin + 1);
  }
}

std::string colour_runs(const std::string& row, const char* primary, const Palette& palette) {
  std::string text;
  char previous = ' ';
  for (char c : row) {
    if (c != previous && previous != ' ') text += palette.off;
    if (c != previous && c != ' ') text += c == '^' ? primary : palette.label;
    text += previous = c;
  }
  return previous == ' ' ? text : text + palette.off;
}

// The rows under an excerpt: one with the marks and the label of the last, then one for each further label.
std::vector<std::string> mark_rows(std::vector<Mark> marks, const char* primary, const Palette& palette) {
  std::string row;
  for (bool carets : {false, true}) {
    for (const Mark& mark : marks) {
      if (mark.primary != carets) continue;
      if (row.size() < mark.end) row.resize(mark.end, ' ');
      std::fill(row.begin() + static_cast<ptrdiff_t>(mark.begin), row.begin() + static_cast<ptrdiff_t>(mark.end),
                carets ? '^' : '-');
    }
  }
  std::stable_sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) { return a.begin > b.begin; });
  size_t width = row.size();
  std::vector<std::string> rows{colour_runs(row, primary, palette)};
  bool beside = !marks.empty() && marks.front().end == width;
  for (const Mark& mark : marks) {
    for (const std::string& text : mark.texts) {
      const char* colour = mark.primary ? primary : palette.label;
      if (beside && &mark == &marks.front() && rows.size() == 1 && &text == &mark.texts.front()) {
        rows[0] += fmt::format(" {}{}{}", colour, printable(text), palette.off);
      } else {
        rows.push_back(fmt::format("{}{}{}{}", std::string(mark.begin, ' '), colour, printable(text), palette.off));
      }
    }
  }
  return rows;
}

constexpr size_t longest_laid_out = 2000;

// Where to cut a line so that work on a very long one stays bounded: about longest_laid_out bytes around `focus`.
std::pair<size_t, size_t> cut_around(std::string_view line, size_t focus) {
  auto boundary = [&](size_t at) {
    for (int i = 0; i < 3 && at < line.size() && (static_cast<unsigned char>(line[at]) & 0xC0) == 0x80; ++i) ++at;
    return at;
  };
  if (line.size() <= longest_laid_out) return {0, line.size()};
  size_t begin = focus < longest_laid_out / 2 ? 0 : boundary(focus - longest_laid_out / 2);
  return {begin, boundary(std::min(line.size(), begin + longest_laid_out))};
}

std::string excerpt(const SourceFile& file, uint32_t line, size_t gutter, std::vector<Mark> marks, const char* primary,
                    const Palette& palette) {
  auto focus = std::find_if(marks.begin(), marks.end(), [](const Mark& mark) { return mark.primary; });
  if (focus == marks.end()) focus = marks.begin();
  std::string_view whole = line_text(file, line);
  auto [cut_begin, cut_end] = cut_around(whole, focus->begin);
  ScreenLine screen = lay_out(whole.substr(cut_begin, cut_end - cut_begin));
  for (Mark& mark : marks) {
    mark.begin = std::clamp(mark.begin, cut_begin, cut_end) - cut_begin;
    mark.end = std::clamp(mark.end, cut_begin, cut_end) - cut_begin;
  }
  Window window = window_around(screen.column_of(focus->begin), screen.cells.back().column);
  std::string shown = shown_text(screen, window);
  std::string text = fmt::format("{:>{}} |{}{}\n", line, gutter, shown.empty() ? "" : " ", shown);
  place_marks(marks, screen, window);
  for (const std::string& row : mark_rows(std::move(marks), primary, palette)) {
    text += fmt::format("{:>{}} | {}\n", "", gutter, row);
  }
  return text;
}

void add_mark(std::map<uint32_t, std::vector<Mark>>& lines, const SourceFiles& sources, Span span, bool primary,
              const std::string* text) {
  const SourceFile& file = sources[span.file];
  uint32_t line = locate(sources, span).line;
  size_t start = file.line_starts[line - 1];
  size_t length = line_text(file, line).size();
  size_t begin = std::min<size_t>(span.begin - start, length);
  size_t end = std::clamp<size_t>(span.end - start, begin, length);
  std::vector<Mark>& marks = lines[line];
  auto same = [&](const Mark& mark) { return mark.begin == begin && mark.end == end; };
  auto found = std::find_if(marks.begin(), marks.end(), same);
  if (found == marks.end()) found = marks.insert(marks.end(), {begin, end, primary, {}});
  if (text) found->texts.push_back(*text);
}

std::string excerpts(const SourceFiles& sources, const Diagnostic& diagnostic, const char* primary,
                     const Palette& palette) {
  std::map<uint32_t, std::vector<Mark>> lines;
  std::string elsewhere;
  add_mark(lines, sources, diagnostic.span, true, nullptr);
  for (const Label& label : diagnostic.labels) {
    if (label.span.file == diagnostic.span.file) {
      add_mark(lines, sources, label.span, false, &label.text);
    } else if (label.span.file) {
      Location at = locate(sources, label.span);
      elsewhere += fmt::format("{}note{}: {}:{}:{}: {}\n", palette.bold, palette.off,
                               printable(sources[label.span.file].name), at.line, at.column, printable(label.text));
    }
  }
  size_t gutter = std::to_string(lines.rbegin()->first).size();
  std::string text;
  for (auto& [line, marks] : lines) {
    text += excerpt(sources[diagnostic.span.file], line, gutter, marks, primary, palette);
  }
  return text + elsewhere;
}

std::string_view severity_name(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

std::string place_prefix(const SourceFiles& sources, const Diagnostic& diagnostic) {
  if (!diagnostic.place) {
    if (!diagnostic.span.file) return "nnc";
    Location at = locate(sources, diagnostic.span);
    return fmt::format("{}:{}:{}", printable(sources[diagnostic.span.file].name), at.line, at.column);
  }
  const Place& place = *diagnostic.place;
  if (place.line == 0) return printable(place.name);
  return fmt::format("{}:{}:{}", printable(place.name), place.line, place.column);
}

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (size_t i = 0; i < text.size();) {
    Codepoint c = decode(text.substr(i));
    if (c.value == '"' || c.value == '\\') {
      quoted += {'\\', text[i]};
    } else if (c.value < 0x20) {
      quoted += fmt::format("\\u{:04x}", c.value);
    } else if (c.value == 0xFFFD) {
      quoted += "\uFFFD";
    } else {
      quoted += text.substr(i, c.bytes);
    }
    i += c.bytes;
  }
  return quoted + '"';
}

std::string json_strings(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ",") + json_string(text);
  return "[" + list + "]";
}

std::string json_span(const SourceFiles& sources, Span span) {
  Location begin = locate(sources, span), end = locate_end(sources, span);
  return fmt::format(R"("file":{},"line":{},"column":{},"end":{{"line":{},"column":{}}})",
                     json_string(sources[span.file].name), begin.line, begin.column, end.line, end.column);
}

std::string json_place(const SourceFiles& sources, const Diagnostic& diagnostic) {
  if (diagnostic.place) {
    std::string text = fmt::format(R"("file":{})", json_string(diagnostic.place->name));
    if (diagnostic.place->line == 0) return text;
    return text + fmt::format(R"(,"line":{},"column":{},"end":{{"line":{},"column":{}}})", diagnostic.place->line,
                              diagnostic.place->column, diagnostic.place->line, diagnostic.place->column);
  }
  return diagnostic.span.file ? json_span(sources, diagnostic.span) : R"("file":"")";
}

}  // namespace

std::string render(const SourceFiles& sources, const Diagnostic& diagnostic, const RenderOptions& options) {
  const Palette& palette = options.colour ? coloured : plain;
  const DiagnosticInfo& kind = info(diagnostic.kind);
  const char* primary = kind.severity == Severity::error ? palette.error : palette.warning;
  std::string text =
      fmt::format("{}{}{}: {}{}[{}]{}: {}\n", palette.bold, place_prefix(sources, diagnostic), palette.off, primary,
                  severity_name(kind.severity), kind.code, palette.off, printable(diagnostic.message));
  if (!diagnostic.place && diagnostic.span.file) text += excerpts(sources, diagnostic, primary, palette);
  for (const std::string& help : diagnostic.helps) {
    text += fmt::format("{}help{}: {}\n", palette.help, palette.off, printable(help));
  }
  for (const std::string& note : diagnostic.notes) {
    text += fmt::format("{}note{}: {}\n", palette.bold, palette.off, printable(note));
  }
  return text;
}

std::string render(const SourceFiles& sources, const Diagnostics& diagnostics, const RenderOptions& options) {
  std::string text;
  size_t shown = 0;
  std::vector<const Diagnostic*> order = sorted(diagnostics);
  for (const Diagnostic* diagnostic : order) {
    if (shown == options.limit) break;
    if (shown++ > 0) text += '\n';
    text += render(sources, *diagnostic, options);
  }
  size_t left = order.size() - shown;
  if (diagnostics.errors + diagnostics.warnings > diagnostics.list.size()) {
    left += diagnostics.errors + diagnostics.warnings - diagnostics.list.size();
  }
  if (left > 0) text += fmt::format("\n... and {} more\n", left);
  return text;
}

std::string render_json(const SourceFiles& sources, const Diagnostics& diagnostics) {
  std::string text;
  for (const Diagnostic* diagnostic : sorted(diagnostics)) {
    const DiagnosticInfo& kind = info(diagnostic->kind);
    std::string labels;
    for (const Label& label : diagnostic->labels) {
      if (!label.span.file) continue;
      labels += fmt::format(R"({}{{{},"text":{}}})", labels.empty() ? "" : ",", json_span(sources, label.span),
                            json_string(label.text));
    }
    text += fmt::format(
        R"({{"schema":1,"code":"{}","severity":"{}","message":{},{},"labels":[{}],"help":{},"notes":{}}})", kind.code,
        severity_name(kind.severity), json_string(diagnostic->message), json_place(sources, *diagnostic), labels,
        json_strings(diagnostic->helps), json_strings(diagnostic->notes));
    text += '\n';
  }
  return text;
}

}  // namespace nnc
