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
#include "runtime/logs/metrics_csv.h"

namespace nnc {
namespace {

// A column of the result: one number a row, or a label.
struct ResultColumn {
  std::string name;
  size_t output = 0, element = 0;   // of a number
  std::vector<std::string> labels;  // of a label: by class
};

// The one target of the model and what its values mean.
struct TargetClasses {
  std::string column;               // of the table it was read from
  std::vector<std::string> labels;  // empty where its values are no classes
};

TargetClasses classes_of_target(const Run& run) {
  TargetClasses classes;
  std::vector<std::string> targets;
  for (const ModelInput& input : model_inputs(*run.experiment.unit)) {
    if (input.target) targets.push_back(input.name);
  }
  if (targets.size() != 1) return classes;
  for (const FieldPlan& plan : run.plans) {
    if (plan.name != targets[0] || plan.pipes.size() != 1) continue;
    classes.column = plan.pipes[0].column;
    classes.labels = class_names(plan);
  }
  if (!classes.labels.empty()) return classes;
  // Integers count from 0.
  const nlohmann::json fields = run.info.value("fields", nlohmann::json());
  for (const nlohmann::json& field : fields.is_array() ? fields : nlohmann::json::array()) {
    const bool label = field.is_object() && field.value("name", nlohmann::json()) == targets[0] &&
                       field.value("integers", nlohmann::json()) == true &&
                       field.value("dims", nlohmann::json()) == nlohmann::json::array();
    const nlohmann::json bound = label ? field.value("bound", nlohmann::json()) : nlohmann::json();
    if (!bound.is_number_unsigned() || bound.get<uint64_t>() > 100000) continue;
    for (int64_t k = 0; k < bound.get<int64_t>(); ++k) classes.labels.push_back(std::to_string(k));
  }
  return classes;
}

size_t width_of(const PredictedOutput& output) {
  return static_cast<size_t>(
      std::accumulate(output.dims.begin(), output.dims.end(), int64_t{1}, std::multiplies<int64_t>()));
}

// p; probs_setosa, …; and once, behind the first output that decides: predicted_species.
std::vector<ResultColumn> result_columns(const Run& run, const std::vector<PredictedOutput>& outputs) {
  const TargetClasses classes = classes_of_target(run);
  std::vector<ResultColumn> columns;
  bool decided = false;
  for (size_t k = 0; k < outputs.size(); ++k) {
    const PredictedOutput& output = outputs[k];
    const size_t width = width_of(output);
    const bool one_each = output.dims.size() == 1 && width >= 2 && width == classes.labels.size();
    for (size_t element = 0; element < width; ++element) {
      std::string name = output.name;
      if (!output.dims.empty() && width != 1)
        name += "_" + (one_each ? classes.labels[element] : std::to_string(element));
      columns.push_back({std::move(name), k, element, {}});
    }
    const bool binary = width == 1 && output.probability && classes.labels.size() == 2;
    if (decided || !(one_each || binary)) continue;
    decided = true;
    columns.push_back({"predicted" + (classes.column.empty() ? "" : "_" + classes.column), k, 0, classes.labels});
  }
  return columns;
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
        fmt::format_to(std::back_inserter(text), "{}", output.values[row * width_of(output) + column.element]);
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
        line[column.name] = output.values[row * width_of(output) + column.element];
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
  request.targets_optional = true;
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
  const std::vector<ResultColumn> columns = result_columns(run, *outputs);
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
