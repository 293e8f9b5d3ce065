// The oracle: evaluates a Graph in double precision, node by node, over Eigen.
#pragma once

#include <map>
#include <string>

#include "ir/graph/graph.h"
#include "ir/ops/op.h"

namespace nnc {

struct Evaluation {
  std::vector<ReferenceTensor> values;           // per node
  std::map<uint32_t, ReferenceTensor> assigned;  // StateId::value -> new value
};

// Which values an evaluation leaves: all nodes', or only the roots' (the others are freed after their last use).
enum class Keep : uint8_t { all, roots };

// Requires: `inputs` has every input of the graph by name, `states` every state it reads, with the types of the graph.
// Ensures: nothing is changed in `states`; the caller stores `assigned`.
Evaluation interpret(const Graph& graph, const std::map<std::string, ReferenceTensor>& inputs,
                     const std::map<uint32_t, ReferenceTensor>& states, Keep keep = Keep::all);

}  // namespace nnc
