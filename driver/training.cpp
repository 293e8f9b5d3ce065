#include "driver/training.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "driver/console.h"
#include "driver/diverged.h"
#include "driver/limits.h"
#include "driver/profile.h"
#include "driver/run_directory.h"
#include "runtime/checkpoint/checkpoint_files.h"
#include "runtime/logs/progress.h"
#include "runtime/memory.h"
#include "runtime/signals.h"

namespace nnc {
namespace {

std::string rows_text(const Dataset& dataset) {
  std::string text = fmt::format("{} rows to train on", group_digits(static_cast<int64_t>(dataset.train.size())));
  if (!dataset.val.empty())
    text += fmt::format(", {} to validate", group_digits(static_cast<int64_t>(dataset.val.size())));
  if (!dataset.test.empty())
    text += fmt::format(", {} to test", group_digits(static_cast<int64_t>(dataset.test.size())));
  return text;
}

// What is known before the first step.
void print_summary(const Experiment& experiment, const Runnable& runnable, const Entry& step, int64_t threads,
                   const TrainingRequest& request) {
  const int64_t parameters = parameter_count(runnable.lowered->program->states);
  const Executable& executable = runnable.executable;
  if (request.json) {
    nlohmann::ordered_json line = {{"schema", json_schema},
                                   {"event", "start"},
                                   {"model", executable.model},
                                   {"train_rows", experiment.dataset.train.size()},
                                   {"val_rows", experiment.dataset.val.size()},
                                   {"test_rows", experiment.dataset.test.size()},
                                   {"batch", step.batch},
                                   {"parameters", parameters},
                                   {"state_bytes", executable.state_bytes},
                                   {"arena_bytes", executable.arena_bytes},
                                   {"flops_per_step", step.flops},
                                   {"compile_ms", runnable.compile_ms},
                                   {"cached", runnable.cached},
                                   {"data_ms", experiment.data_ms},
                                   {"code", runnable.how},
                                   {"threads", threads}};
    if (request.recorder != nullptr) line["run"] = request.recorder->directory;
    print_json(line);
    return;
  }
  fmt::print(stderr, "{} from {}: {}, batches of {}\n", executable.model, experiment.path,
             rows_text(experiment.dataset), step.batch);
  fmt::print(stderr, "{} parameters, state {}, arena {}, {} a step; {} in {:.0f} ms, {} thread{}\n",
             group_digits(parameters), format_bytes(executable.state_bytes), format_bytes(executable.arena_bytes),
             format_flops(step.flops), runnable.how, runnable.compile_ms, threads, threads == 1 ? "" : "s");
  if (request.recorder != nullptr) fmt::print(stderr, "saved in {}\n", request.recorder->directory);
}

void print_next(const Experiment& experiment, const TrainResult& result, const RunRecorder* recorder) {
  if (result.status == TrainStatus::diverged) {
    fmt::print("next: a smaller learning rate: nnc train {} train.optimizer.lr=1e-4\n", experiment.path);
  } else if (recorder == nullptr) {
    fmt::print("next: how fast is a step: nnc bench {}\n", experiment.path);
  } else if (result.status == TrainStatus::interrupted) {
    fmt::print("next: nnc resume {} goes on from step {}\n", recorder->directory, result.steps);
  } else {
    const std::string& run = recorder->directory;
    fmt::print(
        "next: nnc report {}; nnc predict {} --input FILE --output FILE; longer: nnc resume {} train.epochs={}\n", run,
        run, run, 2 * experiment.config.epochs);
  }
}

int exit_code_of(const TrainResult& result) {
  if (result.status == TrainStatus::interrupted) return 128 + result.signal;
  return result.status == TrainStatus::diverged ? kDiverged : kOk;
}

int fail_with(Experiment& experiment, const RuntimeErrors& errors, bool json) {
  add_errors(*experiment.unit, errors, experiment.origins);
  return report(experiment, json);
}

// `init_from`: a run, or a file of weights, relative to the file that says it.
RuntimeErrors load_initial(Experiment& experiment, Session& session) {
  namespace fs = std::filesystem;
  const TrainSettings& train = train_settings(*experiment.unit);
  if (train.init_from.empty()) return {};
  const Span span = train.init_from_span;
  const std::string name = span.file ? sources(*experiment.unit)[span.file].name : "command line";
  const fs::path folder = name == "command line" ? fs::path(experiment.folder) : fs::path(name).parent_path();
  std::string file = (folder / train.init_from).string();
  const Origin origin = experiment.origins.add(span);
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) {
    auto found = weights_of_run(file);
    if (!found) {
      for (RuntimeError& error : found.error()) error.origin = origin;
      return found.error();
    }
    file = found->path + "/" + weights_file;
  }
  RuntimeErrors errors = load_parameters(file, *session.executable, origin, session.state.data());
  if (errors.empty()) refresh(session);
  return errors;
}

// Where the time of every entry went that training called.
void show_profiles(Session& session, const Target& target, int64_t threads, bool json) {
  session.team.reset();  // its threads would share the cores with those that measure
  const MachineLimits limits = measure_limits(target, threads).value_or(MachineLimits{});
  for (const Entry& entry : session.executable->entries) {
    const auto index = static_cast<size_t>(&entry - session.executable->entries.data());
    if (session.ticks[index].calls == 0 || entry.calls.empty()) continue;
    const StepProfile profile = read_profile(session, entry);
    if (json) {
      print_json({{"schema", json_schema}, {"event", "profile"}, {"profile", profile_json(profile, limits)}});
    } else {
      fmt::print("\n{}", print_profile(profile, limits));
    }
  }
}

}  // namespace

bool compile_training(Experiment& experiment, const CompileArguments& arguments, PipelineOptions options, bool json,
                      Runnable& runnable, int& code) {
  diagnostics(*experiment.unit).list.clear();  // warnings are said once
  keep_training_functions(experiment);
  set_options(experiment, options);
  auto made = make_runnable(std::move(*experiment.program), arguments, options);
  if (!made) {
    code = fail(kResources, made.error(), {}, json);
    return false;
  }
  runnable = std::move(*made);
  return true;
}

int run_training(Experiment& experiment, const Runnable& runnable, const TrainingRequest& request,
                 const LoadStart& load, TrainResult& result) {
  const bool json = request.json;
  const Executable& executable = runnable.executable;
  const Entry* step = executable.find(
      "step", batch_lengths(static_cast<int64_t>(experiment.dataset.train.size()), experiment.config.batch).length);
  if (step == nullptr) return fail(kInternal, "the program has no step", {}, json);
  const int64_t threads = choose_threads(request.threads, step->flops);
  auto session = open_session(executable, threads);
  if (!session) return fail_with(experiment, session.error(), json);
  initialize(*session, experiment.config.seed);
  TrainStart start;
  int code = kOk;
  if (load) {
    if (!load(*session, start, code)) return code;
  } else if (const RuntimeErrors errors = load_initial(experiment, *session); !errors.empty()) {
    return fail_with(experiment, errors, json);
  }
  const SignalWatch watch;
  RunRecorder* recorder = request.recorder;
  const bool begins = recorder != nullptr && !load;
  if (begins) {
    if (const RuntimeErrors errors = request.begin_run(); !errors.empty()) return report_errors(errors, json);
  }
  const auto give_up = [&](const RuntimeErrors& errors) {
    if (begins) discard_run(recorder->directory);
    return fail_with(experiment, errors, json);
  };
  if (json || !request.quiet) print_summary(experiment, runnable, *step, threads, request);
  ProgressOptions options = detect_progress(json, stderr, stdout);
  if (request.quiet && !json) options.style = ProgressStyle::quiet;
  Progress progress(options);
  TrainHooks hooks = progress.hooks();
  hooks.interrupted = pending_signal;
  hooks.diverged = [&](const TrainResult& broken, bool located) {
    explain_divergence(experiment, runnable, *session, broken, located);
  };
  if (recorder != nullptr) {
    const RuntimeErrors errors = recorder->begin(experiment, *session, load ? &start : nullptr);
    if (!errors.empty()) return give_up(errors);
    recorder->attach(hooks);
  }
  auto trained = train(*session, experiment.dataset, experiment.config, hooks, load ? &start : nullptr);
  if (!trained) return give_up(trained.error());
  result = std::move(*trained);
  const RuntimeErrors unsaved = recorder != nullptr ? recorder->finish(result) : RuntimeErrors{};
  progress.finish(result);
  if (!unsaved.empty()) return report_errors(unsaved, json);
  if (result.status == TrainStatus::diverged) report(experiment, json);
  if (!session->ticks.empty()) show_profiles(*session, runnable.lowered->module.target, threads, json);
  if (!json && !request.quiet) print_next(experiment, result, recorder);
  return exit_code_of(result);
}

}  // namespace nnc
