// The arithmetic of reductions, for reduce and window.
#pragma once

#include "ir/graph/attributes.h"

namespace nnc {

// What a reduction starts from: 0, 1, -inf, inf.
double identity_of(Reduction reduction);

// One step. max and min (argmax compares like max) pass NaN on.
double combine(Reduction reduction, double sum, double value);

}  // namespace nnc
