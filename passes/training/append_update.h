// Puts the optimizer behind the gradients: copies the update rule of each trained state, and counts the step.
//
// A rule reads the parameter as input "p", its gradient as input "g", its slots as state nodes, and state "step" as the
// number of updates done before this one (it adds 1 itself). What several rules compute alike, merge_duplicates joins.
// The program's gradient rule of this function stands between: it reads gradients as inputs "gradient:NAME" and its
// gradient roots are what the updates see. A function "accumulate" ends with its gradient rule: nothing is updated.
//
// Requires: differentiate is done; a rule per gradient root. Ensures: new nodes are part update; every trained state
// and slot is assigned, and "step" is assigned step + 1, once; the gradient roots are gone unless `keep_gradients`.
//
//   gradient "w" %g                                                       # rule: n = sub p (mul g 0.1) ; assign "w" n
//   upd: %u = mul %g 0.1 ; %n = sub %w %u ; assign "w" %n ; %t1 = add %t 1 ; assign "step" %t1
#pragma once

#include "ir/graph/graph.h"

namespace nnc {

void append_update(Graph& graph, const Program& program, bool keep_gradients = false);

}  // namespace nnc
