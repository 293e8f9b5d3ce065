#include "runtime/data/source.h"

#include <fmt/format.h>

#include "runtime/data/arguments.h"
#include "runtime/data/csv.h"
#include "runtime/data/idx.h"
#include "runtime/data/images.h"
#include "runtime/data/npy.h"
#include "runtime/data/synthetic.h"
#include "runtime/data/text.h"

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

struct SourceKind {
  const char* name;
  tl::expected<Table, RuntimeErrors> (*open)(const Spec&);
};

constexpr SourceKind source_kinds[] = {{"csv", open_csv_source},
                                       {"idx", open_idx_source},
                                       {"npy", open_npy},
                                       {"npz", open_npz},
                                       {"text", open_text},
                                       {"images", open_images},
                                       {"synthetic", open_synthetic},
                                       {"blobs", open_blobs},
                                       {"moons", open_moons},
                                       {"spirals", open_spirals},
                                       {"regression", open_regression}};

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
  if (table.is_csv) return load_csv(table, wanted);
  if (table.is_text) return load_text(table, wanted);
  if (!table.arrays.empty()) return load_arrays(table, wanted);
  return {};
}

}  // namespace nnc
