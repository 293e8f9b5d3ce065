#include "runtime/data/synthetic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "runtime/data/arguments.h"
#include "runtime/memory.h"
#include "runtime/random.h"

namespace nnc {
namespace {

uint32_t name_hash(std::string_view name) {
  uint32_t hash = 2166136261u;  // FNV-1a
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

// Standard normal, of Box and Muller: 1 - u is never zero.
double normal(RandomStream& random) {
  const double radius = std::sqrt(-2 * std::log(1 - static_cast<double>(random.uniform())));
  return radius * std::cos(2 * std::numbers::pi * random.uniform());
}

void fill_random(Column& column, const std::string& distribution, int64_t count, RandomStream random) {
  if (distribution == "randint") {
    column.kind = ColumnKind::number;
    column.numbers.reserve(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) column.numbers.push_back(random.below(static_cast<uint32_t>(column.bound)));
    return;
  }
  column.kind = ColumnKind::floats;
  column.floats.resize(static_cast<size_t>(count));
  for (size_t i = 0; i < column.floats.size(); ++i) {
    if (distribution == "rand") {
      column.floats[i] = random.uniform();
    } else {
      column.floats[i] = static_cast<float>(normal(random));
    }
  }
}

// `name = rand(dims)`: the column without values; its distribution is the call's name.
bool read_distribution(const NamedSpec& argument, Column& column, ErrorList& errors) {
  const Spec& call = argument.value;
  const std::vector<std::string> known = {"rand", "randn", "randint"};
  if (call.kind != Spec::Kind::call || (call.text != known[0] && call.text != known[1] && call.text != known[2])) {
    errors.add(ErrorCode::E608, call.origin,
               fmt::format("column `{}` of `synthetic` must be rand(…), randn(…) or randint(n)", argument.name));
    return false;
  }
  column.name = argument.name;
  const bool integers = call.text == "randint";
  for (size_t i = 0; i < call.items.size(); ++i) {
    const Spec& item = call.items[i];
    const bool whole = item.kind == Spec::Kind::number && item.number == std::floor(item.number) && item.number >= 1 &&
                       item.number <= INT32_MAX;
    const auto value = whole ? static_cast<int64_t>(item.number) : 1;
    if (!whole || (integers && i > 0)) {
      errors.add(ErrorCode::E607, item.origin,
                 integers ? "`randint` takes one positive whole number"
                          : fmt::format("an extent of `{}` must be a positive whole number", call.text));
      return false;
    }
    if (integers) {
      column.bound = value;
    } else {
      column.dims.push_back(value);
    }
  }
  if (integers && column.bound == 0) {
    errors.add(ErrorCode::E607, call.origin, "`randint` takes one positive whole number");
    return false;
  }
  return true;
}

// What its values take; the largest number where that overflows.
int64_t column_bytes(const Column& column, int64_t rows) {
  int64_t bytes = column.bound > 0 ? sizeof(double) : sizeof(float);
  bool overflow = __builtin_mul_overflow(bytes, rows, &bytes);
  for (const int64_t extent : column.dims) overflow = overflow || __builtin_mul_overflow(bytes, extent, &bytes);
  return overflow ? INT64_MAX : bytes;
}

}  // namespace

tl::expected<Table, RuntimeErrors> open_synthetic(const Spec& source) {
  ErrorList errors;
  Arguments arguments(source, {"rows", "seed"}, 0, errors, true);
  Table table;
  table.file = "synthetic";
  table.origin = source.origin;
  arguments.require("rows");
  table.rows = arguments.integer("rows", 1, 1, INT32_MAX);
  const auto seed = static_cast<uint64_t>(arguments.integer("seed", 0, 0, int64_t{1} << 53));
  std::vector<const NamedSpec*> drawn;
  int64_t bytes = 0;
  for (const NamedSpec& argument : source.named) {
    if (argument.name == "rows" || argument.name == "seed") continue;
    Column column;
    if (!read_distribution(argument, column, errors)) continue;
    const int64_t own = column_bytes(column, table.rows);
    if (__builtin_add_overflow(bytes, own, &bytes) || bytes > available_memory() / 2) {
      errors.add(ErrorCode::E650, argument.value.origin,
                 fmt::format("column `{}` of `synthetic` does not fit into memory", argument.name));
      break;
    }
    drawn.push_back(&argument);
    table.columns.push_back(std::move(column));
  }
  for (size_t k = 0; k < drawn.size() && errors.empty(); ++k) {
    Column& column = table.columns[k];
    const int64_t count = table.rows * elements_per_row(column);
    fill_random(column, drawn[k]->value.text, count, RandomStream(seed, random_synthetic ^ name_hash(column.name)));
  }
  if (errors.empty() && table.columns.empty()) {
    errors.add(ErrorCode::E607, source.origin, "`synthetic` needs a column, like `x = rand(8)`");
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
  return table;
}

namespace {

// A table of points to fill: `x` floats [features], `y` classes below `classes`, or numbers where that is 0.
struct Points {
  Table table;
  RandomStream random;
  std::vector<uint32_t> order;  // the row of each point

  float* x(int64_t point) {
    Column& column = table.columns[0];
    return column.floats.data() + int64_t{order[static_cast<size_t>(point)]} * column.dims[0];
  }
  double& y(int64_t point) { return table.columns[1].numbers[order[static_cast<size_t>(point)]]; }
};

tl::expected<Points, RuntimeErrors> make_points(const Spec& source, Arguments& arguments, int64_t features,
                                                int64_t classes, ErrorList& errors) {
  arguments.require("rows");
  const int64_t rows = arguments.integer("rows", 1, 1, INT32_MAX);
  const auto seed = static_cast<uint64_t>(arguments.integer("seed", 0, 0, int64_t{1} << 53));
  Points points{{}, RandomStream(seed, random_synthetic ^ name_hash(source.text)), {}};
  Column x, y;
  x.name = "x";
  x.kind = ColumnKind::floats;
  x.dims = {features};
  y.name = "y";
  y.bound = classes;
  if (errors.empty() && column_bytes(x, rows) > available_memory() / 2)
    errors.add(ErrorCode::E650, source.origin, fmt::format("`{}` does not fit into memory", source.text));
  if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
  x.floats.resize(static_cast<size_t>(rows * features));
  y.numbers.resize(static_cast<size_t>(rows));
  points.order.resize(static_cast<size_t>(rows));
  std::iota(points.order.begin(), points.order.end(), 0u);
  shuffle(points.order, points.random);
  points.table.file = source.text;
  points.table.origin = source.origin;
  points.table.rows = rows;
  points.table.columns = {std::move(x), std::move(y)};
  return points;
}

double read_spread(Arguments& arguments, const char* name, double otherwise) {
  const double value = arguments.number(name, otherwise);
  if (value < 0 || value > 1e6) arguments.wrong(name, "a number from 0 to 1000000");
  return value;
}

// Calls point(i, class, place, count): the points are dealt to the classes evenly, the first ones one more, and `place`
// is the point's number among the `count` of its class.
template <class F>
void each_point(int64_t rows, int64_t classes, F&& point) {
  int64_t at = 0;
  for (int64_t label = 0; label < classes; ++label) {
    const int64_t count = rows / classes + (label < rows % classes);
    for (int64_t place = 0; place < count; ++place) point(at++, label, place, count);
  }
}

}  // namespace

tl::expected<Table, RuntimeErrors> open_blobs(const Spec& source) {
  ErrorList errors;
  Arguments arguments(source, {"rows", "features", "classes", "std", "seed"}, 0, errors);
  const int64_t features = arguments.integer("features", 2, 1, 1 << 20);
  const int64_t classes = arguments.integer("classes", 3, 1, 1 << 16);
  const double std = read_spread(arguments, "std", 1);
  auto points = make_points(source, arguments, features, classes, errors);
  if (!points) return tl::unexpected(points.error());
  std::vector<double> centers;
  each_point(points->table.rows, classes, [&](int64_t i, int64_t label, int64_t place, int64_t) {
    if (place == 0) {
      centers.clear();
      for (int64_t f = 0; f < features; ++f) centers.push_back(20 * points->random.uniform() - 10.0);
    }
    float* x = points->x(i);
    for (int64_t f = 0; f < features; ++f)
      x[f] = static_cast<float>(centers[static_cast<size_t>(f)] + std * normal(points->random));
    points->y(i) = static_cast<double>(label);
  });
  return std::move(points->table);
}

tl::expected<Table, RuntimeErrors> open_moons(const Spec& source) {
  ErrorList errors;
  Arguments arguments(source, {"rows", "noise", "seed"}, 0, errors);
  const double noise = read_spread(arguments, "noise", 0);
  auto points = make_points(source, arguments, 2, 2, errors);
  if (!points) return tl::unexpected(points.error());
  each_point(points->table.rows, 2, [&](int64_t i, int64_t label, int64_t place, int64_t count) {
    const double angle =
        count == 1 ? 0 : std::numbers::pi * static_cast<double>(place) / static_cast<double>(count - 1);
    const double first = label == 0 ? std::cos(angle) : 1 - std::cos(angle);
    const double second = label == 0 ? std::sin(angle) : 0.5 - std::sin(angle);
    float* x = points->x(i);
    x[0] = static_cast<float>(first + noise * normal(points->random));
    x[1] = static_cast<float>(second + noise * normal(points->random));
    points->y(i) = static_cast<double>(label);
  });
  return std::move(points->table);
}

tl::expected<Table, RuntimeErrors> open_spirals(const Spec& source) {
  ErrorList errors;
  Arguments arguments(source, {"rows", "classes", "noise", "seed"}, 0, errors);
  const int64_t classes = arguments.integer("classes", 2, 1, 1 << 16);
  const double noise = read_spread(arguments, "noise", 0);
  auto points = make_points(source, arguments, 2, classes, errors);
  if (!points) return tl::unexpected(points.error());
  each_point(points->table.rows, classes, [&](int64_t i, int64_t label, int64_t place, int64_t count) {
    const double radius = static_cast<double>(place + 1) / static_cast<double>(count);
    const double angle = 2 * std::numbers::pi * (radius + static_cast<double>(label) / static_cast<double>(classes));
    float* x = points->x(i);
    x[0] = static_cast<float>(radius * std::cos(angle) + noise * normal(points->random));
    x[1] = static_cast<float>(radius * std::sin(angle) + noise * normal(points->random));
    points->y(i) = static_cast<double>(label);
  });
  return std::move(points->table);
}

tl::expected<Table, RuntimeErrors> open_regression(const Spec& source) {
  ErrorList errors;
  Arguments arguments(source, {"rows", "features", "noise", "seed"}, 0, errors);
  const int64_t features = arguments.integer("features", 10, 1, 1 << 20);
  const double noise = read_spread(arguments, "noise", 0);
  auto points = make_points(source, arguments, features, 0, errors);
  if (!points) return tl::unexpected(points.error());
  std::vector<double> weights;
  for (int64_t f = 0; f < features; ++f) weights.push_back(100.0 * points->random.uniform());
  for (int64_t i = 0; i < points->table.rows; ++i) {
    float* x = points->x(i);
    double y = noise * normal(points->random);
    for (int64_t f = 0; f < features; ++f) {
      x[f] = static_cast<float>(normal(points->random));
      y += weights[static_cast<size_t>(f)] * x[f];
    }
    points->y(i) = y;
  }
  return std::move(points->table);
}

}  // namespace nnc
