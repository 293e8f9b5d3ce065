#include "ir/plan/plan.h"

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

}  // namespace nnc
