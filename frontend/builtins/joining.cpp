// Core functions that put tensors together, take them apart, and pick from them by integers.
#include <algorithm>

#include "frontend/builtins/shaping.h"
#include "frontend/builtins/tables.h"

namespace nnc {
namespace {

// The tensors of `concat(a, b)` or `concat([a, b])`, numbers as rank 0, in one dtype.
struct Parts {
  std::vector<Value> values;  // all tensors
  DType dtype = DType::f32;
};

std::optional<Parts> parts_of(Context& context, const CallArguments& arguments) {
  std::vector<Value> values = arguments[0].items();
  if (values.size() == 1 && values[0].is_list()) values = std::vector<Value>(values[0].items());
  if (values.empty()) {
    fault(context, DiagnosticKind::bad_argument, arguments.call, "`{}` of nothing", arguments.name);
    return std::nullopt;
  }
  std::vector<Operand> operands;
  for (const Value& value : values) {
    if (value.is_poison()) return std::nullopt;
    operands.push_back({value, arguments.spans[0]});
  }
  auto dtype = meet(context, operands, Meeting::alike, fmt::format("`{}`", arguments.name));
  if (!dtype) return std::nullopt;
  // f64 and i64 exist at rank 0 only.
  if (*dtype == DType::f64) dtype = context.compute_type;
  if (*dtype == DType::i64) dtype = DType::i32;
  Parts parts{{}, *dtype};
  for (const Value& value : values) {
    std::vector<Dim> dims;
    if (value.is_tensor()) dims = dims_of(value.tensor());
    parts.values.push_back(made(context, placed(context, value, *dtype, dims), dims));
  }
  return parts;
}

Value joined(Context& context, const std::vector<Value>& values, int64_t axis, const CallArguments& arguments) {
  std::vector<Dim> dims = dims_of(values[0].tensor());
  auto at = static_cast<size_t>(axis);
  std::vector<NodeId> nodes;
  Dim total{0, 0};
  for (const Value& value : values) {
    std::vector<Dim> own = dims_of(value.tensor());
    std::vector<Dim> expected = dims;
    if (own.size() == expected.size()) expected[at] = own[at];
    if (own != expected) {
      fault(context, DiagnosticKind::shape_mismatch, arguments.call, "`{}` along axis {}: {} and {} differ elsewhere",
            arguments.name, axis, type_text(values[0].tensor()), type_text(value.tensor()));
      return poison();
    }
    total.extent += own[at].extent;
    total.batch_multiple += own[at].batch_multiple;
    nodes.push_back(value.tensor().node);
  }
  bool all_batch = std::all_of(values.begin(), values.end(), [&](const Value& v) { return v.tensor().batch[at] != 0; });
  dims[at] = {total.extent, all_batch ? total.batch_multiple : 0};
  if (!may_exist(context, {DType::f32, 0, extents_of(dims)}, arguments.call)) return poison();
  if (nodes.size() == 1) return made(context, nodes[0], dims);
  return made(context, context.build->concat(std::move(nodes), axis), dims);
}

Value concat(Context& context, const CallArguments& arguments) {
  auto parts = parts_of(context, arguments);
  if (!parts) return poison();
  int64_t rank = parts->values[0].tensor().rank();
  if (rank == 0) {
    fault(context, DiagnosticKind::shape_mismatch, arguments.call, "scalars have no axis to join along")
        .help("`stack` makes a new one");
    return poison();
  }
  auto axis = axis_from(context, arguments[1], rank, arguments.spans[1]);
  return axis ? joined(context, parts->values, *axis, arguments) : poison();
}

Value stack(Context& context, const CallArguments& arguments) {
  auto parts = parts_of(context, arguments);
  if (!parts) return poison();
  int64_t rank = parts->values[0].tensor().rank();
  auto axis = axis_from(context, arguments[1], rank + 1, arguments.spans[1]);
  if (!axis) return poison();
  if (rank == max_rank) {
    fault(context, DiagnosticKind::bad_argument, arguments.call, "a tensor has at most {} axes", max_rank);
    return poison();
  }
  for (Value& value : parts->values) {
    if (value.tensor().rank() == rank) value = with_unit_axis(context, value.tensor(), *axis);
  }
  return joined(context, parts->values, *axis, arguments);
}

// split(x, 3) gives equal parts, split(x, [2, 5]) parts of those sizes.
Value split(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  auto axis = axis_from(context, arguments[2], x.rank(), arguments.spans[2]);
  if (!axis) return poison();
  int64_t extent = x.type.dims[static_cast<size_t>(*axis)];
  std::vector<int64_t> sizes;
  if (arguments[1].is_list()) {
    auto dims = dims_from(context, arguments[1], arguments.spans[1]);
    if (!dims) return poison();
    int64_t total = 0;
    for (Dim dim : *dims) sizes.push_back(dim.extent), total += dim.extent;
    if (total != extent) {
      fault(context, DiagnosticKind::bad_argument, arguments.spans[1], "the parts add up to {}, axis {} of {} has {}",
            total, *axis, type_text(x), extent);
      return poison();
    }
  } else {
    auto count = integer_from(context, arguments[1], "the number of parts", arguments.spans[1]);
    if (!count) return poison();
    if (*count < 1 || extent % *count != 0) {
      fault(context, DiagnosticKind::bad_argument, arguments.spans[1],
            "axis {} of {} does not divide into {} equal parts", *axis, type_text(x), *count)
          .help("`split(x, [a, b])` gives parts of different sizes");
      return poison();
    }
    sizes.assign(static_cast<size_t>(*count), extent / *count);
  }
  std::vector<Value> parts;
  int64_t start = 0;
  for (int64_t size : sizes) {
    parts.push_back(slice_axis(context, x, *axis, start, size));
    start += size;
  }
  return list_value(std::move(parts), arguments.call);
}

// pad(x, before, after, axis = -1, value = 0)
Value pad(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  auto before = integer_from(context, arguments[1], "`before`", arguments.spans[1]);
  auto after = integer_from(context, arguments[2], "`after`", arguments.spans[2]);
  auto axis = axis_from(context, arguments[3], x.rank(), arguments.spans[3]);
  if (!before || !after || !axis) return poison();
  if (*before < 0 || *after < 0 || *before > max_extent || *after > max_extent) {
    fault(context, DiagnosticKind::bad_argument, arguments.call, "padding must not be negative, nor larger than {}",
          max_extent)
        .help("`x[1:-1]` cuts elements off");
    return poison();
  }
  std::vector<Dim> dims = dims_of(x);
  auto at = static_cast<size_t>(*axis);
  if (*before + *after == 0) return arguments[0];
  dims[at] = {dims[at].extent + *before + *after, 0};
  if (!may_exist(context, {x.type.dtype, 0, extents_of(dims)}, arguments.call)) return poison();
  double value = arguments[4].number();
  NodeId node = x.node;
  if (!is_float(x.type.dtype) && value != 0) node = cast_node(context, node, context.compute_type);
  Dims befores(dims.size(), 0), afters(dims.size(), 0), steps(dims.size(), 1);
  befores[at] = *before;
  afters[at] = *after;
  return made(context, context.build->pad(node, befores, afters, steps, value), dims);
}

Value flip(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  auto axes = axes_from(context, arguments[1], x.rank(), arguments.spans[1]);
  if (!axes) return poison();
  return made(context, axes->empty() ? x.node : context.build->reverse(x.node, *axes), dims_of(x));
}

// Integers that index an axis of `extent`: their bound is known and fits.
bool check_ids(Context& context, const Value& ids, int64_t extent, const CallArguments& arguments, size_t position) {
  std::string_view name = arguments.name;
  Span at = arguments.spans[position];
  if (!ids.is_tensor() || ids.tensor().type.dtype != DType::i32 || ids.tensor().type.bound == 0) {
    fault(context, DiagnosticKind::wrong_operand, at, "`{}` needs integers of known range, `i32<n>`, found {}", name,
          ids.is_tensor() ? type_text(ids.tensor()) : describe(ids))
        .help("`i32<n>` comes from labels and vocabularies, `argmax`, `arange`, `randint`");
    return false;
  }
  if (ids.tensor().type.bound <= extent) return true;
  Diagnostic& diagnostic =
      fault(context, DiagnosticKind::label_bound, at, "{} classes predicted, but `{}` holds labels below {}", extent,
            source_text(context, at, "y"), ids.tensor().type.bound);
  label_at(context, diagnostic, ids.origin, type_text(ids.tensor()));
  return false;
}

Value take(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  auto axis = axis_from(context, arguments[2], x.rank(), arguments.spans[2]);
  if (!axis || !check_ids(context, arguments[1], x.type.dims[static_cast<size_t>(*axis)], arguments, 1))
    return poison();
  const Tensor& ids = arguments[1].tensor();
  std::vector<Dim> dims = dims_of(x), places = dims_of(ids);
  dims.erase(dims.begin() + *axis);
  dims.insert(dims.begin() + *axis, places.begin(), places.end());
  if (!may_exist(context, {x.type.dtype, 0, extents_of(dims)}, arguments.call)) return poison();
  return made(context, context.build->gather(x.node, ids.node, *axis), dims);
}

// Bools: ids == 0 … ids == extent - 1 along a new axis at `axis`.
NodeId one_hot_node(Context& context, const Tensor& ids, int64_t axis, std::span<const Dim> dims) {
  GraphBuilder& build = *context.build;
  std::vector<Dim> with_unit(dims.begin(), dims.end());
  with_unit[static_cast<size_t>(axis)] = {1, 0};
  Value column = reshape_to(context, ids, with_unit);
  NodeId repeated = broadcast_node(context, column.tensor().node, with_unit, dims);
  int64_t extent = dims[static_cast<size_t>(axis)].extent;
  NodeId numbers = build.iota({DType::i32, extent, extents_of(dims)}, axis);
  return build.compare(Comparison::eq, numbers, repeated);
}

// one_hot(ids, n): bools with a last axis of n, the bound of `ids` if it is left out.
Value one_hot(Context& context, const CallArguments& arguments) {
  const Value& ids = arguments[0];
  int64_t classes = ids.is_tensor() ? ids.tensor().type.bound : 0;
  if (!arguments[1].is_none()) {
    auto given = integer_from(context, arguments[1], "the number of classes", arguments.spans[1]);
    if (!given) return poison();
    classes = *given;
  }
  if (!check_ids(context, ids, classes, arguments, 0)) return poison();
  std::vector<Dim> dims = dims_of(ids.tensor());
  dims.push_back({classes, 0});
  if (!may_exist(context, {DType::i32, 0, extents_of(dims)}, arguments.call)) return poison();
  return made(context, one_hot_node(context, ids.tensor(), ids.tensor().rank(), dims), dims);
}

// take_along(x, ids, axis): result[.., j, ..] = x[.., ids[.., j, ..], ..]. A pick by comparison: it fuses, but does the
// work of ids' extent times x's.
Value take_along(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  auto axis = axis_from(context, arguments[2], x.rank(), arguments.spans[2]);
  if (!axis) return poison();
  auto at = static_cast<size_t>(*axis);
  if (!check_ids(context, arguments[1], x.type.dims[at], arguments, 1)) return poison();
  const Tensor& ids = arguments[1].tensor();
  std::vector<Dim> dims = dims_of(x), result = dims_of(ids);
  std::vector<Dim> expected = dims;
  if (result.size() == dims.size()) expected[at] = result[at];
  if (result != expected) {
    fault(context, DiagnosticKind::shape_mismatch, arguments.call, "`take_along` axis {}: {} and {} differ elsewhere",
          *axis, type_text(x), type_text(ids));
    return poison();
  }
  std::vector<Dim> all = result;
  all.insert(all.begin() + *axis + 1, dims[at]);
  if (!may_exist(context, {DType::f32, 0, extents_of(all)}, arguments.call)) return poison();
  NodeId hot = one_hot_node(context, ids, *axis + 1, all);
  std::vector<Dim> with_unit = dims;
  with_unit.insert(with_unit.begin() + *axis, Dim{1, 0});
  NodeId node = x.type.dtype == DType::boolean ? cast_node(context, x.node, DType::i32) : x.node;
  Tensor numbers = x;
  numbers.node = node;
  numbers.type = context.build->type(node);
  Value spread = reshape_to(context, numbers, with_unit);
  GraphBuilder& build = *context.build;
  NodeId values = broadcast_node(context, spread.tensor().node, with_unit, all);
  NodeId zero = build.constant(0, {numbers.type.dtype, 0, extents_of(all)});
  NodeId picked = build.reduce(Reduction::sum, build.select(hot, values, zero), {*axis + 1});
  return made(context, cast_node(context, picked, x.type.dtype), result);
}

template <Value (*function)(Context&, const CallArguments&)>
Value on_tensor(Context& context, const CallArguments& arguments) {
  if (arguments[0].is_tensor()) return function(context, arguments);
  fault(context, DiagnosticKind::wrong_operand, arguments.spans[0], "`{}` needs a tensor, found {}", arguments.name,
        describe(arguments[0]));
  return poison();
}

}  // namespace

std::span<const Builtin> joining_functions() {
  static constexpr Builtin table[] = {
      {"concat", "*parts, axis: int = -1", concat},
      {"stack", "*parts, axis: int = 0", stack},
      {"split", "x: tensor, parts, axis: int = -1", on_tensor<split>},
      {"pad", "x: tensor, before: int, after: int, axis: int = -1, value: float = 0", on_tensor<pad>},
      {"flip", "x: tensor, axis", on_tensor<flip>},
      {"take", "x: tensor, ids: tensor, axis: int = 0", on_tensor<take>},
      {"take_along", "x: tensor, ids: tensor, axis: int = -1", on_tensor<take_along>},
      {"one_hot", "ids: tensor, n = none", one_hot},
  };
  return table;
}

}  // namespace nnc
