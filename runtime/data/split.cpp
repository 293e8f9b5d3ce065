#include "runtime/data/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <queue>
#include <utility>

#include "runtime/data/arguments.h"
#include "runtime/data/columns.h"
#include "runtime/random.h"

namespace nnc {
namespace {

double read_share(Arguments& arguments, const char* name) {
  const double share = arguments.number(name, 0);
  if (share < 0 || (share >= 1 && share != std::floor(share))) {
    arguments.wrong(name, "a share below 1 or a whole number of rows");
    return 0;
  }
  return share;
}

int64_t rows_of_share(double share, int64_t rows) {
  if (share == 0) return 0;
  const double count = share < 1 ? std::max(1.0, std::floor(share * static_cast<double>(rows) + 0.5)) : share;
  return count > static_cast<double>(rows) ? rows + 1 : static_cast<int64_t>(count);
}

using Classes = std::vector<std::vector<uint32_t>>;

// Rows by category of a column, categories in the order of their first row; without a column, all rows. Nothing where a
// category is missing.
Classes classes_of(std::optional<size_t> by, const char* purpose, const SplitRequest& request, const Table& table,
                   ErrorList& errors) {
  Classes classes;
  if (!by) {
    classes.emplace_back(static_cast<size_t>(table.rows));
    std::iota(classes[0].begin(), classes[0].end(), 0u);
    return classes;
  }
  const Column& column = table.columns[*by];
  std::map<double, size_t> known;
  for (int64_t row = 0; row < table.rows; ++row) {
    const auto at = static_cast<size_t>(row);
    const bool coded = column.kind == ColumnKind::text;
    const double value = coded ? (column.codes[at] == missing_code ? std::nan("") : column.codes[at])
                         : column.kind == ColumnKind::number ? column.numbers[at]
                                                             : column.bytes[at];
    if (std::isnan(value)) {
      RuntimeError error;
      error.code = ErrorCode::E609;
      error.origin = request.origin;
      error.message =
          fmt::format("missing value in the column to {} by (column \"{}\")", purpose, printable(column.name));
      place_error(table, row, *by, error);
      errors.add(std::move(error));
      return {};
    }
    const auto [found, fresh] = known.emplace(value, classes.size());
    if (fresh) classes.emplace_back();
    classes[found->second].push_back(static_cast<uint32_t>(row));
  }
  return classes;
}

// Divides `wanted` among the classes in proportion to `sizes`, never more than `left` of one; largest remainders first,
// ties to the earlier class.
std::vector<int64_t> apportion(int64_t wanted, const std::vector<int64_t>& sizes, const std::vector<int64_t>& left) {
  const int64_t total = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  std::vector<int64_t> counts(sizes.size());
  std::vector<std::pair<int64_t, size_t>> remainders;
  int64_t given = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    counts[i] = std::min(wanted * sizes[i] / total, left[i]);
    given += counts[i];
    remainders.emplace_back(-(wanted * sizes[i] % total), i);
  }
  std::sort(remainders.begin(), remainders.end());
  while (given < wanted) {
    const int64_t before = given;
    for (const auto& [remainder, i] : remainders) {
      if (given < wanted && counts[i] < left[i]) ++counts[i], ++given;
    }
    if (given == before) break;
  }
  return counts;
}

// Takes `wanted` rows from the front of the classes, or from their ends, shared out by apportion.
std::vector<uint32_t> take_rows(Classes& classes, const std::vector<int64_t>& sizes, int64_t wanted, bool last) {
  std::vector<int64_t> left;
  for (const auto& rows : classes) left.push_back(static_cast<int64_t>(rows.size()));
  const std::vector<int64_t> counts = apportion(wanted, sizes, left);
  std::vector<uint32_t> out;
  for (size_t i = 0; i < classes.size(); ++i) {
    const auto begin = last ? classes[i].end() - counts[i] : classes[i].begin();
    out.insert(out.end(), begin, begin + counts[i]);
    classes[i].erase(begin, begin + counts[i]);
  }
  return out;
}

// Takes whole groups, in their order, while at least half of the next is still wanted; one at least.
std::vector<uint32_t> take_groups(Classes& groups, int64_t wanted) {
  std::vector<uint32_t> out;
  if (wanted == 0) return out;
  auto next = groups.begin();
  for (; next != groups.end(); ++next) {
    const auto taken = static_cast<int64_t>(out.size()), more = static_cast<int64_t>(next->size());
    if (!out.empty() && 2 * taken + more > 2 * wanted) break;
    out.insert(out.end(), next->begin(), next->end());
  }
  groups.erase(groups.begin(), next);
  return out;
}

void append(std::vector<uint32_t>& to, const std::vector<uint32_t>& rows) {
  to.insert(to.end(), rows.begin(), rows.end());
}

struct Splitter {
  const SplitRequest& request;
  const Table& table;
  ErrorList& errors;
  int64_t val, test;
  SplitRows out;

  // The classes, or groups where there is `by`, in the order in which they are dealt with.
  Classes shuffled_classes() {
    const bool groups = request.by.has_value();
    Classes classes =
        classes_of(groups ? request.by : request.stratify, groups ? "group" : "stratify", request, table, errors);
    if (!request.shuffle) return classes;
    RandomStream random(request.seed, random_split);
    if (!groups) {
      for (auto& rows : classes) shuffle(rows, random);
      return classes;
    }
    std::vector<uint32_t> order(classes.size());
    std::iota(order.begin(), order.end(), 0u);
    shuffle(order, random);
    Classes sorted;
    for (uint32_t i : order) sorted.push_back(std::move(classes[i]));
    return sorted;
  }

  void too_few(const char* what, int64_t count) {
    errors.add(ErrorCode::E610, request.origin,
               fmt::format("{} {}{} are too few for {} folds", count, what, count == 1 ? "" : "s", request.folds));
  }

  // Rows dealt out to the folds: those of a class in turn, where the class before stopped.
  std::vector<uint32_t> dealt_rows(const Classes& classes) {
    const auto total = static_cast<int64_t>(std::accumulate(classes.begin(), classes.end(), size_t{0},
                                                            [](size_t n, const auto& c) { return n + c.size(); }));
    if (total < request.folds) too_few("row", total);
    std::vector<uint32_t> fold_of(static_cast<size_t>(table.rows), 0);
    int64_t dealt = 0;
    for (const auto& rows : classes) {
      // In the order of the rows a fold's share of a class is one run; a shuffled class may be dealt in any way.
      const auto size = static_cast<int64_t>(rows.size());
      int64_t at = 0;
      for (int64_t fold = 0; fold < request.folds; ++fold) {
        const int64_t first = (fold - dealt % request.folds + request.folds) % request.folds;
        const int64_t share = first < size ? (size - first - 1) / request.folds + 1 : 0;
        for (int64_t i = 0; i < share; ++i) fold_of[rows[static_cast<size_t>(at++)]] = static_cast<uint32_t>(fold + 1);
      }
      dealt += size;
    }
    return fold_of;
  }

  std::vector<uint32_t> dealt_groups(Classes groups) {
    if (static_cast<int64_t>(groups.size()) < request.folds) too_few("group", static_cast<int64_t>(groups.size()));
    std::stable_sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
    // The lightest fold comes out first, of equal ones the lowest number: sizes and numbers ascend to begin with.
    using Fold = std::pair<size_t, uint32_t>;
    std::vector<Fold> folds;
    for (int64_t fold = 1; fold <= request.folds; ++fold) folds.emplace_back(0, static_cast<uint32_t>(fold));
    std::priority_queue<Fold, std::vector<Fold>, std::greater<>> lightest({}, std::move(folds));
    std::vector<uint32_t> fold_of(static_cast<size_t>(table.rows), 0);
    for (const auto& rows : groups) {
      const auto [size, fold] = lightest.top();
      lightest.pop();
      lightest.emplace(size + rows.size(), fold);
      for (uint32_t row : rows) fold_of[row] = fold;
    }
    return fold_of;
  }

  void divide() {
    Classes classes = shuffled_classes();
    if (classes.empty()) return;
    std::vector<int64_t> sizes;
    for (const auto& rows : classes) sizes.push_back(static_cast<int64_t>(rows.size()));
    const bool folds = request.kind == SplitRequest::Kind::kfold;
    auto take = [&](int64_t wanted) {
      return request.by ? take_groups(classes, wanted) : take_rows(classes, sizes, wanted, !request.shuffle);
    };
    // Test rows first: so they are the same with and without folds.
    out.test = take(test);
    if (!folds) {
      out.val = take(val);
      for (const auto& rows : classes) append(out.train, rows);
      if (request.by && (out.train.empty() || (val > 0 && out.val.empty()))) {
        errors.add(ErrorCode::E610, request.origin,
                   fmt::format("{} group{} cannot be divided so that each part has one", sizes.size(),
                               sizes.size() == 1 ? "" : "s"));
      }
    } else {
      const std::vector<uint32_t> fold_of = request.by ? dealt_groups(std::move(classes)) : dealt_rows(classes);
      for (uint32_t row = 0; row < fold_of.size(); ++row) {
        if (fold_of[row] != 0) (fold_of[row] == request.fold ? out.val : out.train).push_back(row);
      }
    }
    for (auto* rows : {&out.train, &out.val, &out.test}) std::sort(rows->begin(), rows->end());
  }

  void in_order() {
    for (int64_t row = 0; row < table.rows; ++row) {
      auto& part = row < table.rows - val - test ? out.train : row < table.rows - test ? out.val : out.test;
      part.push_back(static_cast<uint32_t>(row));
    }
  }
};

std::optional<size_t> category_column(Arguments& arguments, const char* name, const char* purpose, const Table& table,
                                      ErrorList& errors) {
  const Spec* by = arguments.find(name);
  if (by == nullptr) return {};
  const std::string column_name = arguments.text(name, "");
  if (by->kind != Spec::Kind::string) return {};
  const auto index = find_column(table, column_name, by->origin, errors);
  if (!index) return {};
  const Column& column = table.columns[*index];
  const bool single = column.kind == ColumnKind::number || column.kind == ColumnKind::text ||
                      (column.kind == ColumnKind::bytes && column.dims.empty());
  if (single) return index;
  errors.add(
      ErrorCode::E611, by->origin,
      fmt::format("cannot {} by column \"{}\": its rows hold no single category", purpose, printable(column_name)));
  return {};
}

struct SplitCall {
  const char* name;
  SplitRequest::Kind kind;
  std::vector<std::string> parameters;
};

const std::vector<SplitCall>& split_calls() {
  using Kind = SplitRequest::Kind;
  static const std::vector<SplitCall> list = {
      {"random", Kind::random, {"val", "test", "stratify", "seed"}},
      {"sequential", Kind::sequential, {"val", "test"}},
      {"grouped", Kind::grouped, {"by", "val", "test", "seed"}},
      {"kfold", Kind::kfold, {"k", "test", "stratify", "by", "seed", "shuffle"}},
  };
  return list;
}

void unknown_split(const Spec& split, ErrorList& errors) {
  std::vector<std::string> names;
  for (const SplitCall& call : split_calls()) names.emplace_back(call.name);
  const std::string_view similar = split.kind == Spec::Kind::call ? nearest(split.text, names) : std::string_view();
  errors.add(ErrorCode::E608, split.origin,
             split.kind == Spec::Kind::call ? fmt::format("unknown split `{}`", split.text)
                                            : fmt::format("a split must be a call, found {}", describe(split)),
             similar.empty() ? fmt::format("splits: {}", fmt::join(names, ", "))
                             : fmt::format("a split with a similar name exists: `{}`", similar));
}

}  // namespace

SplitRequest read_split(const Spec& split, const Table& table, ErrorList& errors) {
  SplitRequest request;
  request.origin = split.origin;
  const auto& calls = split_calls();
  const auto call = std::find_if(calls.begin(), calls.end(), [&](const SplitCall& known) {
    return split.kind == Spec::Kind::call && split.text == known.name;
  });
  if (call == calls.end()) {
    unknown_split(split, errors);
    return request;
  }
  request.kind = call->kind;
  Arguments arguments(split, call->parameters, 0, errors);
  request.val = read_share(arguments, "val");
  request.test = read_share(arguments, "test");
  request.seed = static_cast<uint64_t>(arguments.integer("seed", 0, 0, int64_t{1} << 53));
  request.folds = arguments.integer("k", 5, 2, 1000000);
  request.shuffle = arguments.flag("shuffle", true);
  request.stratify = category_column(arguments, "stratify", "stratify", table, errors);
  if (request.kind == SplitRequest::Kind::grouped) arguments.require("by");
  request.by = category_column(arguments, "by", "group", table, errors);
  if (arguments.has("by") && arguments.has("stratify")) {
    errors.add(ErrorCode::E607, arguments.find("stratify")->origin,
               "folds can be stratified or keep groups together, not both", "leave out `stratify` or `by`");
  }
  return request;
}

void set_fold(SplitRequest& request, const FoldSpec& fold, ErrorList& errors) {
  using Kind = SplitRequest::Kind;
  auto refuse = [&](std::string message, std::string help) {
    errors.add(ErrorCode::E632, fold.origin != 0 ? fold.origin : request.origin, std::move(message), std::move(help));
  };
  if (fold.of < 2 || fold.of > 1000000) {
    return refuse(fmt::format("{} folds are asked for, which is not a number from 2 to 1000000", fold.of),
                  "`--fold 1/5` is the first of five folds");
  }
  if (fold.index < 1 || fold.index > fold.of) {
    return refuse(fmt::format("there is no fold {} of {}", fold.index, fold.of),
                  fmt::format("folds are counted from 1 to {}", fold.of));
  }
  if (request.kind == Kind::sequential) {
    return refuse("a sequential split has no folds: they would be trained on what comes after their validation rows",
                  "where that does no harm: `split = kfold(shuffle = false)`");
  }
  if (request.kind == Kind::kfold && request.folds != fold.of) {
    return refuse(
        fmt::format("fold {} of {} is asked for, but the split has {} folds", fold.index, fold.of, request.folds),
        fmt::format("`--fold {}/{}`", std::min(fold.index, request.folds), request.folds));
  }
  request.kind = Kind::kfold;
  request.val = 0;
  request.folds = fold.of;
  request.fold = fold.index;
}

SplitRows split_rows(const SplitRequest& request, const Table& table, ErrorList& errors) {
  using Kind = SplitRequest::Kind;
  const int64_t val = rows_of_share(request.val, table.rows), test = rows_of_share(request.test, table.rows);
  if (val + test >= table.rows) {
    errors.add(ErrorCode::E610, request.origin,
               fmt::format("{} rows less {} for validation and {} for testing leave none to train on", table.rows,
                           std::min(val, table.rows), std::min(test, table.rows)));
    return {};
  }
  Splitter splitter{request, table, errors, val, test, {}};
  if (request.kind == Kind::none || request.kind == Kind::sequential) {
    splitter.in_order();
  } else {
    splitter.divide();
  }
  return std::move(splitter.out);
}

}  // namespace nnc
