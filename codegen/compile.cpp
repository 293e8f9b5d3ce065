// The JIT: parts of a module are compiled to objects (or found in the cache) on two threads, then linked into this
// process. What the first step needs comes first; the rest is made while training goes on.
#include <llvm/ExecutionEngine/Orc/Debugging/DebuggerSupport.h>
#include <llvm/ExecutionEngine/Orc/ExecutionUtils.h>
#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Target/TargetMachine.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "codegen/abi.h"
#include "codegen/codegen.h"
#include "codegen/emit_module.h"
#include "codegen/object_cache.h"
#include "ir/check.h"
#include "ir/loop/text.h"

namespace nnc {
namespace {

using Clock = std::chrono::steady_clock;
double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct CompiledPart {
  std::vector<char> object;
  std::string error;
  bool cached = false;
  double emit_ms = 0, optimise_ms = 0;
};

// All that the object of a part depends on.
std::string key_of(const LoopModule& module, const ModulePart& part, const std::string& machine) {
  std::string text;
  for (size_t kernel : part.kernels) text += print(module.kernels[kernel], module.files);
  for (size_t index : part.entries) {
    const LoopEntry& entry = module.entries[index];
    text += fmt::format("{} io={}", symbol_of(module, entry), entry.io.size());
    for (const LoopPhase& phase : entry.phases) {
      text += "\nphase";
      for (const KernelCall& call : phase.calls) {
        const Kernel& kernel = module.kernels[call.kernel.value];
        text += fmt::format("\n{} {}", kernel.name, kernel.items);
        for (const BufferBinding& binding : call.buffers)
          text += fmt::format(" {}@{}", static_cast<int>(binding.space), binding.offset);
      }
    }
    text += "\n";
  }
  return object_key({machine, module.name, text});
}

CompiledPart compile_part(const LoopModule& module, const ModulePart& part, const MachineDescription& description,
                          bool profiled) {
  CompiledPart result;
  const auto start = Clock::now();
  auto machine = make_machine(description);
  if (!machine) {
    result.error = machine.error();
    return result;
  }
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> emitted = emit_part(context, module, part, description, **machine, profiled);
  result.emit_ms = milliseconds_since(start);
  const auto emitted_at = Clock::now();
  optimise(*emitted, **machine);
  llvm::legacy::PassManager backend;
  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  if ((*machine)->addPassesToEmitFile(backend, stream, nullptr, llvm::CodeGenFileType::ObjectFile)) {
    result.error = "LLVM cannot emit objects for " + description.cpu;
    return result;
  }
  backend.run(*emitted);
  result.object.assign(object.begin(), object.end());
  result.optimise_ms = milliseconds_since(emitted_at);
  return result;
}

// An entry that was called before its code was there: its context's closure.
struct Compilation;
struct PendingEntry {
  Compilation* compilation = nullptr;
  size_t index = 0;  // in the module
  std::string symbol;
  std::atomic<nnc_entry> code{nullptr};
};

// An entry whose code compile() waits for.
struct AwaitedEntry {
  size_t index = 0;  // in the module
  std::string symbol;
  nnc_entry code = nullptr;
};

// The parts of a module on their way to code, taken in order by whichever thread is free; each has its own LLVM
// context. It lives as long as the code: Executable::code.
struct Compilation {
  std::shared_ptr<const LoopModule> module;
  ObjectCache cache;
  ModuleParts cut;
  MachineDescription description;
  bool profiled = false;
  std::string machine;  // as the cache's keys name it
  std::vector<CompiledPart> compiled;
  std::vector<AwaitedEntry> awaited;
  std::deque<PendingEntry> pending;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  std::atomic<size_t> next{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::condition_variable changed;
  double link_ms = 0;                 // of awaited parts
  size_t done = 0, done_awaited = 0;  // parts compiled; by the mutex, as all below
  bool awaited_linked = false, all_linked = false;
  std::thread helper;

  ~Compilation() {
    stop = true;
    if (helper.joinable()) helper.join();
  }

  // Compiles parts below `end` until there are none left to take.
  void work(size_t end) {
    while (!stop) {
      size_t index = next;
      do {
        if (index >= end) return;
      } while (!next.compare_exchange_weak(index, index + 1));
      compile(index);
      const std::lock_guard lock(mutex);
      ++done;
      if (index < cut.awaited) ++done_awaited;
      link_rest();
      changed.notify_all();
    }
  }

  void compile(size_t index) {
    const ModulePart& part = cut.parts[index];
    if (cache.folder.empty()) {
      compiled[index] = compile_part(*module, part, description, profiled);
      return;
    }
    const std::string key = key_of(*module, part, machine);
    compiled[index].object = load_object(cache, key);
    compiled[index].cached = !compiled[index].object.empty();
    if (compiled[index].cached) return;
    compiled[index] = compile_part(*module, part, description, profiled);
    const CompiledPart& fresh = compiled[index];
    if (fresh.error.empty()) store_object(cache, key, {fresh.object.data(), fresh.object.size()});
  }

  std::string link(size_t begin, size_t end) {
    for (size_t index = begin; index < end; ++index) {
      CompiledPart& part = compiled[index];
      if (!part.error.empty()) return part.error;
      auto buffer = llvm::MemoryBuffer::getMemBufferCopy({part.object.data(), part.object.size()});
      if (llvm::Error error = jit->addObjectFile(std::move(buffer))) return llvm::toString(std::move(error));
      part.object = {};
    }
    return {};
  }

  // What nobody waited for, once all of it is compiled. Requires the mutex.
  void link_rest() {
    if (!awaited_linked || all_linked || done < cut.parts.size()) return;
    const std::string error = link(cut.awaited, cut.parts.size());
    NNC_CHECK(error.empty(), "code for {} cannot be made: {}", module->name, error);
    for (PendingEntry& entry : pending) {
      auto address = jit->lookup(entry.symbol);
      NNC_CHECK(bool(address), "{} cannot be linked: {}", entry.symbol, llvm::toString(address.takeError()));
      entry.code = address->toPtr<nnc_entry>();
    }
    all_linked = true;
    for (const CompiledPart& part : compiled) {
      if (part.cached) continue;
      trim(cache);
      break;
    }
  }

  // Makes the code of the awaited entries. Returns what went wrong, or "".
  std::string open() {
    const bool several = std::thread::hardware_concurrency() > 1;
    if (several && cut.parts.size() > 1) helper = std::thread([this] { work(cut.parts.size()); });
    work(cut.awaited);
    initialise_native_backend();  // with all objects from the cache nobody has yet
    auto made = llvm::orc::LLJITBuilder().create();
    if (!made) return llvm::toString(made.takeError());
    jit = std::move(*made);
    // Without a debugger's hook in this process code runs all the same.
    if (llvm::Error error = llvm::orc::enableDebuggerSupport(*jit)) llvm::consumeError(std::move(error));
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done_awaited == cut.awaited; });
    const auto start = Clock::now();
    std::string error = link(0, cut.awaited);
    // One thread links at a time: a symbol that another thread's link only just resolved could be called before its code
    // is there. So all that is awaited is ready before the rest may begin.
    for (AwaitedEntry& entry : awaited) {
      if (!error.empty()) break;
      auto address = jit->lookup(entry.symbol);
      if (!address) {
        error = llvm::toString(address.takeError());
      } else {
        entry.code = address->toPtr<nnc_entry>();
      }
    }
    link_ms = milliseconds_since(start);
    if (error.empty()) {
      awaited_linked = true;
      link_rest();
    }
    return error;
  }

  nnc_entry wait_for(PendingEntry& entry) {
    work(cut.parts.size());
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return all_linked; });
    return entry.code;
  }
};

void call_pending(const nnc_context* context) {
  auto& entry = *static_cast<PendingEntry*>(context->closure);
  nnc_entry code = entry.code.load(std::memory_order_acquire);
  if (code == nullptr) code = entry.compilation->wait_for(entry);
  code(context);
}

}  // namespace

tl::expected<Executable, std::string> compile(std::shared_ptr<const LoopModule> loop_module,
                                              const CompileOptions& options, CompileTimings* timings) {
  auto compilation = std::make_shared<Compilation>();
  const LoopModule& module = *loop_module;
  compilation->module = std::move(loop_module);
  compilation->cut = cut_into_parts(module, options.awaited, options.omitted);
  compilation->compiled.resize(compilation->cut.parts.size());
  compilation->description = describe(module.target);
  if (module.target.tiles) permit_tiles();
  compilation->profiled = options.profile;
  const std::string identity = options.cache.folder.empty() ? std::string() : build_identity();
  if (!identity.empty()) {
    compilation->cache = options.cache;
    const MachineDescription& machine = compilation->description;
    compilation->machine = fmt::format("{} {} {} {} {} {} {}", identity, llvm_version(), machine.cpu, machine.tune,
                                       machine.features, machine.vector_bits, options.profile);
  }
  Executable executable;
  executable.model = module.name;
  executable.state_bytes = module.state_bytes;
  executable.arena_bytes = module.arena_bytes;
  executable.scratch_bytes = module.scratch_bytes;
  for (const StatePlacement& placement : module.placements)
    executable.states.push_back(describe_state(module, placement));
  for (size_t index = 0; index < compilation->cut.parts.size(); ++index) {
    for (size_t entry : compilation->cut.parts[index].entries) {
      if (index < compilation->cut.awaited) {
        compilation->awaited.push_back({entry, symbol_of(module, module.entries[entry])});
      } else {
        PendingEntry& pending = compilation->pending.emplace_back();
        pending.compilation = compilation.get();
        pending.index = entry;
        pending.symbol = symbol_of(module, module.entries[entry]);
      }
    }
  }
  if (const std::string error = compilation->open(); !error.empty()) return tl::unexpected(error);
  for (size_t index = 0; index < module.entries.size(); ++index) {
    const LoopEntry& entry = module.entries[index];
    if (!options.omitted.empty() && entry.name == options.omitted) continue;
    executable.entries.push_back(describe_entry(entry, call_pending));
    Entry& described = executable.entries.back();
    if (options.profile) described.calls = describe_calls(module, entry);
    const auto awaited = std::find_if(compilation->awaited.begin(), compilation->awaited.end(),
                                      [&](const AwaitedEntry& candidate) { return candidate.index == index; });
    if (awaited == compilation->awaited.end()) {
      const auto pending = std::find_if(compilation->pending.begin(), compilation->pending.end(),
                                        [&](const PendingEntry& candidate) { return candidate.index == index; });
      NNC_CHECK(pending != compilation->pending.end(), "{} is in no part", entry.name);
      described.closure = &*pending;
    } else {
      described.call = awaited->code;
    }
  }
  if (timings != nullptr) {
    timings->link_ms += compilation->link_ms;
    for (size_t index = 0; index < compilation->cut.awaited; ++index) {
      const CompiledPart& part = compilation->compiled[index];
      timings->emit_ms += part.emit_ms;
      timings->optimise_ms += part.optimise_ms;
      timings->objects += 1;
      timings->cached += part.cached;
    }
  }
  executable.code = std::move(compilation);
  return executable;
}

tl::expected<Executable, std::string> compile(const LoopModule& module, CompileTimings* timings) {
  // All is awaited, so nothing looks at the module after the call.
  return compile(std::shared_ptr<const LoopModule>(std::shared_ptr<void>(), &module), CompileOptions(), timings);
}

}  // namespace nnc
