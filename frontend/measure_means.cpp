// Which metrics are means over rows: an abstract evaluation of the metric's graph at two numbers of rows.
//
// A node is, along with what depends on it linearly, one of: a constant (one for each of the two graphs), fixed (no row
// in it), a value per row, a sum over rows times a factor, a mean over rows. What cannot be told is none of them, and
// such a metric is computed from all rows: always right, only less cheap.
#include <algorithm>
#include <cmath>

#include "frontend/measure.h"
#include "ir/ops/op.h"

namespace nnc {
namespace {

struct Share {
  enum Kind : uint8_t { constant, fixed, row, total, mean, other };
  Kind kind = other;
  int64_t axis = 0;              // row: which one counts rows
  double first = 1, second = 1;  // constant: its values; total: its factors

  bool is_rowless() const { return kind == fixed || (kind == constant && first == second); }
};

Share row_at(int64_t axis) { return {Share::row, axis}; }

struct Judge {
  const Graph &first, &second;
  const std::set<std::string>& per_row;
  std::vector<Share> shares{};

  const Share& of(NodeId id) const { return shares[id.value]; }
  bool same_dims(NodeId id) const { return first.type(id).dims == second.type(id).dims; }

  // A sum over rows whose factor falls as rows grow in number is a mean.
  Share settled(Share share) const {
    if (share.kind != Share::total) return share;
    const double a = share.first * static_cast<double>(first.batch);
    const double b = share.second * static_cast<double>(second.batch);
    return std::abs(a - b) <= 1e-6 * std::abs(a) ? Share{Share::mean} : share;
  }

  Share scaled(const Share& share, double a, double b) const {
    if (share.kind == Share::total) return {Share::total, 0, share.first * a, share.second * b};
    if (share.kind == Share::mean && a == b) return share;
    return {};
  }

  Share linear(const Node& node) const {
    const Share& x = of(node.operands[0]);
    switch (node.op) {
      case Op::neg:
        return scaled(x, -1, -1);
      case Op::cast:
      case Op::detach:
        return is_float(node.type.dtype) ? x : Share{};
      case Op::mul:
      case Op::div: {
        const Share& y = of(node.operands[1]);
        if (y.kind == Share::constant)
          return node.op == Op::mul ? scaled(x, y.first, y.second) : scaled(x, 1 / y.first, 1 / y.second);
        if (x.kind == Share::constant && node.op == Op::mul) return scaled(y, x.first, x.second);
        return {};
      }
      case Op::add:
      case Op::sub: {
        const Share& y = of(node.operands[1]);
        const bool alike =
            x.kind == Share::total && y.kind == Share::total && x.first == y.first && x.second == y.second;
        if (alike) return x;
        const auto affine = [&](const Share& share) {
          return share.is_rowless() || settled(share).kind == Share::mean;
        };
        return affine(x) && affine(y) ? Share{Share::mean} : Share{};
      }
      default:
        return {};
    }
  }

  Share map(const Node& node) const {
    if (node.op == Op::cast && of(node.operands[0]).kind == Share::constant) return of(node.operands[0]);
    const Share* row = nullptr;
    bool rowless = true, local = true;
    for (const NodeId operand : node.operands) {
      const Share& share = of(operand);
      rowless = rowless && share.is_rowless();
      if (share.kind == Share::row && row == nullptr) row = &share;
      const bool fits = share.kind == Share::row && share.axis == row->axis;
      local = local && (fits || share.is_rowless());
    }
    if (rowless) return {Share::fixed};
    if (row != nullptr) return local ? *row : Share{};
    return linear(node);
  }

  // The result of moving a value per row whose axis `axis` counts them.
  Share moved(const Node& node, int64_t axis) const {
    const Dims& from = first.type(node.operands[0]).dims;
    const auto k = static_cast<size_t>(axis);
    switch (node.op) {
      case Op::reshape:
        return axis == 0 && !node.type.dims.empty() && node.type.dims[0] == from[0] ? row_at(0) : Share{};
      case Op::transpose: {
        const auto& order = node.as<TransposeAttr>().permutation;
        return row_at(std::find(order.begin(), order.end(), axis) - order.begin());
      }
      case Op::broadcast:
        return row_at(node.as<BroadcastAttr>().axes[k]);
      case Op::slice: {
        const auto& slice = node.as<SliceAttr>();
        return slice.start[k] == 0 && slice.step[k] == 1 && node.type.dims[k] == from[k] ? row_at(axis) : Share{};
      }
      case Op::reverse: {
        const auto& axes = node.as<ReverseAttr>().axes;
        return std::find(axes.begin(), axes.end(), axis) == axes.end() ? row_at(axis) : Share{};
      }
      case Op::pad:
        return node.type.dims[k] == from[k] ? row_at(axis) : Share{};
      default:
        return {};
    }
  }

  Share gather(const Node& node) const {
    const Share &table = of(node.operands[0]), &ids = of(node.operands[1]);
    const int64_t axis = node.as<AxisAttr>().axis;
    if (table.is_rowless() && ids.kind == Share::row) return row_at(axis + ids.axis);
    if (table.kind != Share::row || !ids.is_rowless() || table.axis == axis) return {};
    return row_at(table.axis < axis ? table.axis : table.axis + first.type(node.operands[1]).rank() - 1);
  }

  Share concat(const Node& node) const {
    const Share* row = nullptr;
    for (const NodeId operand : node.operands) {
      const Share& share = of(operand);
      if (share.is_rowless()) continue;
      if (share.kind != Share::row || (row != nullptr && row->axis != share.axis)) return {};
      row = &share;
    }
    if (row == nullptr) return {};
    return row->axis != node.as<AxisAttr>().axis ? *row : Share{};
  }

  Share movement(NodeId id, const Node& node) const {
    if (node.op == Op::gather) return gather(node);
    if (node.op == Op::concat) return concat(node);
    if (node.operands.size() != 1) return {};
    const Share& x = of(node.operands[0]);
    if (x.kind == Share::row) return moved(node, x.axis);
    if (x.kind == Share::constant) return node.op == Op::pad ? Share{} : x;
    const bool copies = node.op == Op::reshape || node.op == Op::transpose || node.op == Op::broadcast;
    if (x.kind == Share::fixed && node.op == Op::broadcast) return x;
    return copies && same_dims(id) && same_dims(node.operands[0]) ? x : Share{};
  }

  Share reduce(const Node& node) const {
    const Share& x = of(node.operands[0]);
    if (node.op == Op::cumsum) return x.kind == Share::row && node.as<CumsumAttr>().axis != x.axis ? x : Share{};
    if (node.op != Op::reduce) return {};
    const auto& [reduction, axes, order] = node.as<ReduceAttr>();
    if (x.kind != Share::row) {
      if (!same_dims(node.operands[0])) return {};
      return x.is_rowless() ? Share{Share::fixed} : reduction == Reduction::sum ? x : Share{};
    }
    if (!std::binary_search(axes.begin(), axes.end(), x.axis))
      return row_at(x.axis - (std::lower_bound(axes.begin(), axes.end(), x.axis) - axes.begin()));
    return reduction == Reduction::sum ? Share{Share::total} : Share{};
  }

  // Each operand is rowless, or has the one index that counts rows on its axis of rows and nowhere else.
  Share contract(const Node& node) const {
    const IndexMap& map = node.as<ContractAttr>().map;
    int index = -1;
    for (size_t k = 0; k < node.operands.size(); ++k) {
      const Share& share = of(node.operands[k]);
      if (share.is_rowless()) continue;
      if (share.kind != Share::row) return {};
      const IndexTerm& term = map.operands[k][static_cast<size_t>(share.axis)];
      if (!term.is_plain() || (index >= 0 && term.terms[0].first != index)) return {};
      index = term.terms[0].first;
    }
    if (index < 0) return {};
    for (size_t k = 0; k < node.operands.size(); ++k) {
      for (size_t axis = 0; axis < map.operands[k].size(); ++axis) {
        const Share& share = of(node.operands[k]);
        if (share.kind == Share::row && static_cast<int64_t>(axis) == share.axis) continue;
        for (const auto& [other, coefficient] : map.operands[k][axis].terms) {
          if (other == index) return {};
        }
      }
    }
    const auto at = std::find(map.result.begin(), map.result.end(), index);
    return at == map.result.end() ? Share{Share::total} : row_at(at - map.result.begin());
  }

  Share share(NodeId id) const {
    const Node& node = first[id];
    if (node.op != second[id].op || node.operands != second[id].operands) return {};
    switch (definition(node.op).kind) {
      case OpKind::map:
        return map(node);
      case OpKind::movement:
        return movement(id, node);
      case OpKind::reduce:
        return reduce(node);
      case OpKind::contract:
        return contract(node);
      case OpKind::leaf:
        if (node.op == Op::constant)
          return {Share::constant, 0, node.as<ConstantAttr>().value, second[id].as<ConstantAttr>().value};
        if (node.op == Op::iota) {
          const auto axis = static_cast<size_t>(node.as<IotaAttr>().axis);
          return node.type.dims[axis] == second.type(id).dims[axis] ? Share{Share::fixed} : Share{};
        }
        if (node.op == Op::input) return per_row.contains(node.as<InputAttr>().name) ? row_at(0) : Share{Share::mean};
        return {};
      default:
        return {};
    }
  }
};

}  // namespace

bool is_mean_over_rows(const Graph& first, const Graph& second, const std::set<std::string>& per_row, NodeId result) {
  if (first.nodes.size() != second.nodes.size()) return false;
  Judge judge{first, second, per_row};
  for (size_t n = 0; n <= result.value; ++n) judge.shares.push_back(judge.share(NodeId(n)));
  const Share share = judge.settled(judge.of(result));
  return share.kind == Share::mean || share.is_rowless();
}

}  // namespace nnc
