// Parts of a LoopModule as LLVM modules, through the pass pipeline and the backend. Internal to codegen.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "codegen/emit.h"

namespace nnc {

// What one LLVM module is made of: indices of kernels, or the entries.
struct ModulePart {
  std::vector<size_t> kernels;
  bool entries = false;
};

// Cuts the kernels into parts of similar size, in order; the same for every machine and number of threads.
// The entries are a part of their own, the last.
std::vector<ModulePart> cut_into_parts(const LoopModule& module);

// Emits a part with debug information, verified.
std::unique_ptr<llvm::Module> emit_part(llvm::LLVMContext& context, const LoopModule& module, const ModulePart& part,
                                        const MachineDescription& description, llvm::TargetMachine& machine);

// The pass pipeline: short, since Loop IR has decided what is vectorised, unrolled and fused.
void optimise(llvm::Module& module, llvm::TargetMachine& machine);

}  // namespace nnc
