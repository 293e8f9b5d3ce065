#include "frontend/builtins/operands.h"

#include <algorithm>
#include <cmath>

#include "frontend/evaluator.h"
#include "ir/check.h"

namespace nnc {

// ---- reporting

Span blamed(const Context& context, Span span) { return context.evaluator ? blame(*context.evaluator, span) : span; }

void label_at(Context& context, Diagnostic& diagnostic, Span origin, std::string text) {
  if (context.evaluator) label_origin(*context.evaluator, diagnostic, origin, std::move(text));
}

std::string source_text(const Context& context, Span span, std::string_view otherwise) {
  constexpr size_t longest = 24;
  if (!context.evaluator || !span.file || in_prelude(*context.evaluator, span)) return std::string(otherwise);
  std::string_view text = text_of(context.evaluator->unit.sources, span);
  bool usable = !text.empty() && text.size() <= longest && text.find('\n') == std::string_view::npos;
  return std::string(usable ? text : otherwise);
}

// ---- dtypes

namespace {

// f64 and i64 exist at rank 0 only.
bool is_scalar_arithmetic(const Tensor& tensor) {
  return tensor.type.dtype == DType::f64 || tensor.type.dtype == DType::i64;
}

// A number that an i32 cannot hold exactly.
bool needs_float(double value) { return value != std::floor(value) || std::abs(value) > 2147483647.0; }

int order_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return 0;
    case DType::i32:
    case DType::i64:
      return 1;
    case DType::bf16:
      return 2;
    case DType::f32:
      return 3;
    case DType::f64:
      return 4;
  }
  return 0;
}

}  // namespace

std::optional<DType> meet(Context& context, std::span<const Operand> operands, Meeting meeting, std::string_view what) {
  std::optional<DType> ordinary, scalar;
  bool float_literal = false, literal = false;
  for (const Operand& operand : operands) {
    if (operand.value.is_tensor()) {
      const Tensor& tensor = operand.value.tensor();
      auto& slot = is_scalar_arithmetic(tensor) ? scalar : ordinary;
      if (!slot || order_of(tensor.type.dtype) > order_of(*slot)) slot = tensor.type.dtype;
    } else if (operand.value.is_number()) {
      literal = true;
      float_literal |= needs_float(operand.value.number());
    } else if (!operand.value.is<bool>()) {
      fault(context, DiagnosticKind::wrong_operand, operand.span, "{} needs tensors or numbers, found {}", what,
            describe(operand.value));
      return std::nullopt;
    }
  }
  bool any_float = float_literal || (scalar && *scalar == DType::f64) || meeting == Meeting::real;
  if (!ordinary && scalar) return any_float ? DType::f64 : DType::i64;
  // Literals alone take the model's compute type.
  DType result = ordinary.value_or(literal || meeting != Meeting::alike ? context.compute_type : DType::boolean);
  if (is_float(result)) return result;
  if (any_float) return context.compute_type;
  if (result == DType::boolean && (meeting == Meeting::arithmetic || literal || scalar)) return DType::i32;
  return result;
}

DType real_dtype(const Context& context, const Tensor& tensor) {
  if (is_float(tensor.type.dtype)) return tensor.type.dtype;
  return is_scalar_arithmetic(tensor) ? DType::f64 : context.compute_type;
}

NodeId cast_node(Context& context, NodeId node, DType dtype) {
  const Node& from = context.build->graph()[node];
  if (from.type.dtype == dtype) return node;
  if (from.op == Op::constant && is_float(dtype)) {
    return context.build->constant(from.as<ConstantAttr>().value, {dtype, 0, from.type.dims});
  }
  return context.build->cast(node, dtype);
}

NodeId real_node(Context& context, const Tensor& tensor) {
  return cast_node(context, tensor.node, real_dtype(context, tensor));
}

// ---- shapes

std::vector<Dim> dims_of(const Tensor& tensor) {
  std::vector<Dim> dims;
  for (int64_t axis = 0; axis < tensor.rank(); ++axis) dims.push_back(tensor.dim(axis));
  return dims;
}

Dims extents_of(std::span<const Dim> dims) {
  Dims extents;
  for (Dim dim : dims) extents.push_back(dim.extent);
  return extents;
}

std::vector<int64_t> marks_of(std::span<const Dim> dims) {
  std::vector<int64_t> marks;
  for (Dim dim : dims) marks.push_back(dim.batch_multiple);
  return marks;
}

std::string shape_text(std::span<const Dim> dims) {
  std::string text = "[";
  for (size_t k = 0; k < dims.size(); ++k) text += (k ? ", " : "") + dim_text(dims[k]);
  return text + "]";
}

bool broadcasts_to(std::span<const Dim> from, std::span<const Dim> to) {
  if (from.size() > to.size()) return false;
  std::span<const Dim> aligned = to.subspan(to.size() - from.size());
  for (size_t k = 0; k < from.size(); ++k) {
    if (from[k] != aligned[k] && from[k] != Dim{1, 0}) return false;
  }
  return true;
}

namespace {

// If `node` is a reshape that only added axes of 1, its operand; so that unsqueeze and keepdim cost nothing.
NodeId before_unit_axes(const Graph& graph, NodeId node) {
  if (graph[node].op != Op::reshape) return node;
  auto without_units = [](const Dims& dims) {
    Dims kept;
    for (int64_t extent : dims) {
      if (extent != 1) kept.push_back(extent);
    }
    return kept;
  };
  NodeId operand = graph[node].operands[0];
  return without_units(graph.type(operand).dims) == without_units(graph.type(node).dims) ? operand : node;
}

}  // namespace

NodeId broadcast_node(Context& context, NodeId node, std::span<const Dim> from, std::span<const Dim> to) {
  if (std::equal(from.begin(), from.end(), to.begin(), to.end())) return node;
  GraphBuilder& build = *context.build;
  Dims extents = extents_of(to);
  if (const Node& source = build.graph()[node]; source.op == Op::constant) {
    return build.constant(source.as<ConstantAttr>().value, {source.type.dtype, source.type.bound, extents});
  }
  // Axes of extent 1 are dropped and come back repeated; those that stay 1 are as good as repeated.
  std::vector<int64_t> axes;
  Dims kept;
  size_t offset = to.size() - from.size();
  for (size_t k = 0; k < from.size(); ++k) {
    if (from[k].extent == 1) continue;
    axes.push_back(static_cast<int64_t>(offset + k));
    kept.push_back(from[k].extent);
  }
  if (kept.size() != from.size()) {
    NodeId source = before_unit_axes(build.graph(), node);
    node = build.type(source).dims == kept ? source : build.reshape(node, kept);
  }
  if (kept == extents) return node;
  if (build.type(node).elements() == TensorType{DType::f32, 0, extents}.elements()) return build.reshape(node, extents);
  return build.broadcast(node, extents, axes);
}

bool may_exist(Context& context, const TensorType& type, Span at) {
  std::string why = why_invalid(type);
  if (why.empty()) return true;
  fault(context, DiagnosticKind::bad_argument, at, "no tensor has the shape [{}]: {}", fmt::join(type.dims, ", "), why);
  return false;
}

namespace {

// The shape NumPy would broadcast to; nothing if even it would refuse.
std::optional<std::vector<Dim>> two_way_shape(std::span<const Dim> a, std::span<const Dim> b) {
  if (a.size() < b.size()) std::swap(a, b);
  std::vector<Dim> result(a.begin(), a.end());
  size_t offset = a.size() - b.size();
  for (size_t k = 0; k < b.size(); ++k) {
    Dim& dim = result[offset + k];
    if (dim == b[k] || b[k] == Dim{1, 0}) continue;
    if (dim != Dim{1, 0}) return std::nullopt;
    dim = b[k];
  }
  return result;
}

// E302, with both operands and, where a size-1 axis is to blame, the way out.
void report_broadcast(Context& context, const Operand& a, const Operand& b, std::string_view op, Span at) {
  const Tensor& left = a.value.tensor();
  const Tensor& right = b.value.tensor();
  std::vector<Dim> left_dims = dims_of(left), right_dims = dims_of(right);
  auto both = two_way_shape(left_dims, right_dims);
  std::string pair = fmt::format("{} and {}", type_text(left), type_text(right));
  Diagnostic& diagnostic = both ? fault(context, DiagnosticKind::broadcast_shapes, at, "{} would broadcast to {}", pair,
                                        type_text(left.type.dtype, 0, *both))
                                : fault(context, DiagnosticKind::broadcast_shapes, at, "{} have no common shape", pair);
  label_at(context, diagnostic, a.value.origin, type_text(left));
  label_at(context, diagnostic, b.value.origin, type_text(right));
  if (!both) return;
  auto drops_to = [](const std::vector<Dim>& from, const std::vector<Dim>& to) {
    return !from.empty() && from.back() == Dim{1, 0} && broadcasts_to({from.data(), from.size() - 1}, to);
  };
  std::string left_text = source_text(context, a.span, "x"), right_text = source_text(context, b.span, "y");
  auto expression = [&](const std::string& l, const std::string& r, const std::string& squeezed) {
    return op.empty() ? squeezed : fmt::format("{} {} {}", l, op, r);
  };
  if (drops_to(left_dims, right_dims)) {
    std::string squeezed = fmt::format("squeeze({}, -1)", left_text);
    diagnostic.help(fmt::format("drop the size-1 axis: `{}`", expression(squeezed, right_text, squeezed)));
  } else if (drops_to(right_dims, left_dims)) {
    std::string squeezed = fmt::format("squeeze({}, -1)", right_text);
    diagnostic.help(fmt::format("drop the size-1 axis: `{}`", expression(left_text, squeezed, squeezed)));
  } else {
    diagnostic.help("if that is meant, `expand` one of them to the common shape");
  }
}

}  // namespace

std::optional<std::vector<Dim>> meet_shapes(Context& context, std::span<const Operand> operands, std::string_view op,
                                            Span at) {
  const Operand* widest = nullptr;
  std::vector<Dim> dims;
  for (const Operand& operand : operands) {
    if (!operand.value.is_tensor()) continue;
    std::vector<Dim> own = dims_of(operand.value.tensor());
    if (widest && broadcasts_to(own, dims)) continue;
    widest = &operand;
    dims = std::move(own);
  }
  for (const Operand& operand : operands) {
    if (!operand.value.is_tensor() || broadcasts_to(dims_of(operand.value.tensor()), dims)) continue;
    bool first = &operand < widest;
    report_broadcast(context, first ? operand : *widest, first ? *widest : operand, op, at);
    return std::nullopt;
  }
  return dims;
}

NodeId placed(Context& context, const Value& value, DType dtype, std::span<const Dim> dims) {
  if (!value.is_tensor()) {
    double number = value.is<bool>() ? static_cast<double>(value.as<bool>()) : value.number();
    return context.build->constant(number, {dtype, 0, extents_of(dims)});
  }
  const Tensor& tensor = value.tensor();
  return broadcast_node(context, cast_node(context, tensor.node, dtype), dims_of(tensor), dims);
}

std::optional<Aligned> align(Context& context, std::span<const Operand> operands, Meeting meeting, std::string_view op,
                             std::string_view what, Span at) {
  auto dtype = meet(context, operands, meeting, what);
  if (!dtype) return std::nullopt;
  auto dims = meet_shapes(context, operands, op, at);
  if (!dims) return std::nullopt;
  Aligned aligned{{}, std::move(*dims), *dtype};
  for (const Operand& operand : operands) aligned.nodes.push_back(placed(context, operand.value, *dtype, aligned.dims));
  return aligned;
}

Value made(Context& context, NodeId node, std::span<const Dim> dims) {
  return tensor_value(context, node, marks_of(dims));
}

std::optional<Tensor> fitted_to(Context& context, const Value& value, DType dtype, const std::vector<Dim>& dims,
                                Span at) {
  if (value.is_poison()) return std::nullopt;
  TensorType type{dtype, 0, extents_of(dims)};
  if (!may_exist(context, type, at)) return std::nullopt;
  if (value.is_tensor() && !broadcasts_to(dims_of(value.tensor()), dims)) {
    Diagnostic& diagnostic = fault(context, DiagnosticKind::broadcast_shapes, at, "{} does not fit {}",
                                   type_text(value.tensor()), type_text(dtype, 0, dims));
    label_at(context, diagnostic, value.origin, type_text(value.tensor()));
    return std::nullopt;
  }
  if (!value.is_tensor() && !value.is_number() && !value.is<bool>()) {
    fault(context, DiagnosticKind::wrong_operand, at, "{} is needed here, found {}", type_text(dtype, 0, dims),
          describe(value));
    return std::nullopt;
  }
  if (value.is_number() && !is_float(dtype) && needs_float(value.number())) {
    fault(context, DiagnosticKind::wrong_operand, at, "{} does not fit {}", value.number(), type_text(dtype, 0, dims));
    return std::nullopt;
  }
  return made(context, placed(context, value, dtype, dims), dims).tensor();
}

// ---- static arguments

std::optional<int64_t> integer_from(Context& context, const Value& value, std::string_view what, Span at) {
  int64_t integer = 0;
  if (integral(value, integer)) return integer;
  if (value.is_poison()) return std::nullopt;
  DiagnosticKind kind = value.is_number() ? DiagnosticKind::not_an_integer : DiagnosticKind::wrong_kind;
  Diagnostic& diagnostic = fault(context, kind, at, "{} must be a whole number, found {}", what,
                                 value.is_number() ? fmt::format("{}", value.number()) : describe(value));
  if (value.is_number()) diagnostic.help("`//` divides and rounds down");
  return std::nullopt;
}

std::optional<int64_t> axis_from(Context& context, const Value& value, int64_t rank, Span at) {
  auto axis = integer_from(context, value, "an axis", at);
  if (!axis) return std::nullopt;
  if (*axis >= -rank && *axis < rank) return *axis < 0 ? *axis + rank : *axis;
  Diagnostic& diagnostic = fault(context, DiagnosticKind::axis_range, at, "there is no axis {}: the tensor has {} {}",
                                 *axis, rank, rank == 1 ? "axis" : "axes");
  if (rank > 0) diagnostic.help(fmt::format("axes are numbered 0 to {}, or from the end -1 to {}", rank - 1, -rank));
  return std::nullopt;
}

std::optional<std::vector<int64_t>> axes_from(Context& context, const Value& value, int64_t rank, Span at) {
  std::vector<int64_t> axes;
  if (value.is_none()) {
    for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
    return axes;
  }
  std::vector<Value> items = value.is_list() ? value.items() : std::vector<Value>{value};
  for (const Value& item : items) {
    auto axis = axis_from(context, item, rank, at);
    if (!axis) return std::nullopt;
    axes.push_back(*axis);
  }
  std::sort(axes.begin(), axes.end());
  if (auto twice = std::adjacent_find(axes.begin(), axes.end()); twice != axes.end()) {
    fault(context, DiagnosticKind::axis_range, at, "axis {} is named twice", *twice);
    return std::nullopt;
  }
  return axes;
}

std::optional<std::vector<Dim>> dims_from(Context& context, const Value& value, Span at, bool with_rest) {
  if (value.is_list() && value.items().size() == 1 && value.items()[0].is_list()) {
    return dims_from(context, value.items()[0], at, with_rest);
  }
  if (!value.is_list()) {
    fault(context, DiagnosticKind::bad_argument, at, "sizes are needed here, found {}", describe(value));
    return std::nullopt;
  }
  std::vector<Dim> dims;
  bool rest = false;
  for (const Value& item : value.items()) {
    auto extent = integer_from(context, item, "a size", at);
    if (!extent) return std::nullopt;
    bool is_rest = with_rest && !rest && *extent == -1;
    rest |= is_rest;
    if (*extent < 1 && !is_rest) {
      fault(context, DiagnosticKind::bad_argument, at, "a size must be at least 1, found {}", *extent);
      return std::nullopt;
    }
    dims.push_back({*extent, item.as<Number>().batch_multiple});
  }
  if (!rest && !may_exist(context, {DType::f32, 0, extents_of(dims)}, at)) return std::nullopt;
  return dims;
}

}  // namespace nnc
