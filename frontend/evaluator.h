// The abstract interpreter over the syntax tree: static values are computed, tensors become nodes of a Graph.
//
// Control flow is unrolled while it runs; nothing of the language is left in the Graph. Every loop, call depth and list
// is bounded, whatever the file says. A mistake is reported where it is met and gives Poison, which spreads silently.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "frontend/ast.h"
#include "frontend/context.h"
#include "frontend/frontend.h"
#include "frontend/measure.h"
#include "frontend/unit.h"
#include "frontend/value.h"
#include "ir/check.h"

namespace nnc {

// What a name stands for in a body.
struct Binding {
  enum Kind : uint8_t { local, parameter, size, param, variable };  // variable: a `state`
  Kind kind = local;
  Value value;    // of param and variable: unused, the current tensor is looked up
  StateId state;  // of param and variable
  Span span;
};

// A layer that owns parameters. It comes to be (gets its name, its parameters) at its first application.
struct LayerInstance {
  const Declared* declared = nullptr;  // null: the model itself
  LayerInstance* parent = nullptr;     // the enclosing layer; lives longer
  std::string name;                    // within the parent; "" until bound or applied
  Span made_at;
  std::map<std::string, Binding> statics;
  std::map<std::string, Value> members;    // sublayers by name, for `fc.inner`
  std::map<std::string, StateId> states;   // parameters and states by name, once applied
  std::map<std::string, int> type_counts;  // unnamed sublayers, by type
  std::map<std::pair<uint64_t, int>, std::shared_ptr<LayerInstance>> children;  // by place in the text and its ordinal
  std::map<uint64_t, int> visits;                                               // of such places, in this application
  double lr = 1, weight_decay = 1;
  bool frozen = false;
  bool active = false;  // being applied
  uint32_t draws = 0;   // random sites used
};

// A running body: function, layer, model, schedule, optimizer, or static code at file level.
struct Frame {
  enum Kind : uint8_t { statics, function, layer_body, model, schedule, optimizer, gradient };
  Kind kind = statics;
  const FileNames* file = nullptr;
  const Ast* ast = nullptr;
  std::vector<std::map<std::string, Binding>> scopes{1};
  LayerInstance* layer = nullptr;            // the enclosing one: functions inherit it
  std::optional<std::vector<Dim>> ellipsis;  // what `...` stands for
  std::optional<Value> returned;
  std::vector<Value>* yielded = nullptr;  // inside a scan
  std::vector<Span>* yield_spans = nullptr;
  size_t scan_scope = 0;  // index of the innermost scan's scope; 0: not inside a scan
  bool failed = false;    // a poisoned `if` or `return`: what follows cannot be judged
};

// A graph under construction and what is true of it only.
struct GraphRun {
  Graph graph;
  uint32_t serial = 0;
  std::map<StateId, NodeId> state_nodes;
  std::map<StateId, NodeId> current;  // written by `<-`
  std::shared_ptr<LayerInstance> root;
  std::map<std::string, std::pair<const LayerInstance*, Span>> state_owners;
};

// A parameter as calls see it.
struct ParameterInfo {
  std::string name;
  bool has_default = false;
  bool variadic = false;
  bool keywords = false;           // `**name` of core functions: all other named arguments, a list of [name, value]
  std::vector<std::string> kinds;  // of core functions
  Value otherwise;                 // of core functions
};

struct DeclaredResult {
  ast::ResultKind kind;
  std::string name;
  Tensor tensor;
  Span span;
  bool native = true;  // false: a metric that only all rows of a pass determine
};

// A core function that has an interpreter and no native code: it may stand where nothing compiled depends on it.
struct Unlowered {
  uint32_t graph;
  NodeId node;
  std::string what;
  Span span;
};

struct Evaluator {
  explicit Evaluator(Unit& unit);
  Evaluator(const Evaluator&) = delete;

  Unit& unit;
  Context context;
  Frame* frame = nullptr;
  GraphRun scratch;  // where static code would build, if it did
  GraphRun* run = &scratch;
  GraphBuilder scratch_builder{scratch.graph};

  // of the whole build
  Program program;
  GraphRun initialize;  // the function that sets every state
  std::unique_ptr<GraphBuilder> initialize_builder;
  const std::vector<FieldType>* fields = nullptr;
  std::map<uint32_t, std::string> sites;  // random site -> what it belongs to
  std::string initialised;                // inside an initialiser: the name of the state
  uint32_t initialiser_draws = 0;
  double steps = 1, steps_per_epoch = 1;  // updates

  // of one run of the model
  std::vector<DeclaredResult> results;
  MeasureState measure;
  std::vector<Unlowered> interpreted;
  std::vector<std::pair<NodeId, Span>> inputs;
  std::set<std::string> kinds_declared;
  std::vector<const Declared*> active;  // functions being run
  std::set<Span> unlowered, warned;
  size_t depth = 0;
  size_t work = 0;
  uint32_t next_serial = 1;
  bool exhausted = false;  // a limit was hit and reported
  bool forward = false;    // building what will be differentiated: gradients the user wrote are attached
  // The data could not be read: inputs of unknown shape are poison, and bodies run on poison to find what is wrong with
  // their names and arguments.
  bool unknown_inputs = false;
  std::map<const Builtin*, std::vector<ParameterInfo>> signatures;
};

// ---- reporting (evaluator.cpp)

// Code of the prelude is not blamed: its user's call is.
bool in_prelude(const Evaluator& e, Span span);
Span blame(const Evaluator& e, Span span);
template <class... Args>
Diagnostic& complain(Evaluator& e, DiagnosticKind kind, Span span, fmt::format_string<Args...> message,
                     Args&&... args) {
  return report_message(e.unit.diagnostics, kind, blame(e, span), fmt::format(message, std::forward<Args>(args)...));
}
// Adds a label unless it would stand in the prelude or nowhere.
void label_origin(Evaluator& e, Diagnostic& diagnostic, Span origin, std::string text);
// New nodes come from here, from now on.
void locate_nodes(Evaluator& e, Span span);
// Counts work done; false (reported once) when a limit is passed.
bool spend(Evaluator& e, Span span, size_t amount = 1);

// ---- names (names.cpp)
Binding* find_local(Evaluator& e, const std::string& name);
const Declared* find_declared(const Evaluator& e, const FileNames& file, const std::string& name);
const Builtin* find_builtin(std::string_view name);
Value lookup(Evaluator& e, const std::string& name, Span span, bool called);
Value value_of(Evaluator& e, const Binding& binding, Span span);
Value static_value(Evaluator& e, const Declared& declared);  // an option or const
Value declared_value(Evaluator& e, const Declared& declared, Span span);
void bind_local(Evaluator& e, const ast::Name& name, Value value, Binding::Kind kind = Binding::local);

// ---- expressions (evaluate.cpp)
Value evaluate(Evaluator& e, ast::ExprId id);
Value evaluate_binary(Evaluator& e, ast::ExprId id);
// Both operands known now; nothing if the operator is not defined on them.
std::optional<Value> static_binary(Evaluator& e, ast::BinaryOp op, const Value& left, const Value& right, Span span);
Value evaluate_index(Evaluator& e, const ast::Expr& expr);
Value evaluate_member(Evaluator& e, const ast::Expr& expr);
Value evaluate_scan(Evaluator& e, const ast::Expr& expr);  // scan.cpp
// The elements of a range or list, as `for` and comprehensions walk them; nothing if it is neither (reported).
std::optional<std::vector<Value>> walk(Evaluator& e, ast::ExprId sequence);
// A static condition of `if` and `require`.
std::optional<bool> condition(Evaluator& e, ast::ExprId id, std::string_view where);

// ---- statements (statements.cpp)
void run_block(Evaluator& e, const ast::Block& block);
void run_statements(Evaluator& e, const std::vector<ast::StmtId>& stmts);
void bind_names(Evaluator& e, const std::vector<ast::Name>& names, Value value, Span value_span);

// ---- types (types.cpp)
// A value passed where a type stands. `shown` is how the message calls it.
struct TypedValue {
  ast::TypeId type;
  Value* value;
  Span span;
  std::string shown;
};
// Binds the free sizes of all types, then checks every value against its type; converts numbers and integers to tensors
// of the type. False if anything was reported.
bool check_types(Evaluator& e, std::vector<TypedValue> values);
// Bare names that mean a number here; the others are free.
std::optional<Number> visible_size(Evaluator& e, const std::string& name);
// The extents of a type without free names, as `param` and `state` need it.
std::optional<std::vector<Dim>> known_dims(Evaluator& e, const ast::TypeExpr& type);
std::optional<int64_t> known_extent(Evaluator& e, ast::ExprId size, int64_t* batch_multiple = nullptr);
// Binds a size that the data would say and does not: what needs it is poison. True if it was free, or poison already.
bool bind_unknown(Evaluator& e, ast::ExprId size);
std::optional<TensorType> known_type(Evaluator& e, const ast::TypeExpr& type, std::vector<Dim>& dims);
DType dtype_of(const Evaluator& e, ast::ElementType element);
// Checks a static value against `int float bool string list fn`.
bool check_static_kind(Evaluator& e, ast::TypeKind kind, const Value& value, Span span, std::string_view shown);

// ---- arguments and calls (arguments.cpp, apply.cpp)
struct BoundArguments {
  std::vector<std::optional<Argument>> values;  // one per parameter
  bool waits = false;                           // the first was left out
};
// Errors: E201 too many, E202 unknown name, E203 missing. `allow_waiting`: the first may be left out.
std::optional<BoundArguments> bind_arguments(Evaluator& e, std::string_view callee,
                                             const std::vector<ParameterInfo>& parameters,
                                             const std::vector<Argument>& arguments, Span call, bool allow_waiting);
std::vector<ParameterInfo> parameter_infos(const std::vector<ast::Parameter>& parameters);
const std::vector<ParameterInfo>& signature_of(Evaluator& e, const Builtin& builtin);
Value call_value(Evaluator& e, const Value& callee, std::vector<Argument> arguments, Span call);
// `input |> …`, where `whole` is the binary expression.
Value pipe(Evaluator& e, Value input, Span input_span, const ast::Expr& whole);
Value run_function(Evaluator& e, const Declared& declared, std::vector<Argument> arguments, Span call);
Value call_builtin(Evaluator& e, const Builtin& builtin, std::vector<Argument> arguments, Span call);
// Binds parameters in the current frame: given ones, defaults, static kinds; then the tensor types.
bool bind_parameters(Evaluator& e, const std::vector<ast::Parameter>& parameters, BoundArguments& bound, Span call,
                     std::string_view callee);
Value run_body(Evaluator& e, const ast::Body& body, const std::vector<ast::TypeId>& results, Span call,
               const std::string& callee);
Value check_results(Evaluator& e, Value value, const std::vector<ast::TypeId>& results, Span call,
                    const std::string& callee);
// `grad f` (gradients.cpp): records the user's gradient of this application.
Value attach_gradient(Evaluator& e, const Declared& function, const Declared& gradient,
                      const std::vector<std::pair<std::string, Value>>& parameters, const Value& result, Span call);

// ---- layers (layers.cpp)
std::string path_of(LayerInstance& layer);
std::string snake_case(std::string_view type);
Value make_layer(Evaluator& e, const Declared& declared, std::vector<Argument> arguments, Span call);
Value apply_layer(Evaluator& e, const std::shared_ptr<LayerInstance>& layer, std::vector<Argument> arguments,
                  Span call);
// Gives unnamed layers in `value` the name (lists: name.0, name.1, …) within `parent`.
void name_layers(Evaluator& e, const Value& value, const std::string& name, LayerInstance* parent);
struct Factors {
  double lr = 1, weight_decay = 1;
  bool frozen = false;
};
std::optional<Factors> read_attributes(Evaluator& e, const std::vector<ast::Attribute>& attributes);
void set_factors(Evaluator& e, const Value& value, const Factors& factors, Span span);

// ---- states (states.cpp)
void declare_state(Evaluator& e, const ast::DeclareState& stmt, Span span);
void write_state(Evaluator& e, const ast::Assign& stmt, Span span);
NodeId read_state(Evaluator& e, StateId id);
// Appends a state and, from `init`, its assignment in `initialize`.
StateId add_state(Evaluator& e, StateDecl decl);
bool initialise_state(Evaluator& e, StateId id, const Value& init, Span span);
// Evaluates `init` and applies it, building into `initialize`.
bool initialise_by(Evaluator& e, StateId id, ast::ExprId init);
uint32_t site_of(Evaluator& e, const std::string& key);

// ---- models and programs (model.cpp, build.cpp, optimizer.cpp)
void declare_input(Evaluator& e, const ast::DeclareInput& stmt, Span span);
void declare_result(Evaluator& e, const ast::DeclareResult& stmt, Span span);
// Runs the model's body into a fresh graph; false on errors.
bool run_model(Evaluator& e, GraphRun& run, const std::string& name, int64_t batch, bool training);
void build_updates(Evaluator& e);
Value optimizer_value(Evaluator& e);  // the train block's optimizer, with overrides
// The prelude's reduce_on_plateau among the optimizer's arguments, if it is there and its own arguments are right.
std::optional<PlateauChoice> plateau_choice(Evaluator& e, const Value& optimizer);
// What the settings `accumulate`, `clip` and `average` add to the program (gradient_rules.cpp): states before the model
// is built; gradient rules and the averaged functions after all updates are.
void declare_accumulation(Evaluator& e);
void build_gradient_rules(Evaluator& e);
void average_weights(Evaluator& e);
// A state of the program itself, filled with `value` by initialize.
StateId add_own_state(Evaluator& e, StateDecl decl, double value);
void prune(Graph& graph);  // removes what reaches no root, assignment or gradient; keeps inputs that feed predictions

// Runs `body` with `inner` as the frame.
template <class Body>
auto within(Evaluator& e, Frame& inner, Body&& body) {
  Frame* outer = std::exchange(e.frame, &inner);
  struct Restore {
    Evaluator& e;
    Frame* outer;
    ~Restore() { e.frame = outer; }
  } restore{e, outer};
  return body();
}

}  // namespace nnc
