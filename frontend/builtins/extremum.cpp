// max and min: elementwise over several arguments, or along axes of one.
#include <algorithm>
#include <array>
#include <cmath>

#include "frontend/builtins/reductions.h"
#include "frontend/builtins/tables.h"

namespace nnc {
namespace {

struct Extremum {
  Op map;
  Reduction reduction;
  bool largest;
};

// NaN passes on.
double pick(const Extremum& kind, double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::nan("");
  return kind.largest ? std::max(a, b) : std::min(a, b);
}

Value elementwise(Context& context, const Extremum& kind, const std::vector<Value>& values,
                  const CallArguments& arguments) {
  Value result = values[0];
  for (size_t k = 1; k < values.size(); ++k) {
    if (result.is_number() && values[k].is_number()) {
      const Number &a = result.as<Number>(), &b = values[k].as<Number>();
      bool of_batch = a.of_batch || b.of_batch || a.batch_multiple != 0 || b.batch_multiple != 0;
      result = Value(Number{pick(kind, a.value, b.value), 0, of_batch}, arguments.call);
      continue;
    }
    const std::array operands{Operand{result, arguments.spans[0]}, Operand{values[k], arguments.spans[0]}};
    auto aligned =
        align(context, operands, Meeting::arithmetic, "", fmt::format("`{}`", arguments.name), arguments.call);
    if (!aligned) return poison();
    result = made(context, context.build->append(kind.map, aligned->nodes, {}), aligned->dims);
  }
  return result;
}

Value extremum(Context& context, const Extremum& kind, const CallArguments& arguments) {
  std::vector<Value> values = arguments[0].items();
  if (values.size() == 1 && values[0].is_list()) values = std::vector<Value>(values[0].items());
  if (values.empty()) {
    fault(context, DiagnosticKind::bad_argument, arguments.call, "`{}` of nothing", arguments.name);
    return poison();
  }
  for (const Value& value : values) {
    if (value.is_poison()) return poison();
    if (value.is_tensor() || value.is_number()) continue;
    fault(context, DiagnosticKind::wrong_operand, arguments.spans[0], "`{}` needs tensors or numbers, found {}",
          arguments.name, describe(value));
    return poison();
  }
  if (values.size() > 1) {
    if (arguments[1].is_none() && !arguments[2].as<bool>()) return elementwise(context, kind, values, arguments);
    fault(context, DiagnosticKind::bad_argument, arguments.call, "`{}` of several values has no axis", arguments.name)
        .help(fmt::format("axes belong to one tensor, `{0}(x, axis = 1)`; elementwise it is `{0}(x, y)`",
                          arguments.name));
    return poison();
  }
  if (!values[0].is_tensor()) return values[0];
  const Tensor& x = values[0].tensor();
  auto reduced = axes_of_reduction(context, x, arguments[1], arguments[2], arguments.spans[1]);
  if (!reduced) return poison();
  NodeId node = x.type.dtype == DType::boolean ? cast_node(context, x.node, DType::i32) : x.node;
  return reduce_over(context, node, kind.reduction, *reduced);
}

Value max(Context& context, const CallArguments& arguments) {
  return extremum(context, {Op::max, Reduction::max, true}, arguments);
}
Value min(Context& context, const CallArguments& arguments) {
  return extremum(context, {Op::min, Reduction::min, false}, arguments);
}

}  // namespace

std::span<const Builtin> extremum_functions() {
  static constexpr Builtin table[] = {
      {"max", "*x, axis = none, keepdim: bool = false", max},
      {"min", "*x, axis = none, keepdim: bool = false", min},
  };
  return table;
}

}  // namespace nnc
