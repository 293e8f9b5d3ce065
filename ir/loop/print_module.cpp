#include <fmt/format.h>

#include "ir/loop/text.h"

namespace nnc {
namespace {

std::string text_of(const StatePlacement& placement, const LoopModule& module) {
  const StateDecl* state =
      placement.state.value < module.states.size() ? &module.states[placement.state.value] : nullptr;
  std::string text = fmt::format("  state \"{}\" : {} @{} {}", state ? state->name : "?",
                                 state ? to_string(state->type) : "?", placement.offset, placement.bytes);
  for (const StatePlacement::Factor& factor : placement.factors)
    text += fmt::format(" (d{}/{}%{})*{}", factor.axis, factor.divisor, factor.extent, factor.stride);
  return text + "\n";
}

std::string text_of(const BufferBinding& binding, const LoopEntry& entry) {
  static constexpr std::string_view spaces[] = {"state", "arena", "scratch", "io"};
  if (binding.space != BufferBinding::io) return fmt::format("{}@{}", spaces[binding.space], binding.offset);
  const bool known = binding.offset >= 0 && binding.offset < static_cast<int64_t>(entry.io.size());
  return fmt::format("io \"{}\"", known ? entry.io[static_cast<size_t>(binding.offset)].name : "?");
}

std::string text_of(const KernelCall& call, const LoopModule& module, const LoopEntry& entry) {
  const Kernel* kernel = call.kernel.value < module.kernels.size() ? &module.kernels[call.kernel.value] : nullptr;
  std::string text = fmt::format("      {} items={}(", kernel ? kernel->name : "?", kernel ? kernel->items : 0);
  for (size_t index = 0; index < call.buffers.size(); ++index) {
    const bool known = kernel != nullptr && index < kernel->buffers.size();
    text += fmt::format("{}{} = {}", index == 0 ? "" : ", ", known ? kernel->buffers[index].name : "?",
                        text_of(call.buffers[index], entry));
  }
  return text + ")\n";
}

std::string text_of(const LoopEntry& entry, const LoopModule& module) {
  std::string text = fmt::format("  entry {} B={} {{\n", entry.name, entry.batch);
  for (const LoopEntry::Io& io : entry.io) {
    const std::string_view direction = io.read ? (io.is_target ? "target" : "input") : "result";
    text += fmt::format("    io \"{}\" : {} {}\n", io.name, to_string(io.type), direction);
  }
  for (size_t index = 0; index < entry.phases.size(); ++index) {
    text += fmt::format("    phase {}\n", index);
    for (const KernelCall& call : entry.phases[index].calls) text += text_of(call, module, entry);
  }
  return text + "  }\n";
}

}  // namespace

std::string print(const LoopModule& module) {
  std::string text = fmt::format("module {} target={} state={} arena={} scratch={} {{\n", module.name,
                                 module.target.name, module.state_bytes, module.arena_bytes, module.scratch_bytes);
  for (const StatePlacement& placement : module.placements) text += text_of(placement, module);
  for (const LoopEntry& entry : module.entries) text += text_of(entry, module);
  text += "}\n";
  for (const Kernel& kernel : module.kernels) text += "\n" + print(kernel, module.files);
  return text;
}

}  // namespace nnc
