#include "passes/plan/plan_buffers.h"

#include <algorithm>
#include <utility>

namespace nnc {
namespace {

void set_lifetimes(Plan& plan) {
  for (Storage& storage : plan.storages) storage.first_phase = storage.last_phase = -1;
  const auto touch = [&](StorageId id, int64_t phase) {
    Storage& storage = plan[id];
    storage.first_phase = storage.first_phase < 0 ? phase : std::min(storage.first_phase, phase);
    storage.last_phase = std::max(storage.last_phase, phase);
  };
  for (const Region& region : plan.regions) {
    for (const Region::Output& output : region.outputs) touch(output.storage, region.phase);
    for (const Region::Read& read : region.reads) touch(read.storage, region.phase);
  }
}

// Each in turn at the lowest offset where it meets nothing that is alive beside it. Returns the bytes needed.
int64_t place(Plan& plan, const std::vector<StorageId>& order, bool share) {
  int64_t needed = 0;
  std::vector<StorageId> placed;  // ascending by offset
  for (StorageId id : order) {
    Storage& storage = plan[id];
    int64_t offset = 0;
    for (StorageId other_id : placed) {
      const Storage& other = plan[other_id];
      const bool meet = !share || (storage.first_phase <= other.last_phase && other.first_phase <= storage.last_phase);
      if (!meet || other.offset + other.bytes <= offset) continue;
      if (offset + storage.bytes <= other.offset) break;
      offset = other.offset + other.bytes;
    }
    storage.offset = offset;
    needed = std::max(needed, offset + storage.bytes);
    const auto at = std::lower_bound(placed.begin(), placed.end(), offset,
                                     [&](StorageId other, int64_t value) { return plan[other].offset < value; });
    placed.insert(at, id);
  }
  return needed;
}

}  // namespace

void plan_buffers(Plan& plan, bool share) {
  set_lifetimes(plan);
  std::vector<StorageId> arena;
  std::vector<int64_t> alive(plan.phases.size(), 0);
  for (size_t s = 0; s < plan.storages.size(); ++s) {
    const Storage& storage = plan.storages[s];
    if (storage.kind != Storage::arena || storage.first_phase < 0) continue;
    arena.push_back(StorageId(s));
    for (int64_t phase = storage.first_phase; phase <= storage.last_phase; ++phase) alive[phase] += storage.bytes;
  }
  plan.live_bytes = alive.empty() ? 0 : *std::max_element(alive.begin(), alive.end());
  // Large ones are hard to place, and so are those that live long. No order suits every plan: the best of some is
  // taken.
  const auto sorted = [&](const auto& weight) {
    std::vector<StorageId> order = arena;
    std::stable_sort(order.begin(), order.end(), [&](StorageId a, StorageId b) { return weight(a) > weight(b); });
    return order;
  };
  const auto phases = [&](StorageId id) { return plan[id].last_phase - plan[id].first_phase + 1; };
  const std::vector<StorageId> orders[] = {
      sorted([&](StorageId id) { return plan[id].bytes; }),
      sorted([&](StorageId id) { return plan[id].bytes * phases(id); }),
      sorted([&](StorageId id) { return std::pair{phases(id), plan[id].bytes}; }),
  };
  const std::vector<StorageId>* best = nullptr;
  for (const std::vector<StorageId>& order : orders) {
    const int64_t needed = place(plan, order, share);
    if (best != nullptr && needed >= plan.arena_bytes) continue;
    plan.arena_bytes = needed;
    best = &order;
  }
  place(plan, *best, share);
}

}  // namespace nnc
