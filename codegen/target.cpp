#include "codegen/target.h"

#include <fmt/format.h>
#include <llvm/ADT/StringMap.h>
#include <llvm/IR/Function.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "codegen/codegen.h"

namespace nnc {
namespace {

bool has_all(const llvm::StringMap<bool>& features, std::initializer_list<const char*> names) {
  return std::all_of(names.begin(), names.end(), [&](const char* name) { return features.lookup(name); });
}

bool usable(const Target& target, const llvm::StringMap<bool>& features) {
  if (target.tiles) {
    return has_all(features, {"amx-tile", "amx-bf16"}) && usable(target_avx512(), features) && permit_tiles();
  }
  if (target.name == "avx512") {
    return has_all(features, {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd", "fma", "avx2", "bmi2"});
  }
  if (target.name == "avx2") return has_all(features, {"avx2", "fma", "bmi", "bmi2", "f16c", "lzcnt", "movbe"});
  return true;
}

}  // namespace

// Linux keeps the tile registers from a process until it asks for them.
bool permit_tiles() {
#if defined(__x86_64__) && defined(SYS_arch_prctl)
  constexpr long request_permission = 0x1023, tile_data = 18;
  static const bool permitted = syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  return permitted;
#else
  return false;
#endif
}

void initialise_native_backend() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    // Addresses are laid out by the emitter, at the head of the loop they depend on: to look for better ones costs a
    // fifth of the backend's time and finds none. The second scheduling costs a tenth; out-of-order processors do
    // without.
    for (const char* pass : {"disable-lsr", "disable-post-ra"}) {
      auto& options = llvm::cl::getRegisteredOptions();
      if (const auto option = options.find(pass); option != options.end())
        option->second->addOccurrence(0, pass, "true");
    }
  });
}

Host detect_host() {
  Host host;
  host.cpu = llvm::sys::getHostCPUName().str();
  const llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  for (const auto& feature : features) {
    if (feature.second) host.features.push_back(feature.first().str());
  }
  std::sort(host.features.begin(), host.features.end());
  for (const Target& target : {target_amx(), target_avx512(), target_avx2(), target_sse2()}) {
    if (usable(target, features)) host.targets.push_back(target);
  }
  return host;
}

std::string llvm_version() { return LLVM_VERSION_STRING; }

MachineDescription describe(const Target& target) {
  MachineDescription machine;
  machine.tune = llvm::sys::getHostCPUName().str();
  if (target.name == "avx512" || target.tiles) {
    const llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
    std::vector<std::string> names;
    if (usable(target_avx512(), features)) {
      machine.cpu = machine.tune;
      for (const auto& feature : features)
        names.push_back(fmt::format("{}{}", feature.second ? "+" : "-", feature.first().str()));
    } else {
      machine.cpu = "x86-64-v4";
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) machine.features += name + ",";
    // Some processors are described as preferring half their width; products want all of it.
    machine.features += "-prefer-256-bit";
    if (target.tiles) machine.features += ",+amx-tile,+amx-bf16";
    machine.vector_bits = 512;
  } else if (target.name == "avx2") {
    machine.cpu = "x86-64-v3";
    machine.vector_bits = 256;
  } else {
    machine.cpu = "x86-64";
  }
  return machine;
}

tl::expected<std::unique_ptr<llvm::TargetMachine>, std::string> make_machine(const MachineDescription& machine) {
  initialise_native_backend();
  const std::string triple = llvm::sys::getProcessTriple();
  std::string error;
  const llvm::Target* backend = llvm::TargetRegistry::lookupTarget(triple, error);
  if (backend == nullptr) return tl::unexpected(error);
  std::unique_ptr<llvm::TargetMachine> result(
      backend->createTargetMachine(triple, machine.cpu, machine.features, llvm::TargetOptions(), llvm::Reloc::PIC_,
                                   llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default, /*JIT=*/true));
  if (!result) return tl::unexpected("LLVM has no machine " + machine.cpu + " for " + triple);
  return result;
}

void set_machine_attributes(llvm::Function& function, const MachineDescription& machine) {
  function.addFnAttr("target-cpu", machine.cpu);
  function.addFnAttr("tune-cpu", machine.tune);
  if (!machine.features.empty()) function.addFnAttr("target-features", machine.features);
  function.addFnAttr("prefer-vector-width", std::to_string(machine.vector_bits));
  function.addFnAttr("min-legal-vector-width", std::to_string(machine.vector_bits));
  function.addFnAttr("denormal-fp-math", "preserve-sign,preserve-sign");
  function.addFnAttr(llvm::Attribute::NoUnwind);
}

}  // namespace nnc
