// The sources a `data` block can name. Each becomes a Table.
#pragma once

#include "runtime/data/table.h"
#include "runtime/spec.h"

namespace nnc {

//   csv(path, header = true|false, missing = ["", "NA"], delimiter = ",")
//   idx(name = path, …)         one column a file; `images` and `labels` by custom
//   npy(name = path, …), npz(path)             runtime/data/npy.h
//   text(path)                                 runtime/data/text.h
//   images(folder)                             runtime/data/images.h
//   synthetic, blobs, moons, spirals, regression   runtime/data/synthetic.h
//
// Columns have their names and dims; those of csv, npy, npz and text have no values until load_columns. Errors: E601 (a name
// of an array), E604 to E608, E620 to E623, E650.
tl::expected<Table, RuntimeErrors> open_source(const Spec& source);

// Loads the columns wanted. For sources that are loaded already nothing happens.
RuntimeErrors load_columns(Table& table, const std::vector<bool>& wanted);

}  // namespace nnc
