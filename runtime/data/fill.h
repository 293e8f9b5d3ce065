// The values of a field, from tables and a fitted plan.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/data/dataset.h"

namespace nnc {

// Sets type, bound, dims, row_bytes, values and starts of a field whose plan is fitted: the rows of all tables, one
// behind the other. `windows` are the first rows of the windows where the plan has some (cut_windows). Errors: those of
// apply_field; E650.
void fill_field(DataField& field, std::span<const Table* const> tables, std::span<const int64_t> windows,
                ErrorList& errors);

}  // namespace nnc
