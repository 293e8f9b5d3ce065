// Metrics over all rows of a pass, computed by the interpreter of Graphs in double precision.
#pragma once

#include <memory>

#include "passes/pipeline.h"
#include "runtime/measuring.h"

namespace nnc {

// What Executable::measuring of this program is: its Program::measures made callable. Null where there are none.
std::shared_ptr<const Measuring> make_measuring(std::shared_ptr<const Lowered> lowered);

}  // namespace nnc
