// What training saves while it runs: checkpoints now and then, logs each epoch, and run.json at the end.
//
// last/ is written when `save_every` seconds have passed since the last time (or fifty times as long as that took,
// whichever is more), at the end, and when interrupted; best/ at the same times, from a copy in memory of the state of
// the best epoch. So a process that is killed loses no more than that.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "driver/experiment.h"
#include "runtime/checkpoint/run_lock.h"
#include "runtime/logs/run_logs.h"
#include "runtime/memory.h"
#include "runtime/session.h"
#include "runtime/trainer.h"

namespace nnc {

struct RunRecorder {
  std::string directory;  // of the run
  RunLock lock;           // on it
  nlohmann::json info;    // run.json
  double save_every = 2;  // seconds
  const Experiment* experiment = nullptr;
  const Session* session = nullptr;

  // Where training begins: at a start, or where `start` says. E650 where the copy of the best epoch's state does not
  // fit.
  RuntimeErrors begin(const Experiment& experiment, const Session& session, const TrainStart* start);
  // Adds itself to the hooks.
  void attach(TrainHooks& hooks);
  // Saves what is not saved yet and says in run.json how it went. Errors of the disk, those of checkpoints before too.
  RuntimeErrors finish(const TrainResult& result);

 private:
  using Clock = std::chrono::steady_clock;
  bool due() const;
  bool ends(const TrainProgress& progress) const;
  bool save(const TrainProgress& progress, bool best);
  bool save_best();
  bool write(const TrainProgress& progress);

  AlignedBuffer best_state_;
  int64_t best_epoch_ = 0, best_steps_ = 0;
  bool best_unsaved_ = false;
  int64_t first_step_ = 0;
  Clock::time_point saved_ = Clock::now();
  double cost_ = 0;  // seconds the last save took
  RuntimeErrors errors_;
  RunLogs logs_;
};

}  // namespace nnc
