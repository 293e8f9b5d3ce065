// Metrics that only all rows of a pass determine: their expressions once more, over all rows.
//
// In a metric's expression a value with the batch axis is all rows of the pass, any other its mean over rows. A mean
// over rows of a value per row can be computed batch by batch and stays in its function (`native`). Any other metric is
// left out of it: the values that its expression names become `collected` roots of the function, and the expression is
// evaluated again into a small graph over them with the rows of a whole pass as batch.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "frontend/ast.h"
#include "frontend/value.h"
#include "ir/graph/graph.h"

namespace nnc {

struct Evaluator;

// The metrics' expressions over a number of rows.
struct MeasureGraph {
  Graph graph;  // batch: the rows
  uint32_t serial = 0;
  std::map<NodeId, Value> values;  // of nodes of the function: collected ones, and metrics computed here
};

// A value of the function that a metric's expression names.
struct CollectedLeaf {
  std::string name;  // unique among the function's
  NodeId root;       // of the function; rows come first
  bool per_row = false;
  bool wanted = false;  // by a metric that is not native
};

// Of one run of the model.
struct MeasureState {
  bool active = false;               // false: metrics are evaluated, but not computed (predict)
  std::vector<MeasureGraph> graphs;  // two probes, by which native metrics are told from others; then one per length
  std::map<NodeId, CollectedLeaf> leaves;
  std::vector<NodeId> order;  // of the leaves, as they were met
  std::set<std::string> taken;
  std::set<NodeId> touched;         // leaves named by the metric under evaluation
  MeasureGraph* current = nullptr;  // the graph being built; null while the function is
  GraphBuilder* function = nullptr;
  int64_t batch = 0;           // of the function
  std::vector<Value> applied;  // results of the layers that the metric's expression applies, in order
  size_t next_applied = 0;
  int recording = 0;  // > 0 while a metric is evaluated in its function: one more than the layers being applied
};

// Sets up a run of the model for passes of these many rows.
void begin_measures(Evaluator& e, const std::string& function, int64_t batch, const std::vector<int64_t>& rows);

// A metric has been evaluated in its function to `result`. Returns whether it is native; if not, evaluates it into each
// graph. Errors: what the expression does not allow over all rows; then also false.
bool measure_metric(Evaluator& e, const ast::DeclareResult& stmt, const Tensor& result);

// A value of the function as the current graph sees it: tensors are leaves, `batch` is the number of rows.
Value measured_value(Evaluator& e, const Value& value);
NodeId measured_state(Evaluator& e, StateId id);

// Ends the run: adds the collected roots to the function and, per length, Measures to the program.
void finish_measures(Evaluator& e, Graph& function);

// Whether node `result`, the same in both graphs, is the mean over rows of a value per row, or affine in such means:
// then its mean over batches weighted by their rows is it. `per_row`: names of the inputs that hold a value per row;
// other inputs are means over rows themselves.
bool is_mean_over_rows(const Graph& first, const Graph& second, const std::set<std::string>& per_row, NodeId result);

}  // namespace nnc
