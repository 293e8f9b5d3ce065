#include "frontend/measure.h"

#include <algorithm>

#include "frontend/builtins/operands.h"
#include "frontend/evaluator.h"

namespace nnc {
namespace {

// Probes tell means over rows from other metrics: no size of a model is likely to be one of these.
constexpr int64_t probe_rows[] = {211, 307};
constexpr size_t probes = std::size(probe_rows);

// Where nodes of the function go while a graph over all rows is being built.
struct InFunction {
  Evaluator& e;
  Context saved;
  explicit InFunction(Evaluator& evaluator) : e(evaluator), saved(evaluator.context) {
    e.context.build = e.measure.function;
    e.context.graph = e.run->serial;
    e.context.batch = e.measure.batch;
  }
  ~InFunction() { e.context = saved; }
};

std::string name_of_value(const Evaluator& e, const Node& node) {
  if (node.op == Op::input) return node.as<InputAttr>().name;
  if (node.op == Op::state) return e.program[node.as<StateAttr>().state].name;
  return node.label.empty() ? "value" : node.label;
}

// A dtype that a caller can read, in which a mean can be held if need be.
DType held_dtype(const Evaluator& e, DType dtype, bool per_row) {
  if (dtype == DType::boolean || dtype == DType::i32) return per_row ? dtype : e.context.compute_type;
  return dtype == DType::f32 ? dtype : DType::f32;
}

// The axis that counts rows; -1 if there is none. False (reported) if several do.
bool find_row_axis(Evaluator& e, const Tensor& tensor, const std::string& name, int64_t& axis) {
  axis = -1;
  for (int64_t k = 0; k < tensor.rank(); ++k) {
    if (tensor.batch[static_cast<size_t>(k)] == 0) continue;
    if (axis >= 0) {
      complain(e, DiagnosticKind::wrong_operand, e.context.span,
               "a metric that is computed from all rows cannot use `{}`: {} has the batch axis twice", name,
               type_text(tensor))
          .help("write in the metric what it is computed from");
      return false;
    }
    axis = k;
  }
  return true;
}

// [axis, 0, 1, …]: brings the axis of rows to the front.
std::vector<int64_t> rows_first(int64_t rank, int64_t axis) {
  std::vector<int64_t> order{axis};
  for (int64_t k = 0; k < rank; ++k) {
    if (k != axis) order.push_back(k);
  }
  return order;
}

std::vector<int64_t> inverse(const std::vector<int64_t>& order) {
  std::vector<int64_t> back(order.size());
  for (size_t k = 0; k < order.size(); ++k) back[static_cast<size_t>(order[k])] = static_cast<int64_t>(k);
  return back;
}

// The function's value as it is collected.
CollectedLeaf make_leaf(Evaluator& e, const Tensor& tensor, int64_t axis) {
  MeasureState& measure = e.measure;
  CollectedLeaf leaf;
  const InFunction in_function(e);
  const std::string wanted = name_of_value(e, e.context.build->graph()[tensor.node]);
  leaf.name = wanted;
  for (int k = 1; !measure.taken.insert(leaf.name).second; ++k) leaf.name = fmt::format("{}_{}", wanted, k);
  leaf.per_row = axis >= 0;
  leaf.root = cast_node(e.context, tensor.node, held_dtype(e, tensor.type.dtype, leaf.per_row));
  if (axis > 0) leaf.root = e.context.build->transpose(leaf.root, rows_first(tensor.rank(), axis));
  return leaf;
}

// A value of the function as an input of the current graph.
Value leaf_value(Evaluator& e, const Tensor& tensor) {
  MeasureState& measure = e.measure;
  MeasureGraph& into = *measure.current;
  if (measure.leaves.contains(tensor.node)) measure.touched.insert(tensor.node);
  if (const auto known = into.values.find(tensor.node); known != into.values.end()) return known->second;
  int64_t axis = -1;
  const std::string name = name_of_value(e, measure.function->graph()[tensor.node]);
  if (!find_row_axis(e, tensor, name, axis)) return Value(Poison{});
  auto found = measure.leaves.find(tensor.node);
  if (found == measure.leaves.end()) {
    found = measure.leaves.emplace(tensor.node, make_leaf(e, tensor, axis)).first;
    measure.order.push_back(tensor.node);
  }
  measure.touched.insert(tensor.node);
  const CollectedLeaf& leaf = found->second;
  TensorType type = measure.function->type(leaf.root);
  std::vector<int64_t> marks = tensor.batch;
  GraphBuilder& build = *e.context.build;
  if (axis >= 0) type.dims[0] = tensor.batch[static_cast<size_t>(axis)] * into.graph.batch;
  NodeId node = build.input(leaf.name, type);
  if (axis > 0) node = build.transpose(node, inverse(rows_first(tensor.rank(), axis)));
  Value value = tensor_value(e.context, node, std::move(marks));
  into.values[tensor.node] = value;
  return value;
}

// `batch` and its multiples are the rows of the pass; other numbers made of it before the metric cannot be followed.
Value measured_number(Evaluator& e, const Value& value) {
  Number number = value.as<Number>();
  const auto multiple = static_cast<double>(number.batch_multiple);
  if (!number.of_batch || e.frame->kind != Frame::model) return value;
  if (number.batch_multiple > 0) {
    number.value = multiple * static_cast<double>(e.measure.current->graph.batch);
    return Value(number, value.origin);
  }
  complain(e, DiagnosticKind::wrong_operand, e.context.span,
           "a metric that is computed from all rows cannot use a number made of `batch` before it")
      .help("compute the number in the metric: there `batch` is the number of rows");
  return Value(Poison{});
}

// The interpreter holds values in double: what a pass over all rows makes must stay within reason.
bool fits_memory(Evaluator& e, const ast::DeclareResult& stmt, const Graph& graph) {
  constexpr int64_t most = int64_t{1} << 28;
  for (const Node& node : graph.nodes) {
    if (node.type.elements() <= most) continue;
    complain(e, DiagnosticKind::too_large, stmt.name.span,
             "metric `{}` is computed from all {} rows at once, and holds {} numbers on the way", stmt.name.text,
             graph.batch, node.type.elements())
        .help("name smaller values before the metric; a mean over rows is computed batch by batch");
    return false;
  }
  return true;
}

// The metric over the rows of one graph, in the function's dtype; invalid on errors.
NodeId evaluate_over_rows(Evaluator& e, const ast::DeclareResult& stmt, DType dtype, MeasureGraph& into) {
  MeasureState& measure = e.measure;
  GraphBuilder builder(into.graph);
  const Context outer = e.context;
  const bool forward = std::exchange(e.forward, false);
  measure.function = outer.build;
  measure.current = &into;
  measure.next_applied = 0;
  measure.touched.clear();
  e.context.build = &builder;
  e.context.graph = into.serial;
  e.context.batch = into.graph.batch;
  Value value = evaluate(e, stmt.value);
  bool fine = value.is_tensor() && value.tensor().graph == into.serial;
  NNC_CHECK(fine || has_errors(e.unit.diagnostics) || e.exhausted, "metric `{}` is no tensor over all rows",
            stmt.name.text);
  NodeId node;
  if (fine && fits_memory(e, stmt, into.graph)) node = cast_node(e.context, value.tensor().node, dtype);
  measure.current = nullptr;
  e.context = outer;
  e.forward = forward;
  return node;
}

// `node` of the graph is the metric, whose value in the function is `result`.
void add_metric(Evaluator& e, MeasureGraph& graph, const std::string& name, NodeId node, const Tensor& result) {
  graph.graph.roots.push_back({Root::metric, name, node});
  Tensor tensor = result;
  tensor.node = node;
  tensor.graph = graph.serial;
  graph.values.insert_or_assign(result.node, Value(std::move(tensor), e.context.span));
}

// What these nodes are computed from, they included.
std::vector<bool> nodes_below(const Graph& graph, const std::vector<NodeId>& from) {
  std::vector<bool> below(graph.nodes.size());
  for (const NodeId id : from) below[id.value] = true;
  for (size_t n = below.size(); n-- > 0;) {
    if (!below[n]) continue;
    for (const NodeId operand : graph.nodes[n].operands) below[operand.value] = true;
  }
  return below;
}

// Leaves only what the metrics are computed from; inputs that an expression names but does not need go, too.
void keep_needed(Graph& graph) {
  std::vector<NodeId> roots, renamed(graph.nodes.size());
  for (const Root& root : graph.roots) roots.push_back(root.node);
  const std::vector<bool> needed = nodes_below(graph, roots);
  std::vector<Node> nodes;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!needed[n]) continue;
    Node node = std::move(graph.nodes[n]);
    for (NodeId& operand : node.operands) operand = renamed[operand.value];
    renamed[n] = NodeId(nodes.size());
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
  for (Root& root : graph.roots) root.node = renamed[root.node.value];
}

std::set<std::string> row_names(const MeasureState& measure) {
  std::set<std::string> names;
  for (const auto& [node, leaf] : measure.leaves) {
    if (leaf.per_row) names.insert(leaf.name);
  }
  return names;
}

}  // namespace

void begin_measures(Evaluator& e, const std::string& function, int64_t batch, const std::vector<int64_t>& rows) {
  e.measure.active = true;
  e.measure.batch = batch;
  std::vector<int64_t> lengths(std::begin(probe_rows), std::end(probe_rows));
  for (const int64_t length : rows) {
    if (std::find(lengths.begin() + probes, lengths.end(), length) == lengths.end()) lengths.push_back(length);
  }
  for (const int64_t length : lengths) {
    MeasureGraph& graph = e.measure.graphs.emplace_back();
    graph.graph.name = function;
    graph.graph.batch = length;
    graph.serial = ++e.next_serial;
  }
}

bool measure_metric(Evaluator& e, const ast::DeclareResult& stmt, const Tensor& result) {
  MeasureState& measure = e.measure;
  const DType dtype = result.type.dtype;
  NodeId probed[probes];
  for (size_t k = 0; k < probes; ++k) {
    probed[k] = evaluate_over_rows(e, stmt, dtype, measure.graphs[k]);
    if (!probed[k]) return false;
  }
  const Graph &first = measure.graphs[0].graph, &second = measure.graphs[1].graph;
  const bool mean = probed[0] == probed[1] && is_mean_over_rows(first, second, row_names(measure), probed[0]);
  if (mean && result.rank() == 0) return true;
  const std::vector<bool> needed = nodes_below(first, {probed[0]});
  for (const NodeId leaf : measure.touched) {
    const NodeId input = measure.graphs[0].values.at(leaf).tensor().node;
    if (needed[input.value]) measure.leaves.at(leaf).wanted = true;
  }
  for (size_t k = 0; k < measure.graphs.size(); ++k) {
    const NodeId node = k < probes ? probed[k] : evaluate_over_rows(e, stmt, dtype, measure.graphs[k]);
    if (!node) return false;
    add_metric(e, measure.graphs[k], stmt.name.text, node, result);
  }
  return false;
}

Value measured_value(Evaluator& e, const Value& value) {
  if (value.is_number()) return measured_number(e, value);
  if (value.is_tensor() && value.tensor().graph == e.run->serial) {
    Value leaf = leaf_value(e, value.tensor());
    leaf.origin = value.origin;
    return leaf;
  }
  const auto each = [&](const std::vector<Value>& from, bool& poisoned) {
    std::vector<Value> items;
    for (const Value& item : from) {
      items.push_back(measured_value(e, item));
      poisoned |= items.back().is_poison();
    }
    return items;
  };
  bool poisoned = false;
  if (value.is_list()) {
    List list{std::make_shared<const std::vector<Value>>(each(value.items(), poisoned)), value.as<List>().results};
    return poisoned ? Value(Poison{}) : Value(std::move(list), value.origin);
  }
  if (value.is<std::shared_ptr<const Callable>>() && !value.as<std::shared_ptr<const Callable>>()->given.empty()) {
    Callable callable = *value.as<std::shared_ptr<const Callable>>();
    for (Argument& argument : callable.given) {
      argument.value = measured_value(e, argument.value);
      poisoned |= argument.value.is_poison();
    }
    if (poisoned) return Value(Poison{});
    return Value(std::make_shared<const Callable>(std::move(callable)), value.origin);
  }
  return value;
}

NodeId measured_state(Evaluator& e, StateId id) {
  MeasureGraph* current = std::exchange(e.measure.current, nullptr);
  Value value;
  {
    const InFunction in_function(e);
    value = tensor_value(e.context, read_state(e, id));
  }
  e.measure.current = current;
  if (value.is_poison()) return {};
  value = leaf_value(e, value.tensor());
  return value.is_poison() ? NodeId() : value.tensor().node;
}

void finish_measures(Evaluator& e, Graph& function) {
  MeasureState& measure = e.measure;
  std::vector<std::string> per_row;
  for (const NodeId node : measure.order) {
    const CollectedLeaf& leaf = measure.leaves.at(node);
    if (!leaf.wanted) continue;
    function.roots.push_back({Root::collected, leaf.name, leaf.root});
    if (leaf.per_row) per_row.push_back(leaf.name);
  }
  std::vector<std::string> names;
  bool any = false;
  for (const DeclaredResult& result : e.results) {
    if (result.kind == ast::ResultKind::output) continue;
    names.push_back(result.name);
    any = any || !result.native;
  }
  for (size_t k = probes; any && k < measure.graphs.size(); ++k) {
    Measures measures{names, per_row, std::move(measure.graphs[k].graph)};
    keep_needed(measures.graph);
    e.program.measures.push_back(std::move(measures));
  }
}

}  // namespace nnc
