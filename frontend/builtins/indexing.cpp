#include "frontend/builtins/indexing.h"

#include <algorithm>
#include <numeric>

#include "frontend/builtins/shaping.h"

namespace nnc {
namespace {

// What one axis keeps: `count` elements from `first`, `step` apart (negative: backwards).
struct AxisSlice {
  int64_t first = 0, count = 1, step = 1;
  bool whole = false;  // no bound was written: a batch axis stays one
};

std::optional<int64_t> bound_from(Context& context, const Value& value, int64_t extent, int64_t otherwise, int64_t low,
                                  int64_t high, Span at) {
  if (value.is_none()) return otherwise;
  auto bound = integer_from(context, value, "an index", at);
  if (!bound) return std::nullopt;
  return std::clamp(*bound < 0 ? std::max(*bound, -extent - 1) + extent : *bound, low, high);
}

// NumPy's rule for begin:end:step on an axis of `extent`.
std::optional<AxisSlice> slice_of(Context& context, const IndexArgument& item, int64_t extent) {
  int64_t step = 1;
  if (!item.step.is_none()) {
    auto given = integer_from(context, item.step, "a step", item.span);
    if (!given) return std::nullopt;
    step = std::clamp(*given, -max_extent, max_extent);
  }
  if (step == 0) {
    fault(context, DiagnosticKind::index_range, item.span, "the step of a slice must not be 0");
    return std::nullopt;
  }
  bool back = step < 0;
  int64_t low = back ? -1 : 0, high = back ? extent - 1 : extent;
  auto begin = bound_from(context, item.begin, extent, back ? high : low, low, high, item.span);
  auto end = bound_from(context, item.end, extent, back ? low : high, low, high, item.span);
  if (!begin || !end) return std::nullopt;
  int64_t distance = back ? *begin - *end : *end - *begin;
  return AxisSlice{*begin, distance <= 0 ? 0 : (distance + std::abs(step) - 1) / std::abs(step), step};
}

std::optional<int64_t> position_of(Context& context, const IndexArgument& item, int64_t extent,
                                   std::string_view where) {
  auto at = integer_from(context, item.at, "an index", item.span);
  if (!at) return std::nullopt;
  if (*at >= -extent && *at < extent) return *at < 0 ? *at + extent : *at;
  fault(context, DiagnosticKind::index_range, item.span, "index {} is outside {} of {} element{}", *at, where, extent,
        extent == 1 ? "" : "s");
  return std::nullopt;
}

Value index_list(Context& context, const Value& base, const std::vector<IndexArgument>& items, Span whole) {
  const auto& all = base.items();
  auto extent = static_cast<int64_t>(all.size());
  if (items.size() != 1 || items[0].kind == IndexArgument::Kind::ellipsis) {
    fault(context, DiagnosticKind::index_range, whole, "a list has one axis: `xs[0]`, `xs[1:]`");
    return poison();
  }
  if (items[0].kind == IndexArgument::Kind::at) {
    auto at = position_of(context, items[0], extent, "the list");
    return at ? all[static_cast<size_t>(*at)] : poison();
  }
  auto slice = slice_of(context, items[0], extent);
  if (!slice) return poison();
  std::vector<Value> kept;
  for (int64_t k = 0; k < slice->count; ++k) kept.push_back(all[static_cast<size_t>(slice->first + k * slice->step)]);
  return list_value(std::move(kept), whole);
}

struct Selection {
  std::vector<AxisSlice> slices;
  std::vector<bool> dropped;
};

std::optional<Selection> selection_of(Context& context, const Tensor& x, const std::vector<IndexArgument>& items,
                                      Span whole) {
  auto is_ellipsis = [](const IndexArgument& item) { return item.kind == IndexArgument::Kind::ellipsis; };
  auto given =
      static_cast<int64_t>(items.size() - static_cast<size_t>(std::count_if(items.begin(), items.end(), is_ellipsis)));
  if (given > x.rank()) {
    fault(context, DiagnosticKind::index_range, whole, "{} indices for the {} ax{} of {}", given, x.rank(),
          x.rank() == 1 ? "is" : "es", type_text(x));
    return std::nullopt;
  }
  Selection selection;
  auto keep_axes = [&](int64_t count) {
    for (int64_t k = 0; k < count; ++k) {
      selection.slices.push_back({0, x.type.dims[selection.slices.size()], 1, true});
      selection.dropped.push_back(false);
    }
  };
  for (const IndexArgument& item : items) {
    if (is_ellipsis(item)) {
      keep_axes(x.rank() - given);
      continue;
    }
    int64_t axis = static_cast<int64_t>(selection.slices.size());
    int64_t extent = x.type.dims[static_cast<size_t>(axis)];
    bool at = item.kind == IndexArgument::Kind::at;
    AxisSlice kept;
    if (at) {
      auto position = position_of(context, item, extent, fmt::format("axis {}", axis));
      if (!position) return std::nullopt;
      kept.first = *position;
    } else {
      auto slice = slice_of(context, item, extent);
      if (!slice) return std::nullopt;
      kept = *slice;
      kept.whole = item.begin.is_none() && item.end.is_none() && std::abs(kept.step) == 1;
    }
    if (kept.count == 0) {
      fault(context, DiagnosticKind::index_range, item.span, "the slice of axis {} ({} elements) is empty", axis,
            extent);
      return std::nullopt;
    }
    selection.slices.push_back(kept);
    selection.dropped.push_back(at);
  }
  keep_axes(x.rank() - static_cast<int64_t>(selection.slices.size()));
  return selection;
}

}  // namespace

Value index_value(Context& context, const Value& base, const std::vector<IndexArgument>& items, Span base_span,
                  Span whole) {
  if (base.is_poison()) return poison();
  for (const IndexArgument& item : items) {
    for (const Value* part : {&item.at, &item.begin, &item.end, &item.step}) {
      if (part->is_poison()) return poison();
    }
  }
  if (base.is_list()) return index_list(context, base, items, whole);
  if (!base.is_tensor()) {
    fault(context, DiagnosticKind::wrong_operand, base_span, "tensors and lists have indices, {} has none",
          describe(base));
    return poison();
  }
  const Tensor& x = base.tensor();
  auto selection = selection_of(context, x, items, whole);
  if (!selection) return poison();
  Dims starts, sizes, steps;
  std::vector<int64_t> reversed;
  std::vector<Dim> sliced, result;
  for (size_t axis = 0; axis < selection->slices.size(); ++axis) {
    const AxisSlice& kept = selection->slices[axis];
    starts.push_back(kept.step < 0 ? kept.first + (kept.count - 1) * kept.step : kept.first);
    sizes.push_back(kept.count);
    steps.push_back(kept.count == 1 ? 1 : std::abs(kept.step));
    if (kept.step < 0 && kept.count > 1) reversed.push_back(static_cast<int64_t>(axis));
    sliced.push_back(kept.whole ? x.dim(static_cast<int64_t>(axis)) : Dim{kept.count, 0});
    if (!selection->dropped[axis]) result.push_back(sliced.back());
  }
  GraphBuilder& build = *context.build;
  NodeId node = sizes == x.type.dims ? x.node : build.slice(x.node, starts, sizes, steps);
  if (!reversed.empty()) node = build.reverse(node, reversed);
  if (result.size() != sliced.size()) node = build.reshape(node, extents_of(result));
  return made(context, node, result);
}

Value transposed(Context& context, const Value& base, Span whole) {
  if (base.is_poison()) return poison();
  if (!base.is_tensor() || base.tensor().rank() < 2) {
    fault(context, DiagnosticKind::wrong_operand, whole, "`.T` swaps the last two axes, {} has fewer",
          base.is_tensor() ? type_text(base.tensor()) : describe(base));
    return poison();
  }
  std::vector<int64_t> permutation(static_cast<size_t>(base.tensor().rank()));
  std::iota(permutation.begin(), permutation.end(), 0);
  std::swap(permutation[permutation.size() - 1], permutation[permutation.size() - 2]);
  return permute(context, base.tensor(), permutation);
}

}  // namespace nnc
