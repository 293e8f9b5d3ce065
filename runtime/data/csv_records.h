// Cuts a csv file into records and cells, without looking at what the cells say.
//
// RFC 4180, with what files in the world need besides: a byte-order mark, CRLF, LF or CR at line ends, blanks around
// cells (trimmed unless quoted), a quote inside an unquoted cell taken as it is, a last line without an end.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/data/bytes.h"
#include "runtime/error.h"

namespace nnc {

struct CsvCell {
  const char* begin;  // between the quotes of a quoted cell
  const char* end;
  bool quoted;
  bool escaped;  // holds doubled quotes
};

// The cell as text; `store` holds it where quotes had to be undoubled.
std::string_view cell_text(const CsvCell& cell, std::string& store);

class CsvRecords {
 public:
  static tl::expected<CsvRecords, RuntimeError> open(const std::string& path, char delimiter, Origin origin);

  // Moves to the next record; false at the end of the file or on an error (then `error()` is set). Blank lines are
  // passed over, except where records have a single cell. `cells` and their text live until the next call.
  bool next();
  const std::vector<CsvCell>& cells() const { return cells_; }
  const std::optional<RuntimeError>& error() const { return error_; }

  // Records of the current one's length that the whole file could hold; 0 for a compressed file.
  int64_t records_like_this() const;

  int64_t line() const { return line_; }  // where the record starts, 1-based
  // Line and column (in characters) of a place in the record.
  void place(const char* at, int64_t& line, int64_t& column) const;

  // Where the end of the record stands.
  const char* record_end() const { return record_end_; }

  static constexpr int64_t longest_record = int64_t{64} << 20;

 private:
  enum class Cut { whole, incomplete, broken };
  explicit CsvRecords(ByteSource source) : source_(std::move(source)) {}
  bool refill();
  Cut cut();
  Cut cut_quoted(const char*& at);
  void fail(ErrorCode code, const char* at, std::string message, std::string help);

  ByteSource source_;
  std::string path_;
  char delimiter_ = ',';
  std::array<bool, 256> ends_cell_{};  // characters that end an unquoted cell
  Origin origin_ = 0;
  std::vector<char> buffer_;
  const char* at_ = nullptr;     // the next record
  const char* end_ = nullptr;    // of what was read
  const char* start_ = nullptr;  // of the current record
  const char* record_end_ = nullptr;
  bool finished_ = false;  // the file has no more bytes
  int64_t line_ = 1, next_line_ = 1;
  size_t width_ = 0;  // cells of the first record
  std::vector<CsvCell> cells_;
  std::optional<RuntimeError> error_;
};

}  // namespace nnc
