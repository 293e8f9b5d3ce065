// What a run's model says about rows it was not trained on, beside their targets.
#pragma once

#include "driver/report_page.h"
#include "driver/run_directory.h"
#include "runtime/error.h"

namespace nnc {

// Fills data.outputs and data.part from the test rows, else those of validation, else of training; of many the first
// 20,000. Each target goes with the output whose shape fits it, one that is a probability first:
//   integers below C      with C values a row       classes
//   0 or 1                with one probability      binary
//   one-hot rows, k wide  with k values a row       classes
//   0 or 1, k wide        with k probabilities      a binary chart each
//   other numbers         with as many values       regression
// Targets that no output fits are left out. Requires a run opened with `predict`.
RuntimeErrors collect_outputs(Run& run, ReportData& data);

// The same for one target: its values, row-major, and the outputs.
struct TargetValues {
  std::string name;
  bool integers = false;
  int64_t bound = 0;                // of integers: all are below
  int64_t width = 1;                // values a row
  std::vector<double> values;       // [rows][width]
  std::vector<std::string> labels;  // names of classes, or empty
};
std::vector<ReportOutput> match_outputs(const TargetValues& target, const std::vector<PredictedOutput>& outputs);

}  // namespace nnc
