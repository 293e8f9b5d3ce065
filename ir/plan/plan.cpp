#include "ir/plan/plan.h"

#include <algorithm>

namespace nnc {

int64_t Layout::elements() const {
  int64_t count = 1;
  for (int64_t extent : physical) count *= extent;
  return count;
}

int64_t Grid::items() const {
  int64_t count = 1;
  for (const Axis& axis : axes) count *= axis.count;
  return count;
}

Layout row_major_layout(const Dims& dims, int64_t pitch_multiple) {
  Layout layout;
  for (size_t k = 0; k < dims.size(); ++k) layout.factors.push_back({static_cast<int64_t>(k), 1, dims[k]});
  layout.physical = dims;
  if (!dims.empty()) layout.physical.back() = (dims.back() + pitch_multiple - 1) / pitch_multiple * pitch_multiple;
  return layout;
}

Layout panel_layout(const Dims& dims, int64_t lane_axis, int64_t width) {
  Layout layout;
  const int64_t panels = (dims[lane_axis] + width - 1) / width;
  layout.factors.push_back({lane_axis, width, panels});
  for (size_t k = 0; k < dims.size(); ++k) {
    if (static_cast<int64_t>(k) != lane_axis) layout.factors.push_back({static_cast<int64_t>(k), 1, dims[k]});
  }
  layout.factors.push_back({lane_axis, 1, width});
  for (const Layout::Factor& factor : layout.factors) layout.physical.push_back(factor.extent);
  return layout;
}

bool takes_column_sum(const Graph& graph, const Region& region, NodeId sum) {
  const Tiling& tiling = region.tiling;
  if (region.kind != Region::contract || !tiling.deferred || region.domain.size() != 2 || tiling.lane_axis != 0)
    return false;
  const Node& node = graph[sum];
  if (node.op != Op::reduce) return false;
  const ReduceAttr& reduce = node.as<ReduceAttr>();
  const Dims& summed = graph.type(node.operands[0]).dims;
  if (reduce.reduction != Reduction::sum || reduce.order.kind != Order::chain || summed.size() != 2 ||
      reduce.axes != std::vector<int64_t>{0} || node.type.dims != Dims{region.domain[0]})
    return false;
  const Node& product = graph[region.anchor];
  const auto& [map, order] = product.as<ContractAttr>();
  if (order.kind != Order::chain) return false;
  const int lanes = map.result[0];
  for (size_t k = 0; k < 2; ++k) {
    const std::vector<IndexTerm>& terms = map.operands[k];
    if (product.operands[k] != node.operands[0] || terms.size() != 2) continue;
    const bool plain = terms[0].is_plain() && terms[1] == IndexTerm::plain(lanes);
    const int row = plain ? terms[0].terms[0].first : lanes;
    if (std::find(map.result.begin(), map.result.end(), row) == map.result.end()) return true;
  }
  return false;
}

}  // namespace nnc
