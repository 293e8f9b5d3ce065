// Reads a csv file into a Table: header and kinds of columns found, values of the wanted columns loaded.
#pragma once

#include <functional>
#include <string_view>

#include "runtime/data/table.h"

namespace nnc {

// Names of the columns, from the header or, without one, c1 … cn; no values. Errors: E604, E605.
// Detection: a first record with a number or an empty cell in it is no header, nor is one with a repeated cell where
// all records are text.
tl::expected<Table, RuntimeErrors> open_csv(CsvOptions options, Origin origin);

// Fills in `rows` and, for each column i with wanted[i], kind and values. A column is of numbers when all its cells are
// numbers or missing. Numbers are decimal and finite, read without regard to the locale. Requires a table from
// open_csv. Errors, as many as there are up to a limit: E605 with the place of each ragged record.
RuntimeErrors load_csv(Table& table, const std::vector<bool>& wanted);

// True when all of `text` is one finite decimal number ("1", "-.5", "+3", "1e-3").
bool parse_number(std::string_view text, double& value);

}  // namespace nnc
