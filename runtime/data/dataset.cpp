#include "runtime/data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <optional>

#include "runtime/data/fill.h"
#include "runtime/data/source.h"
#include "runtime/data/windows.h"

namespace nnc {
namespace {

struct Opener {
  const DataSpec& spec;
  ErrorList errors;
  std::vector<Table> tables;  // the source, then `val`, then `test` where they are given
  std::optional<size_t> val, test;
  SplitRequest request;
  std::vector<FieldPlan> plans;
  bool windowed = false;
  SplitRows parts;               // rows of the tables, one behind the other
  std::vector<int64_t> windows;  // their first rows

  void add(const RuntimeErrors& list) {
    for (const RuntimeError& error : list) errors.add(error);
  }

  void open_tables() {
    if (!spec.source) {
      errors.add(ErrorCode::E607, spec.origin, "`data` needs a source", "source = csv(\"…\")");
      return;
    }
    auto open = [&](const Spec& source) {
      auto table = open_source(source);
      if (!table) return add(table.error());
      tables.push_back(std::move(*table));
    };
    open(*spec.source);
    if (spec.val) val = 1, open(*spec.val);
    if (spec.test) test = spec.val ? 2 : 1, open(*spec.test);
  }

  void plan_fields() {
    for (const FieldSpec& field : spec.fields) plans.push_back(plan_field(field, tables[0], errors));
    request.origin = spec.origin;
    if (spec.split) request = read_split(*spec.split, tables[0], errors);
    if (spec.fold) set_fold(request, *spec.fold, errors);
    windowed = check_windows(plans, request, errors);
    if (val && request.kind == SplitRequest::Kind::kfold) {
      errors.add(ErrorCode::E632, spec.val->origin,
                 "folds take the validation rows from the source, but `val` is a source of its own");
    } else if ((val && request.val > 0) || (test && request.test > 0)) {
      errors.add(ErrorCode::E607, spec.split->origin,
                 "rows for validation or testing come from the split or from a source of their own, not from both");
    }
  }

  void load() {
    for (size_t i = 0; i < tables.size(); ++i) {
      Table& table = tables[i];
      std::vector<bool> wanted(table.columns.size(), false);
      for (const FieldPlan& plan : plans) mark_columns(plan, table, wanted);
      if (i == 0 && request.stratify) wanted[*request.stratify] = true;
      if (i == 0 && request.by) wanted[*request.by] = true;
      add(load_columns(table, wanted));
      if (table.rows > INT32_MAX) errors.add(ErrorCode::E650, table.origin, "more than 2147483647 rows");
    }
  }

  void split(Dataset& dataset) {
    parts = split_rows(request, tables[0], errors);
    dataset.rows = tables[0].rows;
    auto take = [&](const std::optional<size_t>& index, std::vector<uint32_t>& part) {
      if (!index) return;
      part.resize(static_cast<size_t>(tables[*index].rows));
      std::iota(part.begin(), part.end(), static_cast<uint32_t>(dataset.rows));
      dataset.rows += tables[*index].rows;
    };
    take(val, parts.val);
    take(test, parts.test);
    if (dataset.rows > INT32_MAX) errors.add(ErrorCode::E650, spec.origin, "more than 2147483647 rows");
  }

  // By construction: what is fitted sees the training rows of the first table only.
  void fit() {
    const TrainingView view{tables[0], parts.train};
    for (FieldPlan& plan : plans) fit_field(plan, view, errors);
  }

  // The rows become windows only now: fitting sees each training row once.
  void name_rows(Dataset& dataset) {
    if (windowed) {
      windows = cut_windows(plans, parts, spec.origin, errors);
      dataset.rows = static_cast<int64_t>(windows.size());
    }
    dataset.train = std::move(parts.train);
    dataset.val = std::move(parts.val);
    dataset.test = std::move(parts.test);
  }

  void fill(Dataset& dataset) {
    std::vector<const Table*> all;
    for (const Table& table : tables) all.push_back(&table);
    for (FieldPlan& plan : plans) {
      DataField field;
      field.name = plan.name;
      field.origin = plan.origin;
      field.plan = std::move(plan);
      fill_field(field, all, windows, errors);
      dataset.fields.push_back(std::move(field));
    }
  }

  void summarise(Dataset& dataset) {
    dataset.source = std::filesystem::path(tables[0].file).filename().string();
    for (const Column& column : tables[0].columns) {
      if (!column.loaded) continue;
      ColumnSummary summary{column.name, column.kind, 0, static_cast<int64_t>(column.words.size())};
      summary.missing =
          std::count_if(column.numbers.begin(), column.numbers.end(), [](double x) { return std::isnan(x); }) +
          std::count(column.codes.begin(), column.codes.end(), missing_code);
      dataset.columns.push_back(std::move(summary));
    }
  }
};

}  // namespace

const DataField* Dataset::find(std::string_view name) const {
  for (const DataField& field : fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

tl::expected<Dataset, RuntimeErrors> open_dataset(const DataSpec& spec) {
  Opener opener{spec};
  Dataset dataset;
  auto failed = [&] { return !opener.errors.empty(); };
  opener.open_tables();
  if (!failed()) opener.plan_fields();
  if (!failed()) opener.load();
  if (!failed()) opener.split(dataset);
  if (!failed()) opener.fit();
  if (!failed()) opener.name_rows(dataset);
  if (!failed()) opener.fill(dataset);
  if (!failed()) opener.summarise(dataset);
  if (failed()) return tl::unexpected(std::move(opener.errors.errors));
  return dataset;
}

tl::expected<void, RuntimeError> convert_to_float(DataField& field) {
  if (field.type == ElementType::f32) return {};
  auto* integers = reinterpret_cast<const int32_t*>(field.values.data());
  const int64_t count = field.values.bytes() / 4;
  auto buffer = allocate(field.values.bytes(), fmt::format("field `{}`", field.name).c_str());
  if (!buffer) return tl::unexpected(buffer.error());
  auto* floats = reinterpret_cast<float*>(buffer->data());
  for (int64_t i = 0; i < count; ++i) floats[i] = static_cast<float>(integers[i]);
  field.values = std::move(*buffer);
  field.type = ElementType::f32;
  field.bound = 0;
  return {};
}

}  // namespace nnc
