#include "ir/loop/loop.h"

#include <algorithm>
#include <array>

#include "ir/check.h"

namespace nnc {
namespace {

struct LoopOpEntry {
  std::string_view name;
  int arity;
  bool is_map;
};

constexpr LoopOpEntry kLoopOps[] = {
#define OP(name, kind, arity)
#define MAP_OP(name, arity) {#name, arity, true},
#include "ir/ops/ops.def"
#define LOOP_OP(name, arity) {#name, arity, false},
#include "ir/loop/ops.def"
};

const LoopOpEntry& entry(LoopOp op) { return kLoopOps[static_cast<size_t>(op)]; }

}  // namespace

std::string_view name_of(LoopOp op) { return entry(op).name; }
int arity_of(LoopOp op) { return entry(op).arity; }
bool is_map(LoopOp op) { return entry(op).is_map; }

bool parse_loop_op(std::string_view name, LoopOp& op) {
  for (size_t index = 0; index < std::size(kLoopOps); ++index) {
    if (kLoopOps[index].name != name) continue;
    op = static_cast<LoopOp>(index);
    return true;
  }
  return false;
}

LoopOp loop_op_of(Op map_op) {
  switch (map_op) {
#define OP(name, kind, arity)
#define MAP_OP(name, arity) \
  case Op::name:            \
    return LoopOp::name;
#include "ir/ops/ops.def"
    default:
      break;
  }
  NNC_CHECK(false, "graph op {} is not a map", static_cast<int>(map_op));
}

Affine operator+(const Affine& a, const Affine& b) {
  Affine sum{a.constant + b.constant, {}};
  auto left = a.terms.begin(), right = b.terms.begin();
  while (left != a.terms.end() || right != b.terms.end()) {
    if (right == b.terms.end() || (left != a.terms.end() && left->first < right->first)) {
      sum.terms.push_back(*left++);
    } else if (left == a.terms.end() || right->first < left->first) {
      sum.terms.push_back(*right++);
    } else {
      if (left->second + right->second != 0) sum.terms.push_back({left->first, left->second + right->second});
      ++left, ++right;
    }
  }
  return sum;
}

Affine operator*(const Affine& a, int64_t factor) {
  if (factor == 0) return {};
  Affine product{a.constant * factor, a.terms};
  for (auto& term : product.terms) term.second *= factor;
  return product;
}

}  // namespace nnc
