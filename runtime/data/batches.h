// Mini-batches: how many rows each has, in which order rows come, and their copying into the buffers compiled code
// reads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/data/dataset.h"

namespace nnc {

struct BatchStrategy {
  enum class Kind : uint8_t { full, stochastic, mini };  // all rows, one row, `size` rows a step
  Kind kind = Kind::mini;
  int64_t size = 32;
  bool drop_last = false;  // leave the last, shorter batch of an epoch out
};

// Steps of an epoch: `count` of `length` rows, then one of `last` rows unless that is 0.
struct BatchLengths {
  int64_t length = 0, count = 0, last = 0;
  int64_t steps() const { return count + (last > 0); }
};

// An epoch never has fewer than one step: drop_last keeps a batch that is the only one. rows ≥ 1.
BatchLengths batch_lengths(int64_t rows, const BatchStrategy& strategy);

// The same for a pass that only measures: order and length do not matter there, so short training batches are not
// imitated.
BatchLengths evaluation_lengths(int64_t rows, const BatchStrategy& strategy);

// The rows in the order of one epoch: a permutation that depends on (seed, epoch) and the rows alone. No allocation
// once `order` has had this size before. With full batches the order has no meaning and rows stay as they are.
void epoch_order(std::span<const uint32_t> rows, const BatchStrategy& strategy, uint64_t seed, uint64_t epoch,
                 std::vector<uint32_t>& order);

// Copies these rows of the field, one behind the other. Those of `following`, which are gathered next time, are asked
// for: they come nearer meanwhile.
void gather_rows(const DataField& field, std::span<const uint32_t> rows, void* into,
                 std::span<const uint32_t> following = {});

}  // namespace nnc
