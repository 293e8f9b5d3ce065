// nnc train: compile the step, run the epochs, say how it went; once, or for each fold of a cross-validation.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "driver/commands.h"
#include "driver/console.h"
#include "driver/run_directory.h"
#include "driver/training.h"
#include "runtime/logs/measure_tables.h"
#include "runtime/logs/progress.h"

namespace nnc {
namespace {

// "2/5" or "all/5"; index 0 stands for all.
std::optional<FoldSpec> read_fold(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return {};
  const auto number = [](std::string_view digits) {
    int64_t value = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && stop == digits.data() + digits.size() ? value : -1;
  };
  FoldSpec fold;
  fold.index = text.substr(0, slash) == "all" ? 0 : number(std::string_view(text).substr(0, slash));
  fold.of = number(std::string_view(text).substr(slash + 1));
  const bool named = fold.index > 0 || text.starts_with("all/");
  if (!named || fold.of < 2 || fold.of > most_folds || fold.index > fold.of) return {};
  return fold;
}

int train_once(const TrainArguments& arguments, const PipelineOptions& options, const std::optional<FoldSpec>& fold,
               TrainResult& result) {
  const bool json = arguments.model.json;
  Experiment experiment = load_experiment(arguments.model.file, arguments.model.settings);
  experiment.fold = fold;
  const bool built = open_and_build(experiment);
  if (!built || !diagnostics(*experiment.unit).list.empty()) {
    const int code = report(experiment, json);
    if (!built) return code;
  }
  Runnable runnable;
  int code = kOk;
  if (!compile_training(experiment, arguments.compile, options, json, runnable, code)) return code;
  RunRecorder recorder;
  recorder.save_every = arguments.save_every;
  TrainingRequest request{arguments.threads, json, arguments.quiet, arguments.save ? &recorder : nullptr};
  request.begin_run = [&]() -> RuntimeErrors {
    auto begun = begin_run(experiment, *runnable.lowered->program, arguments);
    if (!begun) {
      add_saving_help(begun.error());
      return begun.error();
    }
    recorder.directory = std::move(begun->directory);
    recorder.lock = std::move(begun->lock);
    recorder.info = std::move(begun->info);
    return {};
  };
  return run_training(experiment, runnable, request, {}, result);
}

// What a fold came to: the validation of the state it ended with.
const std::vector<Measure>* final_measures(const TrainResult& result) {
  const size_t epochs = result.epochs.size();
  if (epochs == 0) return nullptr;
  const auto best = static_cast<size_t>(result.best_epoch);
  return &result.epochs[(result.restored && best >= 1 && best <= epochs ? best : epochs) - 1].val;
}

struct FoldSummary {
  std::string name;
  std::vector<double> values;  // one a fold

  double mean() const {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  }
  // Of a sample: divided by n - 1.
  double deviation() const {
    double squares = 0;
    for (const double value : values) squares += (value - mean()) * (value - mean());
    return values.size() < 2 ? 0 : std::sqrt(squares / static_cast<double>(values.size() - 1));
  }
};

std::vector<FoldSummary> summarize(const std::vector<TrainResult>& results) {
  std::vector<FoldSummary> summaries;
  for (const TrainResult& result : results) {
    const std::vector<Measure>* measures = final_measures(result);
    if (measures == nullptr) continue;
    for (const Measure& measure : *measures) {
      if (!measure.is_scalar()) continue;
      auto found = std::find_if(summaries.begin(), summaries.end(),
                                [&](const FoldSummary& summary) { return summary.name == measure.name; });
      if (found == summaries.end()) found = summaries.insert(summaries.end(), {measure.name, {}});
      found->values.push_back(measure.value);
    }
  }
  return summaries;
}

void print_folds(const std::vector<TrainResult>& results, bool json) {
  const std::vector<FoldSummary> summaries = summarize(results);
  if (json) {
    nlohmann::ordered_json line = {{"schema", json_schema}, {"event", "folds"}, {"folds", results.size()}};
    nlohmann::ordered_json& val = line["val"] = nlohmann::ordered_json::object();
    for (const FoldSummary& summary : summaries) {
      val[summary.name] = {{"mean", summary.mean()}, {"sd", summary.deviation()}, {"values", summary.values}};
    }
    print_json(line);
    return;
  }
  size_t width = 0;
  for (const FoldSummary& summary : summaries) width = std::max(width, summary.name.size());
  fmt::print("validation over {} folds, mean ± standard deviation\n", results.size());
  for (const FoldSummary& summary : summaries) {
    fmt::print("  {:<{}}  {} ± {}\n", summary.name, width, format_measure(summary.mean()),
               format_measure(summary.deviation()));
  }
}

}  // namespace

int train(const TrainArguments& arguments) {
  PipelineOptions options;
  if (!read_compile_arguments(arguments.compile, arguments.compile.interpret.empty(), options)) return kUsage;
  std::optional<FoldSpec> fold;
  if (!arguments.fold.empty()) {
    fold = read_fold(arguments.fold);
    if (!fold)
      return fail(kUsage, fmt::format("`{}` is no fold", arguments.fold), "--fold 2/5 or --fold all/5",
                  arguments.model.json);
  }
  if (!fold || fold->index > 0) {
    TrainResult result;
    return train_once(arguments, options, fold, result);
  }
  std::vector<TrainResult> results;
  for (fold->index = 1; fold->index <= fold->of; ++fold->index) {
    if (!arguments.model.json && !arguments.quiet) fmt::print(stderr, "fold {} of {}\n", fold->index, fold->of);
    TrainResult& result = results.emplace_back();
    if (const int code = train_once(arguments, options, fold, result); code != kOk) return code;
  }
  print_folds(results, arguments.model.json);
  return kOk;
}

}  // namespace nnc
