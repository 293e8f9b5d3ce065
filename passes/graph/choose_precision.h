// choose_precision: the dtype in which products read their operands.
#pragma once

#include "ir/graph/graph.h"

namespace nnc {

// Purpose: with `precision` bf16, products of two f32 matrices round their operands to bf16 and go on adding up in f32,
// where that pays: every extent is at least 16, the summed one even.
//   %y = contract %x %w "b i, o i -> b o"     =>  %cx = cast %x : bf16 ; %cw = cast %w : bf16 ; %y = contract %cx %cw …
// Requires: gradients and updates are appended, transposes folded. Ensures: nothing but operands of products is
// rounded; which products are is told by their shapes alone.
void choose_precision(Graph& graph, DType precision);

}  // namespace nnc
