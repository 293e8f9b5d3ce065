#include "driver/svg_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "driver/console.h"
#include "runtime/data/utf8.h"

namespace nnc {
namespace {

constexpr double largest = 1e300;

// Digits enough to tell ticks `step` apart.
std::string tick_text(double value, double step, double size) {
  if (value == 0) return "0";
  const double magnitude = std::floor(std::log10(step) + 1e-9);
  if (size < 1e5 && step >= 1e-4) return fmt::format("{:.{}f}", value, std::max(0, static_cast<int>(-magnitude)));
  const double first = std::floor(std::log10(std::abs(value)) + 1e-9);
  std::string text = fmt::format("{:.{}e}", value, static_cast<int>(std::clamp(first - magnitude, 0.0, 16.0)));
  // 1.5e+06 reads better as 1.5e6
  const size_t e = text.find('e');
  const int exponent = std::stoi(text.substr(e + 1));
  return fmt::format("{}e{}", text.substr(0, e), exponent);
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  uint32_t point = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t length = decode_utf8(text.substr(i), point);
    const char c = text[i];
    if (length == 0 || (length == 1 && static_cast<uint8_t>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F) {
      out += "\xEF\xBF\xBD";
    } else if (length > 1) {
      out += text.substr(i, length);
    } else {
      switch (c) {
        case '&':
          out += "&amp;";
          break;
        case '<':
          out += "&lt;";
          break;
        case '>':
          out += "&gt;";
          break;
        case '"':
          out += "&quot;";
          break;
        case '\'':
          out += "&#39;";
          break;
        default:
          out += c;
      }
    }
    i += std::max<size_t>(1, length);
  }
  return out;
}

Range range_of(const std::vector<double>& values) {
  Range range{INFINITY, -INFINITY};
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    range.low = std::min(range.low, std::clamp(value, -largest, largest));
    range.high = std::max(range.high, std::clamp(value, -largest, largest));
  }
  if (range.low > range.high) return {0, 1};
  // Values that differ in their last digits only are one line, not a cliff.
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  if (range.high - range.low <= size * 1e-12) {
    const double half = size == 0 ? 1 : size * 0.1;
    return {range.low - half, range.high + half};
  }
  return range;
}

Range join(Range a, Range b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }

Range widen(Range range, double share) {
  const double by = (range.high - range.low) * share;
  return {range.low - by, range.high + by};
}

Ticks nice_ticks(Range range, int count) {
  const double raw = (range.high - range.low) / std::max(1, count);
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double lead = raw / power;
  const double step = power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
  Ticks ticks;
  if (!(step > 0) || !std::isfinite(step)) return ticks;
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  const double first = std::ceil(range.low / step - 1e-9);
  for (int i = 0; i <= 2 * count + 2; ++i) {
    double value = (first + i) * step;
    if (value > range.high + step * 1e-9) break;
    if (std::abs(value) < step * 1e-6) value = 0;
    const std::string text = tick_text(value, step, size);
    if (!ticks.texts.empty() && ticks.texts.back() == text) continue;
    ticks.at.push_back(value);
    ticks.texts.push_back(text);
  }
  return ticks;
}

Ticks log_ticks(Range range) {
  Ticks ticks;
  const int first = static_cast<int>(std::floor(std::log10(range.low)));
  const int last = static_cast<int>(std::ceil(std::log10(range.high)));
  const int stride = std::max(1, (last - first + 5) / 6);
  for (int power = first; power <= last; power += stride) {
    for (const int lead : {1, 2, 5}) {
      if (lead > 1 && last - first > 3) break;
      const double value = lead * std::pow(10, power);
      if (value < range.low * (1 - 1e-9) || value > range.high * (1 + 1e-9)) continue;
      ticks.at.push_back(value);
      const bool plain = power >= -3 && power <= 4;
      ticks.texts.push_back(plain ? fmt::format("{:.{}f}", value, std::max(0, -power))
                                  : fmt::format("{}e{}", lead, power));
    }
  }
  return ticks;
}

double Scale::operator()(double value) const {
  value = std::clamp(value, -largest, largest);
  const double low = log ? std::log10(values.low) : values.low;
  const double high = log ? std::log10(values.high) : values.high;
  const double at = log ? std::log10(std::max(value, values.low)) : value;
  return from + (at - low) / (high - low) * (to - from);
}

std::string short_number(double value) {
  if (!std::isfinite(value)) return fmt::format("{}", value);
  const double size = std::abs(value);
  if (value == std::floor(value) && size < 1e9) return group_digits(static_cast<int64_t>(value));
  if (size < 1e-4 || size >= 1e6) return fmt::format("{:.3e}", value);
  return fmt::format("{:.{}f}", value, size < 10 ? 4 : size < 100 ? 3 : size < 1000 ? 2 : 1);
}

}  // namespace nnc
