#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "runtime/data/arguments.h"
#include "runtime/data/pipeline.h"
#include "runtime/data/pipeline_run.h"

namespace nnc {
namespace {

bool simple(const PipeStep& step) {
  return step.other.empty() && !is_categorical(step.kind) && step.kind != StepKind::log &&
         (step.kind != StepKind::normalise || step.a.size() == 1);
}

struct Applier {
  const FieldPlan& plan;
  const Table& table;
  const FieldSink& sink;
  ErrorList& errors;

  void store(int64_t row, int64_t at, double value, const BoundPipe& bound, Troubles& troubles) {
    const int64_t index = row * sink.width + at;
    if (sink.integers != nullptr) {
      sink.integers[index] = static_cast<int32_t>(std::isfinite(value) ? value : 0);
    } else {
      sink.floats[index] = static_cast<float>(value);
      if (std::isfinite(sink.floats[index])) return;
    }
    if (std::isfinite(value) && sink.integers != nullptr) return;
    const bool absent =
        bound.column->kind == ColumnKind::text     ? bound.column->codes[static_cast<size_t>(row)] == missing_code
        : bound.column->kind == ColumnKind::number ? std::isnan(bound.column->numbers[static_cast<size_t>(row)])
                                                   : false;
    if (absent) {
      troubles.add(ErrorCode::E609, 0, "", row);
    } else {
      troubles.add(ErrorCode::E613, bound.pipe->steps.size(), "", row);
    }
  }

  // A pipe of bytes through elementwise steps has 256 outcomes.
  bool apply_table(const BoundPipe& bound, int64_t offset) {
    const Pipe& pipe = *bound.pipe;
    if (bound.column->kind != ColumnKind::bytes || pipe.lanes != 1 ||
        !std::all_of(pipe.steps.begin(), pipe.steps.end(), simple))
      return false;
    ValueBlock block;
    block.rows = 256;
    block.values.resize(256);
    std::iota(block.values.begin(), block.values.end(), 0.0);
    std::array<uint32_t, 256> no_rows{};
    for (size_t i = 0; i < pipe.steps.size(); ++i) run_step(bound, i, no_rows, block, nullptr);
    std::array<float, 256> floats;
    std::array<int32_t, 256> integers;
    for (size_t i = 0; i < 256; ++i) {
      floats[i] = static_cast<float>(block.values[i]);
      if (!std::isfinite(floats[i])) return false;
      integers[i] = sink.integers != nullptr ? static_cast<int32_t>(block.values[i]) : 0;
    }
    const uint8_t* from = bound.column->bytes.data();
    for (int64_t row = 0; row < table.rows; ++row, from += pipe.elements) {
      const int64_t at = row * sink.width + offset;
      if (sink.integers != nullptr) {
        for (int64_t i = 0; i < pipe.elements; ++i) sink.integers[at + i] = integers[from[i]];
      } else {
        for (int64_t i = 0; i < pipe.elements; ++i) sink.floats[at + i] = floats[from[i]];
      }
    }
    return true;
  }

  static void describe_unknown(const PipeStep* step, const std::string& value, const std::string& column,
                               const std::string& affected, RuntimeError& error) {
    const StepKind kind = step != nullptr ? step->kind : StepKind::ordinal;
    const bool listed = step != nullptr && !step->learned;
    const std::string place = kind == StepKind::symbols   ? "in the vocabulary of the training text"
                              : !listed                   ? "among the training rows"
                              : kind == StepKind::ordinal ? "in the ordinal list"
                                                          : "in the list of labels";
    error.message = fmt::format("{} \"{}\" is not {} (column \"{}\"), {}",
                                kind == StepKind::multilabel ? "label"
                                : kind == StepKind::symbols  ? "symbol"
                                                             : "category",
                                value, place, column, affected);
    if (kind == StepKind::onehot) error.help = "encode unknown categories as zeros: onehot(unknown = \"zero\")";
    if (kind == StepKind::multilabel) error.help = "leave unknown labels out: multilabel(unknown = \"zero\")";
    if (kind == StepKind::ordinal)
      error.help = "give unknown categories a place of their own: ordinal(…, unknown = \"extra\")";
  }

  void report(const BoundPipe& bound, const Troubles& troubles) {
    const std::string column = printable(bound.column->name);
    bool located = false;
    for (const auto& [key, trouble] : troubles.found) {
      const PipeStep* step = key.step < bound.pipe->steps.size() ? &bound.pipe->steps[key.step] : nullptr;
      RuntimeError error;
      error.code = key.code;
      error.origin = step != nullptr ? step->origin : plan.origin;
      const std::string affected = fmt::format("{} row{} affected", trouble.rows, trouble.rows == 1 ? "" : "s");
      if (key.code == ErrorCode::E603) {
        describe_unknown(step, printable(key.value), column, affected, error);
      } else if (key.code == ErrorCode::E609) {
        error.origin = plan.origin;
        error.message = fmt::format("missing value (column \"{}\"), {}", column, affected);
        error.help = "fill missing values: impute(\"median\"), impute(\"most_frequent\")";
      } else {
        if (located) continue;  // the result of a step already named
        error.message = key.value.empty()
                            ? fmt::format("a value is not finite as f32 (column \"{}\"), {}", column, affected)
                            : fmt::format("{} is not finite (column \"{}\"), {}", key.value, column, affected);
      }
      located = located || key.code == ErrorCode::E613;
      place_error(table, trouble.first_row, bound.index, error);
      errors.add(std::move(error));
    }
  }

  void apply_pipe(const Pipe& pipe, int64_t offset) {
    BoundPipe bound;
    if (!bind_pipe(pipe, table, bound, errors)) return;
    for (size_t i = 0; i < pipe.steps.size(); ++i) {
      if (!bind_step(bound, i, errors)) return;
    }
    if (apply_table(bound, offset)) return;
    const int64_t width = pipe.lanes * pipe.elements;
    const int64_t stride = std::clamp<int64_t>(16384 / std::max<int64_t>(1, width), 1, 4096);
    std::vector<uint32_t> rows;
    ValueBlock block;
    Troubles troubles;
    for (int64_t start = 0; start < table.rows; start += stride) {
      rows.resize(static_cast<size_t>(std::min(stride, table.rows - start)));
      std::iota(rows.begin(), rows.end(), static_cast<uint32_t>(start));
      load_block(bound, rows, block);
      for (size_t i = 0; i < pipe.steps.size(); ++i) run_step(bound, i, rows, block, &troubles);
      const double* value = block.values.data();
      for (uint32_t row : rows) {
        for (int64_t i = 0; i < width; ++i) store(row, offset + i, *value++, bound, troubles);
      }
    }
    report(bound, troubles);
  }
};

}  // namespace

void apply_field(const FieldPlan& plan, const Table& table, const FieldSink& sink, ErrorList& errors) {
  Applier applier{plan, table, sink, errors};
  int64_t offset = 0;
  for (const Pipe& pipe : plan.pipes) {
    applier.apply_pipe(pipe, offset);
    offset += pipe.lanes * pipe.elements;
  }
}

FieldNumbers field_numbers(const FieldPlan& plan, std::span<const Table* const> tables) {
  FieldNumbers out;
  if (plan.joined) return out;
  bool negative = false;
  for (const Pipe& pipe : plan.pipes) {
    if (!pipe.steps.empty() &&
        (pipe.steps.back().kind == StepKind::ordinal || pipe.steps.back().kind == StepKind::symbols)) {
      const PipeStep& step = pipe.steps.back();
      out.bound = std::max(out.bound,
                           static_cast<int64_t>(step.categories.size()) + (step.unknown == PipeStep::Unknown::extra));
      continue;
    }
    if (!pipe.steps.empty()) return out;
    for (const Table* table : tables) {
      const auto index = column_of(pipe, *table);
      if (!index) return out;
      const Column& column = table->columns[*index];
      if (column.kind == ColumnKind::text || column.kind == ColumnKind::floats || column.kind == ColumnKind::symbols)
        return out;
      out.bound = std::max(out.bound, column.bound);
      negative = negative || (column.kind == ColumnKind::integers && column.bound == 0);
      for (double value : column.numbers) {
        if (!(value == std::floor(value) && std::abs(value) < INT32_MAX)) return {};
        negative = negative || value < 0;
        out.bound = std::max(out.bound, static_cast<int64_t>(value) + 1);
      }
    }
  }
  if (negative) out.bound = 0;
  out.integral = !plan.pipes.empty();
  if (!out.integral) out.bound = 0;
  return out;
}

}  // namespace nnc
