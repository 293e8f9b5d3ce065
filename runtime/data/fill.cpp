#include "runtime/data/fill.h"

#include <fmt/format.h>

#include "runtime/data/windows.h"

namespace nnc {
namespace {

bool allocate_values(DataField& field, int64_t rows, int64_t width, ErrorList& errors) {
  int64_t bytes = 0;
  if (__builtin_mul_overflow(width, int64_t{4}, &field.row_bytes) ||
      __builtin_mul_overflow(rows, field.row_bytes, &bytes)) {
    bytes = INT64_MAX;
  }
  auto buffer = allocate(bytes, fmt::format("field `{}`", field.name).c_str());
  if (!buffer) {
    buffer.error().origin = field.origin;
    errors.add(buffer.error());
    return false;
  }
  field.values = std::move(*buffer);
  return true;
}

// From rows of the table to windows of them: the same values, with other starts.
void place_windows(DataField& field, std::span<const int64_t> windows) {
  const int64_t row_bytes = field.row_bytes, offset = window_offset(*field.plan.windows);
  field.starts.clear();
  field.starts.reserve(windows.size());
  for (int64_t first : windows) field.starts.push_back((first + offset) * row_bytes);
  field.row_bytes = 4;
  for (int64_t extent : field.dims) field.row_bytes *= extent;
}

}  // namespace

void fill_field(DataField& field, std::span<const Table* const> tables, std::span<const int64_t> windows,
                ErrorList& errors) {
  const FieldNumbers numbers = field_numbers(field.plan, tables);
  field.type = numbers.integral ? ElementType::i32 : ElementType::f32;
  field.bound = numbers.bound;
  field.dims = field_dims(field.plan);
  int64_t rows = 0;
  for (const Table* table : tables) rows += table->rows;
  const int64_t width = field_width(field.plan);
  if (!allocate_values(field, rows, width, errors)) return;
  std::byte* at = field.values.data();
  for (const Table* table : tables) {
    FieldSink sink;
    sink.width = width;
    if (numbers.integral) {
      sink.integers = reinterpret_cast<int32_t*>(at);
    } else {
      sink.floats = reinterpret_cast<float*>(at);
    }
    apply_field(field.plan, *table, sink, errors);
    at += table->rows * field.row_bytes;
  }
  if (field.plan.windows) place_windows(field, windows);
}

}  // namespace nnc
