// The data of a run: read, split, fitted on the training rows, transformed, in memory; fields ready to be copied row by
// row.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "runtime/data/pipeline.h"
#include "runtime/data/split.h"
#include "runtime/executable.h"
#include "runtime/memory.h"
#include "runtime/spec.h"

namespace nnc {

struct DataField {
  std::string name;
  Origin origin = 0;
  ElementType type = ElementType::f32;  // f32 or i32
  int64_t bound = 0;                    // of i32: every value is in [0, bound); 0 where some are negative
  std::vector<int64_t> dims;            // per row
  int64_t row_bytes = 0;
  AlignedBuffer values;         // [rows][dims], row-major; of windows, the rows they are cut from
  std::vector<int64_t> starts;  // of windows, which may overlap: byte in `values` at which each row starts; else empty
  FieldPlan plan;               // as fitted

  const std::byte* row(size_t index) const {
    return values.data() + (starts.empty() ? static_cast<int64_t>(index) * row_bytes : starts[index]);
  }
};

// How a column was understood: for the summary before training.
struct ColumnSummary {
  std::string name;
  ColumnKind kind = ColumnKind::number;
  int64_t missing = 0;
  int64_t categories = 0;  // of text
};

struct Dataset {
  std::vector<DataField> fields;
  std::vector<uint32_t> train, val, test;  // rows, ascending, disjoint
  int64_t rows = 0;                        // of all sources together; of windows, how many there are
  std::vector<ColumnSummary> columns;      // those that fields use
  std::string source;                      // file name, for titles

  const DataField* find(std::string_view name) const;
  std::span<const uint32_t> part(DataPart part) const {
    return part == DataPart::train ? train : part == DataPart::val ? val : test;
  }
};

// Where fields have windows, rows are windows throughout.
// The driver binds a model's free sizes from `fields`. Errors E601 to E633 and E650, several in one run.
// Rows of `val = …` and `test = …` come after those of the source.
tl::expected<Dataset, RuntimeErrors> open_dataset(const DataSpec& spec);

// An integer field where the model wants floats: "Integers convert to float". f32 fields stay as they are.
tl::expected<void, RuntimeError> convert_to_float(DataField& field);

}  // namespace nnc
