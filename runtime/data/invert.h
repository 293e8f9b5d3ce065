// From the numbers of a field back to those of its column: what predictions of a scaled target mean.
#pragma once

#include "runtime/data/pipeline.h"

namespace nnc {

// Whether the pipe's steps change a number, and each can be undone: a fitted pipe of one number a row, of standard,
// robust, minmax, log and arithmetic with a constant other than a power. impute and clip count as changing nothing.
bool is_invertible(const Pipe& pipe);

// The column's number of which the pipe makes `value`. Requires is_invertible.
double original_value(const Pipe& pipe, double value);

}  // namespace nnc
