// Core functions of one element at a time.
#include <array>
#include <cmath>

#include "frontend/builtins/operands.h"
#include "frontend/builtins/tables.h"

namespace nnc {
namespace {

Value computed(Context& context, const CallArguments& arguments, double value) {
  const Number& from = arguments[0].as<Number>();
  if (std::isnan(value) && !std::isnan(from.value)) {
    fault(context, DiagnosticKind::bad_argument, arguments.spans[0], "`{}` of {} is not a number", arguments.name,
          from.value);
    return poison();
  }
  return Value(Number{value, 0, from.of_batch || from.batch_multiple != 0});
}

// A map on floats; numbers are computed now.
template <Op op, double (*f)(double)>
Value real_map(Context& context, const CallArguments& arguments) {
  if (arguments[0].is_number()) return computed(context, arguments, f(arguments[0].number()));
  const Tensor& x = arguments[0].tensor();
  return made(context, context.build->append(op, {real_node(context, x)}, {}), dims_of(x));
}

// A map on numbers that leaves integers integers; bools count as 0 and 1.
template <Op op, double (*f)(double)>
Value numeric_map(Context& context, const CallArguments& arguments) {
  if (arguments[0].is_number()) return computed(context, arguments, f(arguments[0].number()));
  const Tensor& x = arguments[0].tensor();
  NodeId node = x.type.dtype == DType::boolean ? cast_node(context, x.node, DType::i32) : x.node;
  return made(context, context.build->append(op, {node}, {}), dims_of(x));
}

// A map that does nothing to integers.
template <Op op, double (*f)(double)>
Value rounding_map(Context& context, const CallArguments& arguments) {
  if (arguments[0].is_tensor() && !is_float(arguments[0].tensor().type.dtype)) return arguments[0];
  return numeric_map<op, f>(context, arguments);
}

double logistic(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double reciprocal_root(double x) { return 1 / std::sqrt(x); }
double sign_of(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
// The machine rounds halves to even, and so does nearbyint in the default mode.
double rounded(double x) { return std::nearbyint(x); }

Value detach(Context& context, const CallArguments& arguments) {
  if (!arguments[0].is_tensor()) return arguments[0];
  const Tensor& x = arguments[0].tensor();
  if (!is_float(x.type.dtype)) return arguments[0];
  return made(context, context.build->detach(x.node), dims_of(x));
}

// Whether a bool was decided by scalar arithmetic (`step > 100`), so that what it chooses among is that too.
bool decided_by_scalars(const Graph& graph, NodeId node) {
  auto is_logic = [](Op op) { return op == Op::logical_and || op == Op::logical_or || op == Op::logical_not; };
  while (is_logic(graph[node].op)) node = graph[node].operands[0];
  if (graph[node].op != Op::compare || graph.type(node).rank() > 0) return false;
  DType dtype = graph.type(graph[node].operands[0]).dtype;
  return dtype == DType::i64 || dtype == DType::f64;
}

// where(condition, a, b)
Value where(Context& context, const CallArguments& arguments) {
  const Value& condition = arguments[0];
  if (condition.is<bool>()) return condition.as<bool>() ? arguments[1] : arguments[2];
  if (!condition.is_tensor() || condition.tensor().type.dtype != DType::boolean) {
    fault(context, DiagnosticKind::wrong_operand, arguments.spans[0], "the condition of `where` must be bool, found {}",
          condition.is_tensor() ? type_text(condition.tensor()) : describe(condition))
        .help(fmt::format("compare: `{} != 0`", source_text(context, arguments.spans[0], "x")));
    return poison();
  }
  const std::array all{Operand{condition, arguments.spans[0]}, Operand{arguments[1], arguments.spans[1]},
                       Operand{arguments[2], arguments.spans[2]}};
  auto dtype = meet(context, std::span(all).subspan(1), Meeting::alike, "`where`");
  if (!dtype) return poison();
  // Scalar arithmetic that meets only a condition with axes has met a tensor.
  if (condition.tensor().rank() > 0 && (*dtype == DType::f64 || *dtype == DType::i64)) {
    dtype = *dtype == DType::f64 ? context.compute_type : DType::i32;
  }
  if (!arguments[1].is_tensor() && !arguments[2].is_tensor() &&
      decided_by_scalars(context.build->graph(), condition.tensor().node)) {
    dtype = DType::f64;
  }
  auto dims = meet_shapes(context, all, "", arguments.call);
  if (!dims) return poison();
  NodeId chosen =
      context.build->select(placed(context, condition, DType::boolean, *dims),
                            placed(context, arguments[1], *dtype, *dims), placed(context, arguments[2], *dtype, *dims));
  return made(context, chosen, *dims);
}

// clamp(x, min, max): either may be left out.
Value clamp(Context& context, const CallArguments& arguments) {
  Value result = arguments[0];
  for (size_t k : {size_t{1}, size_t{2}}) {
    if (arguments[k].is_none()) continue;
    if (result.is_number() && arguments[k].is_number()) {
      double a = result.number(), b = arguments[k].number();
      result = number_value(k == 1 ? std::max(a, b) : std::min(a, b), arguments.call);
      continue;
    }
    const std::array operands{Operand{result, arguments.spans[0]}, Operand{arguments[k], arguments.spans[k]}};
    auto aligned = align(context, operands, Meeting::arithmetic, "", "`clamp`", arguments.call);
    if (!aligned) return poison();
    result = made(context, context.build->append(k == 1 ? Op::max : Op::min, aligned->nodes, {}), aligned->dims);
  }
  return result;
}

template <DType dtype>
Value converted(Context& context, const CallArguments& arguments) {
  const Value& x = arguments[0];
  if (x.is_tensor()) {
    const Tensor& tensor = x.tensor();
    if (dtype == DType::i32 && tensor.type.dtype == DType::i32) return x;
    return made(context, cast_node(context, tensor.node, dtype), dims_of(tensor));
  }
  double number = x.is_number() ? x.number() : static_cast<double>(x.as<bool>());
  if (dtype == DType::i32) number = std::trunc(number);
  return number_value(number, arguments.call);
}

}  // namespace

std::span<const Builtin> elementwise_functions() {
  static constexpr Builtin table[] = {
      {"exp", "x: tensor", real_map<Op::exp, std::exp>},
      {"log", "x: tensor", real_map<Op::log, std::log>},
      {"log1p", "x: tensor", real_map<Op::log1p, std::log1p>},
      {"expm1", "x: tensor", real_map<Op::expm1, std::expm1>},
      {"tanh", "x: tensor", real_map<Op::tanh, std::tanh>},
      {"sigmoid", "x: tensor", real_map<Op::sigmoid, logistic>},
      {"erf", "x: tensor", real_map<Op::erf, std::erf>},
      {"sqrt", "x: tensor", real_map<Op::sqrt, std::sqrt>},
      {"rsqrt", "x: tensor", real_map<Op::rsqrt, reciprocal_root>},
      {"sin", "x: tensor", real_map<Op::sin, std::sin>},
      {"cos", "x: tensor", real_map<Op::cos, std::cos>},
      {"floor", "x: tensor", rounding_map<Op::floor, std::floor>},
      {"round", "x: tensor", rounding_map<Op::round, rounded>},
      {"abs", "x: tensor", numeric_map<Op::abs, std::abs>},
      {"sign", "x: tensor", numeric_map<Op::sign, sign_of>},
      {"detach", "x: tensor", detach},
      {"where", "condition, a, b", where},
      {"clamp", "x: tensor, min: tensor = none, max: tensor = none", clamp},
      {"f32", "x: tensor | bool", converted<DType::f32>},
      {"i32", "x: tensor | bool", converted<DType::i32>},
  };
  return table;
}

}  // namespace nnc
