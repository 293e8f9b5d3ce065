// Maps that compare, choose and convert.
#include <bit>
#include <cmath>

#include "ir/ops/definitions.h"
#include "ir/ops/maps.h"
#include "ir/ops/samples.h"

namespace nnc {
namespace {

using Cotangents = std::vector<NodeId>;

TensorType infer_compare(std::span<const TensorType> operands, const Attributes&, const TensorType&,
                         std::string& error) {
  if (!have_equal_types(operands, error)) return {};
  return {DType::boolean, 0, operands[0].dims};
}

// NaN is unequal to everything: all comparisons but ne are false.
void evaluate_compare(const Node& node, std::span<const ReferenceTensor* const> operands, ReferenceTensor& result) {
  auto holds = [comparison = node.as<CompareAttr>().comparison](double a, double b) {
    switch (comparison) {
      case Comparison::eq:
        return a == b;
      case Comparison::ne:
        return a != b;
      case Comparison::lt:
        return a < b;
      case Comparison::le:
        return a <= b;
      case Comparison::gt:
        return a > b;
      case Comparison::ge:
        return a >= b;
    }
    return false;
  };
  for (size_t i = 0; i < result.values.size(); ++i) {
    result.values[i] = holds(operands[0]->values[i], operands[1]->values[i]) ? 1 : 0;
  }
}

std::vector<OpSample> compare_samples() {
  std::vector<OpSample> samples;
  for (Comparison comparison :
       {Comparison::eq, Comparison::ne, Comparison::lt, Comparison::le, Comparison::gt, Comparison::ge}) {
    for (DType dtype : {DType::f32, DType::i32}) {
      // Whole numbers from a short range, so that many are equal.
      for (OpSample& sample :
           map_samples(Op::compare, {{-2, 3, dtype}, {-2, 3, dtype}}, CompareAttr{comparison}, false)) {
        sample.name = std::string(name_of(comparison)) + "_" + std::string(name_of(dtype)) + "_" + sample.name;
        samples.push_back(std::move(sample));
      }
    }
  }
  return samples;
}

TensorType infer_select(std::span<const TensorType> operands, const Attributes&, const TensorType& given,
                        std::string& error) {
  if (operands[0].dtype != DType::boolean)
    return fail(error, "the condition is " + to_string(operands[0]) + ", not bool");
  if (operands[0].dims != operands[1].dims) {
    return fail(error, "operands differ: " + to_string(operands[0]) + " and " + to_string(operands[1]));
  }
  return infer_choice_map(operands.subspan(1), {}, given, error);
}

Cotangents select_gradient(GradientContext& context) {
  Rule r(context);
  NodeId zero = r.like(0, r.g);
  return {{},
          r.wanted[1] ? r.b.select(r.x(0), r.g, zero) : NodeId(),
          r.wanted[2] ? r.b.select(r.x(0), zero, r.g) : NodeId()};
}

TensorType infer_cast(std::span<const TensorType> operands, const Attributes&, const TensorType& given,
                      std::string& error) {
  if (given.dims != operands[0].dims) {
    return fail(error, "a cast keeps the shape: " + to_string(operands[0]) + " and " + to_string(given));
  }
  return given;
}

Cotangents cast_gradient(GradientContext& context) {
  Rule r(context);
  DType from = r.b.type(r.x(0)).dtype;
  return {is_float(from) && is_float(r.b.type(r.y).dtype) ? r.b.cast(r.g, from) : NodeId()};
}

// To the nearest bf16, halves to even. Through f32 first, as the machine does: the double may lie between two floats.
double round_to_bf16(double value) {
  auto single = static_cast<float>(value);
  if (!std::isfinite(single)) return single;
  auto bits = std::bit_cast<uint32_t>(single);
  bits += 0x7fff + ((bits >> 16) & 1);
  return std::bit_cast<float>(bits & 0xffff0000u);
}

// Integers truncate toward zero; NaN and what does not fit become the least integer, as x86 converts.
double truncate_to(double value, double least, double end) {
  double whole = std::trunc(value);
  return whole >= least && whole < end ? whole : least;
}

double convert(double value, DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return value != 0 ? 1 : 0;
    case DType::i32:
      return truncate_to(value, -0x1p31, 0x1p31);
    case DType::i64:
      return truncate_to(value, -0x1p63, 0x1p63);
    case DType::bf16:
      return round_to_bf16(value);
    case DType::f32:
    case DType::f64:
      return value;
  }
  return value;
}

void evaluate_cast(const Node& node, std::span<const ReferenceTensor* const> operands, ReferenceTensor& result) {
  for (size_t i = 0; i < result.values.size(); ++i) result.values[i] = convert(operands[0]->values[i], node.type.dtype);
}

std::vector<OpSample> cast_samples() {
  struct Case {
    const char* name;
    DType from, to;
    bool differentiable;
  };
  std::vector<OpSample> samples;
  for (const Case& c :
       {Case{"bool_to_f32", DType::boolean, DType::f32, false}, Case{"i32_to_f32", DType::i32, DType::f32, false},
        Case{"f32_to_i32", DType::f32, DType::i32, false}, Case{"f32_to_bool", DType::f32, DType::boolean, false},
        Case{"f32_to_bf16", DType::f32, DType::bf16, false}, Case{"f32_to_f32", DType::f32, DType::f32, true}}) {
    for (const Dims& dims : {Dims{1}, Dims{7}, Dims{3, 17}, Dims{5, 67}}) {
      SampleMaker make(std::string(c.name) + "_" + std::to_string(TensorType{DType::f32, 0, dims}.elements()));
      bool flags = c.from == DType::boolean;
      make.build.cast(make.input({c.from, 0, dims}, flags ? 0 : -9, flags ? 2 : 9), c.to);
      make.sample.differentiable = c.differentiable;
      samples.push_back(make.finish());
    }
  }
  return samples;
}

std::vector<OpSample> logical_samples(Op op, size_t operands) {
  return map_samples(op, std::vector<SampleInput>(operands, {0, 2, DType::boolean}), {}, false);
}

}  // namespace

constinit const OpDefinition op_compare = {.attributes = attributes_of<CompareAttr>,
                                           .infer = infer_compare,
                                           .gradient = nullptr,
                                           .evaluate = evaluate_compare,
                                           .samples = compare_samples,
                                           .cheap = true};

constinit const OpDefinition op_select = {
    .infer = infer_select,
    .gradient = select_gradient,
    .evaluate = map_ternary<[](double c, double a, double b) { return c != 0 ? a : b; }>,
    .samples = [] { return map_samples(Op::select, {{0, 2, DType::boolean}, {}, {}}); },
    .cheap = true};

constinit const OpDefinition op_cast = {.typed = true,
                                        .infer = infer_cast,
                                        .gradient = cast_gradient,
                                        .evaluate = evaluate_cast,
                                        .samples = cast_samples,
                                        .cheap = true};

constinit const OpDefinition op_logical_and = {
    .infer = infer_boolean_map,
    .gradient = nullptr,
    .evaluate = map_binary<[](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; }>,
    .samples = [] { return logical_samples(Op::logical_and, 2); },
    .commutative = true,
    .cheap = true};

constinit const OpDefinition op_logical_or = {
    .infer = infer_boolean_map,
    .gradient = nullptr,
    .evaluate = map_binary<[](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; }>,
    .samples = [] { return logical_samples(Op::logical_or, 2); },
    .commutative = true,
    .cheap = true};

constinit const OpDefinition op_logical_not = {.infer = infer_boolean_map,
                                               .gradient = nullptr,
                                               .evaluate = map_unary<[](double a) { return a != 0 ? 0.0 : 1.0; }>,
                                               .samples = [] { return logical_samples(Op::logical_not, 1); },
                                               .cheap = true};

// The value itself; no cotangent passes.
constinit const OpDefinition op_detach = {.infer = infer_choice_map,
                                          .gradient = nullptr,
                                          .evaluate = map_unary<[](double a) { return a; }>,
                                          .samples = [] { return map_samples(Op::detach, {{}}, {}, false); },
                                          .cheap = true};

}  // namespace nnc
