// One training, begun or gone on with: what `train` and `resume` have in common.
#pragma once

#include <functional>
#include <string>

#include "driver/compile.h"
#include "driver/experiment.h"
#include "driver/run_recorder.h"
#include "runtime/session.h"
#include "runtime/trainer.h"

namespace nnc {

struct TrainingRequest {
  int64_t threads = 0;  // 0: chosen by the size of a step
  bool json = false, quiet = false;
  RunRecorder* recorder = nullptr;  // null: nothing is saved
  std::string resume;               // the run's directory, where one goes on
  // Gives the recorder a run of its own, when nothing but training is left to do; not called where one goes on. A run
  // that then trains nothing is removed.
  std::function<RuntimeErrors()> begin_run;
};

// Compiles what training needs of a built experiment. False: said so, `code` is the exit code.
bool compile_training(Experiment& experiment, const CompileArguments& arguments, PipelineOptions options, bool json,
                      Runnable& runnable, int& code);

// Fills the session's states and says where training stands: for `resume`. False: said so, `code` is the exit code.
using LoadStart = std::function<bool(Session& session, TrainStart& start, int& code)>;

// Opens a session, initialises it (or calls `load`), trains, saves, tells. Returns the exit code; `result` is what
// training said.
int run_training(Experiment& experiment, const Runnable& runnable, const TrainingRequest& request,
                 const LoadStart& load, TrainResult& result);

}  // namespace nnc
