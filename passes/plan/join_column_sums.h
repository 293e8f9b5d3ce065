// join_column_sums: biases beside their weights.
#pragma once

#include "passes/plan/node_roles.h"

namespace nnc {

// Purpose: the gradient of a bias, and its update, join the region of its weight's gradient: the product has the rows
// that are summed in registers.
//   r1 reduce %db = sum "b o -> o" %dy {bias} ; r2 contract %dw = "b o, b i -> o i" %dy %x {weight}
//     =>  r2 contract %dw beside %db {weight bias}
// Requires: regions are formed, products deferred. Ensures: Region::column_sum is set where one was joined; regions
// still stand in an order that follows data.
void join_column_sums(Plan& plan, const std::vector<Role>& roles);

}  // namespace nnc
