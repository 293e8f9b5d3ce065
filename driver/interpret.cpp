#include "driver/interpret.h"

#include <cstring>
#include <deque>

#include "codegen/abi.h"
#include "ir/check.h"
#include "ir/graph/interpreter.h"
#include "ir/loop/text.h"

namespace nnc {
namespace {

// ---- Graph

struct GraphCall {
  const Graph* graph = nullptr;
  const std::vector<StateTensor>* states = nullptr;
};

struct GraphProgram {
  std::shared_ptr<const Lowered> lowered;
  std::vector<StateTensor> states;
  std::deque<GraphCall> calls;
};

template <class T>
void read_as(const void* from, std::vector<double>& values) {
  for (size_t k = 0; k < values.size(); ++k) {
    T value;
    std::memcpy(&value, static_cast<const std::byte*>(from) + k * sizeof(T), sizeof(T));
    values[k] = static_cast<double>(value);
  }
}

template <class T>
void write_as(const std::vector<double>& values, void* to) {
  for (size_t k = 0; k < values.size(); ++k) {
    const T value = static_cast<T>(values[k]);
    std::memcpy(static_cast<std::byte*>(to) + k * sizeof(T), &value, sizeof(T));
  }
}

void read_values(ElementType type, const void* from, std::vector<double>& values) {
  switch (type) {
    case ElementType::boolean:
      return read_as<uint8_t>(from, values);
    case ElementType::i32:
      return read_as<int32_t>(from, values);
    case ElementType::i64:
      return read_as<int64_t>(from, values);
    case ElementType::f32:
      return read_as<float>(from, values);
    case ElementType::f64:
      return read_as<double>(from, values);
    case ElementType::bf16:
      break;
  }
  NNC_CHECK(false, "bf16 is never read or written by a caller");
}

void write_values(ElementType type, const std::vector<double>& values, void* to) {
  switch (type) {
    case ElementType::boolean:
      return write_as<uint8_t>(values, to);
    case ElementType::i32:
      return write_as<int32_t>(values, to);
    case ElementType::i64:
      return write_as<int64_t>(values, to);
    case ElementType::f32:
      return write_as<float>(values, to);
    case ElementType::f64:
      return write_as<double>(values, to);
    case ElementType::bf16:
      break;
  }
  NNC_CHECK(false, "bf16 is never read or written by a caller");
}

}  // namespace

ReferenceTensor reference(const TensorType& type, ElementType stored, const void* from) {
  ReferenceTensor tensor{type, std::vector<double>(static_cast<size_t>(type.elements()))};
  read_values(stored, from, tensor.values);
  return tensor;
}

namespace {

void run_graph(const nnc_context* context) {
  if (context->thread != 0) return;
  const auto& call = *static_cast<const GraphCall*>(context->closure);
  std::map<std::string, ReferenceTensor> inputs;
  std::map<uint32_t, ReferenceTensor> states;
  size_t io = 0;
  for (const Node& node : call.graph->nodes) {
    if (node.op == Op::input) {
      inputs[node.as<InputAttr>().name] = reference(node.type, element_type_of(node.type.dtype), context->io[io++]);
    } else if (node.op == Op::state) {
      const uint32_t id = node.as<StateAttr>().state.value;
      const StateTensor& stored = (*call.states)[id];
      states[id] = reference(node.type, stored.type, static_cast<const std::byte*>(context->state) + stored.offset);
    }
  }
  const Evaluation evaluation = interpret(*call.graph, inputs, states);
  for (const Root& root : call.graph->roots) {
    const ReferenceTensor& value = evaluation.values[root.node.value];
    write_values(element_type_of(value.type.dtype), value.values, context->io[io++]);
  }
  for (const auto& [id, value] : evaluation.assigned) {
    const StateTensor& stored = (*call.states)[id];
    write_values(stored.type, value.values, static_cast<std::byte*>(context->state) + stored.offset);
  }
}

std::vector<IoTensor> io_of(const Graph& graph) {
  std::vector<IoTensor> io;
  for (const Node& node : graph.nodes) {
    if (node.op != Op::input) continue;
    const auto& input = node.as<InputAttr>();
    io.push_back({input.is_target ? IoTensor::target : IoTensor::input, input.name, element_type_of(node.type.dtype),
                  node.type.dims, false});
  }
  for (const Root& root : graph.roots) {
    const TensorType& type = graph.type(root.node);
    io.push_back({role_of(root.kind), root.name, element_type_of(type.dtype), type.dims, true});
  }
  return io;
}

std::vector<StateTensor> plain_states(const std::vector<StateDecl>& states, ElementType floats, int64_t& bytes) {
  std::vector<StateTensor> tensors;
  bytes = 0;
  for (const StateDecl& state : states) {
    StateTensor tensor{state.name, is_float(state.type.dtype) ? floats : element_type_of(state.type.dtype),
                       state.type.dims, bytes};
    tensor.bytes = state.type.elements() * element_size(tensor.type);
    const Dims strides = row_major_strides(state.type.dims);
    for (int64_t axis = 0; axis < state.type.rank(); ++axis) {
      tensor.layout.push_back(
          {axis, 1, state.type.dims[static_cast<size_t>(axis)], strides[static_cast<size_t>(axis)]});
    }
    tensor.trained = state.trained;
    if (state.slot_of) tensor.slot_of = states[state.slot_of.value].name;
    bytes += (tensor.bytes + 63) / 64 * 64;
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

// ---- Loop IR

struct LoopCall {
  const LoopModule* module = nullptr;
  const LoopEntry* entry = nullptr;
};

struct LoopProgram {
  std::shared_ptr<const Lowered> lowered;
  std::deque<LoopCall> calls;
};

void run_loops(const nnc_context* context) {
  if (context->thread != 0) return;
  const auto& call = *static_cast<const LoopCall*>(context->closure);
  interpret(*call.module, *call.entry, context->state, context->arena, context->scratch,
            {context->io, call.entry->io.size()}, context->threads);
}

}  // namespace

Executable interpret_graphs(std::shared_ptr<const Lowered> lowered) {
  auto held = std::make_shared<GraphProgram>();
  const Program& program = *lowered->program;
  held->lowered = lowered;
  Executable executable;
  executable.model = program.name;
  executable.states = held->states = plain_states(program.states, ElementType::f64, executable.state_bytes);
  for (const Graph& graph : program.functions) {
    GraphCall& call = held->calls.emplace_back(GraphCall{&graph, &held->states});
    Entry entry{graph.name, graph.batch, run_graph, io_of(graph)};
    entry.closure = &call;
    executable.entries.push_back(std::move(entry));
  }
  executable.code = held;
  return executable;
}

Executable interpret_loops(std::shared_ptr<const Lowered> lowered) {
  auto held = std::make_shared<LoopProgram>();
  const LoopModule& module = lowered->module;
  held->lowered = lowered;
  Executable executable;
  executable.model = module.name;
  executable.state_bytes = module.state_bytes;
  executable.arena_bytes = module.arena_bytes;
  executable.scratch_bytes = module.scratch_bytes;
  for (const StatePlacement& placement : module.placements)
    executable.states.push_back(describe_state(module, placement));
  for (const LoopEntry& from : module.entries) {
    LoopCall& call = held->calls.emplace_back(LoopCall{&module, &from});
    Entry entry = describe_entry(from, run_loops);
    entry.closure = &call;
    executable.entries.push_back(std::move(entry));
  }
  executable.code = held;
  return executable;
}

}  // namespace nnc
