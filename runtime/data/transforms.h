// The transforms that turn one column into one pipe: their names, parameters and how their arguments become a step.
#pragma once

#include <string>
#include <vector>

#include "runtime/data/arguments.h"
#include "runtime/data/pipeline.h"

namespace nnc {

struct Transform {
  const char* name;
  StepKind kind;
  std::vector<std::string> parameters;  // after the value piped in
  // Errors: E607.
  void (*read)(Arguments&, PipeStep&);
};

const std::vector<Transform>& transforms();

}  // namespace nnc
