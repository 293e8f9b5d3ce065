// Roots, powers and series. Gradients use the result where it saves a series.
#include <cmath>
#include <numbers>

#include "ir/ops/definitions.h"
#include "ir/ops/maps.h"

namespace nnc {
namespace {

using Cotangents = std::vector<NodeId>;

// d/da = b * a^(b-1), 0 where b = 0; d/db = y * log a, 0 where a = 0 and b >= 0.
Cotangents pow_gradient(GradientContext& context) {
  Rule r(context);
  NodeId zero = r.like(0, r.g);
  Cotangents result(2);
  if (r.wanted[0]) {
    NodeId slope = r.b.mul(r.x(1), r.b.pow(r.x(0), r.b.sub(r.x(1), r.like(1, r.x(1)))));
    result[0] = r.b.select(r.b.compare(Comparison::eq, r.x(1), zero), zero, r.b.mul(r.g, slope));
  }
  if (r.wanted[1]) {
    NodeId flat = r.b.logical_and(r.b.compare(Comparison::eq, r.x(0), zero), r.b.compare(Comparison::ge, r.x(1), zero));
    result[1] = r.b.select(flat, zero, r.b.mul(r.g, r.b.mul(r.y, r.b.log(r.x(0)))));
  }
  return result;
}

Cotangents tanh_gradient(GradientContext& context) {
  Rule r(context);
  return {r.b.mul(r.g, r.b.sub(r.like(1, r.y), r.b.mul(r.y, r.y)))};
}

Cotangents sigmoid_gradient(GradientContext& context) {
  Rule r(context);
  return {r.b.mul(r.b.mul(r.g, r.b.sub(r.like(1, r.y), r.y)), r.y)};
}

Cotangents erf_gradient(GradientContext& context) {
  Rule r(context);
  NodeId bell = r.b.exp(r.b.neg(r.b.mul(r.x(0), r.x(0))));
  return {r.b.mul(r.g, r.b.mul(bell, r.like(2 * std::numbers::inv_sqrtpi, bell)))};
}

}  // namespace

constinit const OpDefinition op_pow = {.infer = infer_float_map,
                                       .gradient = pow_gradient,
                                       .evaluate = map_binary<[](double a, double b) { return std::pow(a, b); }>,
                                       .samples = [] { return map_samples(Op::pow, {{0.2, 3}, {-2, 2}}); }};

constinit const OpDefinition op_exp = {.infer = infer_float_map,
                                       .gradient = [](GradientContext& context) -> Cotangents {
                                         return {context.build.mul(context.cotangent, context.node)};
                                       },
                                       .evaluate = map_unary<[](double a) { return std::exp(a); }>,
                                       .samples = [] { return map_samples(Op::exp, {{-4, 4}}); }};

constinit const OpDefinition op_log = {.infer = infer_float_map,
                                       .gradient = [](GradientContext& context) -> Cotangents {
                                         Rule r(context);
                                         return {r.b.div(r.g, r.x(0))};
                                       },
                                       .evaluate = map_unary<[](double a) { return std::log(a); }>,
                                       .samples = [] { return map_samples(Op::log, {{0.05, 9}}); }};

constinit const OpDefinition op_log1p = {.infer = infer_float_map,
                                         .gradient = [](GradientContext& context) -> Cotangents {
                                           Rule r(context);
                                           return {r.b.div(r.g, r.b.add(r.x(0), r.like(1, r.x(0))))};
                                         },
                                         .evaluate = map_unary<[](double a) { return std::log1p(a); }>,
                                         .samples = [] { return map_samples(Op::log1p, {{-0.9, 4}}); }};

constinit const OpDefinition op_expm1 = {.infer = infer_float_map,
                                         .gradient = [](GradientContext& context) -> Cotangents {
                                           Rule r(context);
                                           return {r.b.mul(r.g, r.b.add(r.y, r.like(1, r.y)))};
                                         },
                                         .evaluate = map_unary<[](double a) { return std::expm1(a); }>,
                                         .samples = [] { return map_samples(Op::expm1, {{}}); }};

constinit const OpDefinition op_tanh = {.infer = infer_float_map,
                                        .gradient = tanh_gradient,
                                        .evaluate = map_unary<[](double a) { return std::tanh(a); }>,
                                        .samples = [] { return map_samples(Op::tanh, {{}}); }};

constinit const OpDefinition op_sigmoid = {.infer = infer_float_map,
                                           .gradient = sigmoid_gradient,
                                           // exp of a negative number only: the other form overflows to inf / inf.
                                           .evaluate = map_unary<[](double a) {
                                             double e = std::exp(-std::abs(a));
                                             return a >= 0 ? 1 / (1 + e) : e / (1 + e);
                                           }>,
                                           .samples = [] { return map_samples(Op::sigmoid, {{-5, 5}}); }};

constinit const OpDefinition op_erf = {.infer = infer_float_map,
                                       .gradient = erf_gradient,
                                       .evaluate = map_unary<[](double a) { return std::erf(a); }>,
                                       .samples = [] { return map_samples(Op::erf, {{}}); }};

constinit const OpDefinition op_sqrt = {.infer = infer_float_map,
                                        .gradient = [](GradientContext& context) -> Cotangents {
                                          Rule r(context);
                                          return {r.b.div(r.g, r.b.mul(r.y, r.like(2, r.y)))};
                                        },
                                        .evaluate = map_unary<[](double a) { return std::sqrt(a); }>,
                                        .samples = [] { return map_samples(Op::sqrt, {{0.05, 9}}); }};

constinit const OpDefinition op_rsqrt = {.infer = infer_float_map,
                                         .gradient = [](GradientContext& context) -> Cotangents {
                                           Rule r(context);
                                           NodeId cube = r.b.mul(r.b.mul(r.y, r.y), r.y);
                                           return {r.b.mul(r.g, r.b.mul(cube, r.like(-0.5, cube)))};
                                         },
                                         .evaluate = map_unary<[](double a) { return 1 / std::sqrt(a); }>,
                                         .samples = [] { return map_samples(Op::rsqrt, {{0.05, 9}}); }};

constinit const OpDefinition op_sin = {.infer = infer_float_map,
                                       .gradient = [](GradientContext& context) -> Cotangents {
                                         Rule r(context);
                                         return {r.b.mul(r.g, r.b.cos(r.x(0)))};
                                       },
                                       .evaluate = map_unary<[](double a) { return std::sin(a); }>,
                                       .samples = [] { return map_samples(Op::sin, {{}}); }};

constinit const OpDefinition op_cos = {.infer = infer_float_map,
                                       .gradient = [](GradientContext& context) -> Cotangents {
                                         Rule r(context);
                                         return {r.b.neg(r.b.mul(r.g, r.b.sin(r.x(0))))};
                                       },
                                       .evaluate = map_unary<[](double a) { return std::cos(a); }>,
                                       .samples = [] { return map_samples(Op::cos, {{}}); }};

}  // namespace nnc
