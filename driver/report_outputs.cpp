#include "driver/report_outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include "driver/console.h"
#include "runtime/data/apply_saved.h"

namespace nnc {
namespace {

constexpr size_t most_rows = 20000;
constexpr int64_t most_labels = 12;     // of a multi-label target
constexpr int64_t most_classes = 1000;  // more are no classes to look at

int64_t product(const std::vector<int64_t>& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<int64_t>());
}

// The first probability of that width, else the first output of it; null if there is none.
const PredictedOutput* output_of(const std::vector<PredictedOutput>& outputs, int64_t width, bool probability_first) {
  const PredictedOutput* found = nullptr;
  for (const PredictedOutput& output : outputs) {
    if (product(output.dims) != width) continue;
    if (found == nullptr || (probability_first && output.probability && !found->probability)) found = &output;
  }
  return found;
}

std::vector<std::string> names_of(const std::vector<std::string>& labels, int64_t count) {
  std::vector<std::string> names = labels;
  if (static_cast<int64_t>(names.size()) == count) return names;
  names.clear();
  for (int64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

double largest_place(const float* values, int64_t count) {
  return static_cast<double>(std::max_element(values, values + count) - values);
}

// Logits become probabilities.
std::vector<double> probabilities(const PredictedOutput& output, int64_t width, int64_t lane) {
  std::vector<double> out;
  for (size_t i = static_cast<size_t>(lane); i < output.values.size(); i += static_cast<size_t>(width))
    out.push_back(output.probability ? output.values[i] : 1 / (1 + std::exp(-static_cast<double>(output.values[i]))));
  return out;
}

std::vector<double> lane_of(const std::vector<double>& values, int64_t width, int64_t lane) {
  std::vector<double> out;
  for (size_t i = static_cast<size_t>(lane); i < values.size(); i += static_cast<size_t>(width))
    out.push_back(values[i]);
  return out;
}

bool is_onehot(const TargetValues& target) {
  for (size_t i = 0; i < target.values.size(); i += static_cast<size_t>(target.width)) {
    double sum = 0;
    for (int64_t k = 0; k < target.width; ++k) sum += target.values[i + static_cast<size_t>(k)];
    if (sum != 1) return false;
  }
  return true;
}

ReportOutput classes_output(const TargetValues& target, const PredictedOutput& output, int64_t classes) {
  ReportOutput out{ReportOutput::Kind::classes, target.name, names_of(target.labels, classes), {}, {}};
  const bool onehot = !target.integers;
  for (size_t i = 0; i < target.values.size(); i += static_cast<size_t>(onehot ? target.width : 1)) {
    const double* row = target.values.data() + i;
    out.truth.push_back(onehot ? static_cast<double>(std::max_element(row, row + target.width) - row) : *row);
  }
  for (size_t i = 0; i < output.values.size(); i += static_cast<size_t>(classes))
    out.predicted.push_back(largest_place(output.values.data() + i, classes));
  return out;
}

TargetValues read_target(const DataField& field, std::span<const uint32_t> rows) {
  TargetValues target{field.name, field.type == ElementType::i32, field.bound, product(field.dims),
                      {},         lane_names(field.plan)};
  for (const uint32_t row : rows) {
    const std::byte* from = field.row(row);
    for (int64_t k = 0; k < target.width; ++k) {
      float number = 0;
      int32_t integer = 0;
      std::memcpy(target.integers ? static_cast<void*>(&integer) : &number, from + k * 4, 4);
      target.values.push_back(target.integers ? integer : number);
    }
  }
  return target;
}

}  // namespace

std::vector<ReportOutput> match_outputs(const TargetValues& target, const std::vector<PredictedOutput>& outputs) {
  if (target.values.empty() || target.width <= 0) return {};
  const bool zero_one =
      std::all_of(target.values.begin(), target.values.end(), [](double v) { return v == 0 || v == 1; });
  if (target.integers && target.bound >= 2 && target.bound <= most_classes) {
    const PredictedOutput* output = output_of(outputs, target.width * target.bound, true);
    if (output != nullptr) return {classes_output(target, *output, target.bound)};
  }
  const PredictedOutput* output = output_of(outputs, target.width, zero_one);
  if (output == nullptr) return {};
  const bool classes =
      output->probability || target.labels.size() == static_cast<size_t>(std::max<int64_t>(2, target.width));
  if (zero_one && target.width == 1 && classes) {
    const std::vector<std::string> names = names_of(target.labels, 2);
    return {{ReportOutput::Kind::binary, target.name, names, target.values, probabilities(*output, 1, 0)}};
  }
  if (zero_one && target.width > 1 && target.width <= most_classes && is_onehot(target))
    return {classes_output(target, *output, target.width)};
  if (zero_one && target.width > 1 && classes) {
    std::vector<ReportOutput> each;
    const std::vector<std::string> names = names_of(target.labels, target.width);
    for (int64_t lane = 0; lane < std::min(target.width, most_labels); ++lane) {
      const std::string& name = names[static_cast<size_t>(lane)];
      each.push_back({ReportOutput::Kind::binary,
                      fmt::format("{}: {}", target.name, name),
                      {"not " + name, name},
                      lane_of(target.values, target.width, lane),
                      probabilities(*output, target.width, lane)});
    }
    return each;
  }
  return {{ReportOutput::Kind::regression,
           target.name,
           {},
           target.values,
           std::vector<double>(output->values.begin(), output->values.end())}};
}

RuntimeErrors collect_outputs(Run& run, ReportData& data) {
  const Dataset& dataset = run.experiment.dataset;
  const std::pair<const char*, std::span<const uint32_t>> parts[] = {
      {"test", dataset.test}, {"validation", dataset.val}, {"training", dataset.train}};
  const auto* part = std::find_if(std::begin(parts), std::end(parts), [](const auto& p) { return !p.second.empty(); });
  if (part == std::end(parts)) return {};
  const std::span<const uint32_t> rows = part->second.first(std::min(most_rows, part->second.size()));
  data.part = fmt::format("{}{} {} rows", rows.size() < part->second.size() ? "the first " : "",
                          group_digits(static_cast<int64_t>(rows.size())), part->first);
  auto outputs = predict_rows(run, rows);
  if (!outputs) return outputs.error();
  for (const ModelInput& input : model_inputs(*run.experiment.unit)) {
    const DataField* field = input.target ? dataset.find(input.name) : nullptr;
    if (field == nullptr) continue;
    for (ReportOutput& output : match_outputs(read_target(*field, rows), *outputs)) {
      // Pairs only: a shape that happened to fit must not make a chart of nonsense.
      if (output.truth.size() == output.predicted.size()) data.outputs.push_back(std::move(output));
    }
  }
  return {};
}

}  // namespace nnc
