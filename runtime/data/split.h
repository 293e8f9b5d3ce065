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

// A split as asked for: random(val = 0.2, test = 0.1, stratify = "column", seed = 0) or sequential(val = 0.1, test =
// 0.1). A share below 1 is a fraction of the rows (rounded to the nearest count, but at least one), otherwise a number
// of rows.
struct SplitRequest {
  enum class Kind : uint8_t { none, random, sequential };
  Kind kind = Kind::none;
  double val = 0, test = 0;
  std::optional<size_t> stratify;  // index of the column
  uint64_t seed = 0;
  Origin origin = 0;
};

// Errors: E601, E607, E608.
SplitRequest read_split(const Spec& split, const Table& table, ErrorList& errors);

// Stratified: each category's share of a part follows its share of all rows by largest remainders, so a part has
// exactly the number of rows asked for. Sequential: train, val and test in the order of the rows. Errors: E610, E609
// (missing category).
SplitRows split_rows(const SplitRequest& request, const Table& table, ErrorList& errors);

}  // namespace nnc
