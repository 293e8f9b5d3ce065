// What a function computes on the first batch, as numbers: the same text from either interpreter, so that a difference
// shows where a miscompile lies.
#pragma once

#include <string>

#include "driver/compile.h"
#include "driver/experiment.h"

namespace nnc {

// Initialises, calls the function once on the first rows of the first epoch, and prints each result and each state it
// leaves: type, norm, and its first elements. Returns the exit code.
int show_values(Experiment& experiment, const CompileArguments& arguments, const PipelineOptions& options,
                const std::string& function);

}  // namespace nnc
