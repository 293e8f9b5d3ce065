// The folder of a run, runs/NAME-K: what a training leaves behind, and how it is opened again.
//
//   run.json      version, machine, settings, seed, fingerprints of model and data, status, last measures
//   config.nn     the model file as it was; files it imports in imports/
//   fitted.json   what the transforms learnt from the training rows
//   last/, best/  checkpoints (runtime/checkpoint/checkpoint.h)
//   metrics.csv, events.out.tfevents.…
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "driver/commands.h"
#include "driver/compile.h"
#include "driver/experiment.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/run_lock.h"
#include "runtime/session.h"

namespace nnc {

// A folder for a run, held by this process.
struct BegunRun {
  std::string directory;
  RunLock lock;
  nlohmann::json info;  // run.json
};

// Makes root/NAME-K, NAME the model file's stem, locks it, and writes config.nn, imports/, fitted.json and at last
// run.json into it. `program` is what the experiment was built to. Errors: E651, E652; nothing is left then.
tl::expected<BegunRun, RuntimeErrors> begin_run(const Experiment& experiment, const Program& program,
                                                const TrainArguments& arguments);

// Removes the folder of a run that was begun and trained nothing.
void discard_run(const std::string& directory);

constexpr int64_t most_folds = 1000;  // of a cross-validation

// Replaces run.json.
tl::expected<void, RuntimeErrors> write_run_info(const std::string& directory, const nlohmann::json& info);

// "2026-01-31T09:05:00Z"
std::string utc_time();

// A run that was opened again.
struct Run {
  std::string directory;
  nlohmann::json info;  // run.json
  Experiment experiment;
  std::vector<FieldPlan> plans;  // fitted.json
  std::optional<Runnable> runnable;
  std::optional<Session> session;          // points into `runnable`: a Run stays where it is
  std::string weights;                     // the checkpoint they come from
  std::vector<std::string> probabilities;  // outputs that are sigmoids
  std::string without_data;                // why it was opened without; "": it has them
};

// Reads run.json and fitted.json, and loads the model from the texts that the run kept, with its settings and `more`.
// Errors: E801 where one is malformed, E803 where `directory` is no run; E802 where a kept text changed. What is wrong
// with the model itself is in run.experiment's diagnostics.
RuntimeErrors read_run(const std::string& directory, const std::vector<std::string>& more, Run& run);

// What to open a run for.
struct RunRequest {
  CompileArguments compile;
  int64_t threads = 0;
  std::vector<std::string> files;  // in place of the run's data: FILE, or NAME=FILE for sources of several; all rows
                                   // are of the part `test`. Empty: the run's own data, split as they were
  bool without_targets = false;    // leave them out of those files, whether their columns are there or not
  bool evaluate = true;            // make the entry "evaluate" for every part of the data
  bool predict = false;            // and "predict"
  bool needs_data = true;          // false: where its own data cannot be read, the run is opened without
};

// Reads the run, opens its data or those of the request with the fitted transforms, compiles what is asked for, and
// loads the weights of best/, else of last/. Says what is wrong (on stderr, or with json on stdout) and returns the
// exit code.
int open_run(const std::string& directory, const RunRequest& request, bool json, Run& run);

// The checkpoint to use: the newest of best/, else of last/. Errors: E803; E801 where all are damaged.
tl::expected<FoundCheckpoint, RuntimeErrors> weights_of_run(const std::string& directory);

// What the model puts out for these rows: those of one part of the data, or the first of them.
struct PredictedOutput {
  std::string name;
  std::vector<int64_t> dims;  // per row
  std::vector<float> values;  // [rows][dims]
  bool probability = false;   // a sigmoid by the model's text
};
// Requires a run opened with `predict`. Errors: E611, E650.
tl::expected<std::vector<PredictedOutput>, RuntimeErrors> predict_rows(Run& run, std::span<const uint32_t> rows);

// An error that has no place in a file.
RuntimeError run_error(ErrorCode code, std::string message, std::string help = {});

// Says where else a run could be kept, to errors of writing it.
void add_saving_help(RuntimeErrors& errors);

// Shows errors that have no place in a model file, and returns their exit code.
int report_errors(const RuntimeErrors& errors, bool json);

// Calls the entry that recomputes what is derived from states, where there is one: after states were written.
void refresh(Session& session);

}  // namespace nnc
