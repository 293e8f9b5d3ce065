#include "runtime/data/summary.h"

#include <fmt/format.h>

namespace nnc {
namespace {

constexpr ColumnKind kinds[] = {ColumnKind::number, ColumnKind::text,     ColumnKind::bytes,
                                ColumnKind::floats, ColumnKind::integers, ColumnKind::symbols};

const char* plural_of(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::number:
      return "numbers";
    case ColumnKind::text:
      return "text";
    case ColumnKind::bytes:
      return "bytes";
    case ColumnKind::floats:
      return "floats";
    case ColumnKind::integers:
      return "integers";
    case ColumnKind::symbols:
      return "symbols";
  }
  return "";
}

std::string with_categories(const ColumnSummary& column) {
  if (column.categories == 0) return printable(column.name);
  const char* what = column.kind == ColumnKind::symbols  ? "symbol"
                     : column.kind == ColumnKind::number ? "class"
                                                         : "categor";
  const char* ending = column.kind == ColumnKind::symbols  ? (column.categories == 1 ? "" : "s")
                       : column.kind == ColumnKind::number ? (column.categories == 1 ? "" : "es")
                                                           : (column.categories == 1 ? "y" : "ies");
  return fmt::format("{}: {} {}{}", printable(column.name), column.categories, what, ending);
}

}  // namespace

const char* name_of(ColumnKind kind) { return kind == ColumnKind::number ? "number" : plural_of(kind); }

std::string describe_columns(std::span<const ColumnSummary> columns) {
  constexpr size_t most_names = 4;
  std::vector<std::string> parts;
  int64_t missing = 0;
  for (const ColumnSummary& column : columns) missing += column.missing;
  for (const ColumnKind kind : kinds) {
    std::vector<std::string> names;
    int64_t count = 0;
    for (const ColumnSummary& column : columns) {
      if (column.kind != kind) continue;
      if (++count <= static_cast<int64_t>(most_names)) names.push_back(with_categories(column));
    }
    if (count == 0) continue;
    if (count > static_cast<int64_t>(most_names)) names.emplace_back("…");
    parts.push_back(fmt::format("{} of {} ({})", count, plural_of(kind), fmt::join(names, ", ")));
  }
  if (missing > 0) parts.push_back(fmt::format("{} missing value{}", missing, missing == 1 ? "" : "s"));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace nnc
