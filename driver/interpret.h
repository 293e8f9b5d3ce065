// Interpreters dressed as executables: their entries are called as compiled code is, and step through a form instead.
#pragma once

#include <memory>

#include "ir/ops/op.h"
#include "passes/pipeline.h"
#include "runtime/executable.h"

namespace nnc {

// The joint Graphs in double precision, by the oracle: float states are kept as f64. Thread 0 does all the work.
// Requires: no cuts, differentiated.
Executable interpret_graphs(std::shared_ptr<const Lowered> lowered);

// The Loop IR statement by statement, bit-equal to native code; thread 0 plays all threads, one after another.
Executable interpret_loops(std::shared_ptr<const Lowered> lowered);

// Elements stored row-major as `stored`, as the reference evaluation has them.
ReferenceTensor reference(const TensorType& type, ElementType stored, const void* from);

}  // namespace nnc
