#include "codegen/abi.h"

#include <fmt/format.h>

#include <filesystem>

namespace nnc {

ElementType element_type_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return ElementType::boolean;
    case DType::i32:
      return ElementType::i32;
    case DType::i64:
      return ElementType::i64;
    case DType::bf16:
      return ElementType::bf16;
    case DType::f32:
      return ElementType::f32;
    case DType::f64:
      break;
  }
  return ElementType::f64;
}

IoTensor::Role role_of(Root::Kind kind) {
  switch (kind) {
    case Root::loss:
      return IoTensor::loss;
    case Root::metric:
      return IoTensor::metric;
    case Root::output:
      return IoTensor::output;
    case Root::gradient:
      return IoTensor::gradient;
    case Root::collected:
      return IoTensor::collected;
    case Root::saved:
      break;
  }
  return IoTensor::saved;
}

namespace {

IoTensor::Role role_of(const LoopEntry::Io& io) {
  if (io.read) return io.is_target ? IoTensor::target : IoTensor::input;
  return role_of(io.kind);
}

// "net.nn:8,12", of the first file the locations name.
std::string source_of(const LoopModule& module, const Locations& locations) {
  std::string text;
  uint32_t last_line = 0;
  for (const Location& location : locations) {
    if (location.file >= module.files.size() || location.file != locations.begin()->file || location.line == last_line)
      continue;
    if (text.empty()) text = std::filesystem::path(module.files[location.file]).filename().string();
    text += fmt::format("{}{}", last_line == 0 ? ":" : ",", location.line);
    last_line = location.line;
  }
  return text;
}

}  // namespace

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

std::vector<EntryCall> describe_calls(const LoopModule& module, const LoopEntry& entry) {
  std::vector<EntryCall> calls;
  for (size_t phase = 0; phase < entry.phases.size(); ++phase) {
    for (const KernelCall& call : entry.phases[phase].calls) {
      const Kernel& kernel = module.kernels[call.kernel.value];
      double bytes = 0;
      for (const LoopBuffer& buffer : kernel.buffers) {
        auto size = static_cast<double>(size_of(buffer.dtype));
        for (int64_t extent : buffer.dims) size *= static_cast<double>(extent);
        bytes += buffer.mode == LoopBuffer::inout ? 2 * size : size;
      }
      calls.push_back({kernel.name, source_of(module, call.locations), static_cast<int64_t>(phase), call.flops, bytes});
    }
  }
  return calls;
}

Entry describe_entry(const LoopEntry& entry, nnc_entry call) {
  Entry result{entry.name, entry.batch, call, {}, entry.flops, static_cast<int64_t>(entry.phases.size())};
  for (const LoopEntry::Io& io : entry.io) {
    result.io.push_back({role_of(io), io.name, element_type_of(io.type.dtype), io.type.dims, !io.read});
  }
  return result;
}

}  // namespace nnc
