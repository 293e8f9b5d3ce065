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
  number,    // one number a row, in `numbers`; NaN is a missing value
  text,      // one category a row, in `codes`: an index into `words`, or `missing_code`
  bytes,     // a tensor of u8 a row, in `bytes`
  floats,    // a tensor of f32 a row, in `floats`
  integers,  // a tensor of i32 a row, in `integers`
  symbols,   // one symbol of a text a row, in `codes`: an index into `words`, the vocabulary in code point order
};

constexpr uint32_t missing_code = 0xFFFFFFFF;

struct Column {
  std::string name;
  ColumnKind kind = ColumnKind::number;
  bool loaded = true;         // false: its values were not wanted
  std::vector<int64_t> dims;  // per row; empty is a scalar
  std::vector<double> numbers;
  std::vector<uint32_t> codes;
  std::vector<std::string> words;  // of numbers: what the classes 0, 1, … are called, where the source names them
  std::vector<uint8_t> bytes;
  std::vector<float> floats;
  std::vector<int32_t> integers;
  int64_t bound = 0;                // of integers: each is in [0, bound); 0 where unknown or where some are negative
  std::vector<int64_t> unreadable;  // of text in a csv: the first few rows whose cells are no numbers
};

// The array of an npy or npz file behind a column.
struct ArrayPlace {
  std::string path;
  std::string member;  // of an npz, else empty
  int64_t rows = 0;
  Origin origin = 0;
};

struct Table {
  std::string file;   // for messages
  Origin origin = 0;  // of the source's call
  int64_t rows = 0;
  std::vector<Column> columns;
  bool named = true;  // false: the columns are called c1, c2, … for want of a header
  CsvOptions csv;
  bool is_csv = false;
  bool is_text = false;
  std::vector<ArrayPlace> arrays;  // one a column of npy and npz, else empty
};

// Elements of one row of the column.
int64_t elements_per_row(const Column& column);

// Fills in file, line and column of the cell where that is known (a csv is read again up to there), else just the file,
// and the row in the message.
void place_error(const Table& table, int64_t row, size_t column, RuntimeError& error);

}  // namespace nnc
