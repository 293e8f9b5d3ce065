// Products whose scalar side is a sparse input.
#pragma once

#include <span>

#include "ir/plan/plan.h"
#include "passes/pipeline.h"

namespace nnc {

// Lets products skip the zeros of an input. The scalars that one step of a sum reads in a tile are a few neighbours of
// the operand: rows of the batch in a layer's output, places of one row in its weight's gradient. Where they are often
// all zero, a test and a branch cost less than the step's multiply-adds: in tiles of many vectors, or where the same
// steps are zero again and again.
// Requires: regions are formed. Ensures: Tiling::zeros names the operand in the products of f32 whose scalar operand is
// an input (or a reshape of one that keeps its rows) that `known` says has enough zeros in that direction. No bit of a
// result changes: sums start at +0 and fma(0, w, s) is s for every finite w (and s other than -0, which takes a
// denormal sum that was flushed).
void skip_zeros(Plan& plan, std::span<const InputZeros> known);

}  // namespace nnc
