#include "driver/report_stats.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace nnc {

Moments moments(std::span<const double> values) {
  Moments out;
  double sum = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) {
      ++out.not_finite;
      continue;
    }
    out.low = out.count == 0 ? value : std::min(out.low, value);
    out.high = out.count == 0 ? value : std::max(out.high, value);
    sum += value;
    ++out.count;
  }
  if (out.count == 0) return out;
  out.mean = sum / static_cast<double>(out.count);
  double squares = 0;
  for (const double value : values) {
    if (std::isfinite(value)) squares += (value - out.mean) * (value - out.mean);
  }
  out.sd = std::sqrt(squares / static_cast<double>(out.count));
  return out;
}

Histogram histogram(std::span<const double> values, int64_t most) {
  const Moments all = moments(values);
  Histogram out;
  if (all.count == 0) return out;
  double low = std::clamp(all.low, -1e300, 1e300), high = std::clamp(all.high, -1e300, 1e300);
  const double size = std::max(std::abs(low), std::abs(high));
  // A constant gets one bar with room at its sides, and so does what floating point cannot divide.
  const double tiny = std::numeric_limits<double>::min() * static_cast<double>(most);
  if (high - low <= std::max(size * 1e-12, tiny)) {
    const double half = size <= tiny ? 0.5 : size * 0.05;
    low -= half;
    high += half;
  }
  const auto bins = std::clamp(static_cast<int64_t>(std::sqrt(static_cast<double>(all.count))), int64_t{8}, most);
  const double width = (high - low) / static_cast<double>(bins);
  for (int64_t i = 0; i <= bins; ++i) out.edges.push_back(low + width * static_cast<double>(i));
  out.counts.assign(static_cast<size_t>(bins), 0);
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const double at = (std::clamp(value, low, high) - low) / width;
    out.counts[static_cast<size_t>(std::clamp<double>(at, 0, static_cast<double>(bins - 1)))] += 1;
  }
  return out;
}

RocCurve roc_curve(std::span<const double> scores, std::span<const double> labels) {
  std::vector<size_t> order;
  double positives = 0, negatives = 0;
  for (size_t i = 0; i < std::min(scores.size(), labels.size()); ++i) {
    if (std::isnan(scores[i])) continue;
    order.push_back(i);
    (labels[i] > 0.5 ? positives : negatives) += 1;
  }
  RocCurve curve;
  curve.area = std::numeric_limits<double>::quiet_NaN();
  if (positives == 0 || negatives == 0) return curve;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  double hits = 0, alarms = 0, area = 0;
  curve.false_positives = {0};
  curve.true_positives = {0};
  for (size_t i = 0; i < order.size(); ++i) {
    (labels[order[i]] > 0.5 ? hits : alarms) += 1;
    if (i + 1 < order.size() && scores[order[i + 1]] == scores[order[i]]) continue;
    const double x = alarms / negatives, y = hits / positives;
    area += (x - curve.false_positives.back()) * (y + curve.true_positives.back()) / 2;
    curve.false_positives.push_back(x);
    curve.true_positives.push_back(y);
  }
  curve.area = area;
  return curve;
}

Calibration calibration(std::span<const double> scores, std::span<const double> labels, int64_t bins) {
  std::vector<double> predicted(static_cast<size_t>(bins)), observed(predicted);
  std::vector<int64_t> rows(predicted.size());
  for (size_t i = 0; i < std::min(scores.size(), labels.size()); ++i) {
    if (!(scores[i] >= 0 && scores[i] <= 1)) continue;
    const auto bin =
        static_cast<size_t>(std::min(scores[i] * static_cast<double>(bins), static_cast<double>(bins - 1)));
    predicted[bin] += scores[i];
    observed[bin] += labels[i] > 0.5 ? 1 : 0;
    ++rows[bin];
  }
  Calibration out;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] == 0) continue;
    out.predicted.push_back(predicted[i] / static_cast<double>(rows[i]));
    out.observed.push_back(observed[i] / static_cast<double>(rows[i]));
    out.rows.push_back(rows[i]);
  }
  return out;
}

Fit fit_of(std::span<const double> predicted, std::span<const double> truth) {
  const size_t count = std::min(predicted.size(), truth.size());
  const auto rows = static_cast<double>(count);
  const double mean = std::accumulate(truth.begin(), truth.begin() + static_cast<ptrdiff_t>(count), 0.0) / rows;
  double squares = 0, sizes = 0, spread = 0;
  for (size_t i = 0; i < count; ++i) {
    const double error = predicted[i] - truth[i];
    squares += error * error;
    sizes += std::abs(error);
    spread += (truth[i] - mean) * (truth[i] - mean);
  }
  const double r2 = spread > 0 ? 1 - squares / spread : std::numeric_limits<double>::quiet_NaN();
  return {std::sqrt(squares / rows), sizes / rows, r2};
}

}  // namespace nnc
