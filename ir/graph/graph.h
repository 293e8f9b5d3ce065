// The Graph: what to compute. Tensors in SSA with static shapes, no memory, no order beyond data flow.
//
//   %z = contract "b i, o i -> b o" %x %w order=chain : f32[128,512] !5
//
// Semantics of every op stand in ir/ops/. A Graph fixes every rounding (a node each) and every order of addition
// (ReduceAttr::order, ContractAttr::order): all later forms only move work.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "ir/graph/attributes.h"
#include "ir/graph/type.h"
#include "ir/ids.h"
#include "ir/location.h"

namespace nnc {

enum class Op : uint8_t {
#define OP(name, kind, arity) name,
#include "ir/ops/ops.def"
};

enum class OpKind : uint8_t { leaf, map, movement, reduce, contract, window, random, scan, effect };

struct Node;
using NodeId = Id<Node>;

// forward may use only forward; backward nothing of update.
enum class Part : uint8_t { forward, backward, update };

struct Node {
  Op op = Op::constant;
  Part part = Part::forward;
  TensorType type;
  std::vector<NodeId> operands;  // all defined earlier in the table
  Attributes attributes;
  Locations locations;
  NodeId clone_of;    // a recomputation in `backward` of a forward node; merge_duplicates never joins the two
  std::string label;  // the user's name for the value, "" if none; for readers only

  template <class T>
  const T& as() const {
    return std::get<T>(attributes);
  }
  template <class T>
  T& as() {
    return std::get<T>(attributes);
  }
};

// What a graph is computed for. `assign` nodes are roots by themselves.
struct Root {
  enum Kind : uint8_t { loss, metric, output, gradient, saved, collected };
  Kind kind = loss;
  std::string name;  // losses, metrics, outputs: the user's; gradient: the state's; saved, collected: of the value
  NodeId node;
};

// A gradient the user wrote. `gradients[k]` is the cotangent of `inputs[k]`, built over `cotangents` (one `cotangent`
// leaf per output) and forward nodes. differentiate copies them with the real cotangents in place of the leaves and
// does not look between `outputs` and `inputs`.
struct CustomGradient {
  std::vector<NodeId> outputs, cotangents, inputs, gradients;
};

struct Graph {
  std::string name;         // "step", "evaluate", …
  int64_t batch = 0;        // extent of the batch axis, 0 if there is none
  std::vector<Node> nodes;  // operands come before users
  std::vector<Root> roots;
  std::vector<CustomGradient> custom_gradients;  // gone after differentiate
  std::vector<Graph> bodies;                     // of scan nodes

  Node& operator[](NodeId id) { return nodes[id.value]; }
  const Node& operator[](NodeId id) const { return nodes[id.value]; }
  const TensorType& type(NodeId id) const { return nodes[id.value].type; }
  NodeId last() const { return NodeId(nodes.size() - 1); }
};

// Persistent storage of a program: parameters, optimizer slots, running statistics, the step counter and the seed.
struct StateDecl {
  std::string name;  // "fc1.weight"; slots "fc1.weight:m"; "step" and "seed" (both i64[]) always exist
  TensorType type;
  bool trained = false;             // gets a gradient and an update
  double lr = 1, weight_decay = 1;  // factors given by `with`
  StateId slot_of;                  // an optimizer slot: the parameter it belongs to
  Locations locations;
};

// The optimizer's equations for one parameter: a graph with inputs "p" and "g", slots by `state` nodes of the program,
// whose `assign`s are the new parameter and slots. append_update copies it behind the parameter's gradient.
struct UpdateRule {
  StateId parameter;
  Graph graph;
};

// The metrics of a function that need all rows of a pass at once (F1, AUC, exp of a mean loss): a graph over what the
// function's `collected` roots gave, batch after batch. It is never compiled: the interpreter runs it once a pass.
//
//   graph evaluate of net at B=569 { %p = input "p" : f32[569] ; %y = input "y" : f32[569] ; … metric "f1" %f }
struct Measures {
  std::vector<std::string> names;    // losses and metrics of the function in declared order, the native ones too
  std::vector<std::string> per_row;  // inputs that hold a value per row of the pass; the others are means over its rows
  Graph graph;                       // name: the function's; batch: rows of the pass; roots: metrics
};

// All of one model: one set of states, functions over it. The functions of a kind at different batch lengths are
// separate graphs.
struct Program {
  std::string name;
  std::vector<std::string> files;  // Location::file indexes this; shown in prints as given by the user
  std::vector<StateDecl> states;
  std::vector<UpdateRule> updates;  // one per trained state
  // What happens to gradients before updates see them: a graph named like the function it belongs to ("step",
  // "accumulate"), with inputs "gradient:NAME" and states, assigns, and a gradient root per trained state that is
  // updated. At most one per function; none: gradients are passed on as they are.
  std::vector<Graph> gradient_rules;
  std::vector<Graph> functions;
  std::vector<Measures> measures;  // per function and length of a pass; empty where all metrics are native

  StateDecl& operator[](StateId id) { return states[id.value]; }
  const StateDecl& operator[](StateId id) const { return states[id.value]; }
  StateId find_state(std::string_view name) const;  // invalid id if there is none
};

// Appends nodes to a graph; one method per op. Types are inferred by the op's registry entry.
// Requires: operands are nodes of the graph and suit the op (a violation is a broken invariant: check user input
// before). New nodes get the builder's current part, locations and label-less.
class GraphBuilder {
 public:
  explicit GraphBuilder(Graph& graph, Part part = Part::forward) : graph_(graph), part_(part) {}

  Graph& graph() { return graph_; }
  const TensorType& type(NodeId id) const { return graph_.type(id); }
  void set_part(Part part) { part_ = part; }
  void set_locations(Locations locations) { locations_ = std::move(locations); }
  const Locations& locations() const { return locations_; }

  NodeId input(std::string name, TensorType type, bool is_target = false);
  NodeId state(StateId state, TensorType type);
  NodeId constant(double value, TensorType type);
  NodeId constant_like(double value, NodeId like) { return constant(value, type(like)); }
  NodeId iota(TensorType type, int64_t axis);
  NodeId cotangent(TensorType type);

#define OP(name, kind, arity)
#define MAP_OP(name, arity) MAP_OP_##arity(name)
#define MAP_OP_1(name) \
  NodeId name(NodeId a) { return map_unless_typed(Op::name, {a}); }
#define MAP_OP_2(name) \
  NodeId name(NodeId a, NodeId b) { return map_unless_typed(Op::name, {a, b}); }
#define MAP_OP_3(name) \
  NodeId name(NodeId a, NodeId b, NodeId c) { return map_unless_typed(Op::name, {a, b, c}); }
#include "ir/ops/ops.def"
#undef MAP_OP_1
#undef MAP_OP_2
#undef MAP_OP_3
  NodeId compare(Comparison comparison, NodeId a, NodeId b);
  NodeId cast(NodeId a, DType dtype, int64_t bound = 0);

  NodeId reshape(NodeId a, Dims dims);
  NodeId transpose(NodeId a, std::vector<int64_t> permutation);
  NodeId broadcast(NodeId a, Dims dims, std::vector<int64_t> axes);  // operand axis k becomes result axis axes[k]
  NodeId slice(NodeId a, Dims start, Dims size, Dims step);
  NodeId pad(NodeId a, Dims before, Dims after, Dims step, double value);
  NodeId concat(std::vector<NodeId> parts, int64_t axis);
  NodeId reverse(NodeId a, std::vector<int64_t> axes);
  NodeId gather(NodeId a, NodeId ids, int64_t axis);  // axis of `a` is replaced by the axes of `ids`
  NodeId scatter_add(NodeId updates, NodeId ids, int64_t axis,
                     int64_t extent);  // the adjoint of gather; ids ascending in row-major order
  NodeId reduce(Reduction reduction, NodeId a, std::vector<int64_t> axes);
  NodeId cumsum(NodeId a, int64_t axis, bool exclusive = false, bool reverse = false);
  NodeId sum_below(NodeId x, NodeId w, int64_t axis);  // of w_j over all j along the axis with x_j < x_i
  NodeId contract(NodeId a, NodeId b, std::string_view map);
  NodeId contract(NodeId a, NodeId b, IndexMap map);
  NodeId window(NodeId a, WindowAttr attributes);
  NodeId random(Distribution distribution, NodeId seed, NodeId step, TensorType type, uint32_t site);
  NodeId assign(StateId state, NodeId value);

  // Any op: infers the type (random, input, state, constant, iota, cotangent, scatter_add, reshape, broadcast need
  // `type` given).
  NodeId append(Op op, std::vector<NodeId> operands, Attributes attributes, TensorType type = {});

 private:
  NodeId map_unless_typed(Op op, std::vector<NodeId> operands) { return append(op, std::move(operands), {}); }

  Graph& graph_;
  Part part_;
  Locations locations_;
};

// For each node of `graph`, the nodes that use it, ascending.
std::vector<std::vector<NodeId>> users_of(const Graph& graph);

}  // namespace nnc
