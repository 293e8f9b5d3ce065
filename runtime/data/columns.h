// Finds columns of a table by name or pattern.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "runtime/data/table.h"

namespace nnc {

// E601 with the nearest name where there is none, or where two columns share the name.
std::optional<size_t> find_column(const Table& table, std::string_view name, Origin origin, ErrorList& errors);

// Columns whose names match, in the table's order; `*` stands for any run of characters, and all else for itself.
std::vector<size_t> match_columns(const Table& table, std::string_view pattern);

// True if `pattern` has a `*`.
bool is_pattern(std::string_view pattern);

}  // namespace nnc
