// What the columns of a table seem to hold, and what a model file could do with each.
#pragma once

#include <string>
#include <vector>

#include "runtime/data/table.h"

namespace nnc {

enum class ColumnUse : uint8_t {
  number,  // quantities: scaled
  codes,   // few whole numbers: each a category
  words,   // few texts: each a category
  many,    // many texts, the frequent ones are categories
  unused,  // left out: ColumnProfile::why
};

struct ColumnProfile {
  std::string name;
  ColumnUse use = ColumnUse::unused;
  std::string why;       // of unused: "constant", "a different text in each row", …
  int64_t missing = 0;   // cells
  int64_t distinct = 0;  // values, missing ones not counted
  bool whole = false;    // whole numbers only
  bool ascending_dates = false;
};

// Requires loaded columns. Columns that a model file cannot name (a name that stands twice, or that no string can hold)
// are unused.
std::vector<ColumnProfile> profile_columns(const Table& table);

enum class TargetKind : uint8_t {
  binary,   // two values
  classes,  // a few: each a class
  number,   // a quantity
  wrong,    // TargetProfile::why
};

struct TargetProfile {
  TargetKind kind = TargetKind::wrong;
  std::string why, help;
  std::string positive;              // of binary
  std::vector<std::string> classes;  // of binary and classes: numbers ascending, text in byte order
  std::vector<int64_t> counts;       // rows of each class
};

TargetProfile profile_target(const Table& table, size_t column);

// Words that stand for a missing value in columns of numbers: "NA", "?", …, as far as this table uses them.
std::vector<std::string> missing_words(const Table& table);

// True if a string of the language can hold the text.
bool writable(std::string_view text);

}  // namespace nnc
