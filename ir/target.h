// What the passes know of the machine that code is made for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nnc {

struct Target {
  std::string name = "sse2";                // "amx", "avx512", "avx2", "sse2": shown in every form
  int lanes = 4;                            // f32 elements of a vector register
  int registers = 16;                       // vector registers
  bool fma = false;                         // without it `fma` is a multiply and an add, rounded twice
  bool tiles = false;                       // has AMX: products of bf16 in tiles of 16 rows by 64 bytes
  int64_t near_cache = int64_t{512} << 10;  // bytes of a core's own cache that the operands of a product may fill

  bool operator==(const Target&) const = default;
};

inline Target target_sse2() { return {"sse2", 4, 16, false, false}; }
inline Target target_avx2() { return {"avx2", 8, 16, true, false}; }
inline Target target_avx512() { return {"avx512", 16, 32, true, false}; }
inline Target target_amx() { return {"amx", 16, 32, true, true}; }

// By name; false when there is none.
inline bool parse_target(std::string_view name, Target& target) {
  for (const Target& known : {target_sse2(), target_avx2(), target_avx512(), target_amx()}) {
    if (known.name == name) {
      target = known;
      return true;
    }
  }
  return false;
}

}  // namespace nnc
