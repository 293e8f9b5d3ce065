// Products in AMX tiles: native code (emulated where the machine has none) against the interpreter and plain sums.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <sstream>

#include "harness.h"
#include "tests/unit/codegen/amx_emulator.h"

namespace nnc::test {
namespace {

struct Shape {
  int64_t rows, columns, pairs;
};

// Rows 1.. of `a` times panel 1 of `b`, columns 16.., into the middle of `c`; every pitch is wider than the block.
Kernel block_kernel(const Shape& shape) {
  return parse(fmt::format(R"({{
  buf c : f32[{rows},{wide}] out
  buf a : bf16[{under},{long}] in
  buf b : i32[2,{pairs},{wide}] in
  items r0 in 0..1 of 1 {{
  tiles c[0, 16] a[r0 + 1, 32] b[1, 0, 16] rows {rows} columns {columns} pairs {pairs}
  }}
}})",
                           fmt::arg("rows", shape.rows), fmt::arg("columns", shape.columns),
                           fmt::arg("pairs", shape.pairs), fmt::arg("wide", shape.columns + 16),
                           fmt::arg("under", shape.rows + 1), fmt::arg("long", 2 * shape.pairs + 64)),
               target_amx(), 1);
}

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (int64_t rows : {1, 7, 13, 15, 16, 17, 31, 32}) {
    for (int64_t columns : {16, 32}) {
      for (int64_t pairs : {16, 32, 48, 112}) all.push_back({rows, columns, pairs});
    }
  }
  return all;
}

int64_t elements(const LoopBuffer& buffer) {
  int64_t count = 1;
  for (int64_t extent : buffer.dims) count *= extent;
  return count;
}

// Elements of both halves.
Bytes random_pairs(int64_t count, double limit, uint32_t seed) {
  return random_elements(DType::bf16, 2 * count, -limit, limit, seed);
}

float bf16_at(const Bytes& bytes, int64_t index) {
  uint16_t bits = 0;
  std::memcpy(&bits, bytes.data() + 2 * index, 2);
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

class Tiles : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::enable_amx()) GTEST_SKIP() << "this machine lacks AVX-512";
  }
};

TEST_F(Tiles, AreTheInterpretersBits) {
  std::vector<Case> cases;
  uint32_t seed = 1;
  for (const Shape& shape : shapes()) {
    // Some products, and some sums, leave the range of normal numbers; some factors are infinite or no number.
    for (const double limit : {1.0, 1e-19, 1e18}) {
      const Kernel kernel = block_kernel(shape);
      const int64_t left = elements(kernel.buffers[1]), right = elements(kernel.buffers[2]);
      cases.push_back(
          {kernel,
           {{}, random_elements(DType::bf16, left, -limit, limit, seed), random_pairs(right, limit, seed + 1)}});
      seed += 2;
    }
    const Kernel kernel = block_kernel(shape);
    cases.push_back({kernel,
                     {{},
                      special_elements(DType::bf16, elements(kernel.buffers[1]), seed),
                      special_elements(DType::bf16, 2 * elements(kernel.buffers[2]), seed + 1)}});
  }
  const int64_t before = testing::emulated_products();
  expect_bit_equal(cases);
  if (testing::amx_is_emulated()) {
    EXPECT_GT(testing::emulated_products(), before + 1000);
  }
}

// Whole numbers: every order of addition gives the same sum, and it is the product of the matrices.
TEST_F(Tiles, AreMatrixProducts) {
  for (const Shape& shape : {Shape{17, 32, 48}, Shape{3, 16, 16}}) {
    const Kernel kernel = block_kernel(shape);
    const Bytes left = random_elements(DType::i32, elements(kernel.buffers[1]), -9, 9, 1);
    const Bytes right = random_elements(DType::i32, 2 * elements(kernel.buffers[2]), -9, 9, 2);
    const auto rounded = [](const Bytes& whole) {
      Bytes result(whole.size() / 2);
      for (size_t k = 0; k < whole.size() / 4; ++k) {
        int32_t number = 0;
        std::memcpy(&number, whole.data() + 4 * k, 4);
        const uint16_t bits = static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(number)) >> 16);
        std::memcpy(result.data() + 2 * k, &bits, 2);
      }
      return result;
    };
    const Bytes a = rounded(left), b = rounded(right);
    const Bytes c = expect_bit_equal({{kernel, {{}, a, b}}})[0][0];
    const int64_t wide = shape.columns + 16, length = 2 * shape.pairs + 64;
    for (int64_t row = 0; row < shape.rows; ++row) {
      for (int64_t column = 0; column < shape.columns; ++column) {
        float sum = 0;
        for (int64_t k = 0; k < 2 * shape.pairs; ++k) {
          const int64_t pair = ((shape.pairs + k / 2) * wide + 16 + column) * 2 + k % 2;
          sum += bf16_at(a, (row + 1) * length + 32 + k) * bf16_at(b, pair);
        }
        float got = 0;
        std::memcpy(&got, c.data() + 4 * (row * wide + 16 + column), 4);
        EXPECT_EQ(got, sum) << row << " " << column;
      }
    }
  }
}

// Blocks of several sizes in a kernel: each is configured for itself, and threads have tiles of their own.
constexpr const char* kSeveral = R"({
  buf c : f32[5,32,48] out
  buf a : bf16[5,32,96] in
  buf b : i32[3,48,48] in
  items r in 0..3 of 5 {
    tiles c[r, 0, 0] a[r, 0, 0] b[r, 0, 0] rows 32 columns 32 pairs 48
    tiles c[r, 0, 32] a[r, 0, 0] b[r, 0, 32] rows 32 columns 16 pairs 48
  }
  items r1 in 3..5 of 5 {
    for n in 0..3 {
      tiles c[r1, 0, 16*n] a[r1, 0, 0] b[1, 16, 16*n] rows 19 columns 16 pairs 32
      tiles c[r1, 19, 16*n] a[r1, 19, 32] b[n, 0, 0] rows 13 columns 16 pairs 16
    }
  }
})";

TEST_F(Tiles, OfSeveralSizesAndThreads) {
  const Kernel kernel = parse(kSeveral, target_amx(), 5);
  const Bytes a = random_elements(DType::bf16, elements(kernel.buffers[1]), -2, 2, 5);
  const Bytes b = random_pairs(elements(kernel.buffers[2]), 2, 6);
  for (int64_t threads : {1, 2, 5}) expect_bit_equal({{kernel, {{}, a, b}}}, threads);
}

// Code from the cache runs as freshly made code does, its configurations of tiles included.
TEST_F(Tiles, AreCached) {
  char folder[] = "/tmp/nnc-cache-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  CompileOptions options;
  options.cache.folder = folder;
  const Kernel kernel = parse(kSeveral, target_amx(), 5);
  const auto module = std::make_shared<LoopModule>(module_of({kernel}));
  std::vector<Bytes> results;
  for (const bool cached : {false, true}) {
    CompileTimings timings;
    const auto executable = compile(module, options, &timings);
    ASSERT_TRUE(executable.has_value()) << executable.error();
    EXPECT_EQ(timings.cached, cached ? timings.objects : 0);
    Bytes c(static_cast<size_t>(4 * elements(kernel.buffers[0])));
    const Bytes a = random_elements(DType::bf16, elements(kernel.buffers[1]), -2, 2, 5);
    const Bytes b = random_pairs(elements(kernel.buffers[2]), 2, 6);
    void* io[] = {c.data(), const_cast<std::byte*>(a.data()), const_cast<std::byte*>(b.data())};
    nnc_context context = {};
    context.io = io;
    context.threads = 1;
    context.closure = executable->entries[0].closure;
    executable->entries[0].call(&context);
    results.push_back(std::move(c));
  }
  EXPECT_TRUE(results[0] == results[1]);
  EXPECT_TRUE(results[0] != Bytes(results[0].size()));
  std::filesystem::remove_all(folder);
}

// The loop over the depth of a block of 32 by 32: four loads, four products, and nothing that goes to the stack.
TEST(TilesCode, HasFourProductsForFourLoads) {
  LoopModule module = module_of({block_kernel({32, 32, 112})});
  const std::string assembly = emit_assembly(module);
  std::vector<std::string> loop, line_of_label;
  std::string line;
  bool found = false;
  for (std::istringstream stream(assembly); !found && std::getline(stream, line);) {
    if (line.starts_with(".L")) loop.clear();
    loop.push_back(line);
    found = line.find("\tj") == 0 && line.find("jmp") == std::string::npos &&
            loop.front().starts_with(line.substr(line.find(".L")));
  }
  ASSERT_TRUE(found) << assembly;
  std::string text;
  for (const std::string& each : loop) text += each + "\n";
  const auto count = [&](const std::string& what) {
    int64_t times = 0;
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++times;
    return times;
  };
  EXPECT_EQ(count("tdpbf16ps"), 4) << text;
  EXPECT_EQ(count("tileloadd"), 4) << text;
  EXPECT_EQ(count("rsp"), 0) << text;
  EXPECT_EQ(count("call"), 0) << text;
  EXPECT_LE(loop.size(), 16u) << text;
  const auto once = [&](const std::string& what) { return assembly.find(what) == assembly.rfind(what); };
  EXPECT_TRUE(once("ldtilecfg") && once("tilerelease")) << assembly;
}

}  // namespace
}  // namespace nnc::test
