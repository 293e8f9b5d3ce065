#include "runtime/data/synthetic.h"

#include <algorithm>
#include <cmath>

#include "files.h"
#include "runtime/data/source.h"

namespace nnc {
namespace {

using test::all_text;
using test::named;
using test::num;

Table make(const std::string& name, std::vector<NamedSpec> arguments) {
  auto table = open_source(test::call(name, {}, std::move(arguments)));
  EXPECT_TRUE(table) << (table ? "" : all_text(table.error()));
  return table ? *table : Table{};
}

std::vector<int64_t> class_counts(const Table& table) {
  std::vector<int64_t> counts(static_cast<size_t>(table.columns[1].bound));
  for (double y : table.columns[1].numbers) ++counts.at(static_cast<size_t>(y));
  return counts;
}

TEST(Synthetic, MoonsLieOnTheirHalfCircles) {
  const Table table = make("moons", {named("rows", num(101))});
  EXPECT_EQ(class_counts(table), (std::vector<int64_t>{51, 50}));
  EXPECT_EQ(table.columns[0].dims, std::vector<int64_t>{2});
  for (size_t row = 0; row < 101; ++row) {
    const double x = table.columns[0].floats[2 * row], y = table.columns[0].floats[2 * row + 1];
    const bool second = table.columns[1].numbers[row] == 1;
    EXPECT_NEAR(second ? std::hypot(x - 1, y - 0.5) : std::hypot(x, y), 1, 1e-6);
    EXPECT_TRUE(second ? y < 0.5 + 1e-6 : y > -1e-6);
  }
}

TEST(Synthetic, SpiralsTurnOnce) {
  const Table table = make("spirals", {named("rows", num(300)), named("classes", num(3))});
  EXPECT_EQ(class_counts(table), (std::vector<int64_t>{100, 100, 100}));
  for (size_t row = 0; row < 300; ++row) {
    const double x = table.columns[0].floats[2 * row], y = table.columns[0].floats[2 * row + 1];
    const double radius = std::hypot(x, y), turns = radius + table.columns[1].numbers[row] / 3;
    EXPECT_NEAR(x, radius * std::cos(6.283185307179586 * turns), 1e-5);
    EXPECT_NEAR(y, radius * std::sin(6.283185307179586 * turns), 1e-5);
  }
}

TEST(Synthetic, BlobsSpreadAroundTheirCenters) {
  const Table table = make("blobs", {named("rows", num(9000)), named("features", num(4)), named("std", num(2))});
  EXPECT_EQ(class_counts(table), (std::vector<int64_t>{3000, 3000, 3000}));
  for (double label = 0; label < 3; ++label) {
    double sum = 0, squares = 0;
    for (size_t row = 0; row < 9000; ++row) {
      if (table.columns[1].numbers[row] != label) continue;
      const double x = table.columns[0].floats[4 * row + 1];
      sum += x, squares += x * x;
    }
    const double mean = sum / 3000;
    EXPECT_LT(std::abs(mean), 10.2);
    EXPECT_NEAR(std::sqrt(squares / 3000 - mean * mean), 2, 0.1);
  }
}

TEST(Synthetic, RegressionIsLinearInX) {
  const auto of = [](double noise) {
    return make("regression", {named("rows", num(4000)), named("features", num(1)), named("noise", num(noise)),
                               named("seed", num(3))});
  };
  const Table exact = of(0), noisy = of(5);
  EXPECT_EQ(exact.columns[1].bound, 0);
  const double weight = exact.columns[1].numbers[0] / exact.columns[0].floats[0];
  EXPECT_GT(weight, 0);
  EXPECT_LT(weight, 100);
  double squares = 0;
  for (size_t row = 0; row < 4000; ++row) {
    EXPECT_NEAR(exact.columns[1].numbers[row], weight * exact.columns[0].floats[row], 1e-4);
    const double error = noisy.columns[1].numbers[row] - weight * noisy.columns[0].floats[row];
    squares += error * error;
  }
  EXPECT_NEAR(std::sqrt(squares / 4000), 5, 0.25);
}

TEST(Synthetic, TheSameSeedGivesTheSameRows) {
  for (const char* name : {"blobs", "moons", "spirals", "regression"}) {
    const auto of = [&](double seed) { return make(name, {named("rows", num(20)), named("seed", num(seed))}); };
    EXPECT_EQ(of(1).columns[0].floats, of(1).columns[0].floats);
    EXPECT_EQ(of(1).columns[1].numbers, of(1).columns[1].numbers);
    EXPECT_NE(of(1).columns[1].numbers, of(2).columns[1].numbers);
  }
}

TEST(Synthetic, ArgumentsAreChecked) {
  const auto code = [](const std::string& name, std::vector<NamedSpec> arguments) {
    auto table = open_source(test::call(name, {}, std::move(arguments)));
    return table ? "fine" : std::string(name_of(table.error()[0].code));
  };
  EXPECT_EQ(code("moons", {}), "E607");
  EXPECT_EQ(code("moons", {named("rows", num(0))}), "E607");
  EXPECT_EQ(code("moons", {named("rows", num(5)), named("noise", num(-1))}), "E607");
  EXPECT_EQ(code("moons", {named("rows", num(5)), named("std", num(1))}), "E607");
  EXPECT_EQ(code("blobs", {named("rows", num(1)), named("classes", num(5))}), "fine");
  EXPECT_EQ(code("blobs", {named("rows", num(2147483647)), named("features", num(1000000))}), "E650");
  EXPECT_EQ(code("mooons", {named("rows", num(5))}), "E608");
}

}  // namespace
}  // namespace nnc
