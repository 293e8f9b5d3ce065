// Walking through tensors: calls a function for every index tuple of a shape, with the offsets of strided views kept
// along.
#pragma once

#include <array>

#include "ir/graph/type.h"

namespace nnc {

// A strided view of a tensor: element `index` lies at start + sum of index[k] * strides[k].
struct View {
  int64_t start = 0;
  Dims strides;
};

// Calls visit(offsets) for each index tuple of `dims` in row-major order; offsets[v] is where views[v] has it.
// Requires: every view has a stride per axis of `dims`.
template <size_t count, class Visit>
void walk(const Dims& dims, const std::array<View, count>& views, Visit visit) {
  Dims index(dims.size(), 0);
  std::array<int64_t, count> offsets;
  for (size_t v = 0; v < count; ++v) offsets[v] = views[v].start;
  while (true) {
    visit(offsets);
    size_t axis = dims.size();
    while (axis-- > 0) {
      if (++index[axis] < dims[axis]) {
        for (size_t v = 0; v < count; ++v) offsets[v] += views[v].strides[axis];
        break;
      }
      for (size_t v = 0; v < count; ++v) offsets[v] -= views[v].strides[axis] * (dims[axis] - 1);
      index[axis] = 0;
    }
    if (axis == SIZE_MAX) return;
  }
}

// Steps `index` to the next tuple of `dims` in row-major order; false, and all zeros again, behind the last.
inline bool next_index(Dims& index, const Dims& dims) {
  for (size_t axis = dims.size(); axis-- > 0;) {
    if (++index[axis] < dims[axis]) return true;
    index[axis] = 0;
  }
  return false;
}

inline View row_major(const Dims& dims) { return {0, row_major_strides(dims)}; }

}  // namespace nnc
