// The page of a run: one self-contained HTML document with inline CSS and SVG, no scripts, nothing loaded from
// elsewhere.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "driver/report_stats.h"
#include "runtime/logs/metrics_csv.h"

namespace nnc {

// One target and what the model says about it, over some rows.
struct ReportOutput {
  enum class Kind : uint8_t { binary, classes, regression };
  Kind kind = Kind::regression;
  std::string name;
  std::vector<std::string> classes;  // names; of binary: the negative, the positive one
  std::vector<double> truth;         // a row: its value or the number of its class
  std::vector<double> predicted;  // a row: its value, its probability of the positive class, or the number of its class
};

struct ReportParameter {
  std::string name, shape;
  Moments moments;
  Histogram histogram;
};

struct ReportColumn {
  std::string name, kind;
  int64_t missing = 0, categories = 0;
};

// One field of the data: what became of its columns.
struct ReportField {
  std::string name, shape;
  std::vector<std::pair<std::string, std::string>> columns;  // a column and its fitted transforms
};

using ReportPairs = std::vector<std::pair<std::string, std::string>>;

struct ReportData {
  std::string title;       // "bcnet-1"
  std::string subtitle;    // "BcNet on german_credit.csv"
  std::string version;     // of nnc
  ReportPairs summary;     // name, value
  MetricsHistory history;  // metrics.csv
  int64_t best_epoch = 0;  // 0: unknown
  std::string part;        // whose rows `outputs` hold: "200 test rows"
  std::vector<ReportOutput> outputs;
  std::vector<ReportParameter> parameters;
  std::string source;
  std::vector<ReportColumn> columns;
  std::vector<ReportField> fields;
  std::string missing;  // a sentence: what was left out, and why
  ReportPairs settings;
  std::string model_name, model_text;
};

// Names and texts may hold anything; the page shows them as they are.
std::string report_page(const ReportData& data);

// The same figures without the page, which stands at `page`: one object, of the schema of nnc's other lines.
nlohmann::ordered_json report_json(const ReportData& data, const std::string& page);

// Rows by true and predicted class, row-major; of binary: predicted from 0.5. Rows of no known class are left out.
struct Confusion {
  std::vector<int64_t> counts;  // [true][predicted]
  int64_t right = 0, rows = 0;
};
Confusion confusion_of(const ReportOutput& output);

// Parts of it.
std::string report_curves(const ReportData& data);
std::string report_evaluation(const ReportData& data);
// A chart with its title, legend (a color and a text each) and a note, which may be empty.
std::string report_figure(const std::string& title, const std::vector<std::pair<int, std::string>>& legend,
                          const std::string& chart, const std::string& note = {});
// A table with `numbers` columns from the right set flush right.
std::string report_table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows,
                         size_t numbers);

}  // namespace nnc
