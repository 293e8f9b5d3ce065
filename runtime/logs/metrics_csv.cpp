#include "runtime/logs/metrics_csv.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>

#include "runtime/checkpoint/durable_file.h"

namespace nnc {
namespace {

constexpr const char* first_columns[] = {"epoch", "step", "seconds", "lr"};
constexpr int64_t most_steps = int64_t{1} << 53;  // more are no count of anything
constexpr size_t first_column_count = std::size(first_columns);

void put_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "nan";
    return;
  }
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end.ptr);
}

template <typename T>
bool read_number(const std::string& cell, T& value) {
  const auto read = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  return !cell.empty() && read.ec == std::errc() && read.ptr == cell.data() + cell.size();
}

// One record from `at` on, which moves behind its line end; nothing where the text ends before the line does.
std::optional<std::vector<std::string>> read_record(std::string_view text, size_t& at) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"')
        cells.back() += c;
      else if (i + 1 < text.size() && text[i + 1] == '"')
        cells.back() += text[++i];
      else
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      cells.emplace_back();
    } else if (c == '\n') {
      if (!cells.back().empty() && cells.back().back() == '\r') cells.back().pop_back();
      at = i + 1;
      return cells;
    } else {
      cells.back() += c;
    }
  }
  return {};
}

bool read_row(const std::vector<std::string>& cells, size_t names, int64_t last_epoch, MetricsRow& row) {
  if (cells.size() != first_column_count + names) return false;
  if (!read_number(cells[0], row.epoch) || row.epoch <= last_epoch || !read_number(cells[1], row.step)) return false;
  if (row.step < 0 || row.step > most_steps) return false;
  if (!read_number(cells[2], row.seconds)) return false;
  const auto read = [](const std::string& cell, double& value) {
    if (!cell.empty()) return read_number(cell, value);
    value = std::nan("");
    return true;
  };
  if (!read(cells[3], row.lr)) return false;
  for (size_t i = 0; i < names; ++i) {
    if (!read(cells[first_column_count + i], row.values.emplace_back())) return false;
  }
  return true;
}

}  // namespace

std::string csv_cell(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string metrics_header(const std::vector<std::string>& names) {
  std::string out;
  for (const char* name : first_columns) out += fmt::format("{}{}", out.empty() ? "" : ",", name);
  for (const std::string& name : names) out += "," + csv_cell(name);
  return out + "\n";
}

std::string metrics_line(const MetricsRow& row) {
  std::string out = fmt::format("{},{},", row.epoch, row.step);
  put_number(out, row.seconds);
  out += ',';
  // An unknown learning rate is an empty cell; a measure that is not a number says so.
  if (!std::isnan(row.lr)) put_number(out, row.lr);
  for (const double value : row.values) {
    out += ',';
    put_number(out, value);
  }
  return out + "\n";
}

MetricsHistory parse_metrics(std::string_view text) {
  MetricsHistory history;
  size_t at = 0;
  const auto header = read_record(text, at);
  if (!header || header->size() < first_column_count) return history;
  for (size_t i = 0; i < first_column_count; ++i) {
    if ((*header)[i] != first_columns[i]) return history;
  }
  history.names.assign(header->begin() + first_column_count, header->end());
  history.header_end = static_cast<int64_t>(at);
  while (const auto cells = read_record(text, at)) {
    MetricsRow row;
    const int64_t last_epoch = history.rows.empty() ? 0 : history.rows.back().epoch;
    if (!read_row(*cells, history.names.size(), last_epoch, row)) break;
    history.rows.push_back(std::move(row));
    history.ends.push_back(static_cast<int64_t>(at));
  }
  return history;
}

tl::expected<MetricsHistory, std::string> read_metrics(const std::string& path) {
  constexpr int64_t longest = int64_t{1} << 30;
  std::error_code none;
  if (!std::filesystem::exists(path, none)) return MetricsHistory{};
  const auto text = read_whole_file(path, longest);
  if (!text) return tl::unexpected(text.error().message);
  return parse_metrics(*text);
}

tl::expected<MetricsCsv, std::string> MetricsCsv::open(const std::string& directory,
                                                       const std::vector<std::string>& names, int64_t resumed) {
  MetricsCsv csv;
  csv.columns_ = names.size();
  const std::string path = directory + "/metrics.csv";
  int64_t keep = 0;
  if (resumed > 0) {
    const auto history = read_metrics(path);
    if (!history) return tl::unexpected(history.error());
    if (history->header_end > 0 && history->names != names)
      return tl::unexpected(fmt::format("`{}` has other columns than this run", path));
    keep = history->header_end;
    for (size_t i = 0; i < history->rows.size() && history->rows[i].epoch <= resumed; ++i) {
      keep = history->ends[i];
      csv.epoch_ = history->rows[i].epoch;
      csv.step_ = history->rows[i].step;
      csv.seconds_ = history->rows[i].seconds;
    }
  }
  auto file = AppendFile::open(path, keep);
  if (!file) return tl::unexpected(file.error());
  csv.file_ = std::move(*file);
  if (keep > 0) return csv;
  if (auto written = csv.file_.append(metrics_header(names)); !written) return tl::unexpected(written.error());
  return csv;
}

tl::expected<void, std::string> MetricsCsv::append(MetricsRow row) {
  epoch_ = row.epoch;
  row.values.resize(columns_, std::nan(""));  // a row has all its cells, whatever an epoch left out
  row.step = step_ += row.step;
  row.seconds = seconds_ += row.seconds;
  return file_.append(metrics_line(row));
}

}  // namespace nnc
