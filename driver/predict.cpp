// nnc predict: a run's outputs for the rows of a file.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "driver/commands.h"
#include "driver/console.h"
#include "driver/run_directory.h"
#include "runtime/checkpoint/durable_file.h"
#include "runtime/data/apply_saved.h"
#include "runtime/data/invert.h"
#include "runtime/logs/metrics_csv.h"

namespace nnc {
namespace {

// A column of the result: a number of an output, that number in the unit of the target's column, or a label.
struct ResultColumn {
  std::string name;
  size_t output = 0, element = 0;
  const Pipe* unit = nullptr;       // to undo
  std::vector<std::string> labels;  // of a label: by class
};

// The one target of the model and what its values mean.
struct Target {
  const FieldPlan* plan = nullptr;
  std::string column;                // of the table it was read from, where it is one
  std::vector<std::string> classes;  // that exclude each other; empty where its values are no classes
  std::vector<std::string> lanes;    // lane_names
  int64_t width = 0;                 // numbers a row; 0 if unknown
};

// What run.json says of the field.
nlohmann::json field_info(const Run& run, const std::string& name) {
  const nlohmann::json fields = run.info.value("fields", nlohmann::json());
  for (const nlohmann::json& field : fields.is_array() ? fields : nlohmann::json::array()) {
    if (field.is_object() && field.value("name", nlohmann::json()) == name) return field;
  }
  return nlohmann::json::object();
}

Target find_target(const Run& run) {
  Target target;
  std::vector<std::string> names;
  for (const ModelInput& input : model_inputs(*run.experiment.unit)) {
    if (input.target) names.push_back(input.name);
  }
  if (names.size() != 1) return target;
  const nlohmann::json info = field_info(run, names[0]);
  const nlohmann::json dims = info.value("dims", nlohmann::json()), bound = info.value("bound", nlohmann::json());
  target.width = dims.is_array() ? 1 : 0;
  for (const nlohmann::json& extent : dims) {
    const bool sound = extent.is_number_unsigned() && extent.get<uint64_t>() <= 100000;
    target.width = sound ? std::min<int64_t>(target.width * extent.get<int64_t>(), 100001) : 0;
  }
  for (const FieldPlan& plan : run.plans) {
    if (plan.name != names[0]) continue;
    target.plan = &plan;
    target.lanes = lane_names(plan);
    if (plan.pipes.size() != 1) continue;
    target.column = plan.pipes[0].column;
    target.classes = class_names(plan);
  }
  // Integers count from 0.
  const bool counts = info.value("integers", nlohmann::json()) == true && dims == nlohmann::json::array() &&
                      bound.is_number_unsigned() && bound.get<uint64_t>() <= 100000;
  if (target.classes.empty() && counts) {
    for (int64_t k = 0; k < bound.get<int64_t>(); ++k) target.classes.push_back(std::to_string(k));
  }
  return target;
}

size_t width_of(const PredictedOutput& output) {
  return static_cast<size_t>(
      std::accumulate(output.dims.begin(), output.dims.end(), int64_t{1}, std::multiplies<int64_t>()));
}

// The pipe that made the target's number, if the number is one to be turned back.
const Pipe* unit_of(const Target& target, size_t element) {
  if (target.plan == nullptr || !target.classes.empty()) return nullptr;
  const std::vector<Pipe>& pipes = target.plan->pipes;
  if (pipes.size() != 1 && (target.plan->windows || element >= pipes.size())) return nullptr;
  const Pipe& pipe = pipes[pipes.size() == 1 ? 0 : element];
  return is_invertible(pipe) ? &pipe : nullptr;
}

// predicted_price; predicted_low, predicted_high; predicted_price_0, … of windows.
void add_units(const Target& target, size_t output, size_t width, std::vector<ResultColumn>& columns) {
  for (size_t element = 0; element < width; ++element) {
    const Pipe* unit = unit_of(target, element);
    if (unit == nullptr) continue;
    std::string name = "predicted_" + unit->column;
    if (width > 1 && target.plan->pipes.size() == 1) name += "_" + std::to_string(element);
    columns.push_back({std::move(name), output, element, unit, {}});
  }
}

// p; probs_setosa, …; and once, behind the first output that decides: predicted_species, or predicted_price.
std::vector<ResultColumn> result_columns(const Target& target, const std::vector<PredictedOutput>& outputs) {
  std::vector<ResultColumn> columns;
  bool decided = false;
  for (size_t k = 0; k < outputs.size(); ++k) {
    const PredictedOutput& output = outputs[k];
    const size_t width = width_of(output);
    const bool one_each = output.dims.size() == 1 && width >= 2 && width == target.classes.size();
    const std::vector<std::string>& names = one_each ? target.classes : target.lanes;
    const bool named = output.dims.size() == 1 && names.size() == width;
    for (size_t element = 0; element < width; ++element) {
      std::string name = output.name;
      if (!output.dims.empty() && width != 1) name += "_" + (named ? names[element] : std::to_string(element));
      columns.push_back({std::move(name), k, element, nullptr, {}});
    }
    const bool binary = width == 1 && output.probability && target.classes.size() == 2;
    const bool number = !output.probability && static_cast<int64_t>(width) == target.width && unit_of(target, 0);
    if (decided || !(one_each || binary || number)) continue;
    decided = true;
    if (number && !one_each) {
      add_units(target, k, width, columns);
    } else {
      columns.push_back(
          {"predicted" + (target.column.empty() ? "" : "_" + target.column), k, 0, nullptr, target.classes});
    }
  }
  return columns;
}

float number_of(const ResultColumn& column, const PredictedOutput& output, size_t row) {
  const float value = output.values[row * width_of(output) + column.element];
  return column.unit == nullptr ? value : static_cast<float>(original_value(*column.unit, value));
}

const std::string& label_of(const ResultColumn& column, const PredictedOutput& output, size_t row) {
  const size_t width = width_of(output);
  const float* values = output.values.data() + row * width;
  if (width == 1) return column.labels[values[0] > 0.5f ? 1 : 0];
  return column.labels[static_cast<size_t>(std::max_element(values, values + width) - values)];
}

std::string csv_text(const std::vector<ResultColumn>& columns, const std::vector<PredictedOutput>& outputs,
                     size_t rows) {
  std::string text;
  for (const ResultColumn& column : columns) text += (&column == &columns[0] ? "" : ",") + csv_cell(column.name);
  text += '\n';
  for (size_t row = 0; row < rows; ++row) {
    for (const ResultColumn& column : columns) {
      if (&column != &columns[0]) text += ',';
      const PredictedOutput& output = outputs[column.output];
      if (column.labels.empty()) {
        fmt::format_to(std::back_inserter(text), "{}", number_of(column, output, row));
      } else {
        text += csv_cell(label_of(column, output, row));
      }
    }
    text += '\n';
  }
  return text;
}

std::string json_text(const std::vector<ResultColumn>& columns, const std::vector<PredictedOutput>& outputs,
                      size_t rows) {
  std::string text;
  for (size_t row = 0; row < rows; ++row) {
    nlohmann::ordered_json line = nlohmann::ordered_json::object();
    for (const ResultColumn& column : columns) {
      const PredictedOutput& output = outputs[column.output];
      if (column.labels.empty()) {
        line[column.name] = number_of(column, output, row);
      } else {
        line[column.name] = label_of(column, output, row);
      }
    }
    text += line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }
  return text;
}

}  // namespace

int predict(const PredictArguments& arguments) {
  RunRequest request;
  request.compile = arguments.compile;
  request.threads = arguments.threads;
  request.files = arguments.input;
  request.without_targets = true;
  request.evaluate = false;
  request.predict = true;
  Run run;
  if (const int code = open_run(arguments.run, request, false, run); code != kOk) return code;
  const std::vector<uint32_t>& rows = run.experiment.dataset.test;
  auto outputs = predict_rows(run, rows);
  if (!outputs) {
    add_errors(*run.experiment.unit, outputs.error(), run.experiment.origins);
    return report(run.experiment, false);
  }
  if (outputs->empty())
    return fail(kUsage, "the model has no output", "`output p = sigmoid(logit)` in the model names one");
  const std::vector<ResultColumn> columns = result_columns(find_target(run), *outputs);
  const std::string text =
      arguments.json ? json_text(columns, *outputs, rows.size()) : csv_text(columns, *outputs, rows.size());
  if (arguments.output == "-") {
    fmt::print("{}", text);
    return kOk;
  }
  if (auto written = replace_file(arguments.output, text); !written) return report_errors({written.error()}, false);
  fmt::print(stderr, "{} rows predicted with {}: {}\n", group_digits(static_cast<int64_t>(rows.size())), run.weights,
             arguments.output);
  return kOk;
}

}  // namespace nnc
