// How sparse the data is, for products that skip zeros.
#pragma once

#include <vector>

#include "passes/pipeline.h"
#include "runtime/data/dataset.h"

namespace nnc {

// Measures the f32 fields on a sample of the training rows (of all rows where there are none for training): at random
// rows as batches are shuffled, in groups of 6, at places drawn evenly. Takes well under a millisecond a field; the
// same data gives the same numbers.
std::vector<InputZeros> measure_zeros(const Dataset& dataset);

}  // namespace nnc
