// The training loop: epochs of steps, validation after each epoch, early stop, divergence, interruption.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "runtime/pass.h"
#include "runtime/train_config.h"

namespace nnc {

struct StepReport {
  int64_t epoch = 0, epochs = 0;  // from 1
  int64_t step = 0, steps = 0;    // of this epoch, from 1
  double loss = 0;                // mean over the rows of the epoch so far
};

struct EpochReport {
  int64_t epoch = 0, epochs = 0;
  std::vector<Measure> train, val;  // `loss` first: the sum of the losses; then each loss and metric
  double train_seconds = 0, val_seconds = 0;
  int64_t rows = 0, steps = 0;  // trained in this epoch
  bool best = false;            // by the measure early stop watches
};

enum class TrainStatus : uint8_t { finished, stopped_early, diverged, interrupted };

struct TrainResult {
  TrainStatus status = TrainStatus::finished;
  int signal = 0;  // that interrupted
  std::vector<EpochReport> epochs;
  int64_t best_epoch = 0;     // with early stop: from 1
  bool restored = false;      // the state is that of the best epoch
  int64_t steps = 0;          // done in all
  std::string diverged_loss;  // name of the loss that was NaN or infinite, at epoch and step (from 1)
  int64_t diverged_epoch = 0, diverged_step = 0;
  double seconds = 0;
  std::vector<Measure> test;  // after training, where there are test rows
};

struct TrainHooks {
  std::function<void(const StepReport&)> step;  // after each step: must be cheap
  std::function<void(const EpochReport&)> epoch;
  std::function<int()> interrupted;  // nonzero, a signal's number, ends training after the step
};

// The entries training will ask for, each with its batch length: what has to be compiled.
struct EntryNeed {
  std::string name;
  int64_t batch = 0;
  bool operator==(const EntryNeed&) const = default;
};
std::vector<EntryNeed> needed_entries(const Dataset& dataset, const TrainConfig& config);

// Trains the session's state, which the caller has initialised (or loaded). Nothing is allocated between the first step
// of an epoch and its last. Errors, before the first step: E607 (what early stop watches does not exist), E611, E650;
// E608 where an entry is missing.
tl::expected<TrainResult, RuntimeErrors> train(Session& session, const Dataset& dataset, const TrainConfig& config,
                                               const TrainHooks& hooks);

// One pass over a part of the data without training. Requires its entries "evaluate".
tl::expected<std::vector<Measure>, RuntimeErrors> evaluate(Session& session, const Dataset& dataset, DataPart part,
                                                           const TrainConfig& config);

}  // namespace nnc
