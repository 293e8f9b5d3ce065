// Numbers behind a report's charts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace nnc {

// Of the finite values; sd is the population's.
struct Moments {
  int64_t count = 0, not_finite = 0;
  double mean = 0, sd = 0, low = 0, high = 0;
};
Moments moments(std::span<const double> values);

// Equal bins over the finite values, as many as the square root of their number, 8 to `most`.
struct Histogram {
  std::vector<double> edges, counts;  // one edge more than counts; both empty without values
};
Histogram histogram(std::span<const double> values, int64_t most = 40);

// Rates at every distinct score from high to low, from (0, 0) to (1, 1); the area under them by trapezoids, so that
// ties count half (as sklearn.metrics.roc_auc_score). Empty, with a NaN area, unless both classes occur. NaN scores
// are left out.
struct RocCurve {
  std::vector<double> false_positives, true_positives;
  double area = 0;
};
RocCurve roc_curve(std::span<const double> scores, std::span<const double> labels);

// Reliability: probabilities in equal bins over [0, 1], the last one closed (as sklearn.calibration.calibration_curve);
// bins without rows are left out.
struct Calibration {
  std::vector<double> predicted, observed;  // means of a bin
  std::vector<int64_t> rows;
};
Calibration calibration(std::span<const double> scores, std::span<const double> labels, int64_t bins = 10);

struct Fit {
  double rmse = 0, mae = 0, r2 = 0;  // r2 is NaN where the truth is constant
};
Fit fit_of(std::span<const double> predicted, std::span<const double> truth);

}  // namespace nnc
