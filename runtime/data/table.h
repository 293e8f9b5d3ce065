// What every source becomes: named columns over rows, in memory, before any split or transform.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/error.h"

namespace nnc {

// How a csv file is read. Kept with the table, so that a cell can be found again when an error must name its place.
struct CsvOptions {
  std::string path;
  char delimiter = ',';
  enum class Header : uint8_t { detect, present, absent };
  Header header = Header::detect;
  std::vector<std::string> missing = {""};
  Origin missing_origin = 0;  // of the `missing` argument, 0 where it was left out
};

enum class ColumnKind : uint8_t {
  number,  // one number a row, in `numbers`; NaN is a missing value
  text,    // one category a row, in `codes`: an index into `words`, or `missing_code`
  bytes,   // a tensor of u8 a row, in `bytes`
  floats,  // a tensor of f32 a row, in `floats`
};

constexpr uint32_t missing_code = 0xFFFFFFFF;

struct Column {
  std::string name;
  ColumnKind kind = ColumnKind::number;
  bool loaded = true;         // false: its values were not wanted
  std::vector<int64_t> dims;  // per row; empty is a scalar
  std::vector<double> numbers;
  std::vector<uint32_t> codes;
  std::vector<std::string> words;
  std::vector<uint8_t> bytes;
  std::vector<float> floats;
  int64_t bound = 0;                // of integers: each is in [0, bound) by construction; 0 where unknown
  std::vector<int64_t> unreadable;  // of text in a csv: the first few rows whose cells are no numbers
};

struct Table {
  std::string file;   // for messages
  Origin origin = 0;  // of the source's call
  int64_t rows = 0;
  std::vector<Column> columns;
  bool named = true;  // false: the columns are called c1, c2, … for want of a header
  CsvOptions csv;
  bool is_csv = false;
};

// Elements of one row of the column.
int64_t elements_per_row(const Column& column);

// Fills in file, line and column of the cell where that is known (a csv is read again up to there), else just the file.
void place_error(const Table& table, int64_t row, size_t column, RuntimeError& error);

}  // namespace nnc
