#include "runtime/data/utf8.h"

namespace nnc {

size_t decode_utf8(std::string_view text, uint32_t& point) {
  if (text.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return point = lead, 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  uint32_t read = lead & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    read = read << 6 | (byte(i) & 0x3F);
  }
  return point = read, length;
}

bool is_utf8(std::string_view text) {
  uint32_t point = 0;
  while (!text.empty()) {
    const size_t length = decode_utf8(text, point);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace nnc
