#include "tests/unit/codegen/amx_emulator.h"

#include <immintrin.h>
#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>

#include "codegen/codegen.h"

namespace nnc::testing {
namespace {

constexpr int kTiles = 8, kRows = 16, kRowBytes = 64;

struct Tile {
  int rows = 0, row_bytes = 0;
  uint8_t bytes[kRows][kRowBytes] = {};
};

struct Tiles {
  bool configured = false;
  Tile tile[kTiles] = {};
};

thread_local Tiles tiles;
std::atomic<int64_t> products{0};
std::atomic<bool> emulated{false};

// A VEX-encoded instruction of map 0F38.
struct Instruction {
  uint8_t opcode = 0, prefix = 0, modrm = 0;  // prefix: 0 none, 1 66, 2 F3, 3 F2
  int reg = 0, rm = 0, third = 0;
  bool memory = false, has_sib = false;
  uint64_t base = 0, index = 0;  // address of the memory operand: base (with displacement), and index << scale
  int64_t length = 0;
};

uint64_t register_of(const ucontext_t& context, int number) {
  static constexpr int order[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return static_cast<uint64_t>(context.uc_mcontext.gregs[order[number]]);
}

// The address part of an instruction whose ModRM byte is at `at`. Returns the byte behind it.
const uint8_t* decode_memory(const ucontext_t& context, const uint8_t* at, bool high_index, bool high_base,
                             Instruction& instruction) {
  const int mode = *at >> 6;
  int base = *at++ & 7;
  bool without_base = mode == 0 && base == 5;
  const bool relative = without_base;
  if (base == 4) {
    instruction.has_sib = true;
    base = *at & 7;
    const int index = ((*at >> 3) & 7) + (high_index ? 8 : 0);
    if (index != 4) instruction.index = register_of(context, index) << (*at >> 6);
    without_base = mode == 0 && base == 5;
    ++at;
  }
  if (!without_base) instruction.base = register_of(context, base + (high_base ? 8 : 0));
  int32_t displacement = 0;
  if (mode == 1) {
    displacement = static_cast<int8_t>(*at++);
  } else if (mode == 2 || without_base) {
    std::memcpy(&displacement, at, 4);
    at += 4;
  }
  instruction.base += static_cast<uint64_t>(static_cast<int64_t>(displacement));
  if (relative) instruction.base += reinterpret_cast<uint64_t>(at);
  return at;
}

bool decode(const ucontext_t& context, Instruction& instruction) {
  const auto* start = reinterpret_cast<const uint8_t*>(context.uc_mcontext.gregs[REG_RIP]);
  const uint8_t* at = start;
  if (*at++ != 0xc4) return false;
  const uint8_t high = *at++, rest = *at++;
  const bool wide = (rest & 0x80) != 0, long_vector = (rest & 4) != 0;
  if ((high & 0x1f) != 2 || wide || long_vector) return false;
  instruction.prefix = rest & 3;
  instruction.third = (~rest >> 3) & 15;
  instruction.opcode = *at++;
  instruction.modrm = *at;
  instruction.reg = ((*at >> 3) & 7) + ((high & 0x80) == 0 ? 8 : 0);
  instruction.memory = (*at >> 6) != 3;
  if (instruction.memory) {
    at = decode_memory(context, at, (high & 0x40) == 0, (high & 0x20) == 0, instruction);
  } else {
    instruction.rm = (*at++ & 7) + ((high & 0x20) == 0 ? 8 : 0);
  }
  instruction.length = at - start;
  return true;
}

bool load_configuration(const uint8_t* bytes) {
  Tiles loaded;
  loaded.configured = bytes[0] != 0;
  if (bytes[0] > 1) return false;
  for (int k = 1; k < 64; ++k) {
    const bool used = (k >= 16 && k < 16 + 2 * kTiles) || (k >= 48 && k < 48 + kTiles);
    if (!used && bytes[k] != 0) return false;
  }
  for (int k = 0; k < kTiles && loaded.configured; ++k) {
    loaded.tile[k].rows = bytes[48 + k];
    loaded.tile[k].row_bytes = bytes[16 + 2 * k] + 256 * bytes[17 + 2 * k];
    if (loaded.tile[k].rows > kRows || loaded.tile[k].row_bytes > kRowBytes) return false;
    if ((loaded.tile[k].rows == 0) != (loaded.tile[k].row_bytes == 0)) return false;
  }
  tiles = loaded;
  return true;
}

void store_configuration(uint8_t* bytes) {
  std::memset(bytes, 0, 64);
  if (!tiles.configured) return;
  bytes[0] = 1;
  for (int k = 0; k < kTiles; ++k) {
    bytes[16 + 2 * k] = static_cast<uint8_t>(tiles.tile[k].row_bytes);
    bytes[48 + k] = static_cast<uint8_t>(tiles.tile[k].rows);
  }
}

bool is_usable(int tile) { return tile < kTiles && tiles.configured && tiles.tile[tile].rows > 0; }

void clear(Tile& tile) { std::memset(tile.bytes, 0, sizeof tile.bytes); }

bool move(const Instruction& instruction, bool load) {
  if (!instruction.has_sib || !is_usable(instruction.reg)) return false;
  Tile& tile = tiles.tile[instruction.reg];
  if (load) clear(tile);
  for (int row = 0; row < tile.rows; ++row) {
    auto* place = reinterpret_cast<uint8_t*>(instruction.base + static_cast<uint64_t>(row) * instruction.index);
    const auto count = static_cast<size_t>(tile.row_bytes);
    load ? std::memcpy(tile.bytes[row], place, count) : std::memcpy(place, tile.bytes[row], count);
  }
  return true;
}

// c += a b. Denormals are zero, sums are rounded to nearest, whatever MXCSR says.
[[gnu::target("avx512f,avx512dq")]] void multiply(Tile& c, const Tile& a, const Tile& b) {
  const unsigned saved = _mm_getcsr();
  _mm_setcsr(0x1f80 | 0x8040);
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  for (int row = 0; row < c.rows; ++row) {
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
    for (int k = 0; k < a.row_bytes / 4; ++k) {
      uint32_t pair = 0;
      std::memcpy(&pair, a.bytes[row] + 4 * k, 4);
      const __m512i other = _mm512_loadu_si512(b.bytes[k]);
      even = _mm512_fmadd_ps(_mm512_set1_ps(std::bit_cast<float>(pair << 16)),
                             _mm512_castsi512_ps(_mm512_maskz_slli_epi32(0xffff, other, 16)), even);
      odd = _mm512_fmadd_ps(_mm512_set1_ps(std::bit_cast<float>(pair & 0xffff0000u)),
                            _mm512_castsi512_ps(_mm512_maskz_and_epi32(0xffff, other, upper)), odd);
    }
    const __m512 sum = _mm512_add_ps(_mm512_loadu_ps(c.bytes[row]), _mm512_add_ps(even, odd));
    alignas(64) uint8_t result[kRowBytes];
    _mm512_store_ps(result, sum);
    std::memcpy(c.bytes[row], result, static_cast<size_t>(c.row_bytes));
  }
  _mm_setcsr(saved);
}

bool multiply(const Instruction& instruction) {
  const int to = instruction.reg, left = instruction.rm, right = instruction.third;
  if (!is_usable(to) || !is_usable(left) || !is_usable(right)) return false;
  Tile& c = tiles.tile[to];
  const Tile &a = tiles.tile[left], &b = tiles.tile[right];
  if (to == left || to == right || left == right) return false;
  if (c.row_bytes % 4 != 0 || a.row_bytes % 4 != 0 || a.row_bytes / 4 != b.rows) return false;
  if (c.rows != a.rows || c.row_bytes != b.row_bytes) return false;
  multiply(c, a, b);
  products.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool execute(const Instruction& instruction) {
  const auto [opcode, prefix] = std::pair(instruction.opcode, instruction.prefix);
  auto* place = reinterpret_cast<uint8_t*>(instruction.base + instruction.index);
  const bool only_two = instruction.third == 0;
  if (opcode == 0x49 && instruction.memory && only_two && instruction.reg == 0) {
    if (prefix == 0) return load_configuration(place);
    if (prefix != 1) return false;
    store_configuration(place);
    return true;
  }
  if (opcode == 0x49 && !instruction.memory && only_two) {
    if (prefix == 0 && instruction.modrm == 0xc0) {
      tiles = Tiles();
      return true;
    }
    if (prefix != 3 || instruction.rm != 0 || !is_usable(instruction.reg)) return false;
    clear(tiles.tile[instruction.reg]);
    return true;
  }
  if (opcode == 0x4b && instruction.memory && only_two && prefix != 0) return move(instruction, prefix != 2);
  return opcode == 0x5c && !instruction.memory && prefix == 2 && multiply(instruction);
}

void handle(int, siginfo_t*, void* state) {
  auto& context = *static_cast<ucontext_t*>(state);
  Instruction instruction;
  if (decode(context, instruction) && execute(instruction)) {
    context.uc_mcontext.gregs[REG_RIP] += instruction.length;
    return;
  }
  signal(SIGILL, SIG_DFL);  // the instruction traps again
}

}  // namespace

bool enable_amx() {
  const std::vector<Target> targets = detect_host().targets;
  const auto has = [&](const Target& target) {
    return std::find(targets.begin(), targets.end(), target) != targets.end();
  };
  if (!has(target_avx512())) return false;
  if (has(target_amx()) || emulated.exchange(true)) return true;
  struct sigaction action = {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  return sigaction(SIGILL, &action, nullptr) == 0;
}

int64_t emulated_products() { return products; }
bool amx_is_emulated() { return emulated; }

}  // namespace nnc::testing
