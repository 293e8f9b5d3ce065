// The sources a `data` block can name: csv(…), idx(…), synthetic(…). Each becomes a Table.
#pragma once

#include "runtime/data/table.h"
#include "runtime/spec.h"

namespace nnc {

//   csv(path, header = true|false, missing = ["", "NA"], delimiter = ",")
//   idx(name = path, …)         one column a file; `images` and `labels` by custom
//   synthetic(rows = n, seed = s, name = rand(3, 32, 32), label = randint(10), z = randn(8))
//
// Columns have their names; those of a csv have no values until load_columns. Errors: E604, E605, E606, E607, E608.
tl::expected<Table, RuntimeErrors> open_source(const Spec& source);

// Loads the columns wanted. For sources that are loaded already nothing happens.
RuntimeErrors load_columns(Table& table, const std::vector<bool>& wanted);

}  // namespace nnc
