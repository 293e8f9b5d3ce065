// The words of the compiler in the words of the ABI (runtime/executable.h): for whoever makes an Executable.
#pragma once

#include <vector>

#include "ir/loop/loop.h"
#include "runtime/executable.h"

namespace nnc {

ElementType element_type_of(DType dtype);
IoTensor::Role role_of(Root::Kind kind);

StateTensor describe_state(const LoopModule& module, const StatePlacement& placement);
// Without a closure and without `calls`.
Entry describe_entry(const LoopEntry& entry, nnc_entry call);
// What a profile says of the entry's kernels: Entry::calls.
std::vector<EntryCall> describe_calls(const LoopModule& module, const LoopEntry& entry);

}  // namespace nnc
