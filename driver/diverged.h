// Why training broke: the step that made the first number that is not finite, computed again node by node.
#pragma once

#include "driver/compile.h"
#include "driver/experiment.h"
#include "runtime/session.h"
#include "runtime/trainer.h"

namespace nnc {

// Adds a diagnostic (E901) to the unit: which operation of which line gave the first NaN or infinity, from which
// numbers, and what helps. An infinity that stands in the program as a constant, and what is masked with it, is not to
// blame.
// Requires: the session holds the state before the broken step (`located`; otherwise only the step is named).
// Each node is computed in double and rounded to its type. A step too large for that is named without a line.
void explain_divergence(Experiment& experiment, const Runnable& runnable, const Session& session,
                        const TrainResult& result, bool located);

}  // namespace nnc
