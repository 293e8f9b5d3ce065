// The core functions by family; builtins() of frontend/context.h is all of them.
#pragma once

#include <span>

#include "frontend/context.h"

namespace nnc {

std::span<const Builtin> elementwise_functions();  // exp … where, clamp, casts
std::span<const Builtin> extremum_functions();     // max, min: elementwise or along axes
std::span<const Builtin> reduction_functions();    // sum … cumsum
std::span<const Builtin> shape_functions();        // reshape … expand, shape, rank, len
std::span<const Builtin> joining_functions();      // concat, stack, split, pad, flip, take, one_hot
std::span<const Builtin> pattern_functions();      // einsum, rearrange
std::span<const Builtin> creation_functions();     // zeros … randn, arange, causal
std::span<const Builtin> window_functions();       // convolution, pool: what the prelude's layers are made of

}  // namespace nnc
