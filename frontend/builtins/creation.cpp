// Core functions that make tensors of nothing: constants, counting, random numbers.
#include <cmath>

#include "frontend/builtins/operands.h"
#include "frontend/builtins/tables.h"

namespace nnc {
namespace {

// zeros() and ones() without sizes are initialisers: they take the declared shape, now or later.
bool waits_for_shape(const Context& context, const CallArguments& arguments) {
  return !context.shape && arguments[0].items().empty();
}

Value waiting(const CallArguments& arguments) {
  Callable callable;
  callable.kind = Callable::builtin;
  callable.name = std::string(arguments.name);
  for (const Builtin& builtin : creation_functions()) {
    if (builtin.name == arguments.name) callable.native = &builtin;
  }
  callable.called = true;
  callable.waits_for_shape = true;
  return Value(std::make_shared<const Callable>(std::move(callable)), arguments.call);
}

// The declared shape inside an initialiser where no sizes are given.
std::optional<std::vector<Dim>> sizes(Context& context, const CallArguments& arguments, size_t position) {
  if (context.shape && arguments[position].is_list() && arguments[position].items().empty()) return *context.shape;
  return dims_from(context, arguments[position], arguments.spans[position]);
}

Value filled(Context& context, const CallArguments& arguments, double value) {
  auto dims = sizes(context, arguments, 0);
  if (!dims) return poison();
  return made(context, context.build->constant(value, {context.compute_type, 0, extents_of(*dims)}), *dims);
}

Value zeros(Context& context, const CallArguments& arguments) {
  return waits_for_shape(context, arguments) ? waiting(arguments) : filled(context, arguments, 0);
}

Value ones(Context& context, const CallArguments& arguments) {
  return waits_for_shape(context, arguments) ? waiting(arguments) : filled(context, arguments, 1);
}

Value full(Context& context, const CallArguments& arguments) {
  return filled(context, arguments, arguments[1].number());
}

Value drawn(Context& context, Distribution distribution, TensorType type, std::span<const Dim> dims) {
  type.dims = extents_of(dims);
  // One after the other: the order of arguments is not fixed, the order of nodes is.
  NodeId seed = seed_node(context);
  NodeId step = step_node(context);
  uint32_t site = next_random_site(context);
  return made(context, context.build->random(distribution, seed, step, std::move(type), site), dims);
}

template <Distribution distribution>
Value random_floats(Context& context, const CallArguments& arguments) {
  auto dims = sizes(context, arguments, 0);
  if (!dims) return poison();
  return drawn(context, distribution, {context.compute_type, 0, {}}, *dims);
}

template <Distribution distribution>
Value random_like(Context& context, const CallArguments& arguments) {
  std::vector<Dim> dims;
  if (arguments[0].is_tensor()) dims = dims_of(arguments[0].tensor());
  return drawn(context, distribution, {context.compute_type, 0, {}}, dims);
}

// Integers below n.
Value randint(Context& context, const CallArguments& arguments) {
  auto bound = integer_from(context, arguments[0], "the bound", arguments.spans[0]);
  if (!bound) return poison();
  if (*bound < 1 || *bound > max_extent) {
    fault(context, DiagnosticKind::bad_argument, arguments.spans[0], "the bound must be 1 to {}, found {}", max_extent,
          *bound);
    return poison();
  }
  auto dims = sizes(context, arguments, 1);
  if (!dims) return poison();
  return drawn(context, Distribution::integer, {DType::i32, *bound, {}}, *dims);
}

// arange(n): i32<n>[n] of 0 … n - 1.
Value arange(Context& context, const CallArguments& arguments) {
  auto count = integer_from(context, arguments[0], "`n`", arguments.spans[0]);
  if (!count) return poison();
  const std::vector<Dim> dims{{*count, arguments[0].as<Number>().batch_multiple}};
  TensorType type{DType::i32, *count, extents_of(dims)};
  if (!may_exist(context, type, arguments.call)) return poison();
  return made(context, context.build->iota(type, 0), dims);
}

// causal(T): bools [T, T], true where the column is not behind the row.
Value causal(Context& context, const CallArguments& arguments) {
  auto length = integer_from(context, arguments[0], "the length", arguments.spans[0]);
  if (!length) return poison();
  const std::vector<Dim> dims(2, Dim{*length, arguments[0].as<Number>().batch_multiple});
  TensorType type{DType::i32, *length, extents_of(dims)};
  if (!may_exist(context, type, arguments.call)) return poison();
  GraphBuilder& build = *context.build;
  NodeId columns = build.iota(type, 1);
  NodeId rows = build.iota(type, 0);
  return made(context, build.compare(Comparison::le, columns, rows), dims);
}

// as_list(v, n): n times v, or v itself if it is a list of n: sizes "a number, or one for each axis".
Value as_list(Context& context, const CallArguments& arguments) {
  auto length = integer_from(context, arguments[1], "the length", arguments.spans[1]);
  if (!length) return poison();
  if (*length < 0 || *length > max_rank) {
    fault(context, DiagnosticKind::bad_argument, arguments.spans[1], "a length of 0 to {} is needed, found {}",
          max_rank, *length);
    return poison();
  }
  const Value& value = arguments[0];
  if (!value.is_list()) return list_value(std::vector<Value>(static_cast<size_t>(*length), value), arguments.call);
  if (static_cast<int64_t>(value.items().size()) == *length) return value;
  fault(context, DiagnosticKind::bad_argument, arguments.spans[0],
        "a number or a list of {} is needed, found a list of {}", *length, value.items().size());
  return poison();
}

}  // namespace

std::span<const Builtin> creation_functions() {
  static constexpr Builtin table[] = {
      {"zeros", "*dims", zeros},
      {"ones", "*dims", ones},
      {"full", "*dims, value: float", full},
      {"rand", "*dims", random_floats<Distribution::uniform>},
      {"randn", "*dims", random_floats<Distribution::normal>},
      {"rand_like", "x: tensor", random_like<Distribution::uniform>},
      {"randn_like", "x: tensor", random_like<Distribution::normal>},
      {"randint", "n: int, *dims", randint},
      {"arange", "n: int", arange},
      {"causal", "length: int", causal},
      {"as_list", "value, length: int", as_list},
  };
  return table;
}

}  // namespace nnc
