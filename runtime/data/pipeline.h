// Field pipelines: from columns of a table to the numbers of a field.
//
//   x = concat(col("age") |> impute("median") |> standard(), col("purpose") |> onehot())
//
// is a FieldPlan of one Pipe a column, each a list of Steps. A step is planned from the file, then fitted on the
// training rows (its `a`, `b`, `categories`), then applied to all rows. A fitted plan is plain data: it can be stored
// and applied to other tables.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/data/table.h"
#include "runtime/spec.h"

namespace nnc {

enum class StepKind : uint8_t {
  impute,    // missing values become a[lane], or of text `fill`
  standard,  // (x - a) / b: mean and population standard deviation, 1 where that is 0
  robust,    // (x - a) / b: median and interquartile range (linear interpolation), 1 where that is 0
  minmax,    // x a + b: the training range onto [low, high]; a constant column becomes low
  log,       // natural; of positive numbers only
  clip,      // into [low, high]
  add,
  subtract,
  multiply,
  divide,
  power,  // x OP low, or OP the other column
  reverse_subtract,
  reverse_divide,
  reverse_power,  // low OP x
  onehot,         // one lane a category, then one for the infrequent ones if any (less the first where drop_first)
  ordinal,        // the category's place in the list
  binary,         // 1 where the category is `fill`, else 0
  multilabel,     // one lane a category: 1 where it is among the labels of the cell, which `fill` separates
  symbols,        // the place of a text's character or byte in the vocabulary, which is all of `categories`
  normalise,      // (x - a[channel]) / b[channel], channels outermost in an element
};

struct Pipe;

struct PipeStep {
  enum class Unknown : uint8_t { error, zero, extra };
  StepKind kind = StepKind::add;
  Origin origin = 0;
  // as planned
  double low = 0, high = 0;
  std::string method;  // of impute: "mean", "median", "most_frequent", or empty for a given value
  std::string fill;    // of impute: the given value as text; of binary: the positive category; of multilabel: separator
  Unknown unknown = Unknown::error;
  bool learned = false;  // categories come from the training rows
  bool drop_first = false;
  int64_t max_categories = 0;  // of onehot: lanes before drop_first, that of the infrequent included; 0 is no limit
  std::vector<Pipe> other;     // of arithmetic between columns: the right side, one pipe
  // as fitted
  std::vector<double> a, b;             // one a lane, or one for all
  std::vector<std::string> categories;  // learned ones: numbers ascending, text in byte order
  std::vector<std::string> infrequent;  // of onehot: those that share the last lane
};

struct Pipe {
  std::string column;
  size_t position = 0;   // where the column stood in its table: where to look first
  bool text = false;     // the column held categories when the pipe was fitted
  int64_t elements = 1;  // per row of the column
  int64_t lanes = 1;     // values for each element after all steps, known once fitted
  std::vector<PipeStep> steps;
};

// What becomes of the rows of a field after all steps: runs of `length` consecutive rows, one every `stride` rows.
// Result 0 is the window itself. Result 1 is, with shift, the window that many rows further on; with after, the `after`
// rows that follow the window (one row alone keeps its own shape).
struct WindowPlan {
  int64_t length = 1, stride = 1, shift = 0, after = 0;
  int64_t result = 0;
  Origin origin = 0;
};

struct FieldPlan {
  enum class Shape : uint8_t { scalar, vector, tensor, reshaped };
  std::string name;
  Origin origin = 0;
  std::vector<Pipe> pipes;
  Shape shape = Shape::scalar;
  std::vector<int64_t> dims;  // of tensor and reshaped; one may be -1 until fitted. Of a row, before windows
  Origin shape_origin = 0;
  bool joined = false;  // by concat: always f32
  std::optional<WindowPlan> windows;
};

// Errors: E601, E607, E608, E611. Needs the table's columns, but not their values.
FieldPlan plan_field(const FieldSpec& field, const Table& table, ErrorList& errors);

// Where the table has the pipe's column, if it has.
std::optional<size_t> column_of(const Pipe& pipe, const Table& table);

// The columns a plan reads, set in `wanted`.
void mark_columns(const FieldPlan& plan, const Table& table, std::vector<bool>& wanted);

// What fitting may see: the training rows of a table, and nothing else.
struct TrainingView {
  const Table& table;
  std::span<const uint32_t> rows;
};

// Fits every step of the plan, in order, each on the training rows as the steps before it leave them. Missing values
// are passed over. Then `dims` are final. Errors: E602, E607, E609, E611, E612.
void fit_field(FieldPlan& plan, const TrainingView& view, ErrorList& errors);

// Shape of one row of the fitted field, its windows included.
std::vector<int64_t> field_dims(const FieldPlan& plan);

// Elements of one row of the table in the fitted field: of the rows that windows are cut from.
int64_t field_width(const FieldPlan& plan);

// What integers a fitted plan yields on these tables: `integral` where all values are whole numbers that no step made
// floats, and `bound` the smallest n that all are below, where none is negative (else 0).
struct FieldNumbers {
  bool integral = false;
  int64_t bound = 0;
};
FieldNumbers field_numbers(const FieldPlan& plan, std::span<const Table* const> tables);

// Where values go: row-major rows of `width` elements, as f32 or i32.
struct FieldSink {
  float* floats = nullptr;
  int32_t* integers = nullptr;
  int64_t width = 0;
};

// Writes all rows of the table. Errors, one for each cause with its first place and the number of rows: E602, E603,
// E609, E611, E613.
void apply_field(const FieldPlan& plan, const Table& table, const FieldSink& sink, ErrorList& errors);

}  // namespace nnc
