#include "tests/unit/passes/lowering_harness.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "ir/check.h"
#include "ir/loop/text.h"

namespace nnc::testing {
namespace {

constexpr int kPoison = 0xff;  // a NaN in every float, -1 in every integer

template <class T>
double read_as(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return static_cast<double>(value);
}
template <class T>
void write_as(std::byte* at, double value) {
  const T rounded = static_cast<T>(value);
  std::memcpy(at, &rounded, sizeof rounded);
}

uint16_t to_bf16(double value) {
  const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// What is written for a later function is called as that function reads it.
std::string io_name(const LoopEntry::Io& io) {
  if (io.read) return io.name;
  return (io.kind == Root::saved ? "saved:" : io.kind == Root::gradient ? "gradient:" : "") + io.name;
}

// Calls `visit(logical element number, element number in the segment's placement)`.
template <class Visit>
void each_element(const StateDecl& state, const StatePlacement& placement, const Visit& visit) {
  const Dims strides = row_major_strides(state.type.dims);
  for (int64_t element = 0; element < state.type.elements(); ++element) {
    int64_t at = 0;
    for (const StatePlacement::Factor& factor : placement.factors) {
      const int64_t index = element / strides[factor.axis] % state.type.dims[factor.axis];
      at += index / factor.divisor % factor.extent * factor.stride;
    }
    visit(element, at);
  }
}

}  // namespace

Bytes::Bytes(int64_t size, int fill) : size_(size), lines_(static_cast<size_t>(size + 63) / 64) {
  if (!lines_.empty()) std::memset(lines_[0].bytes, fill, lines_.size() * sizeof(Line));
}

double read_element(DType dtype, const std::byte* at) {
  switch (dtype) {
    case DType::boolean:
      return read_as<uint8_t>(at);
    case DType::i32:
      return read_as<int32_t>(at);
    case DType::i64:
      return read_as<int64_t>(at);
    case DType::f32:
      return read_as<float>(at);
    case DType::f64:
      return read_as<double>(at);
    case DType::bf16:
      break;
  }
  uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

void write_element(DType dtype, std::byte* at, double value) {
  switch (dtype) {
    case DType::boolean:
      return write_as<uint8_t>(at, value != 0);
    case DType::i32:
      return write_as<int32_t>(at, value);
    case DType::i64:
      return write_as<int64_t>(at, value);
    case DType::f32:
      return write_as<float>(at, value);
    case DType::f64:
      return write_as<double>(at, value);
    case DType::bf16:
      break;
  }
  const uint16_t bits = to_bf16(value);
  std::memcpy(at, &bits, sizeof bits);
}

Bytes to_bytes(const ReferenceTensor& tensor) {
  Bytes bytes(tensor.type.bytes());
  const int64_t size = size_of(tensor.type.dtype);
  for (size_t k = 0; k < tensor.values.size(); ++k) {
    write_element(tensor.type.dtype, bytes.data() + static_cast<int64_t>(k) * size, tensor.values[k]);
  }
  return bytes;
}

ReferenceTensor from_bytes(const TensorType& type, const Bytes& bytes) {
  ReferenceTensor tensor{type, {}};
  for (int64_t k = 0; k < type.elements(); ++k) {
    tensor.values.push_back(read_element(type.dtype, bytes.data() + k * size_of(type.dtype)));
  }
  return tensor;
}

std::set<std::string> plan_passes() { return {"choose_layouts", "form_regions", "schedule", "plan_buffers"}; }

LoopRunner::LoopRunner(const LoopModule& module) : module_(module), state_(module.state_bytes) {}

void LoopRunner::set_states(const States& states) {
  for (size_t s = 0; s < module_.states.size(); ++s) {
    const StateDecl& state = module_.states[s];
    const StatePlacement& placement = module_.placements[s];
    const ReferenceTensor& values = states.at(static_cast<uint32_t>(s));
    each_element(state, placement, [&](int64_t element, int64_t at) {
      write_element(state.type.dtype, state_.data() + placement.offset + at * size_of(state.type.dtype),
                    values.values[element]);
    });
  }
  Io none;
  if (find("refresh")) run("refresh", none);
}

ReferenceTensor LoopRunner::state(StateId id) const {
  const StateDecl& state = module_.states[id.value];
  const StatePlacement& placement = module_.placements[id.value];
  ReferenceTensor tensor{state.type, std::vector<double>(static_cast<size_t>(state.type.elements()))};
  each_element(state, placement, [&](int64_t element, int64_t at) {
    tensor.values[element] =
        read_element(state.type.dtype, state_.data() + placement.offset + at * size_of(state.type.dtype));
  });
  return tensor;
}

std::vector<std::byte> LoopRunner::states_in_order() const {
  std::vector<std::byte> bytes;
  for (size_t s = 0; s < module_.states.size(); ++s) {
    const StatePlacement& placement = module_.placements[s];
    const int64_t size = size_of(module_.states[s].type.dtype);
    each_element(module_.states[s], placement, [&](int64_t, int64_t at) {
      const std::byte* first = state_.data() + placement.offset + at * size;
      bytes.insert(bytes.end(), first, first + size);
    });
  }
  return bytes;
}

const LoopEntry* LoopRunner::find(const std::string& name) const {
  const auto at = std::find_if(module_.entries.begin(), module_.entries.end(),
                               [&](const LoopEntry& entry) { return entry.name == name; });
  return at == module_.entries.end() ? nullptr : &*at;
}

std::vector<void*> LoopRunner::pointers(const LoopEntry& entry, Io& io) {
  arena_ = Bytes(module_.arena_bytes, kPoison);
  scratch_ = Bytes(module_.scratch_bytes, kPoison);
  std::vector<void*> pointers;
  for (const LoopEntry::Io& tensor : entry.io) {
    const std::string name = io_name(tensor);
    if (!tensor.read) io[name] = Bytes(tensor.type.bytes(), kPoison);
    const auto at = io.find(name);
    NNC_CHECK(at != io.end() && at->second.size() == tensor.type.bytes(), "no io tensor {} for {}", tensor.name,
              entry.name);
    pointers.push_back(at->second.data());
  }
  return pointers;
}

void LoopRunner::run(const std::string& name, Io& io, int64_t threads) {
  const LoopEntry* entry = find(name);
  NNC_CHECK(entry != nullptr, "no entry {}", name);
  const std::vector<void*> tensors = pointers(*entry, io);
  interpret(module_, *entry, state_.data(), arena_.data(), scratch_.data(), tensors, threads);
}

std::vector<std::string> LoopRunner::races(const std::string& name, Io& io, int64_t threads) {
  const LoopEntry* entry = find(name);
  NNC_CHECK(entry != nullptr, "no entry {}", name);
  const std::vector<void*> tensors = pointers(*entry, io);
  return find_races(module_, *entry, state_.data(), arena_.data(), scratch_.data(), tensors, threads);
}

Lowered lower_sample(const OpSample& sample, const Target& target, bool fuse) {
  Program program;
  program.name = "sample";
  for (const char* name : {"step", "seed"}) {
    StateDecl state;
    state.name = name;
    state.type = {DType::i64, 0, {}};
    program.states.push_back(std::move(state));
  }
  Graph graph = sample.graph;
  graph.name = "predict";
  program.functions.push_back(std::move(graph));
  PipelineOptions options;
  options.target = target;
  if (!fuse) options.disabled = plan_passes();
  return lower_program(std::move(program), options);
}

Inputs sample_inputs(const OpSample& sample, uint32_t seed) {
  std::mt19937 random(seed);
  Inputs inputs;
  size_t next = 0;
  for (const Node& node : sample.graph.nodes) {
    if (node.op != Op::input) continue;
    const auto [low, high] = sample.ranges.at(next++);
    std::uniform_real_distribution<double> values(low, high);
    ReferenceTensor tensor{node.type, std::vector<double>(static_cast<size_t>(node.type.elements()))};
    for (double& value : tensor.values) value = is_float(node.type.dtype) ? values(random) : std::floor(values(random));
    inputs[node.as<InputAttr>().name] = from_bytes(node.type, to_bytes(tensor));
  }
  return inputs;
}

ReferenceTensor expected_of(const OpSample& sample, const Inputs& inputs) {
  const Evaluation evaluation = interpret(sample.graph, inputs, {});
  return evaluation.values[sample.graph.roots[0].node.value];
}

std::string compare(const OpSample& sample, const ReferenceTensor& expected, const ReferenceTensor& got) {
  if (expected.type != got.type)
    return fmt::format("expected {}, got {}", to_string(expected.type), to_string(got.type));
  const DType dtype = expected.type.dtype;
  const double ulp = dtype == DType::f64 ? 0x1p-53 : dtype == DType::bf16 ? 0x1p-8 : 0x1p-24;
  const double bound = is_float(dtype) ? sample.max_ulp * ulp : 0;
  for (size_t k = 0; k < expected.values.size(); ++k) {
    const double exact = expected.values[k], value = got.values[k];
    if (exact == value || (std::isnan(exact) && std::isnan(value))) continue;
    const double allowed = bound * std::max(std::abs(exact), sample.scale);
    if (!(std::abs(exact - value) <= allowed)) {
      return fmt::format("element {}: expected {}, got {}, {:.2f} times the allowed error", k, exact, value,
                         std::abs(exact - value) / allowed);
    }
  }
  return "";
}

}  // namespace nnc::testing
