// Arithmetic maps. Gradients follow PyTorch, kinks included.
#include <cmath>

#include "ir/ops/definitions.h"
#include "ir/ops/maps.h"

namespace nnc {
namespace {

using Cotangents = std::vector<NodeId>;

// Where `winner` (max, min) took operand 0 the cotangent goes there, and half of it where the two are equal.
Cotangents choice_gradient(GradientContext& context, Comparison first_wins) {
  Rule r(context);
  NodeId zero = r.like(0, r.g);
  NodeId half = r.b.mul(r.g, r.like(0.5, r.g));
  NodeId tie = r.b.select(r.b.compare(Comparison::eq, r.x(0), r.x(1)), half, zero);
  Cotangents result(2);
  for (size_t k = 0; k < 2; ++k) {
    if (r.wanted[k]) result[k] = r.b.select(r.b.compare(first_wins, r.x(k), r.x(1 - k)), r.g, tie);
  }
  return result;
}

// NaN passes on, from either side.
double larger(double a, double b) { return a > b || std::isnan(a) ? a : b; }
double smaller(double a, double b) { return a < b || std::isnan(a) ? a : b; }
double sign_of(double a) { return a > 0 ? 1 : a < 0 ? -1 : 0; }

}  // namespace

constinit const OpDefinition op_add = {
    .infer = infer_numeric_map,
    .gradient = [](GradientContext& context) -> Cotangents { return {context.cotangent, context.cotangent}; },
    .evaluate = map_binary<[](double a, double b) { return a + b; }>,
    .samples = [] { return map_samples(Op::add, {{}, {}}); },
    .commutative = true,
    .cheap = true};

constinit const OpDefinition op_sub = {.infer = infer_numeric_map,
                                       .gradient = [](GradientContext& context) -> Cotangents {
                                         Rule r(context);
                                         return {r.g, r.wanted[1] ? r.b.neg(r.g) : NodeId()};
                                       },
                                       .evaluate = map_binary<[](double a, double b) { return a - b; }>,
                                       .samples = [] { return map_samples(Op::sub, {{}, {}}); },
                                       .cheap = true};

constinit const OpDefinition op_mul = {.infer = infer_numeric_map,
                                       .gradient = [](GradientContext& context) -> Cotangents {
                                         Rule r(context);
                                         return {r.wanted[0] ? r.b.mul(r.g, r.x(1)) : NodeId(),
                                                 r.wanted[1] ? r.b.mul(r.g, r.x(0)) : NodeId()};
                                       },
                                       .evaluate = map_binary<[](double a, double b) { return a * b; }>,
                                       .samples = [] { return map_samples(Op::mul, {{}, {}}); },
                                       .commutative = true,
                                       .cheap = true};

// Floats only: the division of integers is composed of casts, div and floor.
constinit const OpDefinition op_div = {.infer = infer_float_map,
                                       .gradient = [](GradientContext& context) -> Cotangents {
                                         Rule r(context);
                                         return {r.wanted[0] ? r.b.div(r.g, r.x(1)) : NodeId(),
                                                 r.wanted[1] ? r.b.neg(r.b.mul(r.g, r.b.div(r.y, r.x(1)))) : NodeId()};
                                       },
                                       .evaluate = map_binary<[](double a, double b) { return a / b; }>,
                                       .samples = [] { return map_samples(Op::div, {{}, {0.5, 3}}); }};

// a * b + c, rounded once.
constinit const OpDefinition op_fma = {
    .infer = infer_float_map,
    .gradient = [](GradientContext& context) -> Cotangents {
      Rule r(context);
      return {r.wanted[0] ? r.b.mul(r.g, r.x(1)) : NodeId(), r.wanted[1] ? r.b.mul(r.g, r.x(0)) : NodeId(), r.g};
    },
    .evaluate = map_ternary<[](double a, double b, double c) { return std::fma(a, b, c); }>,
    .samples =
        [] {
          auto samples = map_samples(Op::fma, {{}, {}, {}});
          for (OpSample& sample : samples) sample.scale = 9;  // hosts without fma round the product too
          return samples;
        },
    .cheap = true};

constinit const OpDefinition op_max = {
    .infer = infer_choice_map,
    .gradient = [](GradientContext& context) { return choice_gradient(context, Comparison::gt); },
    .evaluate = map_binary<larger>,
    .samples = [] { return map_samples(Op::max, {{}, {}}); },
    .cheap = true};

constinit const OpDefinition op_min = {
    .infer = infer_choice_map,
    .gradient = [](GradientContext& context) { return choice_gradient(context, Comparison::lt); },
    .evaluate = map_binary<smaller>,
    .samples = [] { return map_samples(Op::min, {{}, {}}); },
    .cheap = true};

constinit const OpDefinition op_neg = {
    .infer = infer_numeric_map,
    .gradient = [](GradientContext& context) -> Cotangents { return {context.build.neg(context.cotangent)}; },
    .evaluate = map_unary<[](double a) { return -a; }>,
    .samples = [] { return map_samples(Op::neg, {{}}); },
    .cheap = true};

constinit const OpDefinition op_abs = {.infer = infer_numeric_map,
                                       .gradient = [](GradientContext& context) -> Cotangents {
                                         Rule r(context);
                                         return {r.b.mul(r.g, r.b.sign(r.x(0)))};
                                       },
                                       .evaluate = map_unary<[](double a) { return std::abs(a); }>,
                                       .samples = [] { return map_samples(Op::abs, {{}}); },
                                       .cheap = true};

// -1, 0 or 1; 0 for both zeros and, as PyTorch has it, for NaN.
constinit const OpDefinition op_sign = {.infer = infer_numeric_map,
                                        .gradient = nullptr,
                                        .evaluate = map_unary<sign_of>,
                                        .samples = [] { return map_samples(Op::sign, {{}}); },
                                        .cheap = true};

constinit const OpDefinition op_floor = {.infer = infer_float_map,
                                         .gradient = nullptr,
                                         .evaluate = map_unary<[](double a) { return std::floor(a); }>,
                                         .samples = [] { return map_samples(Op::floor, {{}}); },
                                         .cheap = true};

// Halves go to the even neighbour.
constinit const OpDefinition op_round = {.infer = infer_float_map,
                                         .gradient = nullptr,
                                         .evaluate = map_unary<[](double a) { return std::nearbyint(a); }>,
                                         .samples = [] { return map_samples(Op::round, {{}}); },
                                         .cheap = true};

}  // namespace nnc
