#include "runtime/data/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "files.h"
#include "runtime/data/batches.h"
#include "runtime/random.h"

namespace nnc {
namespace {

using test::call;
using test::named;
using test::num;
using test::text;

Table table_of(const std::vector<double>& classes) {
  Table table;
  table.rows = static_cast<int64_t>(classes.size());
  Column column;
  column.name = "y";
  column.numbers = classes;
  table.columns.push_back(column);
  return table;
}

SplitRows split(const Spec& spec, const Table& table, ErrorList& errors) {
  const SplitRequest request = read_split(spec, table, errors);
  return errors.empty() ? split_rows(request, table, errors) : SplitRows{};
}

void expect_partition(const SplitRows& rows, int64_t count) {
  std::vector<uint32_t> all = rows.train;
  all.insert(all.end(), rows.val.begin(), rows.val.end());
  all.insert(all.end(), rows.test.begin(), rows.test.end());
  std::sort(all.begin(), all.end());
  std::vector<uint32_t> wanted(static_cast<size_t>(count));
  std::iota(wanted.begin(), wanted.end(), 0u);
  EXPECT_EQ(all, wanted);
}

TEST(Random, PhiloxMatchesPublishedVectors) {
  // Known answers of the Random123 distribution for philox4x32-10.
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, BelowIsUniform) {
  RandomStream random(3, 0);
  std::array<int, 6> counts{};
  for (int i = 0; i < 60000; ++i) ++counts[random.below(6)];
  for (int count : counts) EXPECT_NEAR(count, 10000, 400);
}

TEST(Split, RandomIsDisjointExactAndDeterministic) {
  const Table table = table_of(std::vector<double>(103, 0));
  ErrorList errors;
  const Spec spec = call("random", {}, {named("val", num(0.2)), named("test", num(0.1)), named("seed", num(5))});
  const SplitRows a = split(spec, table, errors), b = split(spec, table, errors);
  ASSERT_TRUE(errors.empty());
  expect_partition(a, 103);
  EXPECT_EQ(a.val.size(), 21u);
  EXPECT_EQ(a.test.size(), 10u);
  EXPECT_EQ(a.val, b.val);
  EXPECT_EQ(a.train, b.train);
  const SplitRows c = split(call("random", {}, {named("val", num(0.2)), named("seed", num(6))}), table, errors);
  EXPECT_NE(a.val, c.val);
}

TEST(Split, StratifiedKeepsProportions) {
  std::vector<double> classes;
  for (int i = 0; i < 1000; ++i) classes.push_back(i % 10 < 7 ? 0 : i % 10 < 9 ? 1 : 2);
  const Table table = table_of(classes);
  ErrorList errors;
  const SplitRows rows =
      split(call("random", {}, {named("val", num(0.15)), named("test", num(7)), named("stratify", text("y"))}), table,
            errors);
  ASSERT_TRUE(errors.empty());
  expect_partition(rows, 1000);
  EXPECT_EQ(rows.val.size(), 150u);
  EXPECT_EQ(rows.test.size(), 7u);
  std::array<int, 3> counts{};
  for (uint32_t row : rows.val) ++counts[static_cast<size_t>(classes[row])];
  EXPECT_EQ(counts, (std::array<int, 3>{105, 30, 15}));
}

TEST(Split, SequentialKeepsOrder) {
  const Table table = table_of(std::vector<double>(10, 0));
  ErrorList errors;
  const SplitRows rows =
      split(call("sequential", {}, {named("val", num(0.2)), named("test", num(0.3))}), table, errors);
  EXPECT_EQ(rows.train, (std::vector<uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(rows.val, (std::vector<uint32_t>{5, 6}));
  EXPECT_EQ(rows.test, (std::vector<uint32_t>{7, 8, 9}));
}

TEST(Split, AsManyGroupsAsRows) {
  std::vector<double> groups(200000);
  std::iota(groups.begin(), groups.end(), 0.0);
  ErrorList errors;
  const Spec spec = call("grouped", {}, {named("by", text("y")), named("val", num(0.4)), named("test", num(0.4))});
  const SplitRows rows = split(spec, table_of(groups), errors);
  ASSERT_TRUE(errors.empty());
  EXPECT_EQ(rows.val.size(), 80000u);
  EXPECT_EQ(rows.test.size(), 80000u);
  expect_partition(rows, 200000);
}

TEST(Split, WrongRequestsAreErrors) {
  const Table table = table_of(std::vector<double>(10, 0));
  auto code = [&](const Spec& spec) {
    ErrorList errors;
    split(spec, table, errors);
    return errors.empty() ? std::string("fine") : to_string(errors.errors[0]);
  };
  EXPECT_EQ(code(call("random", {}, {named("val", num(0.9)), named("test", num(0.1))})),
            "error[E610]: 10 rows less 9 for validation and 1 for testing leave none to train on");
  EXPECT_EQ(code(call("random", {}, {named("val", num(-1))})),
            "error[E607]: `val` of `random` must be a share below 1 or a whole number of rows, found -1");
  EXPECT_EQ(code(call("rnadom")),
            "error[E608]: unknown split `rnadom`\nhelp: a split with a similar name exists: `random`");
  EXPECT_EQ(code(call("random", {}, {named("vall", num(0.1))})),
            "error[E607]: `random` has no argument `vall`\nhelp: a similar argument exists: `val`");
  EXPECT_EQ(code(call("random", {}, {named("stratify", text("z"))})).substr(0, 27), "error[E601]: no column \"z\" ");
}

TEST(Batches, LengthsCoverEachRowOnce) {
  for (int64_t rows : {1, 2, 31, 32, 33, 455, 1000}) {
    for (int64_t size : {1, 7, 32, 1000}) {
      BatchStrategy strategy{BatchStrategy::Kind::mini, size, false};
      const BatchLengths lengths = batch_lengths(rows, strategy);
      EXPECT_EQ(lengths.count * lengths.length + lengths.last, rows);
      EXPECT_LT(lengths.last, lengths.length);
      EXPECT_LE(lengths.length, size);
      strategy.drop_last = true;
      EXPECT_EQ(batch_lengths(rows, strategy).last, 0);
      EXPECT_GE(batch_lengths(rows, strategy).steps(), 1);
    }
  }
  EXPECT_EQ(batch_lengths(455, {BatchStrategy::Kind::full}).length, 455);
  EXPECT_EQ(batch_lengths(455, {BatchStrategy::Kind::stochastic}).steps(), 455);
}

TEST(Batches, OrderIsAPermutationOfItsEpoch) {
  std::vector<uint32_t> rows(500);
  std::iota(rows.begin(), rows.end(), 1000u);
  const BatchStrategy strategy;
  std::vector<uint32_t> first, again, second, other;
  epoch_order(rows, strategy, 1, 0, first);
  epoch_order(rows, strategy, 1, 0, again);
  epoch_order(rows, strategy, 1, 1, second);
  epoch_order(rows, strategy, 2, 0, other);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, second);
  EXPECT_NE(first, other);
  EXPECT_TRUE(std::is_permutation(first.begin(), first.end(), rows.begin()));
  EXPECT_TRUE(std::is_permutation(second.begin(), second.end(), rows.begin()));
  int fixed = 0;
  for (size_t i = 0; i < rows.size(); ++i) fixed += first[i] == rows[i];
  EXPECT_LT(fixed, 8);
}

TEST(Batches, EveryPlaceIsEquallyLikely) {
  const std::vector<uint32_t> rows = {0, 1, 2, 3};
  std::vector<uint32_t> order;
  int counts[4][4] = {};
  for (uint64_t epoch = 0; epoch < 8000; ++epoch) {
    epoch_order(rows, {}, 9, epoch, order);
    for (size_t i = 0; i < 4; ++i) ++counts[i][order[i]];
  }
  for (const auto& place : counts) {
    for (int count : place) EXPECT_NEAR(count, 2000, 200);
  }
}

}  // namespace
}  // namespace nnc
