// Cuts the joint Graph of `step` into the functions forward, backward and update.
//
// A value that crosses a cut is a root {saved, NAME} of the function that computes it and an input "saved:NAME" of
// those that read it; a gradient root is the input "gradient:NAME" of update. Inputs, constants, iotas and states, and
// what movement of one operand makes of them, are read again instead, unless an earlier function has assigned the state
// meanwhile: then the value from before is saved.
//
// Requires: a joint graph with gradient roots, all orders fixed. Ensures: running the three one after another, each
// with the states the one before it left, does what `joint` does, bit for bit: the same nodes in the same order.
//
//   graph step:     %h = exp %w ; output "h" %h ; bwd: %g = mul 2 %h ; gradient "w" %g ; upd: %n = sub %w %g ; assign
//   "w" %n graph backward: %h = input "saved:h" ; %g = mul 2 %h ; gradient "w" %g      # update: %w and %g = input
//   "gradient:w"
#pragma once

#include "ir/graph/graph.h"

namespace nnc {

struct Cut {
  Graph forward;   // losses, metrics, outputs, saved; assigns of part forward
  Graph backward;  // gradients, saved
  Graph update;    // assigns of part update
};

Cut cut_functions(const Graph& joint);

}  // namespace nnc
