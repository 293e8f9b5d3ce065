#include "driver/run_recorder.h"

#include <algorithm>
#include <cstring>

#include "driver/run_directory.h"
#include "runtime/checkpoint/json_text.h"
#include "runtime/checkpoint/run_directory.h"
#include "runtime/signals.h"

namespace nnc {
namespace {

constexpr double cost_factor = 50;  // at most a fiftieth of the time goes into saving

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

nlohmann::json measures_object(const std::vector<Measure>& measures) {
  nlohmann::json object = nlohmann::json::object();
  for (const Measure& measure : measures) {
    if (measure.is_scalar()) object[measure.name] = json_of_double(measure.value);
  }
  return object;
}

}  // namespace

RuntimeErrors RunRecorder::begin(const Experiment& of, const Session& running, const TrainStart* start) {
  experiment = &of;
  session = &running;
  auto buffer = allocate(running.state.bytes(), "the best epoch's state");
  if (!buffer) return {buffer.error()};
  best_state_ = std::move(*buffer);
  saved_ = Clock::now();
  if (start == nullptr) {
    logs_.open(directory);
    return {};
  }
  first_step_ = start->progress.steps;
  logs_.open(directory, static_cast<int64_t>(start->progress.epochs.size()), start->progress.epochs);
  return {};
}

void RunRecorder::attach(TrainHooks& hooks) {
  hooks.epoch = [this, before = hooks.epoch](const EpochReport& report) {
    logs_.epoch(report);
    if (before) before(report);
  };
  hooks.save = [this](const TrainProgress& progress, bool best) { return save(progress, best); };
  hooks.save_due = [this] { return due(); };
}

bool RunRecorder::due() const { return seconds_since(saved_) >= std::max(save_every, cost_factor * cost_); }

// Training may put the best epoch's state in place of this one afterwards.
bool RunRecorder::ends(const TrainProgress& progress) const {
  const TrainConfig& config = experiment->config;
  if (progress.epoch > config.epochs) return true;
  const int64_t finished = progress.epoch - 1;
  return config.stop && progress.step == 0 && finished - progress.best_epoch >= config.stop->patience;
}

bool RunRecorder::save(const TrainProgress& progress, bool best) {
  if (best) {
    std::memcpy(best_state_.data(), session->state.data(), static_cast<size_t>(session->state.bytes()));
    best_epoch_ = progress.best_epoch;
    best_steps_ = progress.steps;
    best_unsaved_ = true;
  }
  if (!due() && !ends(progress) && pending_signal() == 0) return true;
  return write(progress);
}

bool RunRecorder::save_best() {
  if (!best_unsaved_) return true;
  TrainProgress progress;  // nothing goes on from here
  progress.steps = best_steps_;
  const CheckpointContent content = {session->executable, best_state_.data(), &progress,
                                     best_steps_,         best_epoch_,        info.value("data", nlohmann::json())};
  auto done = save_checkpoint(directory + "/" + run_best_folder, content);
  if (!done) errors_.push_back(done.error());
  best_unsaved_ = !done;
  return done.has_value();
}

// best/ first: last/ says which epoch was the best.
bool RunRecorder::write(const TrainProgress& progress) {
  const Clock::time_point start = Clock::now();
  if (!save_best()) return false;
  const CheckpointContent content = {session->executable,
                                     session->state.data(),
                                     &progress,
                                     progress.steps,
                                     static_cast<int64_t>(progress.epochs.size()),
                                     info.value("data", nlohmann::json())};
  auto done = save_checkpoint(directory + "/" + run_last_folder, content);
  if (!done) errors_.push_back(done.error());
  cost_ = seconds_since(start);
  saved_ = Clock::now();
  return done.has_value();
}

RuntimeErrors RunRecorder::finish(const TrainResult& result) {
  logs_.close();
  if (errors_.empty()) save_best();
  info["status"] = name_of(result.status);
  info["ended"] = utc_time();
  info["epochs"] = result.epochs.size();
  info["steps"] = result.steps;
  info["best_epoch"] = result.best_epoch;
  info["restored"] = result.restored;
  info["seconds"] = info.value("seconds", 0.0) + result.seconds;
  const auto last = result.epochs.size();
  const auto best = static_cast<size_t>(result.best_epoch);
  const size_t shown = result.restored && best >= 1 && best <= last ? best : last;
  if (shown > 0) {
    info["train"] = measures_object(result.epochs[shown - 1].train);
    info["val"] = measures_object(result.epochs[shown - 1].val);
  }
  info["test"] = measures_object(result.test);
  if (auto done = write_run_info(directory, info); !done) {
    errors_.insert(errors_.end(), done.error().begin(), done.error().end());
  }
  add_saving_help(errors_);
  return errors_;
}

}  // namespace nnc
