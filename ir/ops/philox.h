// Philox 4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1,
// 2, 3" (SC 2011). Four random words as a pure function of a 128-bit counter and a 64-bit key.
#pragma once

#include <array>
#include <cstdint>

namespace nnc {

inline constexpr std::array<uint32_t, 2> philox_multipliers = {0xD2511F53, 0xCD9E8D57};
inline constexpr std::array<uint32_t, 2> philox_key_steps = {0x9E3779B9, 0xBB67AE85};
inline constexpr int philox_rounds = 10;

constexpr std::array<uint32_t, 4> philox_4x32_10(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < philox_rounds; ++round) {
    uint64_t first = uint64_t{philox_multipliers[0]} * counter[0];
    uint64_t second = uint64_t{philox_multipliers[1]} * counter[2];
    counter = {static_cast<uint32_t>(second >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(second),
               static_cast<uint32_t>(first >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(first)};
    key = {key[0] + philox_key_steps[0], key[1] + philox_key_steps[1]};
  }
  return counter;
}

}  // namespace nnc
