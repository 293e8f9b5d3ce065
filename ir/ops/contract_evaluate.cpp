// The reference evaluation of contract: batched matrix products through Eigen where the map is one (in tiles where its
// order says so, the one order that is followed to the bit), an odometer over all indices elsewhere.
#include <Eigen/Core>

#include <algorithm>

#include "ir/check.h"
#include "ir/loop/scalar_math.h"
#include "ir/ops/contract.h"
#include "ir/ops/odometer.h"

namespace nnc {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// The indices of a map by where they occur; a product needs every index to be of one of these four kinds.
struct ProductIndices {
  std::vector<int> batch;    // left, right, result
  std::vector<int> rows;     // left, result
  std::vector<int> columns;  // right, result
  std::vector<int> inner;    // left, right
};

int count_plain(const std::vector<IndexTerm>& axes, int index) {
  return static_cast<int>(std::count(axes.begin(), axes.end(), IndexTerm::plain(index)));
}

bool classify(const IndexMap& map, ProductIndices& product) {
  for (const auto& axes : map.operands) {
    for (const IndexTerm& term : axes) {
      if (!term.is_plain()) return false;
    }
  }
  for (int index = 0; index < static_cast<int>(map.names.size()); ++index) {
    int left = count_plain(map.operands[0], index), right = count_plain(map.operands[1], index);
    bool kept = std::find(map.result.begin(), map.result.end(), index) != map.result.end();
    if (left > 1 || right > 1) return false;
    if (left && right) {
      (kept ? product.batch : product.inner).push_back(index);
    } else if (!kept) {
      return false;
    } else {
      (left ? product.rows : product.columns).push_back(index);
    }
  }
  return true;
}

Dims extents_of(const IndexMap& map, std::initializer_list<const std::vector<int>*> groups) {
  Dims dims;
  for (const auto* group : groups) {
    for (int index : *group) dims.push_back(map.extents[static_cast<size_t>(index)]);
  }
  return dims;
}

// The view of a tensor of `dims` whose axes are `axes`, by the indices of `groups` in that order.
View view_by(const Dims& dims, const std::vector<int>& axes, std::initializer_list<const std::vector<int>*> groups) {
  Dims strides = row_major_strides(dims);
  View view;
  for (const auto* group : groups) {
    for (int index : *group) {
      auto axis = static_cast<size_t>(std::find(axes.begin(), axes.end(), index) - axes.begin());
      view.strides.push_back(strides[axis]);
    }
  }
  return view;
}

std::vector<int> plain_axes(const std::vector<IndexTerm>& terms) {
  std::vector<int> axes;
  for (const IndexTerm& term : terms) axes.push_back(term.terms[0].first);
  return axes;
}

std::vector<double> arranged(const IndexMap& map, size_t operand, const ReferenceTensor& tensor,
                             std::initializer_list<const std::vector<int>*> groups) {
  Dims dims = extents_of(map, groups);
  std::vector<double> result(tensor.values.size());
  walk<2>(dims, {view_by(tensor.type.dims, plain_axes(map.operands[operand]), groups), row_major(dims)},
          [&](const auto& at) { result[static_cast<size_t>(at[1])] = tensor.values[static_cast<size_t>(at[0])]; });
  return result;
}

int64_t product_of(const Dims& dims) { return TensorType{DType::f32, 0, dims}.elements(); }

// An element of a product in Order::tiles, to the bit: `a` and `b` are `length` elements, so far apart.
float sum_tiles(const double* a, const double* b, int64_t length, int64_t apart, int64_t block) {
  const ScalarMath<true> math;
  float sum = 0;
  for (int64_t first = 0; first < length; first += block) {
    float partial[2] = {0, 0};
    for (int64_t k = first; k < first + block; ++k) {
      const float x = k < length ? static_cast<float>(a[k]) : 0, y = k < length ? static_cast<float>(b[k * apart]) : 0;
      partial[k % 2] = math.fma(x, y, partial[k % 2]);
    }
    sum += partial[0] + partial[1];
  }
  return sum;
}

void multiply_tiles(const double* a, const double* b, double* product, int64_t m, int64_t k, int64_t n, int64_t block) {
  NNC_CHECK(block >= 2 && block % 2 == 0, "tiles of {} elements", block);
  const FlushDenormals flush;
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t column = 0; column < n; ++column)
      product[row * n + column] = sum_tiles(a + row * k, b + column, k, n, block);
  }
}

void evaluate_product(const IndexMap& map, const Order& order, const ProductIndices& indices,
                      std::span<const ReferenceTensor* const> operands, ReferenceTensor& result) {
  const auto& [batch, rows, columns, inner] = indices;
  std::vector<double> left = arranged(map, 0, *operands[0], {&batch, &rows, &inner});
  std::vector<double> right = arranged(map, 1, *operands[1], {&batch, &inner, &columns});
  std::vector<double> product(result.values.size());
  int64_t m = product_of(extents_of(map, {&rows})), n = product_of(extents_of(map, {&columns}));
  int64_t k = product_of(extents_of(map, {&inner})), count = product_of(extents_of(map, {&batch}));
  for (int64_t item = 0; item < count; ++item) {
    if (order.kind == Order::tiles) {
      multiply_tiles(left.data() + item * m * k, right.data() + item * k * n, product.data() + item * m * n, m, k, n,
                     order.count);
      continue;
    }
    Eigen::Map<const Matrix> a(left.data() + item * m * k, m, k), b(right.data() + item * k * n, k, n);
    Eigen::Map<Matrix>(product.data() + item * m * n, m, n).noalias() = a * b;
  }
  Dims dims = extents_of(map, {&batch, &rows, &columns});
  walk<2>(dims, {row_major(dims), view_by(result.type.dims, map.result, {&batch, &rows, &columns})},
          [&](const auto& at) { result.values[static_cast<size_t>(at[1])] = product[static_cast<size_t>(at[0])]; });
}

// The element of `tensor` that the map names at `index`; zero outside an axis and where a term does not divide.
double element_at(const ReferenceTensor& tensor, const std::vector<IndexTerm>& axes, const Dims& index) {
  int64_t offset = 0;
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    int64_t value = axes[axis].offset;
    for (const auto& [variable, coefficient] : axes[axis].terms)
      value += coefficient * index[static_cast<size_t>(variable)];
    if (value < 0 || value % axes[axis].divisor != 0) return 0;
    value /= axes[axis].divisor;
    if (value >= tensor.type.dims[axis]) return 0;
    offset = offset * tensor.type.dims[axis] + value;
  }
  return tensor.values[static_cast<size_t>(offset)];
}

void evaluate_everywhere(const IndexMap& map, std::span<const ReferenceTensor* const> operands,
                         ReferenceTensor& result) {
  std::vector<int> summed = summed_indices(map);
  Dims index(map.names.size(), 0), place(map.result.size(), 0), inner(summed.size(), 0);
  Dims inner_dims = extents_of(map, {&summed});
  for (double& value : result.values) {
    for (size_t k = 0; k < place.size(); ++k) index[static_cast<size_t>(map.result[k])] = place[k];
    double sum = 0;
    do {
      for (size_t k = 0; k < inner.size(); ++k) index[static_cast<size_t>(summed[k])] = inner[k];
      double left = element_at(*operands[0], map.operands[0], index);
      double right = element_at(*operands[1], map.operands[1], index);
      sum += left * right;
    } while (next_index(inner, inner_dims));
    value = sum;
    next_index(place, result.type.dims);
  }
}

}  // namespace

void evaluate_contract(const Node& node, std::span<const ReferenceTensor* const> operands, ReferenceTensor& result) {
  const auto& [map, order] = node.as<ContractAttr>();
  ProductIndices indices;
  if (classify(map, indices)) {
    evaluate_product(map, order, indices, operands, result);
  } else {
    evaluate_everywhere(map, operands, result);
  }
}

}  // namespace nnc
