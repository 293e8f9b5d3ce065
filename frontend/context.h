// What building a Graph from the language shares: the evaluator (frontend/evaluate*.cpp) and the core functions
// (frontend/builtins/) both work on it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/diagnostics.h"
#include "frontend/value.h"
#include "ir/graph/graph.h"

namespace nnc {

struct Evaluator;  // the rest of the state, private to the evaluator

// One run of the evaluator over a model (or an update, or an initialiser): builds one graph.
struct Context {
  GraphBuilder* build = nullptr;  // where new nodes go
  uint32_t graph = 0;             // serial number of that graph
  Diagnostics* diagnostics = nullptr;
  Evaluator* evaluator = nullptr;
  bool training = false;
  int64_t batch = 0;                        // extent of the batch axis in this graph
  DType compute_type = DType::f32;          // the dtype of tensors whose type leaves it out
  const std::vector<Dim>* shape = nullptr;  // inside an initialiser: the declared shape
  Span span;  // the user's expression being evaluated: a call into the prelude stays at its call
};

// The value of a node of the graph being built. Requires: one batch mark per axis, or none at all (no batch axis).
Value tensor_value(Context& context, NodeId node, std::vector<int64_t> batch = {});
Value tensor_value_of(Context& context, NodeId node, const std::vector<Dim>& dims);  // takes only the marks of `dims`

// The operands of `random` nodes and a fresh site (32-bit hash of the enclosing layer's path and an ordinal).
// Inside an initialiser: seed, a constant 0 and the hash of the parameter's name.
NodeId seed_node(Context& context);
NodeId step_node(Context& context);
uint32_t next_random_site(Context& context);

// Applies whatever applies to a value (`fn` parameters): functions, layers, lists of them, values that wait for an
// argument. `at` is the expression to blame.
Value apply(Context& context, const Value& callee, std::vector<Argument> arguments, Span at);

// Says that a construct is checked but cannot be compiled ("`Conv2d` has no native lowering yet"), once per span.
void no_lowering(Context& context, std::string_view what, Span at);
// The same for a node that may stand in a metric computed over all rows, which is interpreted: says so where the node
// reaches a loss, an output, a state or a native metric.
void no_lowering_outside_metrics(Context& context, NodeId node, std::string_view what, Span at);

// Arguments of a core function, bound to its signature: one value per parameter, None where left out without a default.
struct CallArguments {
  std::string_view name;  // of the function, as the user wrote it
  std::vector<Value> values;
  std::vector<Span> spans;  // where each was written; the call's where it was not
  Span call;

  const Value& operator[](size_t index) const { return values[index]; }
};

// A core function. `signature` is text: parameters separated by commas, each
//   name [: kind [| kind]…] [= default]      or      *name       (all further positional arguments, as a list; named
//   ones may follow) or at the end      **name      (all other named arguments, a list of [name, value])
// kinds: tensor int float bool string list fn (none given: anything). A `tensor` also takes a number, as it is.
// default: a literal (number, string, true, false, inf) or `none`, which passes None.
// CORE binds and checks arguments before `call`; no argument is poison then.
struct Builtin {
  std::string_view name;
  std::string_view signature;
  Value (*call)(Context&, const CallArguments&);
};

// All core functions; frontend/builtins/.
std::span<const Builtin> builtins();

}  // namespace nnc
