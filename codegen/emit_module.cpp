#include "codegen/emit_module.h"

#include <llvm/BinaryFormat/Dwarf.h>
#include <llvm/IR/DIBuilder.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/Path.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include <algorithm>

#include "ir/check.h"

namespace nnc {
namespace {

// Statements after unrolling: what compile time grows with.
int64_t size_of_block(const Kernel& kernel, const std::vector<LoopStmt>& block) {
  int64_t size = 0;
  for (const LoopStmt& stmt : block) {
    int64_t copies = stmt.kind == LoopStmt::loop ? std::max<int64_t>(1, stmt.copies) : 1;
    if (stmt.kind == LoopStmt::unroll) {
      for (VarId var : stmt.vars) copies *= kernel[var].end - kernel[var].begin;
    }
    size += 1 + copies * size_of_block(kernel, stmt.body);
  }
  return size;
}

DebugInfo describe_sources(llvm::DIBuilder& builder, const LoopModule& module) {
  DebugInfo debug;
  debug.builder = &builder;
  for (const std::string& file : module.files) {
    debug.files.push_back(builder.createFile(llvm::sys::path::filename(file), llvm::sys::path::parent_path(file)));
  }
  llvm::DIFile* first = debug.files.empty() ? builder.createFile(module.name, "") : debug.files.front();
  debug.unit = builder.createCompileUnit(llvm::dwarf::DW_LANG_C, first, "nnc", true, "", 0, "",
                                         llvm::DICompileUnit::LineTablesOnly);
  return debug;
}

}  // namespace

ModuleParts cut_into_parts(const LoopModule& module, const std::vector<std::pair<std::string, int64_t>>& awaited) {
  // About what the backend compiles in a few tens of milliseconds: enough to share out, too much to drown in fixed
  // costs.
  constexpr int64_t part_size = 1000;
  std::vector<bool> entry_awaited(module.entries.size(), awaited.empty());
  std::vector<bool> kernel_awaited(module.kernels.size(), awaited.empty());
  for (size_t index = 0; index < module.entries.size(); ++index) {
    const LoopEntry& entry = module.entries[index];
    if (std::find(awaited.begin(), awaited.end(), std::pair(entry.name, entry.batch)) == awaited.end()) continue;
    entry_awaited[index] = true;
    for (const LoopPhase& phase : entry.phases) {
      for (const KernelCall& call : phase.calls) kernel_awaited[call.kernel.value] = true;
    }
  }
  ModuleParts cut;
  for (const bool now : {true, false}) {
    int64_t size = part_size;
    for (size_t index = 0; index < module.kernels.size(); ++index) {
      if (kernel_awaited[index] != now) continue;
      if (size >= part_size) {
        cut.parts.emplace_back();
        size = 0;
      }
      cut.parts.back().kernels.push_back(index);
      size += size_of_block(module.kernels[index], module.kernels[index].body);
    }
    ModulePart entries;
    for (size_t index = 0; index < module.entries.size(); ++index) {
      if (entry_awaited[index] == now) entries.entries.push_back(index);
    }
    if (!entries.entries.empty()) cut.parts.push_back(std::move(entries));
    if (now) cut.awaited = cut.parts.size();
  }
  return cut;
}

std::unique_ptr<llvm::Module> emit_part(llvm::LLVMContext& context, const LoopModule& module, const ModulePart& part,
                                        const MachineDescription& description, llvm::TargetMachine& machine) {
  auto result = std::make_unique<llvm::Module>(module.name, context);
  result->setTargetTriple(machine.getTargetTriple().str());
  result->setDataLayout(machine.createDataLayout());
  result->addModuleFlag(llvm::Module::Warning, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
  llvm::DIBuilder builder(*result);
  DebugInfo debug = describe_sources(builder, module);
  for (size_t kernel : part.kernels) emit_kernel(*result, module.kernels[kernel], description, &debug);
  for (size_t entry : part.entries) emit_entry(*result, module, module.entries[entry], description);
  builder.finalize();
  std::string wrong;
  llvm::raw_string_ostream stream(wrong);
  NNC_CHECK(!llvm::verifyModule(*result, &stream), "LLVM refuses what was emitted: {}", stream.str());
  return result;
}

}  // namespace nnc
