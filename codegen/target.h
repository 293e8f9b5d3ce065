// The LLVM side of a Target: which processor and features code is made for.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "ir/target.h"

namespace llvm {
class Function;
class TargetMachine;
}  // namespace llvm

namespace nnc {

// What LLVM is told of a target: where this machine has all of it, whatever else the machine has too; else the least
// machine that has it. The same for every function of a module.
struct MachineDescription {
  std::string cpu;       // what instructions may be used
  std::string tune;      // what they are scheduled for: the host
  std::string features;  // "+avx2,-prefer-256-bit,…"
  int vector_bits = 128;
};
MachineDescription describe(const Target& target);

// Whether this process may use tile registers, which it asks the kernel for, once: it must before code with them runs.
bool permit_tiles();

// Registers LLVM's backend for this machine, once; make_machine does it too.
void initialise_native_backend();

// Initialises LLVM's native backend on first use. Errors: LLVM has no such machine.
tl::expected<std::unique_ptr<llvm::TargetMachine>, std::string> make_machine(const MachineDescription& machine);

// The attributes by which LLVM chooses instructions and vector width in `function`, and by which it folds constants
// with denormals flushed, as they are when the code runs.
void set_machine_attributes(llvm::Function& function, const MachineDescription& machine);

}  // namespace nnc
