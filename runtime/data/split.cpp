#include "runtime/data/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

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

// Rows by category, categories in the order of their first row.
std::vector<std::vector<uint32_t>> strata(const SplitRequest& request, const Table& table, ErrorList& errors) {
  std::vector<std::vector<uint32_t>> classes;
  if (!request.stratify) {
    classes.emplace_back(static_cast<size_t>(table.rows));
    std::iota(classes[0].begin(), classes[0].end(), 0u);
    return classes;
  }
  const Column& column = table.columns[*request.stratify];
  std::map<double, size_t> known;
  for (int64_t row = 0; row < table.rows; ++row) {
    const double value = column.kind == ColumnKind::text     ? (column.codes[static_cast<size_t>(row)] == missing_code
                                                                    ? std::nan("")
                                                                    : column.codes[static_cast<size_t>(row)])
                         : column.kind == ColumnKind::number ? column.numbers[static_cast<size_t>(row)]
                                                             : column.bytes[static_cast<size_t>(row)];
    if (std::isnan(value)) {
      RuntimeError error;
      error.code = ErrorCode::E609;
      error.origin = request.origin;
      error.message = fmt::format("missing value in the column to stratify by (column \"{}\")", column.name);
      place_error(table, row, *request.stratify, error);
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

SplitRows split_randomly(const SplitRequest& request, const Table& table, int64_t val, int64_t test,
                         ErrorList& errors) {
  auto classes = strata(request, table, errors);
  RandomStream random(request.seed, random_split);
  std::vector<int64_t> sizes, left;
  for (auto& rows : classes) {
    shuffle(rows, random);
    sizes.push_back(static_cast<int64_t>(rows.size()));
  }
  if (sizes.empty()) return {};
  left = sizes;
  const std::vector<int64_t> vals = apportion(val, sizes, left);
  for (size_t i = 0; i < left.size(); ++i) left[i] -= vals[i];
  const std::vector<int64_t> tests = apportion(test, sizes, left);
  SplitRows out;
  for (size_t i = 0; i < classes.size(); ++i) {
    const auto begin = classes[i].begin();
    out.val.insert(out.val.end(), begin, begin + vals[i]);
    out.test.insert(out.test.end(), begin + vals[i], begin + vals[i] + tests[i]);
    out.train.insert(out.train.end(), begin + vals[i] + tests[i], classes[i].end());
  }
  for (auto* rows : {&out.train, &out.val, &out.test}) std::sort(rows->begin(), rows->end());
  return out;
}

}  // namespace

SplitRequest read_split(const Spec& split, const Table& table, ErrorList& errors) {
  SplitRequest request;
  request.origin = split.origin;
  const std::vector<std::string> known = {"random", "sequential"};
  if (split.kind != Spec::Kind::call || (split.text != known[0] && split.text != known[1])) {
    const std::string_view similar = split.kind == Spec::Kind::call ? nearest(split.text, known) : std::string_view();
    errors.add(ErrorCode::E608, split.origin,
               split.kind == Spec::Kind::call ? fmt::format("unknown split `{}`", split.text)
                                              : fmt::format("a split must be a call, found {}", describe(split)),
               similar.empty() ? "splits: random, sequential"
                               : fmt::format("a split with a similar name exists: `{}`", similar));
    return request;
  }
  const bool random = split.text == "random";
  request.kind = random ? SplitRequest::Kind::random : SplitRequest::Kind::sequential;
  Arguments arguments(
      split,
      random ? std::vector<std::string>{"val", "test", "stratify", "seed"} : std::vector<std::string>{"val", "test"}, 0,
      errors);
  request.val = read_share(arguments, "val");
  request.test = read_share(arguments, "test");
  if (!random) return request;
  request.seed = static_cast<uint64_t>(arguments.integer("seed", 0, 0, int64_t{1} << 53));
  if (const Spec* by = arguments.find("stratify")) {
    const std::string name = arguments.text("stratify", "");
    if (by->kind != Spec::Kind::string) return request;
    request.stratify = find_column(table, name, by->origin, errors);
    if (request.stratify) {
      const Column& column = table.columns[*request.stratify];
      if (!column.dims.empty() || column.kind == ColumnKind::floats) {
        errors.add(ErrorCode::E611, by->origin,
                   fmt::format("cannot stratify by column \"{}\": its rows hold no single category", name));
        request.stratify.reset();
      }
    }
  }
  return request;
}

SplitRows split_rows(const SplitRequest& request, const Table& table, ErrorList& errors) {
  const int64_t val = rows_of_share(request.val, table.rows), test = rows_of_share(request.test, table.rows);
  if (val + test >= table.rows) {
    errors.add(ErrorCode::E610, request.origin,
               fmt::format("{} rows less {} for validation and {} for testing leave none to train on", table.rows,
                           std::min(val, table.rows), std::min(test, table.rows)));
    return {};
  }
  if (request.kind == SplitRequest::Kind::random) return split_randomly(request, table, val, test, errors);
  SplitRows out;
  for (int64_t row = 0; row < table.rows; ++row) {
    auto& part = row < table.rows - val - test ? out.train : row < table.rows - test ? out.val : out.test;
    part.push_back(static_cast<uint32_t>(row));
  }
  return out;
}

}  // namespace nnc
