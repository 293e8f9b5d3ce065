// metrics.csv of a run: a row an epoch, readable while the run goes on.
//
//   epoch,step,seconds,lr,train.loss,train.accuracy,val.loss,val.accuracy
//   1,17,0.0021,0.001,0.6931,0.52,0.68,0.55
//
// RFC 4180 with \n; numbers are the shortest that read back as the same double; nan, inf and -inf as such; `step`
// counts from the run's start, `seconds` are those spent in training and validation. What a part did not measure is
// empty.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "runtime/logs/append_file.h"

namespace nnc {

struct MetricsRow {
  int64_t epoch = 0, step = 0;
  double seconds = 0, lr = 0;
  std::vector<double> values;  // one a name
};

// A file as far as it is well formed and its epochs ascend: a torn last line and what follows a bad one is left
// out.
struct MetricsHistory {
  std::vector<std::string> names;  // "train.loss", …
  std::vector<MetricsRow> rows;
  std::vector<int64_t> ends;  // of each row: bytes from the file's start to behind it
  int64_t header_end = 0;     // 0: there is no well-formed header
};

// A cell in quotes where RFC 4180 wants them.
std::string csv_cell(std::string_view text);
std::string metrics_header(const std::vector<std::string>& names);
std::string metrics_line(const MetricsRow& row);
MetricsHistory parse_metrics(std::string_view text);
// An empty history where there is no such file; error where it cannot be read.
tl::expected<MetricsHistory, std::string> read_metrics(const std::string& path);

class MetricsCsv {
 public:
  // Opens DIRECTORY/metrics.csv for rows of those names. The file starts anew with `resumed` 0; else it keeps its rows
  // up to epoch `resumed`. Errors: the system's; the file has other columns.
  static tl::expected<MetricsCsv, std::string> open(const std::string& directory, const std::vector<std::string>& names,
                                                    int64_t resumed);
  // `step` and `seconds` are this epoch's own; the row holds the sums.
  tl::expected<void, std::string> append(MetricsRow row);
  void close() { file_.close(); }
  bool is_open() const { return file_.is_open(); }
  int64_t last_epoch() const { return epoch_; }  // 0: there is no row yet

 private:
  AppendFile file_;
  size_t columns_ = 0;
  int64_t epoch_ = 0, step_ = 0;
  double seconds_ = 0;
};

}  // namespace nnc
