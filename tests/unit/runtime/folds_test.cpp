#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>

#include "files.h"
#include "runtime/data/split.h"

namespace nnc {
namespace {

using test::call;
using test::named;
using test::num;
using test::text;

Table table_of(const std::vector<double>& y, const std::vector<double>& group = {}) {
  Table table;
  table.rows = static_cast<int64_t>(y.size());
  Column column;
  column.name = "y";
  column.numbers = y;
  table.columns.push_back(column);
  column.name = "group";
  column.numbers = group;
  if (!group.empty()) table.columns.push_back(column);
  return table;
}

struct Found {
  SplitRows rows;
  std::string errors;
};

Found split(const Spec& spec, const Table& table, std::optional<FoldSpec> fold = {}) {
  ErrorList errors;
  SplitRequest request = read_split(spec, table, errors);
  if (fold) set_fold(request, *fold, errors);
  Found found;
  if (errors.empty()) found.rows = split_rows(request, table, errors);
  found.errors = test::all_text(errors.errors);
  return found;
}

std::vector<uint32_t> together(const SplitRows& rows) {
  std::vector<uint32_t> all = rows.train;
  all.insert(all.end(), rows.val.begin(), rows.val.end());
  all.insert(all.end(), rows.test.begin(), rows.test.end());
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<uint32_t> first_rows(size_t count) {
  std::vector<uint32_t> rows(count);
  std::iota(rows.begin(), rows.end(), 0u);
  return rows;
}

// Each row is in exactly one validation fold, all folds share their test rows. Returns the folds.
std::vector<SplitRows> all_folds(const Spec& spec, const Table& table, int64_t of) {
  std::vector<SplitRows> folds;
  std::vector<uint32_t> validated;
  for (int64_t k = 1; k <= of; ++k) {
    Found found = split(spec, table, FoldSpec{k, of, 0});
    EXPECT_EQ(found.errors, "");
    EXPECT_EQ(together(found.rows), first_rows(static_cast<size_t>(table.rows)));
    validated.insert(validated.end(), found.rows.val.begin(), found.rows.val.end());
    folds.push_back(std::move(found.rows));
    EXPECT_EQ(folds.back().test, folds[0].test);
  }
  validated.insert(validated.end(), folds[0].test.begin(), folds[0].test.end());
  std::sort(validated.begin(), validated.end());
  EXPECT_EQ(validated, first_rows(static_cast<size_t>(table.rows)));
  return folds;
}

TEST(Folds, RandomSplitsBecomeFolds) {
  const Table table = table_of(std::vector<double>(103, 0));
  const auto folds = all_folds(call("random", {}, {named("val", num(0.3)), named("seed", num(5))}), table, 5);
  std::vector<size_t> sizes;
  for (const SplitRows& fold : folds) sizes.push_back(fold.val.size());
  EXPECT_EQ(sizes, (std::vector<size_t>{21, 21, 21, 20, 20}));
  const auto other = all_folds(call("random", {}, {named("seed", num(6))}), table, 5);
  EXPECT_NE(other[0].val, folds[0].val);
  EXPECT_EQ(split(call("kfold", {}, {named("seed", num(5))}), table).rows.val, folds[0].val);
}

TEST(Folds, StratifiedFoldsKeepProportions) {
  std::vector<double> y;
  for (int i = 0; i < 101; ++i) y.push_back(i % 10 < 7 ? 0 : i % 10 < 9 ? 1 : 2);
  const auto folds = all_folds(call("random", {}, {named("stratify", text("y"))}), table_of(y), 4);
  for (const SplitRows& fold : folds) {
    std::array<int, 3> counts{};
    for (uint32_t row : fold.val) ++counts[static_cast<size_t>(y[row])];
    EXPECT_NEAR(counts[0], 71 / 4.0, 1);
    EXPECT_NEAR(counts[1], 20 / 4.0, 1);
    EXPECT_NEAR(counts[2], 10 / 4.0, 1);
    EXPECT_NEAR(static_cast<double>(fold.val.size()), 101 / 4.0, 1);
  }
}

TEST(Folds, TestRowsAreThoseOfTheSplitItself) {
  const Table table = table_of(std::vector<double>(50, 0));
  const Spec spec = call("random", {}, {named("val", num(0.2)), named("test", num(0.2)), named("seed", num(3))});
  EXPECT_EQ(all_folds(spec, table, 5)[0].test, split(spec, table).rows.test);
}

TEST(Folds, WithoutShufflingTheyAreRunsOfRows) {
  const Table table = table_of(std::vector<double>(11, 0));
  const auto folds =
      all_folds(call("kfold", {num(3)}, {named("shuffle", spec_bool(false)), named("test", num(1))}), table, 3);
  EXPECT_EQ(folds[0].val, (std::vector<uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(folds[1].val, (std::vector<uint32_t>{4, 5, 6}));
  EXPECT_EQ(folds[2].val, (std::vector<uint32_t>{7, 8, 9}));
  EXPECT_EQ(folds[2].test, (std::vector<uint32_t>{10}));
}

std::vector<double> uneven_groups(int rows) {
  std::vector<double> groups;
  for (int i = 0; i < rows; ++i) groups.push_back((i * 7 % 13) * (i % 3 == 0) + 20 * (i % 3 == 1) + i % 5);
  return groups;
}

void expect_whole_groups(const SplitRows& rows, const std::vector<double>& groups) {
  std::map<double, std::set<int>> parts;
  for (uint32_t row : rows.train) parts[groups[row]].insert(0);
  for (uint32_t row : rows.val) parts[groups[row]].insert(1);
  for (uint32_t row : rows.test) parts[groups[row]].insert(2);
  for (const auto& [group, in] : parts) EXPECT_EQ(in.size(), 1u) << group;
}

TEST(Folds, GroupsStayTogether) {
  const std::vector<double> groups = uneven_groups(300);
  const Table table = table_of(std::vector<double>(300, 0), groups);
  for (int seed = 0; seed < 20; ++seed) {
    const Spec spec =
        call("grouped", {},
             {named("by", text("group")), named("val", num(0.2)), named("test", num(0.1)), named("seed", num(seed))});
    const Found found = split(spec, table);
    EXPECT_EQ(found.errors, "");
    expect_whole_groups(found.rows, groups);
    EXPECT_EQ(together(found.rows), first_rows(300));
    EXPECT_NEAR(static_cast<double>(found.rows.val.size()), 60, 20);
    EXPECT_NEAR(static_cast<double>(found.rows.test.size()), 30, 20);
    for (const SplitRows& fold : all_folds(spec, table, 4)) {
      expect_whole_groups(fold, groups);
      EXPECT_NEAR(static_cast<double>(fold.val.size()), static_cast<double>(300 - fold.test.size()) / 4, 12);
    }
  }
}

// With a search through all folds for every group this would take minutes.
TEST(Folds, ManyGroupsAreDealtOutToManyFolds) {
  constexpr int groups = 300000, folds = 100000;
  std::vector<double> group(groups);
  std::iota(group.begin(), group.end(), 0.0);
  const Table table = table_of(std::vector<double>(groups, 0), group);
  const Found found = split(call("kfold", {num(folds)}, {named("by", text("group"))}), table, FoldSpec{7, folds, 0});
  EXPECT_EQ(found.errors, "");
  EXPECT_EQ(found.rows.val.size(), 3u);
  EXPECT_EQ(found.rows.train.size(), static_cast<size_t>(groups) - 3);
}

TEST(Folds, WrongRequestsAreErrors) {
  const Table table = table_of({0, 1, 0, 1}, {1, 1, 1, 1});
  EXPECT_EQ(split(call("random"), table, FoldSpec{6, 5, 0}).errors,
            "error[E632]: there is no fold 6 of 5\nhelp: folds are counted from 1 to 5\n");
  EXPECT_EQ(split(call("random"), table, FoldSpec{1, 1, 0}).errors,
            "error[E632]: 1 folds are asked for, which is not a number from 2 to 1000000\n"
            "help: `--fold 1/5` is the first of five folds\n");
  EXPECT_EQ(split(call("kfold", {num(3)}), table, FoldSpec{1, 5, 0}).errors,
            "error[E632]: fold 1 of 5 is asked for, but the split has 3 folds\nhelp: `--fold 1/3`\n");
  EXPECT_EQ(split(call("sequential"), table, FoldSpec{1, 5, 0}).errors,
            "error[E632]: a sequential split has no folds: they would be trained on what comes after their validation "
            "rows\nhelp: where that does no harm: `split = kfold(shuffle = false)`\n");
  EXPECT_EQ(split(call("kfold"), table).errors, "error[E610]: 4 rows are too few for 5 folds\n");
  EXPECT_EQ(split(call("kfold", {num(2)}, {named("by", text("group"))}), table).errors,
            "error[E610]: 1 group are too few for 2 folds\n");
  EXPECT_EQ(split(call("grouped", {}, {named("by", text("group")), named("val", num(0.5))}), table).errors,
            "error[E610]: 1 group cannot be divided so that each part has one\n");
  EXPECT_EQ(split(call("grouped", {}, {named("val", num(0.5))}), table).errors,
            "error[E607]: `grouped` needs `by = …`\n");
  EXPECT_EQ(split(call("kfold", {num(2)}, {named("by", text("group")), named("stratify", text("y"))}), table).errors,
            "error[E607]: folds can be stratified or keep groups together, not both\n"
            "help: leave out `stratify` or `by`\n");
}

}  // namespace
}  // namespace nnc
