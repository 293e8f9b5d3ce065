#include "runtime/data/csv_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace nnc {
namespace {

bool blank(char c) { return c == ' ' || c == '\t'; }

// Past the end of line at `at` ("\n", "\r", "\r\n").
const char* past_line_end(const char* at, const char* end) {
  if (*at == '\r' && at + 1 < end && at[1] == '\n') return at + 2;
  return at + 1;
}

}  // namespace

std::string_view cell_text(const CsvCell& cell, std::string& store) {
  const std::string_view raw(cell.begin, static_cast<size_t>(cell.end - cell.begin));
  if (!cell.escaped) return raw;
  store.clear();
  for (size_t i = 0; i < raw.size(); ++i) {
    store += raw[i];
    if (raw[i] == '"') ++i;
  }
  return store;
}

tl::expected<CsvRecords, RuntimeError> CsvRecords::open(const std::string& path, char delimiter, Origin origin) {
  auto source = ByteSource::open(path, origin);
  if (!source) return tl::unexpected(source.error());
  CsvRecords records(std::move(*source));
  records.path_ = path;
  records.delimiter_ = delimiter;
  for (const char c : {delimiter, '\n', '\r'}) records.ends_cell_[static_cast<unsigned char>(c)] = true;
  records.origin_ = origin;
  constexpr int64_t block = int64_t{1} << 20;
  const int64_t bytes = records.source_.file_bytes();
  records.buffer_.resize(static_cast<size_t>(records.source_.compressed() ? block : std::min(block, bytes + 1)));
  records.at_ = records.end_ = records.buffer_.data();
  if (!records.refill()) return tl::unexpected(*records.error_);
  const std::string_view head(records.at_, static_cast<size_t>(records.end_ - records.at_));
  if (head.starts_with("\xEF\xBB\xBF")) records.at_ += 3;
  if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF")) {
    records.fail(ErrorCode::E605, records.at_, "the file is UTF-16", "save it as UTF-8");
    return tl::unexpected(*records.error_);
  }
  return records;
}

void CsvRecords::fail(ErrorCode code, const char* at, std::string message, std::string help) {
  RuntimeError error;
  error.code = code;
  error.origin = origin_;
  error.file = path_;
  if (start_ != nullptr) {
    place(at, error.line, error.column);
  } else {
    error.line = error.column = 1;
  }
  error.message = std::move(message);
  error.help = std::move(help);
  error_ = std::move(error);
}

void CsvRecords::place(const char* at, int64_t& line, int64_t& column) const {
  line = line_;
  column = 1;
  for (const char* p = start_; p < at; ++p) {
    if (*p == '\n' || (*p == '\r' && (p + 1 == end_ || p[1] != '\n'))) {
      ++line;
      column = 1;
    } else if ((*p & 0xC0) != 0x80 && *p != '\r') {
      ++column;
    }
  }
}

// Moves the unfinished record to the front and reads on; doubles the buffer when the record fills it.
bool CsvRecords::refill() {
  const size_t kept = static_cast<size_t>(end_ - at_);
  if (kept == buffer_.size()) {
    if (static_cast<int64_t>(kept) >= longest_record) {
      start_ = at_;
      fail(ErrorCode::E605, at_, fmt::format("a record longer than {} MiB starts here", longest_record >> 20),
           "a quote may have been left open");
      return false;
    }
    std::vector<char> larger(buffer_.size() * 2);
    std::memcpy(larger.data(), at_, kept);
    buffer_ = std::move(larger);
  } else if (kept > 0) {
    std::memmove(buffer_.data(), at_, kept);
  }
  at_ = buffer_.data();
  start_ = nullptr;
  auto got = source_.read(std::span<char>(buffer_).subspan(kept));
  if (!got) {
    error_ = got.error();
    return false;
  }
  end_ = at_ + kept + *got;
  finished_ = static_cast<size_t>(*got) < buffer_.size() - kept;
  return true;
}

// At the opening quote; leaves `at` behind the closing one and the blanks that follow.
CsvRecords::Cut CsvRecords::cut_quoted(const char*& at) {
  const char* opening = at;
  CsvCell cell{at + 1, nullptr, true, false};
  const char* p = at + 1;
  for (;;) {
    p = static_cast<const char*>(std::memchr(p, '"', static_cast<size_t>(end_ - p)));
    if (p == nullptr) {
      if (!finished_) return Cut::incomplete;
      fail(ErrorCode::E605, opening, "this quote is never closed", "double a quote inside a quoted cell: \"\"");
      return Cut::broken;
    }
    if (p + 1 == end_ && !finished_) return Cut::incomplete;
    if (p + 1 == end_ || p[1] != '"') break;
    cell.escaped = true;
    p += 2;
  }
  cell.end = p++;
  while (p < end_ && blank(*p) && *p != delimiter_) ++p;
  if (p == end_ && !finished_) return Cut::incomplete;
  if (p < end_ && *p != delimiter_ && *p != '\n' && *p != '\r') {
    fail(ErrorCode::E605, p, "text after a closing quote", "double a quote inside a quoted cell: \"\"");
    return Cut::broken;
  }
  for (const char* q = cell.begin; q < cell.end; ++q) next_line_ += *q == '\n' || (*q == '\r' && q[1] != '\n');
  cells_.push_back(cell);
  at = p;
  return Cut::whole;
}

// Cuts the record at `at_`.
CsvRecords::Cut CsvRecords::cut() {
  cells_.clear();
  start_ = at_;
  line_ = next_line_;
  const char* p = at_;
  for (;;) {
    while (p < end_ && blank(*p) && *p != delimiter_) ++p;
    if (p < end_ && *p == '"') {
      const Cut quoted = cut_quoted(p);
      if (quoted == Cut::incomplete) next_line_ = line_;
      if (quoted != Cut::whole) return quoted;
    } else {
      const char* begin = p;
      while (p < end_ && !ends_cell_[static_cast<unsigned char>(*p)]) ++p;
      const char* end = p;
      while (end > begin && blank(end[-1])) --end;
      cells_.push_back({begin, end, false, false});
    }
    if (p == end_) {
      if (!finished_) {
        next_line_ = line_;
        return Cut::incomplete;
      }
      record_end_ = at_ = p;
      return Cut::whole;
    }
    if (*p == delimiter_) {
      ++p;
      continue;
    }
    if (*p == '\r' && p + 1 == end_ && !finished_) {
      next_line_ = line_;
      return Cut::incomplete;
    }
    record_end_ = p;
    at_ = past_line_end(p, end_);
    ++next_line_;
    return Cut::whole;
  }
}

int64_t CsvRecords::records_like_this() const {
  return source_.compressed() ? 0 : source_.file_bytes() / (record_end_ - start_ + 1);
}

bool CsvRecords::next() {
  while (!error_) {
    if (at_ == end_ && finished_) return false;
    const Cut result = at_ == end_ ? Cut::incomplete : cut();
    if (result == Cut::broken) return false;
    if (result == Cut::incomplete) {
      if (!refill()) return false;
      continue;
    }
    const bool empty = cells_.size() == 1 && cells_[0].begin == cells_[0].end && !cells_[0].quoted;
    if (empty && width_ != 1) continue;
    if (width_ == 0) width_ = cells_.size();
    return true;
  }
  return false;
}

}  // namespace nnc
