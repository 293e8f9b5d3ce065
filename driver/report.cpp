// nnc report: a run as one page for a browser.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "driver/commands.h"
#include "driver/console.h"
#include "driver/report_outputs.h"
#include "driver/report_page.h"
#include "driver/run_directory.h"
#include "driver/svg_axis.h"
#include "runtime/checkpoint/durable_file.h"
#include "runtime/data/pipeline_json.h"
#include "runtime/data/summary.h"
#include "runtime/logs/progress.h"

namespace nnc {
namespace {

namespace fs = std::filesystem;

std::string dims_text(const std::vector<int64_t>& dims) { return fmt::format("[{}]", fmt::join(dims, ", ")); }

std::string text_of(const nlohmann::json& json) { return json.is_string() ? json.get<std::string>() : json.dump(); }

// "standard: 35.5, 11.4", "onehot: car, furniture, …": a step and what it learnt.
std::string step_text(const PipeStep& step) {
  constexpr size_t most = 12;
  const char* name = name_of(step.kind);
  std::string out = name == nullptr ? "" : name;
  if (!step.method.empty())
    out += fmt::format("(\"{}\")", step.method);
  else if (!step.fill.empty())
    out += fmt::format("(\"{}\")", step.fill);
  std::vector<std::string> learnt;
  for (const auto* numbers : {&step.a, &step.b}) {
    for (size_t i = 0; i < std::min(most, numbers->size()); ++i) learnt.push_back(short_number((*numbers)[i]));
    if (numbers->size() > most) learnt.push_back("…");
  }
  for (size_t i = 0; i < std::min(most, step.categories.size()); ++i) learnt.push_back(step.categories[i]);
  if (step.categories.size() > most) learnt.push_back(fmt::format("… ({} in all)", step.categories.size()));
  if (!learnt.empty()) out += fmt::format(": {}", fmt::join(learnt, ", "));
  return out;
}

std::string pipe_text(const Pipe& pipe) {
  std::vector<std::string> steps;
  for (const PipeStep& step : pipe.steps) steps.push_back(step_text(step));
  return steps.empty() ? "as it is" : fmt::format("{}", fmt::join(steps, "; "));
}

void collect_data(const Dataset& dataset, ReportData& data) {
  data.source = dataset.source;
  for (const ColumnSummary& column : dataset.columns)
    data.columns.push_back({column.name, name_of(column.kind), column.missing, column.categories});
  for (const DataField& field : dataset.fields) {
    ReportField& shown = data.fields.emplace_back(ReportField{field.name, dims_text(field.dims), {}});
    for (const Pipe& pipe : field.plan.pipes) shown.columns.emplace_back(pipe.column, pipe_text(pipe));
  }
}

void collect_parameters(const Session& session, ReportData& data) {
  for (const StateTensor& tensor : session.executable->states) {
    if (!tensor.trained || tensor.type != ElementType::f32) continue;
    int64_t count = 1;
    for (const int64_t dim : tensor.dims) count *= dim;
    std::vector<float> values(static_cast<size_t>(count));
    read_state(tensor, session.state.data(), values.data());
    const std::vector<double> wide(values.begin(), values.end());
    data.parameters.push_back({tensor.name, dims_text(tensor.dims), moments(wide), histogram(wide)});
  }
}

std::string rows_of(const std::vector<uint32_t>& rows) { return group_digits(static_cast<int64_t>(rows.size())); }

void collect_summary(const Run& run, ReportData& data) {
  const Dataset& dataset = run.experiment.dataset;
  if (run.without_data.empty()) data.summary.emplace_back("training rows", rows_of(dataset.train));
  if (!dataset.val.empty()) data.summary.emplace_back("validation rows", rows_of(dataset.val));
  if (!dataset.test.empty()) data.summary.emplace_back("test rows", rows_of(dataset.test));
  const auto from_info = [&](const char* key, const char* name) {
    const auto found = run.info.find(key);
    if (found == run.info.end() || found->is_null()) return;
    data.summary.emplace_back(name, found->is_number_integer() ? group_digits(found->get<int64_t>()) : text_of(*found));
  };
  from_info("parameters", "parameters");
  if (!data.history.rows.empty()) {
    data.summary.emplace_back("epochs", group_digits(data.history.rows.back().epoch));
    data.summary.emplace_back("steps", group_digits(data.history.rows.back().step));
    data.summary.emplace_back("training time", format_seconds(data.history.rows.back().seconds));
  }
  if (data.best_epoch > 0) data.summary.emplace_back("best epoch", group_digits(data.best_epoch));
  if (run.info.contains("status") && run.info["status"].is_string()) {
    std::string status = run.info["status"].get<std::string>();
    std::replace(status.begin(), status.end(), '_', ' ');
    data.summary.emplace_back("status", status);
  }
}

void collect_settings(const Run& run, ReportData& data) {
  for (const char* key : {"started", "ended", "nnc", "machine", "cpu", "seed", "fold", "file", "command"}) {
    if (run.info.contains(key) && !run.info[key].is_null()) data.settings.emplace_back(key, text_of(run.info[key]));
  }
  for (const std::string& setting : run.experiment.settings) {
    const size_t equals = setting.find('=');
    data.settings.emplace_back(setting.substr(0, equals),
                               equals == std::string::npos ? "" : setting.substr(equals + 1));
  }
  const SourceFiles& files = sources(*run.experiment.unit);
  data.model_name = run.experiment.path;
  for (const SourceFile& file : files.files) {
    if (file.name == run.experiment.path) data.model_text = file.text;
  }
}

// The epoch with the weights shown, and the directory's plain name for a title.
void collect_head(const Run& run, ReportData& data) {
  fs::path directory = fs::path(run.directory).lexically_normal();
  if (!directory.has_filename()) directory = directory.parent_path();
  data.title = directory.filename().string();
  if (data.title.empty() || data.title == ".") data.title = "run";
  const std::string model = run.info.contains("model") ? text_of(run.info["model"]) : "";
  data.subtitle = fmt::format("{} from {}", model, run.experiment.path);
  data.version = fmt::format("written by nnc {}", NNC_VERSION);
  if (const auto weights = weights_of_run(run.directory)) data.best_epoch = weights->epoch;
}

}  // namespace

int make_report(const ReportArguments& arguments) {
  RunRequest request;
  request.compile = arguments.compile;
  request.threads = arguments.threads;
  request.evaluate = false;
  request.predict = true;
  request.needs_data = false;
  const bool json = arguments.json;
  Run run;
  if (const int code = open_run(arguments.run, request, json, run); code != kOk) return code;
  ReportData data;
  auto history = read_metrics(arguments.run + "/metrics.csv");
  if (!history) return fail(kData, history.error(), {}, json);
  data.history = std::move(*history);
  collect_head(run, data);
  if (const RuntimeErrors errors = collect_outputs(run, data); !errors.empty()) {
    add_errors(*run.experiment.unit, errors, run.experiment.origins);
    return report(run.experiment, json);
  }
  collect_summary(run, data);
  collect_data(run.experiment.dataset, data);
  if (!run.without_data.empty()) {
    data.missing = fmt::format(
        "What the model says about rows and what the columns hold is left out: the data could not be read ({}).",
        run.without_data);
  }
  collect_parameters(*run.session, data);
  collect_settings(run, data);
  const std::string path = arguments.output.empty() ? arguments.run + "/report.html" : arguments.output;
  if (auto written = replace_file(path, report_page(data)); !written) return report_errors({written.error()}, json);
  if (json) {
    print_json(report_json(data, path));
    return kOk;
  }
  if (!data.missing.empty()) fmt::print(stderr, "{}\n", data.missing);
  fmt::print("{}\n", path);
  return kOk;
}

}  // namespace nnc
