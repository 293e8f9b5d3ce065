// Whether a plan that came from a file is one that fitting could have made.
#pragma once

#include <string>

#include "runtime/data/pipeline.h"

namespace nnc {

// Empty if the plan can be applied to any table without harm: each step has the numbers and categories it needs, one
// for all lanes or one a lane; lanes and dims are what the steps make of a row. Else where and why not:
// "pipes[3].steps[0]: …".
std::string unsound(const FieldPlan& plan);

}  // namespace nnc
