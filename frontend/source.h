// The source files of one compilation, and how a byte range in them becomes a line and a column.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "ir/ids.h"
#include "ir/location.h"

namespace nnc {

// An index into SourceFiles::files; the same number stands in Location::file.
using FileId = Id<struct SourceFile>;

// Bytes [begin, end) of a file's text. An empty range points between two characters.
struct Span {
  FileId file;
  uint32_t begin = 0;
  uint32_t end = 0;

  friend constexpr auto operator<=>(const Span&, const Span&) = default;
};

// The smallest span that holds both; they lie in one file.
Span join(Span a, Span b);

struct SourceFile {
  std::string name;                   // as the user gave it
  std::string text;                   // without a UTF-8 byte order mark; CRLF is kept
  std::vector<uint32_t> line_starts;  // byte offset of the first byte of each line, ascending, never empty
};

struct SourceFiles {
  std::vector<SourceFile> files;

  const SourceFile& operator[](FileId id) const { return files[id.value]; }
};

// The largest text a source file may have, in bytes.
inline constexpr size_t max_source_bytes = size_t{1} << 20;

// Adds a file with this text. Requires: at most max_source_bytes.
FileId add_source(SourceFiles& sources, std::string name, std::string text);

// Reads the file at `path` and adds it under the name `path`.
// Errors: a sentence that says why it cannot be read (no such file, a folder, too large).
tl::expected<FileId, std::string> load_source(SourceFiles& sources, const std::string& path);

// The place where the span begins. Lines and columns count from 1; a column is one code point (a byte that is not
// valid UTF-8 counts as one), so a tab is one column.
Location locate(const SourceFiles& sources, Span span);
// The place just behind the span.
Location locate_end(const SourceFiles& sources, Span span);

// The text of line `line` (from 1) without its line end.
std::string_view line_text(const SourceFile& file, uint32_t line);
// The bytes the span covers.
std::string_view text_of(const SourceFiles& sources, Span span);

// The length in bytes of the UTF-8 code point at the start of `bytes`, 0 where they are not valid UTF-8.
// Requires: `bytes` is not empty.
size_t utf8_length(std::string_view bytes);

}  // namespace nnc
