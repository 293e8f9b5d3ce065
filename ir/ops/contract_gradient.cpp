#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "ir/check.h"
#include "ir/ops/contract.h"
#include "ir/ops/maps.h"

namespace nnc {
namespace {

// The gradient of one operand being built: y = sum of A[axes] * B[other], over indices of which `result` are y's.
// Its operands are y's cotangent and B.
struct Adjoint {
  IndexMap map;                     // names and extents of all indices; operands: of the cotangent, of B
  std::vector<IndexTerm> axes;      // A's axes
  std::vector<int> result;          // per axis of A the index of the gradient, -1 while unknown
  std::vector<size_t> constrained;  // axes of A that are functions of its other axes
};

bool is_taken(const Adjoint& adjoint, int index) {
  return std::find(adjoint.result.begin(), adjoint.result.end(), index) != adjoint.result.end();
}

int64_t coefficient_of(const IndexTerm& term, int index) {
  for (const auto& [known, coefficient] : term.terms) {
    if (known == index) return coefficient;
  }
  return 0;
}

// scale * term's numerator without `dropped`, added to `sum`.
void add_scaled(IndexTerm& sum, const IndexTerm& term, int64_t scale, int dropped) {
  for (const auto& [index, coefficient] : term.terms) {
    if (index == dropped) continue;
    auto at = std::find_if(sum.terms.begin(), sum.terms.end(), [&, i = index](const auto& t) { return t.first >= i; });
    if (at == sum.terms.end() || at->first != index) at = sum.terms.insert(at, {index, 0});
    at->second += scale * coefficient;
    if (at->second == 0) sum.terms.erase(at);
  }
  sum.offset += scale * term.offset;
}

// Divides out what numerator and divisor share, and makes the divisor positive.
void reduce_fraction(IndexTerm& term) {
  int64_t common = std::gcd(term.divisor, term.offset);
  for (const auto& [index, coefficient] : term.terms) common = std::gcd(common, coefficient);
  if (term.divisor < 0) common = -common;
  for (auto& [index, coefficient] : term.terms) coefficient /= common;
  term.offset /= common;
  term.divisor /= common;
}

// axis = (c * index + rest) / d   solved:   index = (d * axis - rest) / c
IndexTerm solve_for(const IndexTerm& term, int index, int axis) {
  IndexTerm solution;
  add_scaled(solution, IndexTerm::plain(axis), term.divisor, -1);
  add_scaled(solution, term, -1, index);
  solution.divisor = coefficient_of(term, index);
  reduce_fraction(solution);
  return solution;
}

// (c * index + rest) / d   with   index = numerator / e   is   (c * numerator + e * rest) / (d * e)
IndexTerm substitute(const IndexTerm& term, int index, const IndexTerm& solution) {
  int64_t coefficient = coefficient_of(term, index);
  if (coefficient == 0) return term;
  IndexTerm result;
  add_scaled(result, solution, coefficient, -1);
  add_scaled(result, term, solution.divisor, index);
  result.divisor = term.divisor * solution.divisor;
  reduce_fraction(result);
  return result;
}

bool occurs_plain(const std::vector<IndexTerm>& axes, int index) {
  return std::find(axes.begin(), axes.end(), IndexTerm::plain(index)) != axes.end();
}

// An index of `term` that another operand reads plainly, so that its range is still kept after it is replaced there.
int solvable_index(const Adjoint& adjoint, const IndexTerm& term) {
  for (const auto& axes : adjoint.map.operands) {
    for (const auto& [index, coefficient] : term.terms) {
      if (!is_taken(adjoint, index) && occurs_plain(axes, index)) return index;
    }
  }
  return -1;
}

std::string fresh_name(const IndexMap& map) {
  for (const char* candidate : {"h", "w", "d", "u", "v", "x", "y", "z"}) {
    if (std::find(map.names.begin(), map.names.end(), candidate) == map.names.end()) return candidate;
  }
  for (size_t number = 0;; ++number) {
    std::string name = fmt::format("i{}", number);
    if (std::find(map.names.begin(), map.names.end(), name) == map.names.end()) return name;
  }
}

// Gives every axis of A its index. A plain index goes first: it needs no solving.
void solve_axes(Adjoint& adjoint, const Dims& dims) {
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    const IndexTerm& term = adjoint.axes[axis];
    if (term.is_plain() && !is_taken(adjoint, term.terms[0].first)) adjoint.result[axis] = term.terms[0].first;
  }
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (adjoint.result[axis] >= 0) continue;
    auto made = static_cast<int>(adjoint.map.names.size());
    adjoint.map.names.push_back(fresh_name(adjoint.map));
    adjoint.map.extents.push_back(dims[axis]);
    adjoint.result[axis] = made;
    int index = solvable_index(adjoint, adjoint.axes[axis]);
    if (index < 0) {
      adjoint.constrained.push_back(axis);
      continue;
    }
    IndexTerm solution = solve_for(adjoint.axes[axis], index, made);
    for (auto& axes : adjoint.map.operands) {
      for (IndexTerm& term : axes) term = substitute(term, index, solution);
    }
    // Axes done before keep their result index; their terms may only be asked about again when they are constrained.
    for (size_t other = 0; other < dims.size(); ++other) {
      if (other != axis) adjoint.axes[other] = substitute(adjoint.axes[other], index, solution);
    }
  }
}

bool occurs(const IndexMap& map, int index) {
  for (const auto& axes : map.operands) {
    for (const IndexTerm& term : axes) {
      if (coefficient_of(term, index) != 0) return true;
    }
  }
  return false;
}

// Whether axis `axis` of A equals its term at the result's place, as bool[dims].
NodeId constraint_mask(GraphBuilder& build, const Adjoint& adjoint, size_t axis, const Dims& dims) {
  auto scaled_iota = [&](size_t along, int64_t scale) {
    TensorType type{DType::i32, 0, dims};
    NodeId number = build.iota(type, static_cast<int64_t>(along));
    return scale == 1 ? number : build.mul(number, build.constant(static_cast<double>(scale), type));
  };
  const IndexTerm& term = adjoint.axes[axis];
  NodeId sum = build.constant(static_cast<double>(term.offset), {DType::i32, 0, dims});
  for (const auto& [index, coefficient] : term.terms) {
    auto at = std::find(adjoint.result.begin(), adjoint.result.end(), index);
    NNC_CHECK(at != adjoint.result.end(), "contract: index {} of a constrained axis is no axis", index);
    sum = build.add(sum, scaled_iota(static_cast<size_t>(at - adjoint.result.begin()), coefficient));
  }
  return build.compare(Comparison::eq, scaled_iota(axis, term.divisor), sum);
}

// `narrow` has the axes of `dims` listed in `axes`; spreads it over the others.
NodeId spread(GraphBuilder& build, NodeId narrow, const Dims& dims, const std::vector<int64_t>& axes) {
  return axes.size() == dims.size() ? narrow : build.broadcast(narrow, dims, axes);
}

NodeId gradient_of(GradientContext& context, const IndexMap& forward, size_t operand) {
  Rule r(context);
  GraphBuilder& build = r.b;
  TensorType type = build.type(r.x(operand));
  Adjoint adjoint;
  adjoint.map.names = forward.names;
  adjoint.map.extents = forward.extents;
  adjoint.map.operands.resize(2);
  for (int index : forward.result) adjoint.map.operands[0].push_back(IndexTerm::plain(index));
  adjoint.map.operands[1] = forward.operands[1 - operand];
  adjoint.axes = forward.operands[operand];
  adjoint.result.assign(type.dims.size(), -1);
  solve_axes(adjoint, type.dims);
  // An axis whose index neither factor depends on is the same all along: the product is made without it.
  std::vector<int64_t> kept;
  for (size_t axis = 0; axis < type.dims.size(); ++axis) {
    if (!occurs(adjoint.map, adjoint.result[axis])) continue;
    kept.push_back(static_cast<int64_t>(axis));
    adjoint.map.result.push_back(adjoint.result[axis]);
  }
  NodeId product = build.contract(r.g, r.x(1 - operand), adjoint.map);
  if (build.type(product).dtype != type.dtype) product = build.cast(product, type.dtype);
  NodeId gradient = spread(build, product, type.dims, kept);
  for (size_t axis : adjoint.constrained) {
    NodeId mask = constraint_mask(build, adjoint, axis, type.dims);
    gradient = build.select(mask, gradient, build.constant_like(0, gradient));
  }
  return gradient;
}

}  // namespace

std::vector<NodeId> contract_gradient(GradientContext& context) {
  IndexMap forward = context.build.graph()[context.node].as<ContractAttr>().map;
  std::vector<NodeId> gradients(2);
  for (size_t operand = 0; operand < 2; ++operand) {
    if (context.wanted[operand]) gradients[operand] = gradient_of(context, forward, operand);
  }
  return gradients;
}

}  // namespace nnc
