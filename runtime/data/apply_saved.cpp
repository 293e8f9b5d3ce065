#include "runtime/data/apply_saved.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <numeric>

#include "runtime/data/columns.h"
#include "runtime/data/csv.h"
#include "runtime/data/fill.h"
#include "runtime/data/source.h"
#include "runtime/data/windows.h"

namespace nnc {
namespace {

// Calls f(pipe) for the plan's pipes and those their steps reach.
void each_pipe(const std::vector<Pipe>& pipes, const std::function<void(const Pipe&)>& f) {
  for (const Pipe& pipe : pipes) {
    f(pipe);
    for (const PipeStep& step : pipe.steps) each_pipe(step.other, f);
  }
}

bool has_columns(const FieldPlan& plan, const Table& table) {
  bool all = true;
  each_pipe(plan.pipes, [&](const Pipe& pipe) { all = all && column_of(pipe, table).has_value(); });
  return all;
}

bool says_header(const Spec& source) {
  return std::any_of(source.named.begin(), source.named.end(),
                     [](const NamedSpec& argument) { return argument.name == "header"; });
}

struct SavedApplier {
  std::span<const FieldPlan> plans;
  ErrorList errors;
  Table table;

  void add(const RuntimeErrors& list) {
    for (const RuntimeError& error : list) errors.add(error);
  }

  size_t fields_found(const Table& in) const {
    return static_cast<size_t>(
        std::count_if(plans.begin(), plans.end(), [&](const FieldPlan& plan) { return has_columns(plan, in); }));
  }

  void open(const Spec& source) {
    auto opened = open_source(source);
    if (!opened) return add(opened.error());
    table = std::move(*opened);
    if (!table.is_csv || table.named) return;
    if (!says_header(source) && fields_found(table) == 0) {
      Spec with_header = source;
      with_header.named.push_back({"header", 0, spec_bool(true)});
      auto named = open_source(with_header);
      if (named && fields_found(*named) > 0) {
        table = std::move(*named);
        return;
      }
    }
    name_by_place();
  }

  // A file without a header: its columns stand where they stood in training.
  void name_by_place() {
    for (const FieldPlan& plan : plans) {
      each_pipe(plan.pipes, [&](const Pipe& pipe) {
        if (pipe.position < table.columns.size() && !column_of(pipe, table))
          table.columns[pipe.position].name = pipe.column;
      });
    }
  }

  void load() {
    std::vector<bool> wanted(table.columns.size(), false);
    for (const FieldPlan& plan : plans) {
      each_pipe(plan.pipes, [&](const Pipe& pipe) {
        if (!column_of(pipe, table)) find_column(table, pipe.column, table.origin, errors);  // says that it is missing
      });
      mark_columns(plan, table, wanted);
    }
    if (!errors.empty()) return;
    add(load_columns(table, wanted));
    if (table.rows > INT32_MAX) errors.add(ErrorCode::E650, table.origin, "more than 2147483647 rows");
  }

  // Where no field asks for what comes after the windows, they reach up to the last row.
  std::vector<FieldPlan> without_future() const {
    std::vector<FieldPlan> applied(plans.begin(), plans.end());
    const auto of_future = [](const FieldPlan& plan) { return plan.windows && plan.windows->result > 0; };
    if (std::any_of(applied.begin(), applied.end(), of_future)) return applied;
    for (FieldPlan& plan : applied) {
      if (plan.windows) plan.windows->shift = plan.windows->after = 0;
    }
    return applied;
  }

  void summarise(Dataset& dataset) const {
    dataset.source = std::filesystem::path(table.file).filename().string();
    for (const Column& column : table.columns) {
      if (!column.loaded) continue;
      ColumnSummary summary{column.name, column.kind, 0, static_cast<int64_t>(column.words.size())};
      summary.missing =
          std::count_if(column.numbers.begin(), column.numbers.end(), [](double x) { return std::isnan(x); }) +
          std::count(column.codes.begin(), column.codes.end(), missing_code);
      dataset.columns.push_back(std::move(summary));
    }
  }

  tl::expected<Dataset, RuntimeErrors> apply(const Spec& source) {
    Dataset dataset;
    open(source);
    if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
    load();
    if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
    std::vector<FieldPlan> applied = without_future();
    SplitRows parts;
    parts.test.resize(static_cast<size_t>(table.rows));
    std::iota(parts.test.begin(), parts.test.end(), 0u);
    std::vector<int64_t> windows;
    if (check_windows(applied, SplitRequest{}, errors)) windows = cut_windows(applied, parts, table.origin, errors);
    if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
    dataset.rows = static_cast<int64_t>(parts.test.size());
    dataset.test = std::move(parts.test);
    const Table* only = &table;
    for (FieldPlan& plan : applied) {
      DataField field;
      field.name = plan.name;
      field.origin = plan.origin;
      field.plan = std::move(plan);
      fill_field(field, std::span(&only, 1), windows, errors);
      dataset.fields.push_back(std::move(field));
    }
    summarise(dataset);
    if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
    return dataset;
  }
};

}  // namespace

tl::expected<Dataset, RuntimeErrors> apply_saved(const Spec& source, std::span<const FieldPlan> plans) {
  SavedApplier applier{plans, {}, {}};
  return applier.apply(source);
}

std::vector<std::string> class_names(const FieldPlan& plan) {
  if (plan.pipes.size() != 1 || plan.pipes[0].steps.empty()) return {};
  const PipeStep& step = plan.pipes[0].steps.back();
  std::vector<std::string> names = step.categories;
  switch (step.kind) {
    case StepKind::ordinal:
      if (step.unknown == PipeStep::Unknown::extra) names.emplace_back("unknown");
      return names;
    case StepKind::onehot:
      if (step.drop_first && !names.empty()) names.erase(names.begin());
      return names;
    case StepKind::binary: {
      // A number may be written differently in the model file.
      double wanted = 0, value = 0;
      const bool number = parse_number(step.fill, wanted);
      std::erase_if(names, [&](const std::string& name) {
        return name == step.fill || (number && parse_number(name, value) && value == wanted);
      });
      return {names.size() == 1 ? names[0] : "not " + step.fill, step.fill};
    }
    default:
      return {};
  }
}

std::vector<std::string> lane_names(const FieldPlan& plan) {
  std::vector<std::string> names = class_names(plan);
  if (!names.empty()) return names;
  if (plan.pipes.size() == 1) {
    const std::vector<PipeStep>& steps = plan.pipes[0].steps;
    return !steps.empty() && steps.back().kind == StepKind::multilabel ? steps.back().categories : names;
  }
  const auto one = [](const Pipe& pipe) { return pipe.elements == 1 && pipe.lanes == 1; };
  if (plan.windows || !std::all_of(plan.pipes.begin(), plan.pipes.end(), one)) return names;
  for (const Pipe& pipe : plan.pipes) names.push_back(pipe.column);
  return names;
}

}  // namespace nnc
