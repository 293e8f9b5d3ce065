// From Loop IR to native code. The only public face of codegen; LLVM appears in its .cpp files alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <utility>
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

// Where compiled objects are kept between runs (codegen/object_cache.h says how).
struct ObjectCache {
  std::string folder;                        // empty: there is none
  int64_t limit_bytes = int64_t{256} << 20;  // of all files together; the least recently used go first
};

// The cache this process should use: NNC_CACHE_DIR, else XDG_CACHE_HOME/nnc, else HOME/.cache/nnc; its limit is
// NNC_CACHE_SIZE mebibytes where that is set. The folder is made if need be. Without one that belongs to this user and
// that no one else can write to, there is no cache: what lies in it will be run.
ObjectCache default_cache();

// Milliseconds of all threads together, and how many objects were found in the cache.
struct CompileTimings {
  double emit_ms = 0, optimise_ms = 0, link_ms = 0;
  int64_t objects = 0, cached = 0;
};

struct CompileOptions {
  ObjectCache cache;
  // The entries to wait for, by name and batch; empty: all. The others are compiled while the caller goes on; who calls
  // one too early waits, and helps.
  std::vector<std::pair<std::string, int64_t>> awaited;
  std::string omitted;   // the entry of this name is left out, and what only it calls: the caller has another way
  bool profile = false;  // count each kernel's time: Entry::calls, Session::ticks
};

// Compiles every kernel and entry of the module. Requires: verify(module) is empty, module.target is one of
// detect_host().targets. Errors: what LLVM or the loader said (exit code 6). `timings` cover what was waited for.
tl::expected<Executable, std::string> compile(std::shared_ptr<const LoopModule> module, const CompileOptions& options,
                                              CompileTimings* timings = nullptr);
// The same, everything at once and nothing kept. The module need not outlive the call.
tl::expected<Executable, std::string> compile(const LoopModule& module, CompileTimings* timings = nullptr);

// The module as LLVM IR text after the pass pipeline (before it if `optimised` is false), or as assembly of
// module.target.
std::string emit_llvm(const LoopModule& module, bool optimised = true);
std::string emit_assembly(const LoopModule& module);

}  // namespace nnc
