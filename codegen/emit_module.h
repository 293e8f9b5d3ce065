// Parts of a LoopModule as LLVM modules, through the pass pipeline and the backend. Internal to codegen.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "codegen/emit.h"

namespace nnc {

// What one LLVM module is made of: indices of kernels and of entries.
struct ModulePart {
  std::vector<size_t> kernels, entries;
};

// Cuts kernels and entries into parts of similar size; the same for every machine and number of threads. The `awaited`
// entries and what they call come first, then all else (CompileOptions::awaited; empty: all are). What only the
// `omitted` entry calls is in no part.
struct ModuleParts {
  std::vector<ModulePart> parts;
  size_t awaited = 0;  // how many of them are waited for
};
ModuleParts cut_into_parts(const LoopModule& module, const std::vector<std::pair<std::string, int64_t>>& awaited = {},
                           const std::string& omitted = {});

// Emits a part with debug information, verified.
std::unique_ptr<llvm::Module> emit_part(llvm::LLVMContext& context, const LoopModule& module, const ModulePart& part,
                                        const MachineDescription& description, llvm::TargetMachine& machine,
                                        bool profiled = false);

// The pass pipeline: short, since Loop IR has decided what is vectorised, unrolled and fused.
void optimise(llvm::Module& module, llvm::TargetMachine& machine);

}  // namespace nnc
