#include "runtime/logs/measure_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/logs/progress.h"

namespace nnc {
namespace {

using Json = nlohmann::ordered_json;

Json number_json(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

// Counts stay whole.
std::string cell(double value) {
  const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
  return whole ? fmt::format("{:.0f}", value) : format_measure(value);
}

int64_t row_length(const Measure& measure) { return std::max<int64_t>(1, measure.dims.back()); }

}  // namespace

Json measure_json(const Measure& measure) {
  if (measure.is_scalar()) return number_json(measure.value);
  Json rows = Json::array(), row = Json::array();
  for (const double value : measure.values) {
    row.push_back(number_json(value));
    if (static_cast<int64_t>(row.size()) < row_length(measure)) continue;
    rows.push_back(std::move(row));
    row = Json::array();
  }
  return measure.dims.size() == 1 && !rows.empty() ? Json(rows[0]) : rows;
}

std::string measure_tables(std::string_view title, const std::vector<Measure>& measures) {
  std::string text;
  for (const Measure& measure : measures) {
    if (measure.is_scalar()) continue;
    std::vector<std::string> cells;
    size_t width = 0;
    for (const double value : measure.values) {
      cells.push_back(cell(value));
      width = std::max(width, cells.back().size());
    }
    text += fmt::format("{} ({})", measure.name, title);
    for (size_t k = 0; k < cells.size(); ++k) {
      if (static_cast<int64_t>(k) % row_length(measure) == 0) text += "\n";
      text += fmt::format("  {:>{}}", cells[k], width);
    }
    text += "\n";
  }
  return text;
}

}  // namespace nnc
