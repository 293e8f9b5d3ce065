// The figures of a report as JSON.
#include <algorithm>

#include "driver/console.h"
#include "driver/report_page.h"
#include "runtime/checkpoint/json_text.h"
#include "runtime/logs/progress.h"

namespace nnc {
namespace {

nlohmann::ordered_json output_json(const ReportOutput& output) {
  nlohmann::ordered_json json = {{"name", output.name}, {"rows", output.truth.size()}};
  if (output.kind == ReportOutput::Kind::regression) {
    const Fit fit = fit_of(output.predicted, output.truth);
    json["r2"] = json_of_double(fit.r2);
    json["rmse"] = json_of_double(fit.rmse);
    json["mae"] = json_of_double(fit.mae);
    return json;
  }
  const Confusion confusion = confusion_of(output);
  json["classes"] = output.classes;
  json["right"] = confusion.right;
  nlohmann::ordered_json& matrix = json["confusion_matrix"] = nlohmann::ordered_json::array();
  const size_t count = output.classes.size();
  for (size_t row = 0; row < count; ++row) {
    const auto begin = confusion.counts.begin() + static_cast<std::ptrdiff_t>(row * count);
    matrix.push_back(std::vector<int64_t>(begin, begin + static_cast<std::ptrdiff_t>(count)));
  }
  if (output.kind == ReportOutput::Kind::binary)
    json["auc"] = json_of_double(roc_curve(output.predicted, output.truth).area);
  return json;
}

}  // namespace

nlohmann::ordered_json report_json(const ReportData& data, const std::string& page) {
  nlohmann::ordered_json json = {{"schema", json_schema}, {"event", "report"}, {"page", page}};
  if (!data.missing.empty()) json["missing"] = data.missing;
  nlohmann::ordered_json& summary = json["summary"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : data.summary) summary[name] = value;
  json["best_epoch"] = data.best_epoch;
  if (!data.history.rows.empty()) {
    nlohmann::ordered_json& last = json["last_epoch"] = nlohmann::ordered_json::object();
    const MetricsRow& row = data.history.rows.back();
    for (size_t k = 0; k < std::min(data.history.names.size(), row.values.size()); ++k)
      last[data.history.names[k]] = json_of_double(row.values[k]);
  }
  json["part"] = data.part;
  nlohmann::ordered_json& outputs = json["outputs"] = nlohmann::ordered_json::array();
  for (const ReportOutput& output : data.outputs) outputs.push_back(output_json(output));
  nlohmann::ordered_json& parameters = json["parameters"] = nlohmann::ordered_json::array();
  for (const ReportParameter& parameter : data.parameters) {
    const Moments& m = parameter.moments;
    parameters.push_back({{"name", parameter.name},
                          {"shape", parameter.shape},
                          {"count", m.count + m.not_finite},
                          {"mean", json_of_double(m.mean)},
                          {"sd", json_of_double(m.sd)},
                          {"lowest", json_of_double(m.low)},
                          {"highest", json_of_double(m.high)},
                          {"not_finite", m.not_finite}});
  }
  return json;
}

}  // namespace nnc
