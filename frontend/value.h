// What an expression is while a model is being built: a static value, known now, or a tensor, a node of the Graph.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "frontend/source.h"
#include "ir/graph/graph.h"

namespace nnc {

struct Builtin;
struct Callable;
struct LayerInstance;
struct Value;

// Nothing was given: an optional argument left out.
struct None {};

// Its cause has been reported. Whatever meets poison is poison, silently.
struct Poison {};

// A static number. `batch` in tensor expressions is a number too, but a marked one: it may size an axis (and then makes
// it a batch axis again), it may be calculated with, it may not decide an `if`, a range or an index.
struct Number {
  double value = 0;
  int64_t batch_multiple = 0;  // k: this is k * batch; 0: it is not a multiple of the batch
  bool of_batch = false;       // computed from the batch in any way
};

// An extent as the language sees it. `batch_multiple` k > 0 says "k times the batch": equal only to itself.
struct Dim {
  int64_t extent = 0;
  int64_t batch_multiple = 0;
  friend bool operator==(const Dim&, const Dim&) = default;
};

// A node of the graph being built. rank 0 in f64 (or i64: `step`) is scalar arithmetic that has not met a tensor yet:
// where it meets one of another dtype it takes that dtype.
struct Tensor {
  NodeId node;
  TensorType type;
  std::vector<int64_t> batch;  // per axis: Dim::batch_multiple
  StateId state;               // valid: read by name from this state (`p.lr`, diagnostics)
  uint32_t graph = 0;          // serial number of the graph the node lives in

  int64_t rank() const { return type.rank(); }
  Dim dim(int64_t axis) const { return {type.dims[axis], batch[axis]}; }
};

// `0..n`, end excluded.
struct Range {
  int64_t first = 0;
  int64_t last = 0;
};

struct List {
  std::shared_ptr<const std::vector<Value>> items;
  bool results = false;  // several results of a function, not a list: may be unpacked, not piped
};

struct Value {
  using Data = std::variant<None, Poison, Number, bool, std::string, List, std::shared_ptr<const Callable>,
                            std::shared_ptr<LayerInstance>, Tensor, Range>;
  Data data;
  Span origin;  // where it was first bound or made; diagnostics label it

  Value() = default;
  Value(Data held, Span from = {}) : data(std::move(held)), origin(from) {}  // NOLINT: any alternative is a value

  template <class T>
  bool is() const {
    return std::holds_alternative<T>(data);
  }
  template <class T>
  const T& as() const {
    return std::get<T>(data);
  }
  bool is_poison() const { return is<Poison>(); }
  bool is_none() const { return is<None>(); }
  bool is_number() const { return is<Number>(); }
  bool is_tensor() const { return is<Tensor>(); }
  bool is_list() const { return is<List>(); }
  double number() const { return as<Number>().value; }
  const Tensor& tensor() const { return as<Tensor>(); }
  const std::vector<Value>& items() const { return *as<List>().items; }
};

Value number_value(double value, Span origin = {});
Value list_value(std::vector<Value> items, Span origin = {});
Value results_value(std::vector<Value> items, Span origin = {});

// True when `value` is a number without a fraction that fits 53 bits; `integer` is then it.
bool integral(const Value& value, int64_t& integer);

// For diagnostics: "f32[batch, 64]", "2*batch", "3", "a string", "a list", "layer `Linear`".
std::string dim_text(Dim dim);
std::string type_text(const Tensor& tensor);
std::string type_text(DType dtype, int64_t bound, const std::vector<Dim>& dims);
std::string describe(const Value& value);

// An argument as written.
struct Argument {
  Value value;
  Span span;
  std::string name;  // empty: positional
};

// A function, layer, optimizer or schedule with some arguments already given. A `Linear` in the text is a Callable; so
// is `leaky_relu(negative_slope = 0.1)` (waits for its first argument), `normal(0.02)` (waits for a shape), `Adam(lr =
// 1e-3)` (waits for a parameter) and `cosine(1e-3)` (waits for a step).
struct Callable {
  enum Kind : uint8_t { builtin, function, layer, optimizer, schedule };
  Kind kind = builtin;
  std::string name;
  const Builtin* native = nullptr;
  const void* declaration = nullptr;  // FnDecl, LayerDecl, … of ast.h, by kind
  std::vector<Argument> given;        // kept from a first call
  bool called = false;           // `f(…)` stands in the text: `given` is complete but for what the callee waits for
  bool waits_for_shape = false;  // an initialiser: applied by `param`, `state` to the declared shape
};

}  // namespace nnc
