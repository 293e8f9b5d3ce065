#include <bit>

#include "ir/loop/interpreter.h"
#include "ir/loop/scalar_math.h"

namespace nnc {
namespace {

constexpr int64_t kTilePairs = 16;

float upper(uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000u); }
float lower(uint32_t pair) { return std::bit_cast<float>(pair << 16); }

// An element of the result: a row of the left factor, and of the right one a column whose pairs lie `apart`.
float sum_of(const uint16_t* left, const uint32_t* right, int64_t pairs, int64_t apart) {
  const ScalarMath<true> math;
  float sum = 0;
  for (int64_t first = 0; first < pairs; first += kTilePairs) {
    float even = 0, odd = 0;
    for (int64_t k = first; k < first + kTilePairs; ++k) {
      const uint32_t pair = right[k * apart];
      even = math.fma(lower(left[2 * k]), lower(pair), even);
      odd = math.fma(lower(left[2 * k + 1]), upper(pair), odd);
    }
    sum += even + odd;
  }
  return sum;
}

void log_rows(const Step::Block& block, const Machine& m, int64_t rows, int64_t columns, int64_t size, bool write) {
  const int64_t first = block.affine.at(m);
  for (int64_t row = 0; row < rows; ++row)
    m.log->touch(m.log->context, block.buffer, (first + row * block.row) * size, columns * size, write);
}

}  // namespace

void run_tiles(const Step& s, Machine& m) {
  const Step::Block &to = s.blocks[0], &left = s.blocks[1], &right = s.blocks[2];
  const auto* a = reinterpret_cast<const uint16_t*>(m.buffers[left.buffer]) + left.affine.at(m);
  const auto* b = reinterpret_cast<const uint32_t*>(m.buffers[right.buffer]) + right.affine.at(m);
  float* c = reinterpret_cast<float*>(m.buffers[to.buffer]) + to.affine.at(m);
  for (int64_t row = 0; row < s.stmt->rows; ++row) {
    for (int64_t column = 0; column < s.stmt->columns; ++column)
      c[row * to.row + column] = sum_of(a + row * left.row, b + column, s.stmt->pairs, right.row);
  }
  if (m.log == nullptr) return;
  log_rows(left, m, s.stmt->rows, 2 * s.stmt->pairs, 2, false);
  log_rows(right, m, s.stmt->pairs, s.stmt->columns, 4, false);
  log_rows(to, m, s.stmt->rows, s.stmt->columns, 4, true);
}

}  // namespace nnc
