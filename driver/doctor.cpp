// nnc doctor: what this machine offers, and whether native code works on it.
#include <fmt/format.h>
#include <xmmintrin.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "codegen/codegen.h"
#include "driver/commands.h"
#include "driver/console.h"
#include "runtime/logs/progress.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

namespace nnc {
namespace {

// The processor's name as the kernel tells it, "" if it does not.
std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

struct Trial {
  std::string error;
  double milliseconds = 0;
};

// An empty program through the whole of code generation: needs executable memory.
Trial try_native(const Target& target) {
  LoopModule module;
  module.name = "doctor";
  module.target = target;
  const auto start = std::chrono::steady_clock::now();
  const auto compiled = compile(module);
  return {compiled ? "" : compiled.error(),
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count()};
}

}  // namespace

int doctor(bool json) {
  const Host host = detect_host();
  std::vector<std::string> targets;
  for (const Target& target : host.targets) targets.push_back(target.name);
  const Trial trial = try_native(host.targets.front());
  const std::string native =
      trial.error.empty() ? fmt::format("works ({:.1f} ms to link an empty program)", trial.milliseconds) : trial.error;
  const unsigned mxcsr = _mm_getcsr();
  if (json) {
    print_json({{"schema", json_schema},
                {"version", NNC_VERSION},
                {"processor", processor_name()},
                {"cpu", host.cpu},
                {"features", host.features},
                {"targets", targets},
                {"llvm", llvm_version()},
                {"native_code", trial.error.empty()},
                {"cores", available_cores()},
                {"memory_bytes", available_memory()},
                {"mxcsr", mxcsr},
                {"cache", default_cache().folder}});
    return trial.error.empty() ? kOk : kResources;
  }
  fmt::print("nnc          {}\n", NNC_VERSION);
  fmt::print("processor    {}\n", processor_name());
  fmt::print("cpu          {} (as LLVM {} knows it)\n", host.cpu, llvm_version());
  fmt::print("targets      {} (--cpu; the first is native)\n", fmt::join(targets, ", "));
  fmt::print("features     {}\n", fmt::join(host.features, " "));
  fmt::print("native code  {}\n", native);
  fmt::print("threads      {} (cores this process may use)\n", available_cores());
  fmt::print("memory       {} available\n", format_bytes(available_memory()));
  fmt::print("denormals    zero inside a step; MXCSR {:#06x} outside\n", mxcsr);
  const ObjectCache cache = default_cache();
  if (cache.folder.empty()) {
    fmt::print("cache        none: no folder of this user's own to keep compiled code in (NNC_CACHE_DIR)\n");
  } else {
    fmt::print("cache        {} (NNC_CACHE_DIR), at most {} (NNC_CACHE_SIZE, in MiB)\n", cache.folder,
               format_bytes(cache.limit_bytes));
  }
  return trial.error.empty() ? kOk : kResources;
}

}  // namespace nnc
