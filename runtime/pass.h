// One pass over rows of a dataset: an entry at the batch lengths that takes, and what it measures on the way.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "runtime/data/batches.h"
#include "runtime/session.h"

namespace nnc {

// An entry at the lengths one pass over a part of the data needs.
struct Pass {
  BatchLengths lengths;
  std::optional<BoundEntry> full, last;

  const BoundEntry& at(int64_t step) const { return step < lengths.count ? *full : *last; }
};

// Errors: E608 where an entry is missing, or the metrics for so many rows; E611, E650.
tl::expected<Pass, RuntimeErrors> open_pass(const Session& session, const Dataset& dataset, std::string_view name,
                                            BatchLengths lengths);

// Sums over rows, in double, in the order of the batches, and the rows that metrics need all of. Plain data.
struct Sums {
  std::vector<double> sums;                // per scalar of the bound entry
  std::vector<CollectedValues> collected;  // per collected tensor of the bound entry; for all rows of the pass
  double loss = 0;
  int64_t rows = 0;

  // Makes room for a pass; nothing is allocated after it, nor in it once it was called for the same pass.
  void reset(const BoundEntry& bound);
  // Adds what the last call of the entry measured. Returns the name of the first loss that is not finite, or null.
  const std::string* add(const BoundEntry& bound);
  double mean_loss() const { return rows == 0 ? 0 : loss / static_cast<double>(rows); }
  // `loss` first: the sum of the losses; then each loss and metric in the order of the model. Metrics over all rows are
  // NaN unless the pass is complete.
  std::vector<Measure> measures(const BoundEntry& bound) const;
};

// Calls the pass's entry over `rows` in their order.
std::vector<Measure> run_evaluation(Session& session, const Pass& pass, std::span<const uint32_t> rows);

}  // namespace nnc
