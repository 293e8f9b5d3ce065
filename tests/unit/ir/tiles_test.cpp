// Sums in tiles: the Graph's interpreter and the Loop's against the definition, written out.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "ir/graph/interpreter.h"
#include "ir/loop/scalar_math.h"
#include "ir/loop/text.h"
#include "loop_samples.h"

namespace nnc {
namespace {

// Numbers that bf16 holds, of very different sizes: every order of addition gives another sum.
std::vector<float> random_halves(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> result(count);
  for (float& x : result) {
    const float number =
        (static_cast<float>(random()) * 0x1p-31f - 1.0f) * std::exp2f(static_cast<float>(random() % 9));
    x = std::bit_cast<float>(std::bit_cast<uint32_t>(number) & 0xffff0000u);
  }
  return result;
}

// Blocks of 32: the even elements in a chain and the odd ones, each from zero; their sum is added to that of the blocks
// before. Beyond the end there are zeros.
float sum_of_tiles(const std::vector<float>& a, const std::vector<float>& b) {
  float sum = 0;
  for (size_t first = 0; first < a.size(); first += 32) {
    float even = 0, odd = 0;
    for (size_t k = first; k < std::min(first + 32, a.size()); k += 2) even = std::fmaf(a[k], b[k], even);
    for (size_t k = first + 1; k < std::min(first + 32, a.size()); k += 2) odd = std::fmaf(a[k], b[k], odd);
    sum += even + odd;
  }
  return sum;
}

TEST(Tiles, of_the_graph) {
  for (int64_t length : {32, 33, 64, 90, 200}) {
    Graph graph;
    GraphBuilder build(graph);
    const NodeId a = build.input("a", {DType::bf16, 0, {3, length}}),
                 b = build.input("b", {DType::bf16, 0, {length, 4}});
    const NodeId y = build.contract(a, b, "m k, k n -> m n");
    const auto given = [](const TensorType& type, const std::vector<float>& values) {
      return ReferenceTensor{type, std::vector<double>(values.begin(), values.end())};
    };
    const std::vector<float> left = random_halves(static_cast<size_t>(3 * length), 1),
                             right = random_halves(static_cast<size_t>(length * 4), 2);
    const auto values = [&](Order order) {
      graph[y].as<ContractAttr>().order = order;
      return interpret(graph, {{"a", given(graph.type(a), left)}, {"b", given(graph.type(b), right)}}, {})
          .values[y.value]
          .values;
    };
    const std::vector<double> tiles = values({Order::tiles, 32}), exact = values({Order::chain, 0});
    for (int64_t m = 0; m < 3; ++m) {
      for (int64_t n = 0; n < 4; ++n) {
        std::vector<float> row, column;
        for (int64_t k = 0; k < length; ++k) {
          row.push_back(left[static_cast<size_t>(m * length + k)]);
          column.push_back(right[static_cast<size_t>(k * 4 + n)]);
        }
        EXPECT_EQ(tiles[static_cast<size_t>(m * 4 + n)], sum_of_tiles(row, column)) << length;
      }
    }
    EXPECT_NE(tiles, exact) << "the sums are rounded";
  }
}

TEST(Tiles, of_a_kernel) {
  Kernel kernel;
  ASSERT_EQ(parse_kernel(kTiles, kernel), "");
  const std::vector<float> left = random_halves(40 * 64, 3), right = random_halves(2 * 64 * 48, 4);
  std::vector<uint16_t> x;
  for (float value : left) x.push_back(static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16));
  std::vector<uint32_t> w;
  const auto element = [&](int panel, int k, int column) {
    return right[static_cast<size_t>((panel * 64 + k) * 48 + column)];
  };
  for (int row = 0; row < 2 * 32; ++row) {
    for (int column = 0; column < 48; ++column) {
      const int panel = row / 32, k = row % 32 * 2;
      w.push_back(std::bit_cast<uint32_t>(element(panel, k, column)) >> 16 |
                  std::bit_cast<uint32_t>(element(panel, k + 1, column)));
    }
  }
  std::vector<float> parked(20 * 48), h(40 * 96, -7);
  void* buffers[] = {parked.data(), x.data(), w.data(), h.data()};
  interpret(kernel, buffers, 0, 2);
  for (int row = 0; row < 40; ++row) {
    for (int column = 0; column < 96; ++column) {
      std::vector<float> a(left.begin() + row * 64, left.begin() + (row + 1) * 64), b;
      for (int k = 0; k < 64; ++k) b.push_back(element(column / 48, k, column % 48));
      ASSERT_EQ(h[static_cast<size_t>(row * 96 + column)], std::max(sum_of_tiles(a, b), 0.0f)) << row << " " << column;
    }
  }
}

// Products too small for a normal number are zero, and so are factors.
TEST(Tiles, flush_denormals) {
  Kernel kernel;
  ASSERT_EQ(parse_kernel("kernel k target=amx v=16 { buf c : f32[1,16] out ; buf a : bf16[1,32] in\n"
                         "buf b : i32[16,16] in\nitems r in 0..1 of 1 {\n"
                         "tiles c[0, 0] a[0, 0] b[0, 0] rows 1 columns 16 pairs 16 } }",
                         kernel),
            "");
  ASSERT_TRUE(verify(kernel).empty());
  const auto half = [](float value) { return std::bit_cast<uint32_t>(value) >> 16; };
  std::vector<uint16_t> a(32, 0);
  std::vector<uint32_t> b(16 * 16, 0);
  a[0] = static_cast<uint16_t>(half(0x1p-100f));
  a[2] = static_cast<uint16_t>(half(0x1p-130f));
  a[5] = static_cast<uint16_t>(half(1.0f));
  for (size_t column = 0; column < 16; ++column) {
    b[column] = half(0x1p-40f);         // with a[0]: 2^-140
    b[16 + column] = half(0x1p100f);    // with a[2], a denormal
    b[32 + column] = half(2.0f) << 16;  // with a[5]
  }
  std::vector<float> c(16, -7);
  void* buffers[] = {c.data(), a.data(), b.data()};
  interpret(kernel, buffers, 0, 1);
  EXPECT_EQ(c, std::vector<float>(16, 2.0f));
}

}  // namespace
}  // namespace nnc
