// The definitions that ops.def lists, one per op, each in the file of its kind. Only registry.cpp and those files read
// this.
#pragma once

#include "ir/ops/op.h"

namespace nnc {

#define OP(name, kind, arity) extern const OpDefinition op_##name;
#include "ir/ops/ops.def"

}  // namespace nnc
