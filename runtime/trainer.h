// The training loop: epochs of steps, validation after each epoch, early stop, divergence, interruption, resuming.
//
// The order of an epoch's rows depends on the seed and the epoch alone, so (epoch, step) and the session's state say
// all about where training stands: interrupted anywhere and resumed, it ends with the same state, bit for bit, and the
// same history.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "runtime/pass.h"
#include "runtime/train_config.h"

namespace nnc {

struct StepReport {
  int64_t epoch = 0, epochs = 0;                         // from 1
  int64_t step = 0, steps = 0;                           // of this epoch, from 1
  double loss = 0;                                       // mean over the rows of the epoch so far
  double lr = std::numeric_limits<double>::quiet_NaN();  // of the last update; NaN if the optimizer has none
};

struct EpochReport {
  int64_t epoch = 0, epochs = 0;
  std::vector<Measure> train, val;  // `loss` first: the sum of the losses; then each loss and metric
  double train_seconds = 0, val_seconds = 0;
  int64_t rows = 0, steps = 0;  // trained in this epoch
  bool best = false;            // by the measure early stop watches; without it by val.loss, else train.loss
  double lr = std::numeric_limits<double>::quiet_NaN();  // of the last update; NaN if the optimizer has none
};

// Where training stands: all that a resumed run needs besides the session's state.
struct TrainProgress {
  int64_t epoch = 1, step = 0;      // the epoch under way, from 1, and the steps done of it
  int64_t steps = 0;                // done in all
  std::vector<EpochReport> epochs;  // finished ones
  Sums sums;                        // of the epoch under way
  double best = 0;                  // the best value of what decides `best`, in epoch best_epoch (0: none)
  int64_t best_epoch = 0;
  double plateau_best = std::numeric_limits<double>::quiet_NaN();  // of reduce_on_plateau; NaN: none
  int64_t plateau_bad_epochs = 0, plateau_cooldown = 0;
  double lr_factor = 1;  // by which reduce_on_plateau has lowered the rate
};

struct TrainStart {
  TrainProgress progress;
  std::vector<std::byte> best_state;  // the state segment of the best epoch; empty if there is none
};

enum class TrainStatus : uint8_t { finished, stopped_early, diverged, interrupted, save_failed };
const char* name_of(TrainStatus status);  // as written, for logs and JSON

struct TrainResult {
  TrainStatus status = TrainStatus::finished;
  int signal = 0;  // that interrupted
  std::vector<EpochReport> epochs;
  int64_t best_epoch = 0;  // from 1; 0: none
  bool restored = false;   // the state is that of the best epoch
  int64_t steps = 0;       // done in all
  // The step that made the first number that is not finite, a loss or a parameter, and the rows it was given. The loss
  // is "" where only parameters broke.
  std::string diverged_loss;
  int64_t diverged_epoch = 0, diverged_step = 0;  // from 1
  std::vector<uint32_t> diverged_rows;
  std::string diverged_entry;  // "step" or "accumulate"
  double seconds = 0;
  std::vector<Measure> test;  // after training, where there are test rows
};

struct TrainHooks {
  std::function<void(const StepReport&)> step;  // after each step: must be cheap
  std::function<void(const EpochReport&)> epoch;
  std::function<int()> interrupted;  // nonzero, a signal's number, ends training after the step
  // After each epoch, and when interrupted. best: the session holds the state of the best epoch so far. False ends
  // training (save_failed).
  std::function<bool(const TrainProgress&, bool best)> save;
  std::function<bool()> save_due;  // true after a step: call `save` now, in mid-epoch; must be cheap
  // Training diverged, and the session holds the state before the broken step (`located`; else it did not break again).
  std::function<void(const TrainResult&, bool located)> diverged;
};

// The entries training will ask for, each with its batch length: what has to be compiled.
struct EntryNeed {
  std::string name;
  int64_t batch = 0;
  bool operator==(const EntryNeed&) const = default;
};
std::vector<EntryNeed> needed_entries(const Dataset& dataset, const TrainConfig& config);

// Trains the session's state, which the caller has initialised or loaded; `resume` says where training stands, else at
// the start. Nothing is allocated between the first step of an epoch and its last.
//
// With `accumulate` k > 1, k batches make one update: the entry "accumulate" for all of a group but its last batch,
// then "step". The state ":share" tells each which part of the group's rows it holds; the last group of an epoch may be
// smaller. The state ":lr_factor" holds TrainProgress::lr_factor; the learning rate is read from ":lr".
//
// A loss or, at the end of an epoch, a parameter that is not finite ends training as diverged: the epoch is done again
// up to the step that broke, and the session holds the state before it (then, where early stop restores, that of the
// best epoch).
//
// Errors, before the first step: E607 (what early stop or a plateau watches does not exist), E611, E650; E608 where an
// entry is missing; E802 where `resume` is not of this program and data.
tl::expected<TrainResult, RuntimeErrors> train(Session& session, const Dataset& dataset, const TrainConfig& config,
                                               const TrainHooks& hooks, const TrainStart* resume = nullptr);

// One pass over a part of the data without training. Requires its entries "evaluate".
tl::expected<std::vector<Measure>, RuntimeErrors> evaluate(Session& session, const Dataset& dataset, DataPart part,
                                                           const TrainConfig& config);

}  // namespace nnc
