#include "driver/measure.h"

#include <cstring>
#include <limits>

#include "ir/check.h"
#include "ir/graph/interpreter.h"

namespace nnc {
namespace {

template <class T>
void read_as(const std::vector<std::byte>& from, std::vector<double>& values) {
  NNC_CHECK(from.size() == values.size() * sizeof(T), "{} bytes for {} values", from.size(), values.size());
  for (size_t k = 0; k < values.size(); ++k) {
    T value;
    std::memcpy(&value, from.data() + k * sizeof(T), sizeof(T));
    values[k] = static_cast<double>(value);
  }
}

// The frontend collects bool, i32 and f32 only.
void read_rows(ElementType type, const std::vector<std::byte>& from, std::vector<double>& values) {
  if (type == ElementType::boolean) return read_as<uint8_t>(from, values);
  if (type == ElementType::i32) return read_as<int32_t>(from, values);
  NNC_CHECK(type == ElementType::f32, "rows of an element type that no metric collects");
  read_as<float>(from, values);
}

ReferenceTensor input_of(const TensorType& type, const CollectedView& view, int64_t rows) {
  ReferenceTensor tensor{type, std::vector<double>(static_cast<size_t>(type.elements()))};
  const std::vector<double>& sums = view.values->sums;
  if (sums.empty()) {
    read_rows(view.tensor->type, view.values->rows, tensor.values);
    return tensor;
  }
  NNC_CHECK(sums.size() == tensor.values.size(), "{} means for {} values", sums.size(), tensor.values.size());
  for (size_t k = 0; k < sums.size(); ++k) tensor.values[k] = sums[k] / static_cast<double>(rows);
  return tensor;
}

Measure measure_of(const std::string& name, const Dims& dims, const std::vector<double>& values) {
  if (dims.empty()) return {name, values[0], {}, {}};
  return {name, std::numeric_limits<double>::quiet_NaN(), dims, values};
}

std::vector<Measure> compute(const Graph& graph, std::span<const CollectedView> views) {
  std::map<std::string, ReferenceTensor> inputs;
  for (const Node& node : graph.nodes) {
    if (node.op != Op::input) continue;
    const std::string& name = node.as<InputAttr>().name;
    for (const CollectedView& view : views) {
      if (view.tensor->name == name) inputs[name] = input_of(node.type, view, graph.batch);
    }
  }
  const Evaluation evaluation = interpret(graph, inputs, {}, Keep::roots);
  std::vector<Measure> measures;
  for (const Root& root : graph.roots) {
    const ReferenceTensor& value = evaluation.values[root.node.value];
    measures.push_back(measure_of(root.name, value.type.dims, value.values));
  }
  return measures;
}

}  // namespace

std::shared_ptr<const Measuring> make_measuring(std::shared_ptr<const Lowered> lowered) {
  const std::vector<Measures>& all = lowered->program->measures;
  if (all.empty()) return nullptr;
  auto measuring = std::make_shared<Measuring>();
  for (const Measures& measures : all) {
    const Graph* graph = &measures.graph;
    std::vector<Measure> unknown;
    for (const Root& root : graph->roots) {
      const TensorType& type = graph->type(root.node);
      const std::vector<double> values(static_cast<size_t>(type.elements()), std::numeric_limits<double>::quiet_NaN());
      unknown.push_back(measure_of(root.name, type.dims, values));
    }
    measuring->functions.push_back(
        {graph->name, graph->batch, measures.names, measures.per_row, std::move(unknown),
         [lowered, graph](std::span<const CollectedView> views) { return compute(*graph, views); }});
  }
  return measuring;
}

}  // namespace nnc
