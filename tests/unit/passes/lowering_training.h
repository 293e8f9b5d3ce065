// Small programs with a training step, for tests of the Plan and of what is lowered from it.
#pragma once

#include <string_view>

#include "tests/unit/passes/graph_testing.h"

namespace nnc::testing {

struct MlpShape {
  int64_t batch = 13, in = 21, hidden = 100, hidden2 = 37, classes = 10;
  bool rich = true;  // layer norm and dropout behind the first layer
};

// Functions "step" (loss "ce", trained by Adam) and "predict" (output "probs", five rows).
Program mlp_program(const MlpShape& shape);

const Graph& function(const Program& program, std::string_view name);

}  // namespace nnc::testing
