// How the columns were understood, in words.
#pragma once

#include <span>
#include <string>

#include "runtime/data/dataset.h"

namespace nnc {

// "number", "text", "bytes", "floats", "integers", "symbols"
const char* name_of(ColumnKind kind);

// One line for all columns, by kind, with at most four names each:
// "30 of numbers (radius, texture, area, smoothness, …), 1 of text (diagnosis: 2 categories), 3 missing values"
std::string describe_columns(std::span<const ColumnSummary> columns);

}  // namespace nnc
