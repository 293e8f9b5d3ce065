// A trained model's data on another table: the fitted transforms are applied, nothing is fitted.
#pragma once

#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "runtime/data/dataset.h"

namespace nnc {

// Opens `source` and applies the fitted plans to all its rows, which form the part `test`. Columns are found by name;
// those of a file without a header by the place they had in training. Where the header's presence is not given, a first
// line that names the columns wanted is one. Windows are cut from all rows; where no field among `plans` holds what
// comes after its window, the last window ends with the last row. Errors are located as in training: E601 to E609,
// E611, E613, E650.
tl::expected<Dataset, RuntimeErrors> apply_saved(const Spec& source, std::span<const FieldPlan> plans);

// What the values of a target mean, by number: the categories of ordinal() (with "unknown" behind them where that is a
// class of its own), the two of binary(), negative first, and the lanes of onehot(). Empty for other fields.
std::vector<std::string> class_names(const FieldPlan& plan);

// What the numbers of one row are called: its classes; else the labels of multilabel(), or the columns of a concat of
// single numbers. Empty where none of these.
std::vector<std::string> lane_names(const FieldPlan& plan);

}  // namespace nnc
