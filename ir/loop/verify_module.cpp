#include <fmt/format.h>

#include "ir/loop/text.h"
#include "ir/loop/verifier.h"

namespace nnc {
namespace {

struct ModuleChecker {
  const LoopModule& module;
  std::vector<std::string> errors = {};
  std::vector<std::vector<bool>> shared_stores =
      {};  // per kernel and buffer: whether it is stored to outside of `items`

  void report(std::string_view who, std::string_view rule, std::string_view what) {
    errors.push_back(fmt::format("{}: {}: {}", who, rule, what));
  }
  void placements();
  void call(const LoopEntry& entry, const KernelCall& call);
  void binding(const LoopEntry& entry, const Kernel& kernel, const LoopBuffer& buffer, const BufferBinding& binding);
  void overlaps(const Kernel& kernel, const KernelCall& call);
  int64_t segment(BufferBinding::Space space) const;
};

int64_t bytes_of(const LoopBuffer& buffer) { return TensorType{buffer.dtype, 0, buffer.dims}.bytes(); }

int64_t ModuleChecker::segment(BufferBinding::Space space) const {
  return space == BufferBinding::state   ? module.state_bytes
         : space == BufferBinding::arena ? module.arena_bytes
                                         : module.scratch_bytes;
}

void find_shared_stores(const std::vector<LoopStmt>& body, std::vector<bool>& stored) {
  for (const LoopStmt& stmt : body) {
    if (stmt.kind == LoopStmt::items) continue;
    if (stmt.kind == LoopStmt::store || stmt.kind == LoopStmt::tiles) stored[stmt.access.buffer.value] = true;
    find_shared_stores(stmt.body, stored);
  }
}

void ModuleChecker::placements() {
  if (module.placements.size() != module.states.size())
    report(module.name, "L0",
           fmt::format("{} placements of {} states", module.placements.size(), module.states.size()));
  for (size_t index = 0; index < module.placements.size() && index < module.states.size(); ++index) {
    const StatePlacement& placement = module.placements[index];
    const std::string& name = module.states[index].name;
    if (placement.state != StateId(index)) report(name, "L0", "placements are not in the order of the states");
    if (placement.offset % 64 != 0) report(name, "L2", fmt::format("lies at {}, no multiple of 64", placement.offset));
    if (placement.offset < 0 || placement.bytes < 0 || placement.bytes > module.state_bytes - placement.offset)
      report(name, "L2", fmt::format("bytes {} at {} of {}", placement.bytes, placement.offset, module.state_bytes));
  }
}

void ModuleChecker::binding(const LoopEntry& entry, const Kernel& kernel, const LoopBuffer& buffer,
                            const BufferBinding& binding) {
  const std::string who = fmt::format("{} in {}", buffer.name, kernel.name);
  const int64_t bytes = bytes_of(buffer);
  if (binding.space != BufferBinding::io) {
    if (binding.offset % 64 != 0) report(who, "L2", fmt::format("bound to byte {}, no multiple of 64", binding.offset));
    if (binding.offset < 0 || bytes > segment(binding.space) - binding.offset)
      report(who, "L2",
             fmt::format("{} bytes at {} of a segment of {}", bytes, binding.offset, segment(binding.space)));
    return;
  }
  if (binding.offset < 0 || binding.offset >= static_cast<int64_t>(entry.io.size())) {
    report(who, "L0", fmt::format("bound to io tensor {} of {}", binding.offset, entry.io.size()));
    return;
  }
  const LoopEntry::Io& io = entry.io[static_cast<size_t>(binding.offset)];
  if (io.type.dtype != buffer.dtype)
    report(who, "L0", fmt::format("{} bound to \"{}\" of {}", name_of(buffer.dtype), io.name, name_of(io.type.dtype)));
  if (bytes > io.type.bytes())
    report(who, "L2", fmt::format("{} bytes bound to \"{}\" of {}", bytes, io.name, io.type.bytes()));
  if (io.read && buffer.mode != LoopBuffer::in)
    report(who, "L5", fmt::format("writes \"{}\", which the caller passes in", io.name));
}

void ModuleChecker::overlaps(const Kernel& kernel, const KernelCall& call) {
  for (size_t a = 0; a < call.buffers.size(); ++a) {
    for (size_t b = a + 1; b < call.buffers.size(); ++b) {
      const LoopBuffer &first = kernel.buffers[a], &second = kernel.buffers[b];
      const BufferBinding &one = call.buffers[a], &other = call.buffers[b];
      if (one.space != other.space || (first.mode == LoopBuffer::in && second.mode == LoopBuffer::in)) continue;
      const bool io = one.space == BufferBinding::io;
      const bool apart = io                           ? one.offset != other.offset
                         : one.offset >= other.offset ? one.offset - other.offset >= bytes_of(second)
                                                      : other.offset - one.offset >= bytes_of(first);
      if (!apart)
        report(fmt::format("{} in {}", first.name, kernel.name), "L6", fmt::format("overlaps {}", second.name));
    }
  }
}

void ModuleChecker::call(const LoopEntry& entry, const KernelCall& call) {
  if (call.kernel.value >= module.kernels.size()) {
    report(entry.name, "L0", fmt::format("a call of kernel {} of {}", call.kernel.value, module.kernels.size()));
    return;
  }
  const Kernel& kernel = module.kernels[call.kernel.value];
  if (call.buffers.size() != kernel.buffers.size()) {
    report(kernel.name, "L0", fmt::format("{} buffers bound of {}", call.buffers.size(), kernel.buffers.size()));
    return;
  }
  for (size_t index = 0; index < call.buffers.size(); ++index) {
    binding(entry, kernel, kernel.buffers[index], call.buffers[index]);
    if (shared_stores[call.kernel.value][index] && call.buffers[index].space != BufferBinding::scratch)
      report(fmt::format("{} in {}", kernel.buffers[index].name, kernel.name), "L8",
             "every thread stores it: the store is outside of items");
  }
  overlaps(kernel, call);
}

}  // namespace

std::vector<std::string> verify(const LoopModule& module) {
  ModuleChecker checker{module};
  bool sound = true;
  for (const Kernel& kernel : module.kernels) {
    const std::vector<std::string> errors = verify(kernel);
    for (const std::string& error : errors) checker.errors.push_back(fmt::format("{}: {}", kernel.name, error));
    if (kernel.target != module.target)
      checker.report(kernel.name, "L0",
                     fmt::format("made for {}, the module for {}", kernel.target.name, module.target.name));
    std::vector<std::string> broken;
    sound = check_ids(kernel, broken) && sound;
  }
  if (!sound) return checker.errors;
  for (const Kernel& kernel : module.kernels) {
    checker.shared_stores.emplace_back(kernel.buffers.size());
    find_shared_stores(kernel.body, checker.shared_stores.back());
  }
  checker.placements();
  for (const LoopEntry& entry : module.entries) {
    for (const LoopPhase& phase : entry.phases) {
      for (const KernelCall& call : phase.calls) checker.call(entry, call);
    }
  }
  return checker.errors;
}

}  // namespace nnc
