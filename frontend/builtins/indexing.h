// `x[…]` on tensors (NumPy's basic indexing by static numbers) and lists, and `x.T`.
#pragma once

#include <vector>

#include "frontend/context.h"

namespace nnc {

// One item between the brackets; None where a part of a slice was left out.
struct IndexArgument {
  enum class Kind { at, slice, ellipsis };
  Kind kind = Kind::at;
  Value at;                // of `at`
  Value begin, end, step;  // of `slice`
  Span span;
};

// base[items]. A slice clips to the axis as NumPy's does; an index outside its axis is an error.
Value index_value(Context& context, const Value& base, const std::vector<IndexArgument>& items, Span base_span,
                  Span whole);

// x.T: the last two axes swapped. Errors: fewer than two axes.
Value transposed(Context& context, const Value& base, Span whole);

}  // namespace nnc
