#include "frontend/builtins/contraction.h"

#include <algorithm>
#include <numeric>

namespace nnc {
namespace {

void drop_axis(Named& operand, size_t axis) {
  operand.names.erase(operand.names.begin() + static_cast<std::ptrdiff_t>(axis));
  operand.tensor.batch.erase(operand.tensor.batch.begin() + static_cast<std::ptrdiff_t>(axis));
  operand.tensor.type.dims.erase(operand.tensor.type.dims.begin() + static_cast<std::ptrdiff_t>(axis));
}

// Axes of extent 1 whose name has a larger extent elsewhere hold one value for all of it: they are left out.
void drop_unit_axes(Context& context, Named& operand, const Named& other) {
  size_t before = operand.names.size();
  for (size_t axis = operand.names.size(); axis-- > 0;) {
    auto wider = [&](const Named& in) {
      for (size_t k = 0; k < in.names.size(); ++k) {
        if (in.names[k] == operand.names[axis] && in.tensor.type.dims[k] != 1) return true;
      }
      return false;
    };
    if (operand.tensor.type.dims[axis] == 1 && (wider(other) || wider(operand))) drop_axis(operand, axis);
  }
  if (operand.names.size() == before) return;
  operand.tensor.node = context.build->reshape(operand.tensor.node, operand.tensor.type.dims);
}

// Reads an operand through the transpose it ends in: its axes are names, so their order does not matter.
void read_through_transpose(Context& context, Named& operand) {
  const Node& node = context.build->graph()[operand.tensor.node];
  if (node.op != Op::transpose) return;
  const auto& permutation = node.as<TransposeAttr>().permutation;
  Named source = operand;
  for (size_t k = 0; k < permutation.size(); ++k) {
    auto axis = static_cast<size_t>(permutation[k]);
    source.names[axis] = operand.names[k];
    source.tensor.batch[axis] = operand.tensor.batch[k];
    source.tensor.type.dims[axis] = operand.tensor.type.dims[k];
  }
  source.tensor.node = node.operands[0];
  operand = std::move(source);
}

}  // namespace

std::string index_name(size_t axis) { return axis == 0 ? "b" : fmt::format("b{}", axis); }

Value contract_named(Context& context, Named left, Named right, const std::vector<std::string>& result) {
  drop_unit_axes(context, left, right);
  drop_unit_axes(context, right, left);
  read_through_transpose(context, left);
  read_through_transpose(context, right);
  IndexMap map;
  std::vector<Dim> index_dims;
  for (const Named* operand : {&left, &right}) {
    std::vector<IndexTerm> terms;
    for (size_t axis = 0; axis < operand->names.size(); ++axis) {
      auto known = std::find(map.names.begin(), map.names.end(), operand->names[axis]);
      auto index = static_cast<int>(known - map.names.begin());
      if (known == map.names.end()) {
        map.names.push_back(operand->names[axis]);
        map.extents.push_back(operand->tensor.type.dims[axis]);
        index_dims.push_back(operand->tensor.dim(static_cast<int64_t>(axis)));
      }
      terms.push_back(IndexTerm::plain(index));
    }
    map.operands.push_back(std::move(terms));
  }
  std::vector<Dim> dims;
  for (const std::string& name : result) {
    auto index = std::find(map.names.begin(), map.names.end(), name) - map.names.begin();
    map.result.push_back(static_cast<int>(index));
    dims.push_back(index_dims[static_cast<size_t>(index)]);
  }
  if (!may_exist(context, {left.tensor.type.dtype, 0, extents_of(dims)}, context.span)) return poison();
  return made(context, context.build->contract(left.tensor.node, right.tensor.node, std::move(map)), dims);
}

}  // namespace nnc
