#include <charconv>
#include <cmath>

#include "runtime/data/csv.h"

namespace nnc {
namespace {

constexpr double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Up to 15 digits and a small power of ten: both are exact doubles, so one rounding gives the nearest double.
// False where that does not hold or the text is no number.
bool parse_short(const char* at, const char* end, double& value) {
  const bool negative = *at == '-';
  if (negative) ++at;
  uint64_t digits = 0;
  const char* first = at;
  while (at < end && static_cast<unsigned char>(*at - '0') < 10)
    digits = digits * 10 + static_cast<uint64_t>(*at++ - '0');
  int64_t count = at - first;
  int64_t decimals = 0;
  if (at < end && *at == '.') {
    const char* point = ++at;
    while (at < end && static_cast<unsigned char>(*at - '0') < 10)
      digits = digits * 10 + static_cast<uint64_t>(*at++ - '0');
    decimals = at - point;
    count += decimals;
  }
  if (at != end || count == 0 || count > 15) return false;
  const double magnitude = static_cast<double>(digits) / powers_of_ten[decimals];
  value = negative ? -magnitude : magnitude;
  return true;
}

}  // namespace

bool parse_number(std::string_view text, double& value) {
  if (text.empty()) return false;
  if (parse_short(text.data(), text.data() + text.size(), value)) return true;
  if (text[0] == '+') {
    text.remove_prefix(1);
    if (text.empty() || text[0] == '-') return false;
  }
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (rest != text.data() + text.size()) return false;
  if (error == std::errc::result_out_of_range) {
    // Too small for a double is zero for our purposes; too large is no finite number.
    const size_t exponent = text.find_first_of("eE");
    if (exponent == std::string_view::npos || exponent + 1 >= text.size() || text[exponent + 1] != '-') return false;
    value = 0;
    return true;
  }
  return error == std::errc() && std::isfinite(value);
}

}  // namespace nnc
