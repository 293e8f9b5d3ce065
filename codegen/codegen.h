// From Loop IR to native code. The only public face of codegen; LLVM appears in its .cpp files alone.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "ir/loop/loop.h"
#include "ir/target.h"
#include "runtime/executable.h"

namespace nnc {

// The machine this process runs on.
struct Host {
  std::string cpu;                    // LLVM's name: "znver5", "sapphirerapids", …
  std::vector<std::string> features;  // LLVM's names, those present
  std::vector<Target> targets;        // usable here, best first; sse2 is always the last
};
Host detect_host();

// "19.1.7"
std::string llvm_version();

struct CompileTimings {
  double emit_ms = 0, optimise_ms = 0, link_ms = 0;
};

// Compiles every kernel and entry of the module. Requires: verify(module) is empty, module.target is one of
// detect_host().targets. Errors: what LLVM or the loader said (exit code 6).
tl::expected<Executable, std::string> compile(const LoopModule& module, CompileTimings* timings = nullptr);

// The module as LLVM IR text after the pass pipeline (before it if `optimised` is false), or as assembly of
// module.target.
std::string emit_llvm(const LoopModule& module, bool optimised = true);
std::string emit_assembly(const LoopModule& module);

}  // namespace nnc
