#include "frontend/source.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "ir/check.h"

namespace nnc {

Span join(Span a, Span b) { return {a.file, std::min(a.begin, b.begin), std::max(a.end, b.end)}; }

FileId add_source(SourceFiles& sources, std::string name, std::string text) {
  NNC_CHECK(text.size() <= max_source_bytes, "source {} has {} bytes", name, text.size());
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  SourceFile file{std::move(name), std::move(text), {0}};
  for (size_t i = 0; i < file.text.size(); ++i) {
    if (file.text[i] == '\n') file.line_starts.push_back(static_cast<uint32_t>(i + 1));
  }
  sources.files.push_back(std::move(file));
  return FileId(sources.files.size() - 1);
}

tl::expected<FileId, std::string> load_source(SourceFiles& sources, const std::string& path) {
  std::error_code error;
  auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return tl::unexpected(fmt::format("cannot read `{}`: no such file", path));
  if (std::filesystem::is_directory(status))
    return tl::unexpected(fmt::format("cannot read `{}`: it is a folder", path));
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return tl::unexpected(fmt::format("cannot read `{}`: permission denied", path));
  std::string text(max_source_bytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return tl::unexpected(fmt::format("cannot read `{}`: input error", path));
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > max_source_bytes) {
    return tl::unexpected(
        fmt::format("cannot read `{}`: a source file has at most {} MiB", path, max_source_bytes >> 20));
  }
  return add_source(sources, path, std::move(text));
}

size_t utf8_length(std::string_view bytes) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  unsigned char first = byte(0);
  if (first < 0x80) return 1;
  size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || bytes.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies above U+10FFFF show in the second byte.
  unsigned char second = byte(1);
  bool bad = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
             (first == 0xF4 && second > 0x8F);
  return bad ? 0 : length;
}

namespace {

Location locate_offset(const SourceFiles& sources, FileId id, uint32_t offset) {
  const SourceFile& file = sources[id];
  offset = std::min(offset, static_cast<uint32_t>(file.text.size()));
  auto line = std::upper_bound(file.line_starts.begin(), file.line_starts.end(), offset) - 1;
  uint32_t column = 1;
  std::string_view text = file.text;
  for (size_t i = *line; i < offset; ++column) {
    bool ascii = static_cast<unsigned char>(text[i]) < 0x80;
    i += ascii ? 1 : std::max<size_t>(1, utf8_length(text.substr(i)));
  }
  return {id.value, static_cast<uint32_t>(line - file.line_starts.begin() + 1), column};
}

}  // namespace

Location locate(const SourceFiles& sources, Span span) { return locate_offset(sources, span.file, span.begin); }

Location locate_end(const SourceFiles& sources, Span span) { return locate_offset(sources, span.file, span.end); }

std::string_view line_text(const SourceFile& file, uint32_t line) {
  std::string_view text = file.text;
  uint32_t begin = file.line_starts[line - 1];
  size_t end = line < file.line_starts.size() ? file.line_starts[line] - 1 : text.size();
  if (end > begin && text[end - 1] == '\r') --end;
  return text.substr(begin, end - begin);
}

std::string_view text_of(const SourceFiles& sources, Span span) {
  return std::string_view(sources[span.file].text).substr(span.begin, span.end - span.begin);
}

}  // namespace nnc
