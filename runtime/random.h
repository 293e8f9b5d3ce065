// Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011). A value depends on key and counter alone, so every order of rows can be recomputed from (seed, epoch).
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace nnc {

// One block of four words.
constexpr std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

// A sequence of words keyed by seed; `stream` and `epoch` separate uses of one seed.
struct RandomStream {
  std::array<uint32_t, 2> key;
  uint32_t stream;
  uint64_t epoch;
  uint32_t block = 0;
  uint32_t used = 4;
  std::array<uint32_t, 4> words{};

  RandomStream(uint64_t seed, uint32_t stream, uint64_t epoch = 0)
      : key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}, stream(stream), epoch(epoch) {}

  uint32_t next() {
    if (used == 4) {
      words = philox({block++, stream, static_cast<uint32_t>(epoch), static_cast<uint32_t>(epoch >> 32)}, key);
      used = 0;
    }
    return words[used++];
  }

  // Uniform in [0, bound), without bias (Lemire: "Fast random integer generation in an interval", 2019). bound ≥ 1.
  uint32_t below(uint32_t bound) {
    uint64_t product = uint64_t{next()} * bound;
    if (static_cast<uint32_t>(product) < bound) {
      const uint32_t threshold = (0u - bound) % bound;
      while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next()} * bound;
    }
    return static_cast<uint32_t>(product >> 32);
  }

  // Uniform in [0, 1) with 24 bits.
  float uniform() { return static_cast<float>(next() >> 8) * 0x1p-24f; }
};

// The uses the runtime makes of one seed.
enum RandomUse : uint32_t { random_split = 0x10001, random_order = 0x10002, random_synthetic = 0x20000 };

// Fisher-Yates, from the end.
inline void shuffle(std::span<uint32_t> items, RandomStream& random) {
  for (size_t left = items.size(); left > 1; --left) {
    const uint32_t pick = random.below(static_cast<uint32_t>(left));
    const uint32_t other = items[pick];
    items[pick] = items[left - 1];
    items[left - 1] = other;
  }
}

}  // namespace nnc
