#include "frontend/builtins/arithmetic.h"

#include <array>
#include <cmath>

#include "frontend/builtins/contraction.h"

namespace nnc {
namespace {

constexpr int largest_product = 8;  // whole exponents up to this become products

// base multiplied with itself by repeated squaring. Requires: exponent >= 1.
NodeId product(GraphBuilder& build, NodeId base, int exponent) {
  if (exponent == 1) return base;
  NodeId half = product(build, base, exponent / 2);
  NodeId square = build.mul(half, half);
  return exponent % 2 == 0 ? square : build.mul(square, base);
}

Value power_of_number(Context& context, const Tensor& base, double exponent) {
  GraphBuilder& build = *context.build;
  std::vector<Dim> dims = dims_of(base);
  bool whole = exponent == std::floor(exponent) && std::abs(exponent) <= largest_product && exponent != 0;
  if (whole && exponent > 0) {
    NodeId node = base.type.dtype == DType::boolean ? cast_node(context, base.node, DType::i32) : base.node;
    return made(context, product(build, node, static_cast<int>(exponent)), dims);
  }
  NodeId node = real_node(context, base);
  if (exponent == 0.5) return made(context, build.sqrt(node), dims);
  if (exponent == -0.5) return made(context, build.rsqrt(node), dims);
  if (whole) {
    NodeId below = product(build, node, static_cast<int>(-exponent));
    return made(context, build.div(build.constant_like(1, below), below), dims);
  }
  return made(context, build.pow(node, build.constant_like(exponent, node)), dims);
}

struct Division {
  Aligned operands;
  DType dtype;   // of the result
  NodeId floor;  // floor(a / b), floats
};

std::optional<Division> divide_and_floor(Context& context, std::span<const Operand> operands, std::string_view op,
                                         Span at) {
  auto dtype = meet(context, operands, Meeting::arithmetic, fmt::format("`{}`", op));
  if (!dtype) return std::nullopt;
  auto aligned = align(context, operands, Meeting::arithmetic, op, fmt::format("`{}`", op), at);
  if (!aligned) return std::nullopt;
  DType real = is_float(*dtype) ? *dtype : *dtype == DType::i64 ? DType::f64 : DType::f32;
  for (NodeId& node : aligned->nodes) node = cast_node(context, node, real);
  NodeId quotient = context.build->div(aligned->nodes[0], aligned->nodes[1]);
  return Division{std::move(*aligned), *dtype, context.build->floor(quotient)};
}

}  // namespace

Value power(Context& context, const Operand& base, const Operand& exponent, Span at) {
  if (base.value.is_tensor() && exponent.value.is_number()) {
    return power_of_number(context, base.value.tensor(), exponent.value.number());
  }
  const std::array operands{base, exponent};
  auto aligned = align(context, operands, Meeting::real, "**", "`**`", at);
  if (!aligned) return poison();
  return made(context, context.build->pow(aligned->nodes[0], aligned->nodes[1]), aligned->dims);
}

Value floor_division(Context& context, std::span<const Operand> operands, Span at) {
  auto division = divide_and_floor(context, operands, "//", at);
  if (!division) return poison();
  return made(context, cast_node(context, division->floor, division->dtype), division->operands.dims);
}

Value modulo(Context& context, std::span<const Operand> operands, Span at) {
  auto division = divide_and_floor(context, operands, "%", at);
  if (!division) return poison();
  const auto& nodes = division->operands.nodes;
  NodeId rest = context.build->sub(nodes[0], context.build->mul(nodes[1], division->floor));
  return made(context, cast_node(context, rest, division->dtype), division->operands.dims);
}

namespace {

std::optional<Tensor> matrix_operand(Context& context, const Operand& operand, DType dtype) {
  if (!operand.value.is_tensor() || operand.value.tensor().rank() == 0) {
    fault(context, DiagnosticKind::wrong_operand, operand.span, "`@` needs tensors with at least one axis, found {}",
          operand.value.is_tensor() ? type_text(operand.value.tensor()) : describe(operand.value))
        .help("`*` multiplies by a number");
    return std::nullopt;
  }
  const Tensor& tensor = operand.value.tensor();
  Tensor cast = tensor;
  cast.node = cast_node(context, tensor.node, dtype);
  cast.type.dtype = dtype;
  return cast;
}

void report_inner(Context& context, const Operand& left, const Operand& right, Dim inner_left, Dim inner_right,
                  Span at) {
  const Tensor& a = left.value.tensor();
  const Tensor& b = right.value.tensor();
  Diagnostic& diagnostic =
      fault(context, DiagnosticKind::inner_dimensions, at, "`@` needs equal inner dimensions, found {} and {}",
            dim_text(inner_left), dim_text(inner_right));
  label_at(context, diagnostic, left.span, type_text(a));
  label_at(context, diagnostic, right.span, type_text(b));
  if (b.rank() == 2 && b.state) {
    std::vector<Dim> wanted{inner_left, b.dim(1)};
    diagnostic.help(fmt::format("declare `param {}: {}`", source_text(context, right.span, "w"), shape_text(wanted)));
  } else if (b.rank() >= 2 && b.dim(b.rank() - 1) == inner_left) {
    diagnostic.help(
        fmt::format("the last axes of `{0}` may be swapped: `{0}.T`", source_text(context, right.span, "b")));
  }
}

}  // namespace

Value matmul(Context& context, const Operand& left, const Operand& right, Span at) {
  const std::array operands{left, right};
  auto dtype = meet(context, operands, Meeting::real, "`@`");
  if (!dtype) return poison();
  auto a = matrix_operand(context, left, *dtype);
  auto b = matrix_operand(context, right, *dtype);
  if (!a || !b) return poison();
  bool row = a->rank() == 1, column = b->rank() == 1;
  Dim inner_left = a->dim(a->rank() - 1), inner_right = b->dim(column ? 0 : b->rank() - 2);
  if (inner_left != inner_right) {
    report_inner(context, left, right, inner_left, inner_right, at);
    return poison();
  }
  // Leading axes broadcast among themselves.
  std::vector<Dim> lead_a = dims_of(*a), lead_b = dims_of(*b);
  lead_a.resize(lead_a.size() - (row ? 1 : 2));
  lead_b.resize(lead_b.size() - (column ? 1 : 2));
  std::vector<Dim> lead = broadcasts_to(lead_b, lead_a) ? lead_a : lead_b;
  if (!broadcasts_to(lead_a, lead)) {
    Diagnostic& diagnostic =
        fault(context, DiagnosticKind::broadcast_shapes, at, "the leading axes {} and {} have no common shape",
              shape_text(lead_a), shape_text(lead_b));
    label_at(context, diagnostic, left.span, type_text(*a));
    label_at(context, diagnostic, right.span, type_text(*b));
    return poison();
  }
  std::vector<std::string> names_a, names_b, result;
  auto lead_names = [&](size_t rank) {
    std::vector<std::string> names;
    for (size_t k = lead.size() - rank; k < lead.size(); ++k) names.push_back(index_name(k));
    return names;
  };
  names_a = lead_names(lead_a.size());
  names_b = lead_names(lead_b.size());
  result = lead_names(lead.size());
  if (!row) names_a.push_back("m"), result.push_back("m");
  names_a.push_back("k");
  names_b.push_back("k");
  if (!column) names_b.push_back("n"), result.push_back("n");
  return contract_named(context, {*a, std::move(names_a)}, {*b, std::move(names_b)}, result);
}

}  // namespace nnc
