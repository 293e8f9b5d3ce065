#include "frontend/builtins/reductions.h"

#include <algorithm>

#include "frontend/builtins/tables.h"

namespace nnc {

std::optional<ReducedAxes> axes_of_reduction(Context& context, const Tensor& x, const Value& axis, const Value& keepdim,
                                             Span at) {
  auto axes = axes_from(context, axis, x.rank(), at);
  if (!axes) return std::nullopt;
  ReducedAxes reduced{std::move(*axes), {}, {}, keepdim.is<bool>() && keepdim.as<bool>(), 1};
  for (int64_t k = 0; k < x.rank(); ++k) {
    bool goes = std::binary_search(reduced.axes.begin(), reduced.axes.end(), k);
    if (goes) reduced.count *= x.type.dims[static_cast<size_t>(k)];
    if (!goes) reduced.left.push_back(x.dim(k));
    reduced.kept.push_back(goes ? Dim{1, 0} : x.dim(k));
  }
  return reduced;
}

Value reduce_over(Context& context, NodeId node, Reduction reduction, const ReducedAxes& reduced) {
  GraphBuilder& build = *context.build;
  if (!reduced.axes.empty()) node = build.reduce(reduction, node, reduced.axes);
  if (reduced.keepdim && !reduced.axes.empty()) node = build.reshape(node, extents_of(reduced.kept));
  return made(context, node, reduced.result());
}

namespace {

// x, axis, keepdim
std::optional<ReducedAxes> reduced_axes(Context& context, const CallArguments& arguments) {
  return axes_of_reduction(context, arguments[0].tensor(), arguments[1], arguments[2], arguments.spans[1]);
}

template <Reduction reduction>
Value plain(Context& context, const CallArguments& arguments) {
  if (!arguments[0].is_tensor()) return arguments[0];
  auto reduced = reduced_axes(context, arguments);
  if (!reduced) return poison();
  const Tensor& x = arguments[0].tensor();
  NodeId node = x.type.dtype == DType::boolean ? cast_node(context, x.node, DType::i32) : x.node;
  return reduce_over(context, node, reduction, *reduced);
}

// The sum of float nodes times `factor`.
Value scaled_sum(Context& context, NodeId node, double factor, const ReducedAxes& reduced) {
  GraphBuilder& build = *context.build;
  if (!reduced.axes.empty()) node = build.reduce(Reduction::sum, node, reduced.axes);
  if (factor != 1) node = build.mul(node, build.constant_like(factor, node));
  if (reduced.keepdim && !reduced.axes.empty()) node = build.reshape(node, extents_of(reduced.kept));
  return made(context, node, reduced.result());
}

Value mean(Context& context, const CallArguments& arguments) {
  if (!arguments[0].is_tensor()) return arguments[0];
  auto reduced = reduced_axes(context, arguments);
  if (!reduced) return poison();
  return scaled_sum(context, real_node(context, arguments[0].tensor()), 1.0 / static_cast<double>(reduced->count),
                    *reduced);
}

// Unbiased, as PyTorch's: the sum of squares over n - correction.
Value var(Context& context, const CallArguments& arguments) {
  if (!arguments[0].is_tensor()) return number_value(0, arguments.call);
  auto reduced = reduced_axes(context, arguments);
  if (!reduced) return poison();
  const Tensor& x = arguments[0].tensor();
  double freedom = static_cast<double>(reduced->count) - arguments[3].number();
  if (freedom <= 0) {
    fault(context, DiagnosticKind::bad_argument, arguments.call, "the variance of {} value{} is undefined",
          reduced->count, reduced->count == 1 ? "" : "s")
        .help("`correction = 0` gives the variance of the values themselves");
    return poison();
  }
  NodeId node = real_node(context, x);
  ReducedAxes keeping = *reduced;
  keeping.keepdim = true;
  std::vector<Dim> dims = dims_of(x);
  Value centre = scaled_sum(context, node, 1.0 / static_cast<double>(reduced->count), keeping);
  NodeId distance = context.build->sub(node, broadcast_node(context, centre.tensor().node, keeping.kept, dims));
  return scaled_sum(context, context.build->mul(distance, distance), 1 / freedom, *reduced);
}

Value std_deviation(Context& context, const CallArguments& arguments) {
  Value variance = var(context, arguments);
  if (!variance.is_tensor()) return variance;
  return made(context, context.build->sqrt(variance.tensor().node), dims_of(variance.tensor()));
}

// any: the largest of 0 and 1; all: the smallest.
template <Reduction reduction>
Value quantified(Context& context, const CallArguments& arguments) {
  if (arguments[0].is<bool>()) return arguments[0];
  if (!arguments[0].is_tensor() || arguments[0].tensor().type.dtype != DType::boolean) {
    fault(context, DiagnosticKind::wrong_operand, arguments.spans[0], "`{}` needs bools, found {}", arguments.name,
          arguments[0].is_tensor() ? type_text(arguments[0].tensor()) : describe(arguments[0]))
        .help("compare first: `x != 0`");
    return poison();
  }
  auto reduced = reduced_axes(context, arguments);
  if (!reduced) return poison();
  NodeId node = cast_node(context, arguments[0].tensor().node, context.compute_type);
  Value chosen = reduce_over(context, node, reduction, *reduced);
  NodeId found = chosen.tensor().node;
  return made(context, context.build->compare(Comparison::gt, found, context.build->constant_like(0, found)),
              reduced->result());
}

Value index_of_largest(Context& context, const CallArguments& arguments, bool largest) {
  const Tensor& x = arguments[0].tensor();
  auto axis = axis_from(context, arguments[1], x.rank(), arguments.spans[1]);
  if (!axis) return poison();
  auto reduced =
      axes_of_reduction(context, x, number_value(static_cast<double>(*axis)), arguments[2], arguments.spans[1]);
  NodeId node = real_node(context, x);
  if (!largest) node = context.build->neg(node);
  return reduce_over(context, node, Reduction::argmax, *reduced);
}

bool need_tensor(Context& context, const CallArguments& arguments) {
  if (arguments[0].is_tensor()) return true;
  fault(context, DiagnosticKind::wrong_operand, arguments.spans[0], "`{}` needs a tensor, found {}", arguments.name,
        describe(arguments[0]));
  return false;
}

template <bool largest>
Value arg_extremum(Context& context, const CallArguments& arguments) {
  return need_tensor(context, arguments) ? index_of_largest(context, arguments, largest) : poison();
}

Value cumsum(Context& context, const CallArguments& arguments) {
  if (!need_tensor(context, arguments)) return poison();
  const Tensor& x = arguments[0].tensor();
  auto axis = axis_from(context, arguments[1], x.rank(), arguments.spans[1]);
  if (!axis) return poison();
  NodeId node = x.type.dtype == DType::boolean ? cast_node(context, x.node, DType::i32) : x.node;
  return made(context, context.build->cumsum(node, *axis), dims_of(x));
}

// For each element the sum of `w` over all smaller elements along the axis.
Value sum_below(Context& context, const CallArguments& arguments) {
  if (!need_tensor(context, arguments)) return poison();
  const Tensor& x = arguments[0].tensor();
  auto axis = axis_from(context, arguments[2], x.rank(), arguments.spans[2]);
  auto w =
      axis ? fitted_to(context, arguments[1], real_dtype(context, x), dims_of(x), arguments.spans[1]) : std::nullopt;
  if (!w) return poison();
  NodeId node = context.build->sum_below(real_node(context, x), w->node, *axis);
  no_lowering_outside_metrics(context, node, "`sum_below`", arguments.call);
  return made(context, node, dims_of(x));
}

}  // namespace

std::span<const Builtin> reduction_functions() {
  static constexpr Builtin table[] = {
      {"sum", "x: tensor, axis = none, keepdim: bool = false", plain<Reduction::sum>},
      {"prod", "x: tensor, axis = none, keepdim: bool = false", plain<Reduction::prod>},
      {"mean", "x: tensor, axis = none, keepdim: bool = false", mean},
      {"var", "x: tensor, axis = none, keepdim: bool = false, correction: int = 1", var},
      {"std", "x: tensor, axis = none, keepdim: bool = false, correction: int = 1", std_deviation},
      {"any", "x, axis = none, keepdim: bool = false", quantified<Reduction::max>},
      {"all", "x, axis = none, keepdim: bool = false", quantified<Reduction::min>},
      {"argmax", "x: tensor, axis: int = -1, keepdim: bool = false", arg_extremum<true>},
      {"argmin", "x: tensor, axis: int = -1, keepdim: bool = false", arg_extremum<false>},
      {"cumsum", "x: tensor, axis: int = -1", cumsum},
      {"sum_below", "x: tensor, w, axis: int = -1", sum_below},
  };
  return table;
}

}  // namespace nnc
