#include "ir/ops/contract.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/ops/definitions.h"
#include "ir/ops/inference.h"
#include "ir/ops/samples.h"

namespace nnc {
namespace {

constexpr int64_t max_coefficient = int64_t{1} << 20;
constexpr size_t max_indices = 64;

bool in_result(const IndexMap& map, int index) {
  return std::find(map.result.begin(), map.result.end(), index) != map.result.end();
}

// Every number a term may hold, and every index it names, is in range.
std::string check_term(const IndexMap& map, const IndexTerm& term) {
  for (size_t k = 0; k < term.terms.size(); ++k) {
    auto [index, coefficient] = term.terms[k];
    if (index < 0 || static_cast<size_t>(index) >= map.names.size()) return "a term names no index";
    if (k > 0 && index <= term.terms[k - 1].first) return "a term's indices do not ascend";
    if (coefficient == 0 || std::abs(coefficient) > max_coefficient) return fmt::format("coefficient {}", coefficient);
  }
  if (std::abs(term.offset) > INT32_MAX) return fmt::format("offset {}", term.offset);
  if (term.divisor < 1 || term.divisor > max_coefficient) return fmt::format("divisor {}", term.divisor);
  return "";
}

std::string check_shape(const IndexMap& map, std::span<const TensorType> operands) {
  if (map.operands.size() != operands.size()) return fmt::format("the map is for {} operands", map.operands.size());
  if (map.names.size() != map.extents.size() || map.names.size() > max_indices) return "the map's tables do not match";
  for (size_t k = 0; k < operands.size(); ++k) {
    if (map.operands[k].size() != operands[k].dims.size()) {
      return fmt::format("the map names {} axes of {}", map.operands[k].size(), to_string(operands[k]));
    }
    for (const IndexTerm& term : map.operands[k]) {
      if (std::string error = check_term(map, term); !error.empty()) return error;
    }
  }
  for (size_t k = 0; k < map.result.size(); ++k) {
    int index = map.result[k];
    if (index < 0 || static_cast<size_t>(index) >= map.names.size()) return "the result names no index";
    if (std::count(map.result.begin(), map.result.end(), index) != 1) {
      return fmt::format("index {} occurs twice in the result", map.names[static_cast<size_t>(index)]);
    }
  }
  return "";
}

TensorType infer_contract(std::span<const TensorType> operands, const Attributes& attributes, const TensorType&,
                          std::string& error) {
  const IndexMap& map = std::get<ContractAttr>(attributes).map;
  error = check_index_map(map, operands);
  if (!error.empty()) return {};
  bool wide = operands[0].dtype == DType::f64;
  for (const TensorType& type : operands) {
    if (!is_float(type.dtype)) return fail(error, fmt::format("needs floats, not {}", name_of(type.dtype)));
    if ((type.dtype == DType::f64) != wide) return fail(error, "f64 meets another dtype");
  }
  // bf16 operands are multiplied and added up in f32.
  TensorType result{wide ? DType::f64 : DType::f32, 0, {}};
  for (int index : map.result) result.dims.push_back(map.extents[static_cast<size_t>(index)]);
  return result;
}

void add_product_samples(std::vector<OpSample>& samples) {
  struct Case {
    const char* name;
    const char* map;
  };
  for (const Case& c : {Case{"product", "b i, o i -> b o"}, Case{"weights", "b o, b i -> o i"},
                        Case{"inputs", "b o, o i -> b i"}, Case{"transposed", "b i, o i -> o b"}}) {
    for (auto [first, second, third] :
         {std::array<int64_t, 3>{1, 1, 1}, {7, 13, 5}, {3, 65, 17}, {64, 64, 64}, {65, 30, 67}}) {
      SampleMaker make(fmt::format("{}_{}x{}x{}", c.name, first, second, third));
      bool shared_first = c.name == std::string_view("weights"), shared_middle = c.name == std::string_view("inputs");
      Dims right = shared_first ? Dims{first, third} : shared_middle ? Dims{second, third} : Dims{third, second};
      NodeId a = make.input({first, second}), b = make.input(right);
      make.sample.scale = 4 * static_cast<double>(shared_first ? first : second);
      make.build.contract(a, b, c.map);
      samples.push_back(make.finish());
    }
  }
}

std::vector<OpSample> contract_samples() {
  std::vector<OpSample> samples;
  add_product_samples(samples);
  auto add = [&](const char* name, const char* map, Dims left, Dims right, double terms) {
    SampleMaker make(name);
    NodeId a = make.input(std::move(left)), b = make.input(std::move(right));
    make.build.contract(a, b, map);
    make.sample.scale = 4 * terms;
    samples.push_back(make.finish());
  };
  add("scores", "b h t d, b h u d -> b h t u", {2, 3, 5, 16}, {2, 3, 7, 16}, 16);
  add("mixture", "b h t u, b h u d -> b t h d", {2, 3, 5, 7}, {2, 3, 7, 17}, 7);
  add("matrix_vector", "o i, i -> o", {33, 65}, {65}, 65);
  add("one_output", "b i, o i -> b o", {13, 37}, {1, 37}, 37);
  add("vector_matrix", "b, b i -> i", {17}, {17, 67}, 17);
  add("outer", "a, b -> a b", {7}, {67}, 1);
  add("dot", "i, i -> ", {67}, {67}, 67);
  add("rows_dot", "b i, b i -> b", {5, 33}, {5, 33}, 33);
  add("bilinear", "b i j, j k -> k b i", {3, 5, 17}, {17, 7}, 17);
  add("summed_alone", "b i, o i -> b", {3, 7}, {5, 7}, 35);
  add("scalar", "b, -> b", {7}, {}, 1);

  auto window = [&](const char* name, const char* map, Dims left, Dims right, Dims result, double terms) {
    SampleMaker make(name);
    NodeId a = make.input(std::move(left)), b = make.input(std::move(right));
    IndexMap parsed;
    parse_index_map(map, {make.build.type(a), make.build.type(b)}, parsed);
    for (size_t k = 0; k < result.size(); ++k) parsed.extents[static_cast<size_t>(parsed.result[k])] = result[k];
    make.build.contract(a, b, std::move(parsed));
    make.sample.scale = 4 * terms;
    make.sample.native = false;
    samples.push_back(make.finish());
  };
  window("window_strided", "n c (2*p+r-1) (2*q+s-1), k c r s -> n k p q", {2, 3, 7, 8}, {5, 3, 3, 3}, {2, 5, 4, 4}, 27);
  window("window_plain", "n c (p+r) (q+s), k c r s -> n k p q", {1, 2, 5, 6}, {3, 2, 2, 3}, {1, 3, 4, 4}, 12);
  window("window_dilated", "n c (p+2*r-2), k c r -> n k p", {2, 2, 9}, {3, 2, 3}, {2, 3, 9}, 6);
  window("window_adjoint", "n k ((h-r+1)/2), k c r -> n c h", {2, 3, 4}, {3, 2, 3}, {2, 2, 7}, 9);
  window("window_groups", "n (4*g+c) (p+r-1), g k c r -> n g k p", {2, 8, 5}, {2, 3, 4, 3}, {2, 2, 3, 5}, 12);
  window("window_diagonal", "i i, i -> i", {5, 5}, {5}, {5}, 1);
  return samples;
}

}  // namespace

std::string check_index_map(const IndexMap& map, std::span<const TensorType> operands) {
  if (std::string error = check_shape(map, operands); !error.empty()) return error;
  std::vector<bool> occurs(map.names.size()), plain(map.names.size());
  for (size_t k = 0; k < operands.size(); ++k) {
    for (size_t axis = 0; axis < operands[k].dims.size(); ++axis) {
      const IndexTerm& term = map.operands[k][axis];
      for (const auto& [index, coefficient] : term.terms) occurs[static_cast<size_t>(index)] = true;
      if (!term.is_plain()) continue;
      auto index = static_cast<size_t>(term.terms[0].first);
      plain[index] = true;
      if (map.extents[index] != operands[k].dims[axis]) {
        return fmt::format("index {} has extents {} and {}", map.names[index], map.extents[index],
                           operands[k].dims[axis]);
      }
    }
  }
  for (size_t index = 0; index < map.names.size(); ++index) {
    if (map.extents[index] < 1 || map.extents[index] > max_extent)
      return fmt::format("the extent of index {} is unknown", map.names[index]);
    if (!occurs[index]) return fmt::format("index {} occurs in no operand", map.names[index]);
    if (!plain[index] && !in_result(map, static_cast<int>(index))) {
      return fmt::format("summed index {} occurs plain in no operand", map.names[index]);
    }
  }
  return numbered_by_appearance(map) == map ? "" : "indices are not numbered by appearance";
}

std::vector<int> summed_indices(const IndexMap& map) {
  std::vector<int> summed;
  for (int index = 0; index < static_cast<int>(map.names.size()); ++index) {
    if (!in_result(map, index)) summed.push_back(index);
  }
  return summed;
}

constinit const OpDefinition op_contract = {.attributes = attributes_of<ContractAttr>,
                                            .infer = infer_contract,
                                            .gradient = contract_gradient,
                                            .evaluate = evaluate_contract,
                                            .samples = contract_samples};

}  // namespace nnc
