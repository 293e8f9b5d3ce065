// The settings of a `train` block that are the runtime's: batch, epochs, stop, seed, accumulate. The others belong to
// the compiler.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/data/batches.h"
#include "runtime/error.h"
#include "runtime/spec.h"

namespace nnc {

// early("val.bce", patience = 10, mode = "min", restore = false): ends training once `patience` epochs brought nothing
// better.
struct EarlyStop {
  std::string measure;  // "train.…" or "val.…": a loss, a metric, or `loss`, their sum
  int64_t patience = 10;
  bool maximize = false;
  bool restore = false;  // end with the state of the best epoch, however training ends
  Origin origin = 0;
};

// reduce_on_plateau(lr, …), with PyTorch's meaning: the rate is multiplied by `factor`, but not below min_lr, when more
// than `patience` epochs in a row were not better than the best by the share `threshold`.
struct PlateauSetting {
  double lr = 0, factor = 0.1, threshold = 1e-4, min_lr = 0, eps = 1e-8;
  int64_t patience = 10, cooldown = 0;
  bool maximize = false;
  std::string monitor = "val.loss";
  Origin origin = 0;
};

struct TrainConfig {
  int64_t epochs = 10;
  BatchStrategy batch;
  uint64_t seed = 0;
  std::optional<EarlyStop> stop;
  int64_t accumulate = 1;  // batches to an update
  std::optional<PlateauSetting> plateau;
};

//   batch = full() | stochastic() | mini(n, drop_last = false)     epochs = n     seed = n     stop = early(…)
//   accumulate = n
// Reads what it knows among `settings` and leaves the rest alone. Errors: E607, E608.
TrainConfig read_train_config(const std::vector<NamedSpec>& settings, ErrorList& errors);

// The names read_train_config knows.
std::vector<std::string> train_config_names();

}  // namespace nnc
