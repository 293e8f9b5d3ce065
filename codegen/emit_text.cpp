#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include "codegen/codegen.h"
#include "codegen/emit_module.h"
#include "ir/check.h"

namespace nnc {
namespace {

// `write` each part of the module, emitted, one after another.
template <class Write>
void for_each_part(const LoopModule& module, Write write) {
  const MachineDescription description = describe(module.target);
  auto machine = make_machine(description);
  NNC_CHECK(machine.has_value(), "{}", machine.error());
  for (const ModulePart& part : cut_into_parts(module).parts) {
    llvm::LLVMContext context;
    std::unique_ptr<llvm::Module> emitted = emit_part(context, module, part, description, **machine);
    write(*emitted, **machine);
  }
}

}  // namespace

std::string emit_llvm(const LoopModule& module, bool optimised) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  for_each_part(module, [&](llvm::Module& emitted, llvm::TargetMachine& machine) {
    if (optimised) optimise(emitted, machine);
    emitted.print(stream, nullptr);
  });
  return text;
}

std::string emit_assembly(const LoopModule& module) {
  std::string text;
  for_each_part(module, [&](llvm::Module& emitted, llvm::TargetMachine& machine) {
    optimise(emitted, machine);
    llvm::SmallVector<char, 0> buffer;
    llvm::raw_svector_ostream stream(buffer);
    llvm::legacy::PassManager backend;
    const bool refused = machine.addPassesToEmitFile(backend, stream, nullptr, llvm::CodeGenFileType::AssemblyFile);
    NNC_CHECK(!refused, "LLVM cannot emit assembly");
    backend.run(emitted);
    text.append(buffer.begin(), buffer.end());
  });
  return text;
}

}  // namespace nnc
