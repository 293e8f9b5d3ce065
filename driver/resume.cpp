// nnc resume: a run goes on from its newest checkpoint as if it had never ended.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "driver/commands.h"
#include "driver/console.h"
#include "driver/run_directory.h"
#include "driver/training.h"
#include "runtime/checkpoint/fingerprint.h"
#include "runtime/checkpoint/run_directory.h"

namespace nnc {
namespace {

// Settings under which what was done so far would have come out otherwise, or would have no place to go on.
bool check_settings(const std::vector<std::string>& settings, bool json) {
  for (const std::string& setting : settings) {
    const std::string name = setting.substr(0, setting.find('='));
    const std::vector<std::string> fixed = {"train.batch", "train.seed", "train.accumulate", "train.precision",
                                            "train.init_from"};
    const bool free = name.starts_with("train.") && std::find(fixed.begin(), fixed.end(), name) == fixed.end();
    if (free) continue;
    fail(kUsage, fmt::format("`{}` cannot change in the middle of a run", name),
         "a resumed run takes train.epochs, train.stop, train.clip and train.optimizer.…; for others begin a new one",
         json);
    return false;
  }
  return true;
}

// Compares the data with those the run began with.
RuntimeErrors check_data(const Run& run) {
  const nlohmann::json before = run.info.value("data", nlohmann::json());
  RuntimeErrors errors;
  for (const std::string& difference : differences(before, fingerprint(run.experiment.dataset))) {
    errors.push_back(run_error(ErrorCode::E802,
                               fmt::format("the data changed since {} began: {}", run.directory, difference),
                               "changed data begin a run of their own: nnc train FILE"));
  }
  return errors;
}

// Bits are promised within one version only.
void compare_versions(const Run& run, bool json) {
  const nlohmann::json made_by = run.info.value("nnc", nlohmann::json());
  if (made_by == NNC_VERSION) return;
  const std::string version = made_by.is_string() ? "nnc " + printable(made_by.get<std::string>()) : "an unknown nnc";
  Experiment only;
  only.unit = load_text("nnc", "");
  report(diagnostics(*only.unit), DiagnosticKind::other_version, Place{run.directory + "/" + run_info_file},
         "the run was begun by {}, and this is nnc {}", version, NNC_VERSION)
      .help("its results may differ in the last digits from those of a run that one version made throughout");
  report(only, json);
}

// The state segment of the checkpoint, with what is derived from states recomputed.
RuntimeErrors load_segment(Session& session, const std::string& path) {
  RuntimeErrors errors = load_states(path, *session.executable, StateKind::all, session.state.data());
  if (errors.empty()) refresh(session);
  return errors;
}

// Where the newest sound checkpoint of last/ stands, and the best epoch's state. Damaged ones are renamed.
RuntimeErrors load_start(const Run& run, Session& session, TrainStart& start) {
  const FoundCheckpoints last = find_checkpoints(run.directory + "/" + run_last_folder);
  if (last.sound.empty()) {
    if (!last.damaged.empty()) return last.damaged;
    return {run_error(ErrorCode::E803, fmt::format("{} holds no checkpoint to go on from", run.directory),
                      "the run ended before its first one: nnc train FILE begins anew")};
  }
  set_aside(last);
  const FoundCheckpoint& from = last.sound.front();
  start.progress = from.progress;
  remove_later_epochs(run.directory + "/" + run_best_folder, start.progress.best_epoch);
  if (start.progress.best_epoch > 0) {
    const FoundCheckpoints best = find_checkpoints(run.directory + "/" + run_best_folder);
    set_aside(best);
    const auto same = std::find_if(best.sound.begin(), best.sound.end(), [&](const FoundCheckpoint& found) {
      return found.epoch == start.progress.best_epoch;
    });
    const std::optional<EarlyStop>& stop = run.experiment.config.stop;
    if (same != best.sound.end()) {
      if (RuntimeErrors errors = load_segment(session, same->path); !errors.empty()) return errors;
      const auto bytes = static_cast<size_t>(session.state.bytes());
      start.best_state.assign(session.state.data(), session.state.data() + bytes);
    } else if (stop && stop->restore) {
      return {run_error(ErrorCode::E801,
                        fmt::format("{}/{} has no sound checkpoint of epoch {}, which early stop would restore",
                                    run.directory, run_best_folder, start.progress.best_epoch))};
    }
  }
  return load_segment(session, from.path);
}

}  // namespace

int resume(const ResumeArguments& arguments) {
  const bool json = arguments.json;
  if (!check_settings(arguments.settings, json)) return kUsage;
  Run run;
  if (const RuntimeErrors errors = read_run(arguments.run, arguments.settings, run); !errors.empty())
    return report_errors(errors, json);
  auto lock = RunLock::take(run.directory);
  if (!lock) return report_errors({lock.error()}, json);
  remove_unfinished(run.directory);
  compare_versions(run, json);
  CompileArguments compile;
  const auto text = [&](const char* name) {
    const nlohmann::json value = run.info.value(name, nlohmann::json());
    return value.is_string() ? value.get<std::string>() : std::string();
  };
  compile.cpu = !arguments.cpu.empty() ? arguments.cpu : text("cpu").empty() ? "native" : text("cpu");
  compile.interpret = text("interpret");
  for (const nlohmann::json& pass : run.info.value("disabled_passes", nlohmann::json::array())) {
    if (pass.is_string()) compile.disabled_passes.push_back(pass.get<std::string>());
  }
  PipelineOptions options;
  if (!read_compile_arguments(compile, compile.interpret.empty(), options)) return kUsage;
  Experiment& experiment = run.experiment;
  const bool opened = open_data(experiment);
  if (!opened) return report(experiment, json);
  if (const RuntimeErrors errors = check_data(run); !errors.empty()) return report_errors(errors, json);
  if (!build(experiment) || !check_trainable(experiment)) return report(experiment, json);
  Runnable runnable;
  int code = kOk;
  if (!compile_training(experiment, compile, options, json, runnable, code)) return code;
  RunRecorder recorder;
  recorder.directory = run.directory;
  recorder.lock = std::move(*lock);
  recorder.info = run.info;
  recorder.save_every = arguments.save_every;
  recorder.info["settings"] = experiment.settings;
  recorder.info["resumed"].push_back(utc_time());
  recorder.info["status"] = "running";
  TrainingRequest request{arguments.threads, json, arguments.quiet, &recorder, run.directory};
  const LoadStart load = [&](Session& session, TrainStart& start, int& why) {
    const RuntimeErrors errors = load_start(run, session, start);
    if (!errors.empty()) return why = report_errors(errors, json), false;
    auto written = write_run_info(run.directory, recorder.info);
    if (written) return true;
    add_saving_help(written.error());
    return why = report_errors(written.error(), json), false;
  };
  TrainResult result;
  return run_training(experiment, runnable, request, load, result);
}

}  // namespace nnc
