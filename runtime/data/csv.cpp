#include "runtime/data/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "runtime/data/csv_records.h"

namespace nnc {
namespace {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

using WordIndex = std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>>;

struct Missing {
  std::vector<std::string> words;
  size_t longest = 0;

  explicit Missing(const std::vector<std::string>& list) : words(list) {
    for (const std::string& word : words) longest = std::max(longest, word.size());
  }
  bool operator()(std::string_view text) const {
    return text.size() <= longest && std::find(words.begin(), words.end(), text) != words.end();
  }
};

RuntimeError located(ErrorCode code, const Table& table, std::string message, std::string help = {}) {
  RuntimeError error;
  error.code = code;
  error.origin = table.origin;
  error.file = table.file;
  error.message = std::move(message);
  error.help = std::move(help);
  return error;
}

std::vector<std::string> copy_cells(const CsvRecords& records) {
  std::vector<std::string> cells;
  std::string store;
  for (const CsvCell& cell : records.cells()) cells.emplace_back(cell_text(cell, store));
  return cells;
}

bool is_number(const std::string& text) {
  double value;
  return parse_number(text, value);
}

// `second` is empty when the file has a single record.
bool looks_like_header(const std::vector<std::string>& first, const std::vector<std::string>& second) {
  std::unordered_set<std::string_view> seen;
  bool distinct = true;
  for (const std::string& cell : first) {
    if (cell.empty() || is_number(cell)) return false;
    distinct = seen.insert(cell).second && distinct;
  }
  return distinct || std::any_of(second.begin(), second.end(), is_number);
}

// Loads the records behind the header.
struct Loader {
  Table& table;
  const std::vector<bool>& wanted;
  Missing missing;
  std::vector<WordIndex> index;  // per column, of text
  std::vector<bool> turned;      // number at first, then text: its first cells are lost
  std::vector<size_t> active;    // columns to load
  ErrorList errors;
  std::string store;

  Loader(Table& table, const std::vector<bool>& wanted)
      : table(table),
        wanted(wanted),
        missing(table.csv.missing),
        index(table.columns.size()),
        turned(table.columns.size()) {
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i]) active.push_back(i);
    }
  }

  void add_text(Column& column, size_t i, std::string_view text) {
    auto found = index[i].find(text);
    if (found == index[i].end()) {
      found = index[i].emplace(std::string(text), static_cast<uint32_t>(column.words.size())).first;
      column.words.emplace_back(text);
    }
    column.codes.push_back(found->second);
  }

  void add_cell(size_t i, const CsvCell& cell) {
    constexpr size_t remembered = 4;
    Column& column = table.columns[i];
    const std::string_view text = cell_text(cell, store);
    double value;
    if (column.kind == ColumnKind::number) {
      if (parse_number(text, value)) return column.numbers.push_back(value);
      if (missing(text)) return column.numbers.push_back(std::numeric_limits<double>::quiet_NaN());
      column.kind = ColumnKind::text;
      turned[i] = table.rows > 0;
      column.numbers = {};
    } else if (missing(text)) {
      return column.codes.push_back(missing_code);
    }
    if (column.unreadable.size() < remembered && !parse_number(text, value)) column.unreadable.push_back(table.rows);
    add_text(column, i, text);
  }

  void add_ragged(const CsvRecords& records) {
    const size_t found = records.cells().size(), expected = table.columns.size();
    RuntimeError error =
        located(ErrorCode::E605, table, fmt::format("{} cells in this record, {} in the first", found, expected));
    records.place(found > expected ? records.cells()[expected].begin : records.record_end(), error.line, error.column);
    if (found > expected) error.help = "quote a cell that contains the delimiter";
    errors.add(std::move(error));
  }

  // Growing by doubling would need, for a moment, three times the memory.
  void reserve(size_t rows) {
    for (size_t i : active) {
      Column& column = table.columns[i];
      if (column.kind == ColumnKind::number) column.numbers.reserve(rows);
      if (column.kind == ColumnKind::text) column.codes.reserve(rows);
    }
  }

  // True unless the file could not be read to its end.
  bool pass() {
    table.rows = 0;
    auto records = CsvRecords::open(table.csv.path, table.csv.delimiter, table.origin);
    if (!records) return errors.add(records.error()), false;
    if (table.named) records->next();
    constexpr int64_t sampled = 256;
    double expected = 0;  // rows of the file
    while (records->next()) {
      if (records->cells().size() != table.columns.size()) {
        add_ragged(*records);
        if (errors.full()) return false;
        continue;
      }
      for (size_t i : active) add_cell(i, records->cells()[i]);
      ++table.rows;
      if (table.rows > sampled) continue;
      expected += static_cast<double>(records->records_like_this()) / sampled;
      if (table.rows == sampled) reserve(static_cast<size_t>(expected * 1.05));
    }
    if (records->error()) errors.add(*records->error());
    return !records->error();
  }

  void load() {
    if (!pass() || !errors.empty()) return;
    active.clear();
    for (size_t i = 0; i < turned.size(); ++i) {
      if (!turned[i]) continue;
      active.push_back(i);
      table.columns[i].codes = {};
      table.columns[i].words = {};
      table.columns[i].unreadable = {};
      index[i].clear();
    }
    if (active.empty()) return;
    const int64_t rows = table.rows;
    // The kinds are known now, so nothing turns any more.
    if (pass() && errors.empty() && table.rows != rows)
      errors.add(located(ErrorCode::E604, table, "the file changed while it was read"));
  }
};

}  // namespace

tl::expected<Table, RuntimeErrors> open_csv(CsvOptions options, Origin origin) {
  Table table;
  table.file = options.path;
  table.origin = origin;
  table.is_csv = true;
  table.csv = std::move(options);
  auto records = CsvRecords::open(table.csv.path, table.csv.delimiter, origin);
  if (!records) return tl::unexpected(RuntimeErrors{records.error()});
  std::vector<std::string> first, second;
  if (records->next()) first = copy_cells(*records);
  if (!first.empty() && records->next()) second = copy_cells(*records);
  if (records->error()) return tl::unexpected(RuntimeErrors{*records->error()});
  if (first.empty()) return tl::unexpected(RuntimeErrors{located(ErrorCode::E605, table, "the file has no records")});
  using Header = CsvOptions::Header;
  table.named =
      table.csv.header == Header::present || (table.csv.header == Header::detect && looks_like_header(first, second));
  if (table.named && second.empty()) {
    return tl::unexpected(RuntimeErrors{located(ErrorCode::E605, table, "the file has a header but no records",
                                                "if its only line is data, say `header = false`")});
  }
  for (size_t i = 0; i < first.size(); ++i) {
    Column column;
    column.name = table.named && !first[i].empty() ? first[i] : fmt::format("c{}", i + 1);
    column.loaded = false;
    table.columns.push_back(std::move(column));
  }
  return table;
}

RuntimeErrors load_csv(Table& table, const std::vector<bool>& wanted) {
  for (size_t i = 0; i < table.columns.size(); ++i) table.columns[i].loaded = wanted[i];
  Loader loader(table, wanted);
  loader.load();
  return std::move(loader.errors.errors);
}

int64_t elements_per_row(const Column& column) {
  int64_t count = 1;
  for (int64_t extent : column.dims) count *= extent;
  return count;
}

void place_error(const Table& table, int64_t row, size_t column, RuntimeError& error) {
  error.file = table.arrays.empty() ? table.file : table.arrays[column].path;
  if (!table.is_csv) {
    error.message += fmt::format(", first in row {}", row + 1);
    return;
  }
  auto records = CsvRecords::open(table.csv.path, table.csv.delimiter, table.origin);
  if (!records) return;
  if (table.named) records->next();
  for (int64_t at = 0; records->next(); ++at) {
    if (at < row) continue;
    if (column >= records->cells().size()) return;
    const CsvCell& cell = records->cells()[column];
    records->place(cell.quoted ? cell.begin - 1 : cell.begin, error.line, error.column);
    return;
  }
}

}  // namespace nnc
