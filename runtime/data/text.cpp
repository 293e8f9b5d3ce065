#include "runtime/data/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "runtime/data/arguments.h"
#include "runtime/data/bytes.h"
#include "runtime/data/utf8.h"
#include "runtime/memory.h"

namespace nnc {
namespace {

constexpr uint32_t code_points = 0x110000;

std::string encode(uint32_t point) {
  std::string out;
  if (point < 0x80) return out += static_cast<char>(point), out;
  const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  constexpr std::array<uint32_t, 4> leads = {0, 0xC0, 0xE0, 0xF0};
  out += static_cast<char>(leads[static_cast<size_t>(more)] | point >> 6 * more);
  for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80 | (point >> 6 * i & 0x3F));
  return out;
}

// Turns `codes`, which hold code points, into places in the vocabulary of those that occur.
void index_vocabulary(Column& column) {
  std::vector<uint32_t> places(code_points, missing_code);
  for (uint32_t code : column.codes) places[code] = 0;
  uint32_t next = 0;
  for (uint32_t point = 0; point < code_points; ++point) {
    if (places[point] == missing_code) continue;
    places[point] = next++;
    column.words.push_back(encode(point));
  }
  for (uint32_t& code : column.codes) code = places[code];
  column.bound = next;
}

RuntimeError not_utf8(const Table& table, std::string_view text, size_t at) {
  RuntimeError error;
  error.code = ErrorCode::E622;
  error.origin = table.origin;
  error.file = table.file;
  const std::string_view before = text.substr(0, at);
  const size_t last = before.rfind('\n');
  error.line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::string_view line = last == std::string_view::npos ? before : before.substr(last + 1);
  error.column = 1 + std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
  error.message =
      fmt::format("the byte 0x{:02x} here does not belong to a UTF-8 character", static_cast<uint8_t>(text[at]));
  error.help = "convert the file to UTF-8, or read it byte by byte: bytes()";
  return error;
}

tl::expected<void, RuntimeError> fill_characters(Table& table, Column& column, std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    uint32_t point = 0;
    const size_t length = decode_utf8(text.substr(at), point);
    if (length == 0) return tl::unexpected(not_utf8(table, text, at));
    column.codes.push_back(point);
    at += length;
  }
  index_vocabulary(column);
  return {};
}

void fill_bytes(Column& column, std::string_view text) {
  column.codes.reserve(text.size());
  for (char c : text) column.codes.push_back(static_cast<uint8_t>(c));
  for (int byte = 0; byte < 256; ++byte) column.words.emplace_back(1, static_cast<char>(byte));
  column.bound = 256;
}

}  // namespace

tl::expected<Table, RuntimeErrors> open_text(const Spec& source) {
  ErrorList errors;
  Arguments arguments(source, {"path"}, 0, errors);
  Table table;
  table.is_text = true;
  table.origin = source.origin;
  if (arguments.require("path")) {
    const Spec& path = *arguments.find("path");
    if (path.kind != Spec::Kind::string) arguments.wrong("path", "a string");
    table.file = resolve_path(path);
    table.origin = path.origin;
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
  for (const char* name : {"chars", "bytes"}) {
    Column column;
    column.name = name;
    column.kind = ColumnKind::symbols;
    column.loaded = false;
    table.columns.push_back(std::move(column));
  }
  return table;
}

RuntimeErrors load_text(Table& table, const std::vector<bool>& wanted) {
  ErrorList errors;
  if (wanted[0] && wanted[1]) {
    errors.add(ErrorCode::E611, table.origin, "a text is read as characters or as bytes, not as both");
    return std::move(errors.errors);
  }
  const int64_t limit = std::min<int64_t>(int64_t{INT32_MAX} * 4, available_memory() / 8);
  auto content = read_whole_file(table.file, table.origin, limit);
  if (!content) return {content.error()};
  std::string_view text = *content;
  Column& column = table.columns[wanted[1] ? 1 : 0];
  column.loaded = true;
  if (!wanted[1] && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.empty()) {
    errors.add(ErrorCode::E622, table.origin, fmt::format("{} is empty", table.file));
  } else if (wanted[1]) {
    fill_bytes(column, text);
  } else if (auto filled = fill_characters(table, column, text); !filled) {
    errors.add(filled.error());
  }
  table.rows = std::ssize(column.codes);
  return std::move(errors.errors);
}

}  // namespace nnc
