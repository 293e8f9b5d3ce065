// The charts of a report: curves over epochs, and how predictions compare with the truth.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "driver/console.h"
#include "driver/report_page.h"
#include "driver/svg_chart.h"

namespace nnc {
namespace {

constexpr size_t most_classes = 60;   // of a confusion matrix
constexpr size_t most_points = 2000;  // of a scatter

struct Curve {
  std::string part;
  std::vector<double> values;
};
struct Metric {
  std::string name;
  std::vector<Curve> curves;
};

// "train.accuracy" and "val.accuracy" share a chart. A single loss is the sum of the losses, so it is not shown twice.
std::vector<Metric> metrics_of(const MetricsHistory& history) {
  std::vector<Metric> metrics;
  for (size_t i = 0; i < history.names.size(); ++i) {
    const size_t dot = history.names[i].find('.');
    const std::string part = dot == std::string::npos ? "" : history.names[i].substr(0, dot);
    const std::string name = dot == std::string::npos ? history.names[i] : history.names[i].substr(dot + 1);
    auto metric = std::find_if(metrics.begin(), metrics.end(), [&](const Metric& m) { return m.name == name; });
    if (metric == metrics.end()) metric = metrics.insert(metrics.end(), {name, {}});
    Curve& curve = metric->curves.emplace_back(Curve{part, {}});
    for (const MetricsRow& row : history.rows) curve.values.push_back(row.values[i]);
  }
  const auto same = [](const Curve& a, const Curve& b) {
    return a.part == b.part && std::equal(a.values.begin(), a.values.end(), b.values.begin(), b.values.end(),
                                          [](double x, double y) { return x == y || (x != x && y != y); });
  };
  for (size_t i = metrics.size(); i-- > 1;) {
    const auto& first = metrics.front().curves;
    const auto& own = metrics[i].curves;
    if (std::equal(first.begin(), first.end(), own.begin(), own.end(), same))
      metrics.erase(metrics.begin() + static_cast<ptrdiff_t>(i));
  }
  return metrics;
}

// Over this factor a linear scale shows the first epochs and a flat line.
bool wants_log(const Metric& metric) {
  double low = INFINITY, high = 0;
  for (const Curve& curve : metric.curves) {
    for (const double value : curve.values) {
      if (!std::isfinite(value)) continue;
      if (value <= 0) return false;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  return high > 30 * low;
}

std::vector<double> epochs_of(const MetricsHistory& history) {
  std::vector<double> epochs;
  for (const MetricsRow& row : history.rows) epochs.push_back(static_cast<double>(row.epoch));
  return epochs;
}

void set_epochs(LineChart& chart, const std::vector<double>& epochs) {
  chart.x_label = "epoch";
  chart.whole_x = true;
  chart.x_range = epochs.size() > 1 ? Range{epochs.front(), epochs.back()} : Range{epochs[0] - 1, epochs[0] + 1};
}

std::string metric_figure(const Metric& metric, const ReportData& data, const std::vector<double>& epochs) {
  LineChart chart;
  chart.title = metric.name + " over epochs";
  chart.log_y = wants_log(metric);
  set_epochs(chart, epochs);
  if (data.best_epoch > 0) {
    chart.mark = static_cast<double>(data.best_epoch);
    chart.mark_text = fmt::format("best: {}", data.best_epoch);
  }
  std::vector<std::pair<int, std::string>> legend;
  for (const Curve& curve : metric.curves) {
    const int color = curve.part == "val" ? 1 : static_cast<int>(legend.size()) % 6;
    chart.series.push_back({curve.part, epochs, curve.values, color});
    legend.emplace_back(color, fmt::format("{} {}", curve.part == "val" ? "validation" : curve.part,
                                           curve.values.empty() ? "" : short_number(curve.values.back())));
  }
  return report_figure(metric.name, legend, svg(chart), chart.log_y ? "logarithmic scale" : "");
}

std::string matrix_figure(const ReportOutput& output) {
  const auto [counts, right, rows] = confusion_of(output);
  const HeatMap map{"confusion matrix of " + output.name, "true", "predicted", output.classes, counts};
  const std::string note =
      fmt::format("{} of {} right ({:.1f}%); a cell's shade is its share of its row", group_digits(right),
                  group_digits(rows), rows > 0 ? 100.0 * static_cast<double>(right) / static_cast<double>(rows) : 0.0);
  return report_figure("Confusion matrix", {}, svg(map), note);
}

// Shares against shares, with the diagonal to compare with.
LineChart unit_square(std::string title, std::string x_label, std::string y_label) {
  LineChart chart;
  chart.title = std::move(title);
  chart.x_label = std::move(x_label);
  chart.y_label = std::move(y_label);
  chart.x_range = chart.y_range = Range{0, 1};
  chart.diagonal = chart.square = true;
  return chart;
}

std::string binary_figures(const ReportOutput& output) {
  const RocCurve roc = roc_curve(output.predicted, output.truth);
  std::string out;
  if (!roc.true_positives.empty()) {
    LineChart chart = unit_square("ROC curve of " + output.name, "false positive rate", "true positive rate");
    chart.series.push_back({"roc", roc.false_positives, roc.true_positives, 0});
    out += report_figure("ROC curve", {{0, fmt::format("AUC {:.4f}", roc.area)}}, svg(chart));
  }
  const Calibration reliability = calibration(output.predicted, output.truth);
  if (reliability.rows.empty()) return out;
  LineChart chart = unit_square("calibration of " + output.name, "mean predicted probability", "share of positives");
  chart.series.push_back({"line", reliability.predicted, reliability.observed, 0});
  chart.series.push_back({"dots", reliability.predicted, reliability.observed, 0, true});
  double squares = 0;
  for (size_t i = 0; i < output.truth.size(); ++i)
    squares += (output.predicted[i] - output.truth[i]) * (output.predicted[i] - output.truth[i]);
  const std::string text = fmt::format("Brier score {:.4f}", squares / static_cast<double>(output.truth.size()));
  out +=
      report_figure("Calibration", {{0, text}}, svg(chart), "in ten bins of equal width; the dashed line is perfect");
  const Histogram bins = histogram(output.predicted);
  if (!bins.counts.empty()) {
    const std::string name = fmt::format("Predicted probability of {}", output.classes.back());
    out += report_figure(name, {}, svg(BarChart{name, "probability", "rows", bins.edges, bins.counts}));
  }
  return out;
}

std::string regression_figures(const ReportOutput& output) {
  const Fit fit = fit_of(output.predicted, output.truth);
  LineChart chart;
  chart.title = "predicted against true " + output.name;
  chart.x_label = "true";
  chart.y_label = "predicted";
  chart.diagonal = chart.square = true;
  Series points{"rows", {}, {}, 0, true};
  const size_t stride = std::max<size_t>(1, (output.truth.size() + most_points - 1) / most_points);
  for (size_t i = 0; i < output.truth.size(); i += stride) {
    points.x.push_back(output.truth[i]);
    points.y.push_back(output.predicted[i]);
  }
  chart.series.push_back(std::move(points));
  const std::string text =
      fmt::format("R² {}   RMSE {}   MAE {}", short_number(fit.r2), short_number(fit.rmse), short_number(fit.mae));
  std::string out = report_figure("Predicted and true", {{0, text}}, svg(chart),
                                  stride > 1 ? fmt::format("every {}th row", stride) : "");
  std::vector<double> residuals;
  for (size_t i = 0; i < output.truth.size(); ++i) residuals.push_back(output.predicted[i] - output.truth[i]);
  const Histogram bins = histogram(residuals);
  if (bins.counts.empty()) return out;
  return out + report_figure(
                   "Residuals", {},
                   svg(BarChart{"residuals of " + output.name, "predicted − true", "rows", bins.edges, bins.counts}));
}

}  // namespace

std::string report_curves(const ReportData& data) {
  const MetricsHistory& history = data.history;
  std::string out = "<h2>Training</h2>\n";
  if (history.rows.empty()) return out + "<p class=\"sub\">No epoch was finished.</p>\n";
  const std::vector<double> epochs = epochs_of(history);
  out += "<div class=\"charts\">\n";
  for (const Metric& metric : metrics_of(history)) out += metric_figure(metric, data, epochs);
  Series rate{"learning rate", epochs, {}, 2};
  bool known = false;
  for (const MetricsRow& row : history.rows) {
    rate.y.push_back(row.lr);
    known |= std::isfinite(row.lr);
  }
  if (known) {
    LineChart chart;
    chart.title = "learning rate over epochs";
    set_epochs(chart, epochs);
    const std::string last = short_number(rate.y.back());
    chart.series.push_back(std::move(rate));
    out += report_figure("learning rate", {{2, last}}, svg(chart));
  }
  return out + "</div>\n";
}

Confusion confusion_of(const ReportOutput& output) {
  const size_t count = output.classes.size();
  Confusion confusion;
  confusion.counts.assign(count * count, 0);
  for (size_t i = 0; i < output.truth.size(); ++i) {
    const bool binary = output.kind == ReportOutput::Kind::binary;
    const double truth = output.truth[i];
    const double predicted = binary ? (output.predicted[i] >= 0.5 ? 1 : 0) : output.predicted[i];
    const auto known = [&](double value) { return value >= 0 && value < static_cast<double>(count); };
    if (!known(truth) || !known(predicted)) continue;
    ++confusion.counts[static_cast<size_t>(truth) * count + static_cast<size_t>(predicted)];
    confusion.right += static_cast<size_t>(truth) == static_cast<size_t>(predicted) ? 1 : 0;
    ++confusion.rows;
  }
  return confusion;
}

std::string report_evaluation(const ReportData& data) {
  std::string out;
  for (const ReportOutput& output : data.outputs) {
    if (output.truth.empty()) continue;
    out += fmt::format("<h2>{} <span class=\"sub\">on {}</span></h2>\n<div class=\"charts\">\n",
                       escape_html(output.name), escape_html(data.part));
    const bool classes = output.kind != ReportOutput::Kind::regression;
    if (classes && output.classes.size() <= most_classes) out += matrix_figure(output);
    if (output.kind == ReportOutput::Kind::binary) out += binary_figures(output);
    if (!classes) out += regression_figures(output);
    out += "</div>\n";
  }
  return out;
}

}  // namespace nnc
