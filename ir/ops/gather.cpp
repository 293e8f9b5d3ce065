// Rows by number, and their adjoint. An id outside the axis reads zero and adds nowhere; verified graphs have none
// (G6).
#include <fmt/format.h>

#include "ir/ops/definitions.h"
#include "ir/ops/inference.h"
#include "ir/ops/maps.h"
#include "ir/ops/samples.h"

namespace nnc {
namespace {

using Cotangents = std::vector<NodeId>;
using Operands = std::span<const ReferenceTensor* const>;
using Types = std::span<const TensorType>;

// `dims` with `axis` replaced by the axes of `ids`.
Dims replace_axis(const Dims& dims, int64_t axis, const Dims& ids) {
  Dims result(dims.begin(), dims.begin() + axis);
  result.insert(result.end(), ids.begin(), ids.end());
  result.insert(result.end(), dims.begin() + axis + 1, dims.end());
  return result;
}

bool are_ids(const TensorType& type, std::string& error) {
  if (is_integer(type.dtype)) return true;
  error = fmt::format("ids are {}, not integers", to_string(type));
  return false;
}

TensorType infer_gather(Types operands, const Attributes& attributes, const TensorType&, std::string& error) {
  int64_t axis = std::get<AxisAttr>(attributes).axis;
  if (!has_axis(operands[0], axis, error) || !are_ids(operands[1], error)) return {};
  return {operands[0].dtype, operands[0].bound, replace_axis(operands[0].dims, axis, operands[1].dims)};
}

TensorType infer_scatter_add(Types operands, const Attributes& attributes, const TensorType& given,
                             std::string& error) {
  int64_t axis = std::get<AxisAttr>(attributes).axis;
  if (!has_axis(given, axis, error) || !are_ids(operands[1], error)) return {};
  if (operands[0].dtype == DType::boolean) return fail(error, "needs numbers, not bool");
  if (operands[0].dims != replace_axis(given.dims, axis, operands[1].dims)) {
    return fail(error, fmt::format("updates {} by ids {} do not add up to {}", to_string(operands[0]),
                                   to_string(operands[1]), to_string(given)));
  }
  return {operands[0].dtype, 0, given.dims};
}

// Calls visit(offset in the whole tensor, offset in the gathered one, inner extent) for each id and outer index.
template <class Visit>
void for_each_row(const Dims& whole, int64_t axis, const ReferenceTensor& ids, Visit visit) {
  int64_t outer = 1, inner = 1, extent = whole[static_cast<size_t>(axis)];
  for (size_t k = 0; k < whole.size(); ++k) {
    if (static_cast<int64_t>(k) < axis) outer *= whole[k];
    if (static_cast<int64_t>(k) > axis) inner *= whole[k];
  }
  auto count = static_cast<int64_t>(ids.values.size());
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t k = 0; k < count; ++k) {
      double id = ids.values[static_cast<size_t>(k)];
      if (!(id >= 0 && id < static_cast<double>(extent))) continue;
      visit((o * extent + static_cast<int64_t>(id)) * inner, (o * count + k) * inner, inner);
    }
  }
}

void evaluate_gather(const Node& node, Operands operands, ReferenceTensor& result) {
  const auto& from = operands[0]->values;
  for_each_row(operands[0]->type.dims, node.as<AxisAttr>().axis, *operands[1],
               [&](int64_t at, int64_t to, int64_t inner) {
                 std::copy_n(from.begin() + at, inner, result.values.begin() + to);
               });
}

void evaluate_scatter_add(const Node& node, Operands operands, ReferenceTensor& result) {
  const auto& updates = operands[0]->values;
  for_each_row(result.type.dims, node.as<AxisAttr>().axis, *operands[1], [&](int64_t to, int64_t at, int64_t inner) {
    for (int64_t i = 0; i < inner; ++i)
      result.values[static_cast<size_t>(to + i)] += updates[static_cast<size_t>(at + i)];
  });
}

struct GatherCase {
  const char* name;
  Dims table, ids;
  int64_t axis;
};

const std::vector<GatherCase>& gather_cases() {
  static const std::vector<GatherCase> cases = {
      {"one", {1, 1}, {1}, 0},      {"rows", {7, 17}, {5}, 0}, {"sequences", {11, 33}, {2, 3}, 0},
      {"columns", {3, 7}, {13}, 1}, {"picks", {65}, {67}, 0},  {"single", {5, 16}, {}, 0}};
  return cases;
}

std::vector<OpSample> gather_samples() {
  std::vector<OpSample> samples;
  for (const auto& [name, table, ids, axis] : gather_cases()) {
    SampleMaker make(name);
    int64_t extent = table[static_cast<size_t>(axis)];
    NodeId rows = make.input(table);
    NodeId numbers = make.input(TensorType{DType::i32, extent, ids}, 0, static_cast<double>(extent));
    make.build.gather(rows, numbers, axis);
    samples.push_back(make.finish());
  }
  return samples;
}

std::vector<OpSample> scatter_add_samples() {
  std::vector<OpSample> samples;
  for (const auto& [name, table, ids, axis] : gather_cases()) {
    SampleMaker make(name);
    int64_t extent = table[static_cast<size_t>(axis)];
    NodeId updates = make.input(replace_axis(table, axis, ids));
    TensorType number_type{DType::i32, extent, ids};
    NodeId numbers = make.input(number_type, 0, static_cast<double>(extent));
    make.build.scatter_add(updates, numbers, axis, extent);
    make.sample.scale = 2 * static_cast<double>(number_type.elements());
    samples.push_back(make.finish());
  }
  return samples;
}

}  // namespace

constinit const OpDefinition op_gather = {
    .attributes = attributes_of<AxisAttr>,
    .infer = infer_gather,
    .gradient = [](GradientContext& context) -> Cotangents {
      Rule r(context);
      int64_t axis = r.b.graph()[r.y].as<AxisAttr>().axis;
      return {r.b.scatter_add(r.g, r.x(1), axis, r.b.type(r.x(0)).dims[static_cast<size_t>(axis)]), {}};
    },
    .evaluate = evaluate_gather,
    .samples = gather_samples};

constinit const OpDefinition op_scatter_add = {.attributes = attributes_of<AxisAttr>,
                                               .typed = true,
                                               .infer = infer_scatter_add,
                                               .gradient = [](GradientContext& context) -> Cotangents {
                                                 Rule r(context);
                                                 return {r.b.gather(r.g, r.x(1), r.b.graph()[r.y].as<AxisAttr>().axis),
                                                         {}};
                                               },
                                               .evaluate = evaluate_scatter_add,
                                               .samples = scatter_add_samples};

}  // namespace nnc
