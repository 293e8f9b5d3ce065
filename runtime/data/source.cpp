#include "runtime/data/source.h"

#include <fmt/format.h>

#include <cmath>

#include "runtime/data/arguments.h"
#include "runtime/data/csv.h"
#include "runtime/data/idx.h"
#include "runtime/memory.h"
#include "runtime/random.h"

namespace nnc {
namespace {

tl::expected<Table, RuntimeErrors> open_csv_source(const Spec& source) {
  ErrorList errors;
  Arguments arguments(source, {"path", "header", "missing", "delimiter"}, 0, errors);
  CsvOptions options;
  if (arguments.require("path")) {
    if (arguments.find("path")->kind == Spec::Kind::string) {
      options.path = resolve_path(*arguments.find("path"));
    } else {
      arguments.wrong("path", "a string");
    }
  }
  if (arguments.has("header")) {
    options.header = arguments.flag("header", true) ? CsvOptions::Header::present : CsvOptions::Header::absent;
  }
  if (arguments.has("missing")) {
    options.missing = arguments.texts("missing");
    options.missing_origin = arguments.find("missing")->origin;
  }
  const std::string delimiter = arguments.text("delimiter", ",");
  if (delimiter.size() != 1 || delimiter.find_first_of("\"\r\n") != std::string::npos) {
    arguments.wrong("delimiter", "a single character, like \";\"");
  } else {
    options.delimiter = delimiter[0];
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
  return open_csv(std::move(options), source.origin);
}

tl::expected<Table, RuntimeErrors> open_idx_source(const Spec& source) {
  ErrorList errors;
  Arguments arguments(source, {}, 0, errors, true);
  Table table;
  table.origin = source.origin;
  if (source.named.empty()) {
    errors.add(ErrorCode::E607, source.origin, "`idx` needs a file for each column",
               "idx(images = \"…\", labels = \"…\")");
  }
  for (const NamedSpec& argument : source.named) {
    if (argument.value.kind != Spec::Kind::string) {
      errors.add(ErrorCode::E607, argument.value.origin,
                 fmt::format("`{}` of `idx` must be a path, found {}", argument.name, describe(argument.value)));
      continue;
    }
    const std::string path = resolve_path(argument.value);
    auto file = read_idx(path, argument.value.origin);
    if (!file) {
      errors.add(file.error());
      continue;
    }
    if (table.columns.empty()) {
      table.file = path;
      table.rows = file->rows;
    } else if (file->rows != table.rows) {
      RuntimeError error;
      error.code = ErrorCode::E606;
      error.origin = argument.value.origin;
      error.file = path;
      error.message = fmt::format("{} rows here, but {} in {}", file->rows, table.rows, table.file);
      errors.add(std::move(error));
    }
    file->column.name = argument.name;
    table.columns.push_back(std::move(file->column));
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
  return table;
}

uint32_t name_hash(std::string_view name) {
  uint32_t hash = 2166136261u;  // FNV-1a
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
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
      // Box and Muller: 1 - u is never zero.
      const double radius = std::sqrt(-2 * std::log(1 - static_cast<double>(random.uniform())));
      column.floats[i] = static_cast<float>(radius * std::cos(6.283185307179586 * random.uniform()));
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

tl::expected<Table, RuntimeErrors> open_synthetic_source(const Spec& source) {
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

struct SourceKind {
  const char* name;
  tl::expected<Table, RuntimeErrors> (*open)(const Spec&);
};

constexpr SourceKind source_kinds[] = {
    {"csv", open_csv_source}, {"idx", open_idx_source}, {"synthetic", open_synthetic_source}};

}  // namespace

tl::expected<Table, RuntimeErrors> open_source(const Spec& source) {
  ErrorList errors;
  std::vector<std::string> names;
  for (const SourceKind& kind : source_kinds) {
    names.emplace_back(kind.name);
    if (source.kind == Spec::Kind::call && source.text == kind.name) return kind.open(source);
  }
  const std::string_view similar = source.kind == Spec::Kind::call ? nearest(source.text, names) : std::string_view();
  errors.add(ErrorCode::E608, source.origin,
             source.kind == Spec::Kind::call ? fmt::format("unknown source `{}`", source.text)
                                             : fmt::format("a source must be a call, found {}", describe(source)),
             similar.empty() ? fmt::format("sources: {}", fmt::join(names, ", "))
                             : fmt::format("a source with a similar name exists: `{}`", similar));
  return tl::unexpected(std::move(errors.errors));
}

RuntimeErrors load_columns(Table& table, const std::vector<bool>& wanted) {
  if (!table.is_csv) return {};
  return load_csv(table, wanted);
}

}  // namespace nnc
