#include "ir/loop/interpreter.h"

#include <fmt/format.h>

#include <map>

#include "ir/check.h"
#include "ir/loop/scalar_math.h"
#include "ir/loop/text.h"

namespace nnc {
namespace {

struct Segments {
  void *state, *arena, *scratch;
  std::span<void* const> io;

  void* base_of(const BufferBinding& binding) const {
    if (binding.space == BufferBinding::io) return io[static_cast<size_t>(binding.offset)];
    void* segment = binding.space == BufferBinding::state   ? state
                    : binding.space == BufferBinding::arena ? arena
                                                            : scratch;
    return static_cast<std::byte*>(segment) + binding.offset;
  }
};

// Who touched a byte in the current phase.
struct Owner {
  static constexpr int32_t nobody = -1, several = -2;
  int32_t writer = nobody, reader = nobody;
};

struct RaceFinder {
  const LoopModule& module;
  const LoopEntry& entry;
  std::map<std::pair<int, int64_t>, std::vector<Owner>> owners = {};  // per space and, of io, tensor
  std::vector<std::string> races = {};
  size_t phase = 0;
  int32_t thread = 0;
  const KernelCall* call = nullptr;

  static constexpr size_t kMost = 1000;  // lines

  std::vector<Owner>& segment(const BufferBinding& binding);
  void touch(size_t buffer, int64_t offset, int64_t bytes, bool write);
  void touch_byte(Owner& owner, int64_t byte, size_t buffer, bool write);
};

std::vector<Owner>& RaceFinder::segment(const BufferBinding& binding) {
  const bool io = binding.space == BufferBinding::io;
  std::vector<Owner>& segment = owners[{binding.space, io ? binding.offset : 0}];
  if (!segment.empty()) return segment;
  const int64_t bytes = io ? entry.io[static_cast<size_t>(binding.offset)].type.bytes()
                        : binding.space == BufferBinding::state ? module.state_bytes
                                                                : module.arena_bytes;
  segment.resize(static_cast<size_t>(bytes));
  return segment;
}

void RaceFinder::touch_byte(Owner& owner, int64_t byte, size_t buffer, bool write) {
  const bool other_writer = owner.writer != Owner::nobody && owner.writer != thread;
  const bool other_reader = owner.reader != Owner::nobody && owner.reader != thread;
  if ((other_writer || (write && other_reader)) && races.size() < kMost) {
    const Kernel& kernel = module.kernels[call->kernel.value];
    races.push_back(
        fmt::format("phase {}: byte {} of {} in {}: thread {} {} what {}", phase, byte, kernel.buffers[buffer].name,
                    kernel.name, thread, write ? "writes" : "reads",
                    other_writer ? fmt::format("thread {} wrote", owner.writer) : std::string("another thread read")));
  }
  if (write) {
    owner.writer = thread;
  } else {
    owner.reader = owner.reader == Owner::nobody || owner.reader == thread ? thread : Owner::several;
  }
}

void RaceFinder::touch(size_t buffer, int64_t offset, int64_t bytes, bool write) {
  const BufferBinding& binding = call->buffers[buffer];
  if (binding.space == BufferBinding::scratch) return;
  std::vector<Owner>& bytes_of = segment(binding);
  const int64_t start = offset + (binding.space == BufferBinding::io ? 0 : binding.offset);
  for (int64_t byte = start; byte < start + bytes; ++byte) {
    NNC_CHECK(byte >= 0 && byte < static_cast<int64_t>(bytes_of.size()), "an access outside of its segment");
    touch_byte(bytes_of[static_cast<size_t>(byte)], byte - start + offset, buffer, write);
  }
}

void touch_in(void* context, size_t buffer, int64_t offset, int64_t bytes, bool write) {
  static_cast<RaceFinder*>(context)->touch(buffer, offset, bytes, write);
}

void run_entry(const LoopModule& module, const LoopEntry& entry, const Segments& segments, int64_t threads,
               RaceFinder* finder) {
  const FlushDenormals flush;
  const AccessLog log{finder, touch_in};
  std::map<uint32_t, ResolvedKernel> resolved;
  for (size_t phase = 0; phase < entry.phases.size(); ++phase) {
    if (finder != nullptr) finder->owners.clear(), finder->phase = phase;
    for (int64_t thread = 0; thread < threads; ++thread) {
      for (const KernelCall& call : entry.phases[phase].calls) {
        const Kernel& kernel = module.kernels[call.kernel.value];
        const int64_t lo = kernel.items * thread / threads, hi = kernel.items * (thread + 1) / threads;
        if (lo == hi) continue;
        const auto [known, fresh] = resolved.try_emplace(call.kernel.value);
        if (fresh) known->second = resolve(kernel);
        std::vector<void*> buffers;
        for (const BufferBinding& binding : call.buffers) buffers.push_back(segments.base_of(binding));
        if (finder != nullptr) finder->thread = static_cast<int32_t>(thread), finder->call = &call;
        run(known->second, buffers, lo, hi, finder != nullptr ? &log : nullptr);
      }
    }
  }
}

}  // namespace

void interpret(const Kernel& kernel, std::span<void* const> buffers, int64_t lo, int64_t hi) {
  const FlushDenormals flush;
  run(resolve(kernel), buffers, lo, hi);
}

void interpret(const LoopModule& module, const LoopEntry& entry, void* state, void* arena, void* scratch,
               std::span<void* const> io, int64_t threads) {
  run_entry(module, entry, {state, arena, scratch, io}, threads, nullptr);
}

std::vector<std::string> find_races(const LoopModule& module, const LoopEntry& entry, void* state, void* arena,
                                    void* scratch, std::span<void* const> io, int64_t threads) {
  RaceFinder finder{module, entry};
  run_entry(module, entry, {state, arena, scratch, io}, threads, &finder);
  return finder.races;
}

}  // namespace nnc
