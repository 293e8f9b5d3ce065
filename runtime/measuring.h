// Metrics that need all rows of a pass at once: what a pass brings together for them, and who computes them.
//
// Whoever makes an Executable says how its metrics are computed (compute); a pass only collects. So the runtime knows
// nothing of the compiler, and a metric costs one call a pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/executable.h"

namespace nnc {

// A loss or metric over a pass. Losses and metrics that are means over rows are the mean of the batches' values
// weighted by their rows, so independent of how rows fell into batches; the others are computed from all rows at once.
struct Measure {
  std::string name;
  double value = 0;            // NaN where `dims` is not empty
  std::vector<int64_t> dims;   // of a metric that is no scalar: a value per class, a confusion matrix
  std::vector<double> values;  // row-major; empty for scalars
  bool is_scalar() const { return dims.empty(); }
  bool operator==(const Measure&) const = default;
};

// A tensor that metrics need, as an entry writes it for a batch. Of a tensor with rows (Measuring::Function::per_row)
// a pass keeps all; of any other the mean over the batches weighted by their rows.
struct CollectedTensor {
  std::string name;
  ElementType type = ElementType::f32;
  std::vector<int64_t> dims;     // for the batch: rows come first
  const void* values = nullptr;  // what the entry wrote last
  int64_t elements() const;      // product of dims
};

// What has been brought together of a tensor. Plain data: one of the two is empty.
struct CollectedValues {
  std::vector<std::byte> rows;  // elements as the entry wrote them, in the order of the batches
  std::vector<double> sums;     // per element the sum of value * rows of the batch
  bool operator==(const CollectedValues&) const = default;
};

struct CollectedView {
  const CollectedTensor* tensor = nullptr;
  const CollectedValues* values = nullptr;
};

struct Measuring {
  struct Function {
    std::string name;                  // "step", "evaluate"
    int64_t rows = 0;                  // of a pass
    std::vector<std::string> names;    // losses and metrics in declared order
    std::vector<std::string> per_row;  // of the collected tensors
    std::vector<Measure> unknown;      // the metrics that are not means over rows, all values NaN
    // The same metrics after all rows of the pass.
    std::function<std::vector<Measure>(std::span<const CollectedView>)> compute;
  };
  std::vector<Function> functions;

  // Null if there is none; passes of entries other than "evaluate" train.
  const Function* find(std::string_view entry, int64_t rows) const;
};

}  // namespace nnc
