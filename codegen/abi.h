// The words of the compiler in the words of the ABI (runtime/executable.h): for whoever makes an Executable.
#pragma once

#include "ir/graph/graph.h"
#include "runtime/executable.h"

namespace nnc {

ElementType element_type_of(DType dtype);
IoTensor::Role role_of(Root::Kind kind);

}  // namespace nnc
