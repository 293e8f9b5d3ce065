// nnc train: compile the step, run the epochs, say how it went.
#include "driver/commands.h"
#include "driver/compile.h"
#include "driver/console.h"
#include "driver/experiment.h"
#include "runtime/logs/progress.h"
#include "runtime/memory.h"
#include "runtime/session.h"
#include "runtime/signals.h"
#include "runtime/trainer.h"

#include <nlohmann/json.hpp>

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
                   bool json) {
  const int64_t parameters = parameter_count(runnable.lowered->program->states);
  const Executable& executable = runnable.executable;
  if (json) {
    print_json({{"schema", json_schema},
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
                {"data_ms", experiment.data_ms},
                {"code", runnable.how},
                {"threads", threads}});
    return;
  }
  fmt::print(stderr, "{} from {}: {}, batches of {}\n", executable.model, experiment.path,
             rows_text(experiment.dataset), step.batch);
  fmt::print(stderr, "{} parameters, state {}, arena {}, {} a step; {} in {:.0f} ms, {} thread{}\n",
             group_digits(parameters), format_bytes(executable.state_bytes), format_bytes(executable.arena_bytes),
             format_flops(step.flops), runnable.how, runnable.compile_ms, threads, threads == 1 ? "" : "s");
}

void print_next(const Experiment& experiment, const TrainResult& result) {
  if (result.status == TrainStatus::diverged) {
    fmt::print("next: a smaller learning rate: nnc train {} train.optimizer.lr=1e-4\n", experiment.path);
  } else if (result.status == TrainStatus::finished) {
    fmt::print("next: how fast is a step: nnc bench {}; longer: nnc train {} train.epochs={}\n", experiment.path,
               experiment.path, 2 * experiment.config.epochs);
  } else {
    fmt::print("next: how fast is a step: nnc bench {}\n", experiment.path);
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

int run(Experiment& experiment, const Runnable& runnable, const TrainArguments& arguments) {
  const bool json = arguments.model.json;
  const Executable& executable = runnable.executable;
  const Entry* step = executable.find(
      "step", batch_lengths(static_cast<int64_t>(experiment.dataset.train.size()), experiment.config.batch).length);
  if (step == nullptr) return fail(kInternal, "the program has no step", {}, json);
  const int64_t threads = choose_threads(arguments.threads, step->flops);
  auto session = open_session(executable, threads);
  if (!session) return fail_with(experiment, session.error(), json);
  if (json || !arguments.quiet) print_summary(experiment, runnable, *step, threads, json);
  initialize(*session, experiment.config.seed);
  ProgressOptions options = detect_progress(json, stderr, stdout);
  if (arguments.quiet && !json) options.style = ProgressStyle::quiet;
  Progress progress(options);
  TrainHooks hooks = progress.hooks();
  hooks.interrupted = pending_signal;
  const SignalWatch watch;
  auto result = train(*session, experiment.dataset, experiment.config, hooks);
  if (!result) return fail_with(experiment, result.error(), json);
  progress.finish(*result);
  if (!json && !arguments.quiet) print_next(experiment, *result);
  return exit_code_of(*result);
}

}  // namespace

int train(const TrainArguments& arguments) {
  PipelineOptions options;
  if (!read_compile_arguments(arguments.compile, arguments.compile.interpret.empty(), options)) return kUsage;
  const bool json = arguments.model.json;
  Experiment experiment = load_experiment(arguments.model.file, arguments.model.settings);
  const bool built = open_data(experiment) && build(experiment) && check_trainable(experiment);
  if (!built || !diagnostics(*experiment.unit).list.empty()) {
    const int code = report(experiment, json);
    if (!built) return code;
  }
  diagnostics(*experiment.unit).list.clear();  // warnings are said once
  keep_training_functions(experiment);
  auto runnable = make_runnable(std::move(*experiment.program), arguments.compile, options);
  if (!runnable) return fail(kResources, runnable.error(), {}, json);
  return run(experiment, *runnable, arguments);
}

}  // namespace nnc
