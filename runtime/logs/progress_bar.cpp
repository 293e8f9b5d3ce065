#include "runtime/logs/progress_bar.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace nnc {
namespace {

std::string bar_text(double fraction, int64_t cells, bool unicode) {
  constexpr const char* eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto filled = static_cast<int64_t>(std::floor(fraction * static_cast<double>(cells) * 8));
  std::string bar;
  int64_t used = filled / 8;
  for (int64_t i = 0; i < used; ++i) bar += unicode ? "█" : "#";
  if (unicode && filled % 8 > 0) {
    bar += eighths[filled % 8];
    ++used;
  }
  bar.append(static_cast<size_t>(cells - used), ' ');
  return bar;
}

std::string rate_text(double rate, const std::string& unit) {
  if (!(rate > 0) || !std::isfinite(rate)) return fmt::format("? {}/s", unit);
  if (rate < 1) return fmt::format("{:.1f} s/{}", 1 / rate, unit);
  return rate < 10 ? fmt::format("{:.1f} {}/s", rate, unit) : fmt::format("{:.0f} {}/s", rate, unit);
}

// Cells of ASCII and single-width UTF-8 text.
size_t cells_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

void cut_to(std::string& text, size_t cells) {
  size_t seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xC0) == 0x80 || seen++ < cells) continue;
    text.resize(i);
    return;
  }
}

}  // namespace

std::string format_clock(double seconds) {
  if (!(seconds >= 0) || seconds > 359999999) return "?";
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{:02}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string progress_line(const BarState& state, int64_t columns, bool unicode, bool color) {
  const double fraction = state.fraction >= 0 ? std::min(state.fraction, 1.0) : 0;
  const std::string before = fmt::format(" {} {:3}%", state.title, static_cast<int>(fraction * 100));
  const std::string after = fmt::format(" {}/{} [{}<{}, {}{}{}]", state.done, state.total, format_clock(state.seconds),
                                        format_clock(state.left), rate_text(state.rate, state.unit),
                                        state.note.empty() ? "" : ", ", state.note);
  const auto room = static_cast<size_t>(std::max<int64_t>(1, columns - 1));
  const size_t used = cells_of(before) + cells_of(after) + 2;
  if (room >= used + 4) {
    const std::string bar = bar_text(fraction, static_cast<int64_t>(std::min<size_t>(40, room - used)), unicode);
    return color ? fmt::format("{}|\x1b[36m{}\x1b[0m|{}", before, bar, after)
                 : fmt::format("{}|{}|{}", before, bar, after);
  }
  std::string line = before + after;
  cut_to(line, room);
  return line;
}

bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    return strcasestr(value, "UTF-8") != nullptr || strcasestr(value, "utf8") != nullptr;
  }
  return false;
}

}  // namespace nnc
