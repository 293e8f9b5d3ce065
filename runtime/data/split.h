// Divides the rows of a table into training, validation and test rows: disjoint, complete, the same for the same seed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/data/table.h"
#include "runtime/spec.h"

namespace nnc {

enum class DataPart : uint8_t { train, val, test };

struct SplitRows {
  std::vector<uint32_t> train, val, test;  // ascending
};

// A split as asked for:
//
//   random(val = 0.2, test = 0.1, stratify = "column", seed = 0)
//   sequential(val = 0.1, test = 0.1)
//   grouped(by = "column", val = 0.2, test = 0.1, seed = 0)
//   kfold(k = 5, test = 0, stratify = "column", by = "column", seed = 0, shuffle = true)
//
// A share below 1 is a fraction of the rows (rounded to the nearest count, but at least one), otherwise a number of
// rows.
struct SplitRequest {
  enum class Kind : uint8_t { none, random, sequential, grouped, kfold };
  Kind kind = Kind::none;
  double val = 0, test = 0;
  std::optional<size_t> stratify, by;  // indices of columns
  int64_t folds = 5, fold = 1;         // of kfold; `fold` from 1
  bool shuffle = true;                 // of kfold; false: in the order of the rows
  uint64_t seed = 0;
  Origin origin = 0;
};

// Errors: E601, E607, E608, E611.
SplitRequest read_split(const Spec& split, const Table& table, ErrorList& errors);

// Makes the request one for that fold: a random or grouped split (or none) becomes a kfold of the same stratify, by,
// seed and test, which has the same test rows. Errors, all E632: a fold that does not exist, another number of folds
// than the split has, a sequential split.
void set_fold(SplitRequest& request, const FoldSpec& fold, ErrorList& errors);

// Stratified: each category's share of a part follows its share of all rows by largest remainders, so a part has
// exactly the number of rows asked for. Sequential: train, val and test in the order of the rows. Grouped: rows with
// the same value stay together; groups in random order, each taken while at least half of it is still wanted, so parts
// come near the size asked for. Folds: sizes differ by at most one, in each category too; with `by`, the largest group
// goes first, each to the fold with the fewest rows. Errors: E610, E609 (missing category).
SplitRows split_rows(const SplitRequest& request, const Table& table, ErrorList& errors);

}  // namespace nnc
