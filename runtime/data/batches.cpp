#include "runtime/data/batches.h"

#include <algorithm>
#include <cstring>

#include "runtime/random.h"

namespace nnc {

BatchLengths batch_lengths(int64_t rows, const BatchStrategy& strategy) {
  using Kind = BatchStrategy::Kind;
  const int64_t wanted = strategy.kind == Kind::full ? rows : strategy.kind == Kind::stochastic ? 1 : strategy.size;
  BatchLengths lengths;
  lengths.length = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, rows));
  lengths.count = rows / lengths.length;
  lengths.last = strategy.drop_last ? 0 : rows % lengths.length;
  return lengths;
}

BatchLengths evaluation_lengths(int64_t rows, const BatchStrategy& strategy) {
  constexpr int64_t shortest = 64, longest = 1024;
  using Kind = BatchStrategy::Kind;
  BatchStrategy evaluation;
  evaluation.size = strategy.kind == Kind::full         ? longest
                    : strategy.kind == Kind::stochastic ? shortest
                                                        : std::max(strategy.size, shortest);
  return batch_lengths(rows, evaluation);
}

void epoch_order(std::span<const uint32_t> rows, const BatchStrategy& strategy, uint64_t seed, uint64_t epoch,
                 std::vector<uint32_t>& order) {
  order.assign(rows.begin(), rows.end());
  if (strategy.kind == BatchStrategy::Kind::full) return;
  RandomStream random(seed, random_order, epoch);
  shuffle(order, random);
}

void gather_rows(const DataField& field, std::span<const uint32_t> rows, void* into,
                 std::span<const uint32_t> following) {
  const auto bytes = static_cast<size_t>(field.row_bytes);
  const std::byte* from = field.values.data();
  auto* out = static_cast<std::byte*>(into);
  if (!field.starts.empty()) {
    for (uint32_t row : rows) {
      std::memcpy(out, field.row(row), bytes);
      out += bytes;
    }
    return;
  }
  if (bytes == 4) {
    for (uint32_t row : rows) {
      std::memcpy(out, from + size_t{row} * 4, 4);
      out += 4;
    }
    return;
  }
  // Rows lie anywhere in memory: ask for one a little before its turn.
  constexpr size_t ahead = 12;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i + ahead < rows.size()) __builtin_prefetch(from + rows[i + ahead] * bytes);
    std::memcpy(out, from + rows[i] * bytes, bytes);
    out += bytes;
  }
  for (uint32_t row : following.first(std::min(ahead, following.size()))) __builtin_prefetch(from + row * bytes);
}

}  // namespace nnc
