// The JIT: parts of a module are compiled to objects on two threads, then linked into this process.
#include <llvm/ExecutionEngine/Orc/Debugging/DebuggerSupport.h>
#include <llvm/ExecutionEngine/Orc/ExecutionUtils.h>
#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/SmallVectorMemoryBuffer.h>
#include <llvm/Target/TargetMachine.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "codegen/abi.h"
#include "codegen/codegen.h"
#include "codegen/emit_module.h"

namespace nnc {
namespace {

using Clock = std::chrono::steady_clock;
double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct CompiledPart {
  llvm::SmallVector<char, 0> object;
  std::string error;
  CompileTimings timings;
};

CompiledPart compile_part(const LoopModule& module, const ModulePart& part, const MachineDescription& description) {
  CompiledPart result;
  const auto start = Clock::now();
  auto machine = make_machine(description);
  if (!machine) {
    result.error = machine.error();
    return result;
  }
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> emitted = emit_part(context, module, part, description, **machine);
  result.timings.emit_ms = milliseconds_since(start);
  const auto emitted_at = Clock::now();
  optimise(*emitted, **machine);
  llvm::legacy::PassManager backend;
  llvm::raw_svector_ostream stream(result.object);
  if ((*machine)->addPassesToEmitFile(backend, stream, nullptr, llvm::CodeGenFileType::ObjectFile)) {
    result.error = "LLVM cannot emit objects for " + description.cpu;
    return result;
  }
  backend.run(*emitted);
  result.timings.optimise_ms = milliseconds_since(emitted_at);
  return result;
}

// Parts are taken in order by whichever thread is free; each has its own LLVM context.
std::vector<CompiledPart> compile_parts(const LoopModule& module, const std::vector<ModulePart>& parts) {
  const MachineDescription description = describe(module.target);
  std::vector<CompiledPart> compiled(parts.size());
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t index = next++; index < parts.size(); index = next++) {
      compiled[index] = compile_part(module, parts[index], description);
    }
  };
  std::thread helper;
  if (parts.size() > 1 && std::thread::hardware_concurrency() > 1) helper = std::thread(work);
  work();
  if (helper.joinable()) helper.join();
  return compiled;
}

tl::expected<std::unique_ptr<llvm::orc::LLJIT>, std::string> link(std::vector<CompiledPart>& parts) {
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit) return tl::unexpected(llvm::toString(jit.takeError()));
  // Without a debugger's hook in this process code runs all the same.
  if (llvm::Error error = llvm::orc::enableDebuggerSupport(**jit)) llvm::consumeError(std::move(error));
  for (CompiledPart& part : parts) {
    if (!part.error.empty()) return tl::unexpected(part.error);
    auto buffer = std::make_unique<llvm::SmallVectorMemoryBuffer>(std::move(part.object), false);
    if (llvm::Error error = (*jit)->addObjectFile(std::move(buffer)))
      return tl::unexpected(llvm::toString(std::move(error)));
  }
  return std::move(*jit);
}

IoTensor::Role role_of(const LoopEntry::Io& io) {
  if (io.read) return io.is_target ? IoTensor::target : IoTensor::input;
  return nnc::role_of(io.kind);
}

StateTensor describe_state(const LoopModule& module, const StatePlacement& placement) {
  const StateDecl& state = module.states[placement.state.value];
  StateTensor tensor{state.name,      element_type_of(state.type.dtype),
                     state.type.dims, placement.offset,
                     placement.bytes, {},
                     state.trained,   state.slot_of ? module.states[state.slot_of.value].name : ""};
  for (const StatePlacement::Factor& factor : placement.factors) {
    tensor.layout.push_back({factor.axis, factor.divisor, factor.extent, factor.stride});
  }
  return tensor;
}

Entry describe_entry(const LoopEntry& entry, nnc_entry call) {
  Entry result{entry.name, entry.batch, call, {}, entry.flops, static_cast<int64_t>(entry.phases.size())};
  for (const LoopEntry::Io& io : entry.io) {
    result.io.push_back({role_of(io), io.name, element_type_of(io.type.dtype), io.type.dims, !io.read});
  }
  return result;
}

}  // namespace

tl::expected<Executable, std::string> compile(const LoopModule& module, CompileTimings* timings) {
  std::vector<CompiledPart> parts = compile_parts(module, cut_into_parts(module));
  const auto start = Clock::now();
  auto jit = link(parts);
  if (!jit) return tl::unexpected(jit.error());
  Executable executable;
  executable.model = module.name;
  executable.state_bytes = module.state_bytes;
  executable.arena_bytes = module.arena_bytes;
  executable.scratch_bytes = module.scratch_bytes;
  for (const StatePlacement& placement : module.placements)
    executable.states.push_back(describe_state(module, placement));
  for (const LoopEntry& entry : module.entries) {
    auto address = (*jit)->lookup(symbol_of(module, entry));
    if (!address) return tl::unexpected(llvm::toString(address.takeError()));
    executable.entries.push_back(describe_entry(entry, address->toPtr<nnc_entry>()));
  }
  executable.code = std::shared_ptr<llvm::orc::LLJIT>(std::move(*jit));
  if (timings != nullptr) {
    for (const CompiledPart& part : parts) {
      timings->emit_ms += part.timings.emit_ms;
      timings->optimise_ms += part.timings.optimise_ms;
    }
    timings->link_ms += milliseconds_since(start);
  }
  return executable;
}

}  // namespace nnc
