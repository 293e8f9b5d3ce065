// Windows: what the prelude's convolution and pooling layers are made of.
#include <algorithm>

#include "frontend/builtins/shaping.h"
#include "frontend/builtins/tables.h"

namespace nnc {
namespace {

constexpr int64_t largest_rank = 8;  // of what has windows

// One number per spatial axis from a number or a list. Errors: below `least`.
std::optional<Dims> per_axis(Context& context, const Value& value, size_t axes, int64_t least, std::string_view what,
                             Span at) {
  std::vector<Value> items = value.is_list() ? value.items() : std::vector<Value>(axes, value);
  if (items.size() != axes) {
    fault(context, DiagnosticKind::bad_argument, at, "`{}` needs a number or a list of {}, found a list of {}", what,
          axes, items.size());
    return std::nullopt;
  }
  Dims numbers;
  for (const Value& item : items) {
    auto number = integer_from(context, item, fmt::format("`{}`", what), at);
    if (!number) return std::nullopt;
    if (*number < least || *number > 1 << 20) {
      fault(context, DiagnosticKind::bad_argument, at, "`{}` must be {} to {}, found {}", what, least, 1 << 20,
            *number);
      return std::nullopt;
    }
    numbers.push_back(*number);
  }
  return numbers;
}

struct Windows {
  Dims size, stride, padding, dilation;
  std::vector<Dim> places;  // how many windows lie along each axis
};

// The number of windows along each spatial axis. Errors: a window that is larger than the padded axis.
bool place_windows(Context& context, const Tensor& x, Windows& windows, Span at) {
  for (size_t k = 0; k < windows.size.size(); ++k) {
    int64_t extent = x.type.dims[k + 2] + 2 * windows.padding[k];
    int64_t reach = windows.dilation[k] * (windows.size[k] - 1) + 1;
    if (reach > extent) {
      Diagnostic& diagnostic =
          fault(context, DiagnosticKind::bad_argument, at, "a window of {} does not fit an axis of {}", reach, extent);
      label_at(context, diagnostic, at, type_text(x));
      return false;
    }
    windows.places.push_back({(extent - reach) / windows.stride[k] + 1, 0});
  }
  return true;
}

struct Grouping {
  int64_t groups, channels, outputs;  // channels and outputs of one group
  bool grouped() const { return groups > 1; }
};

// "n g c (s*p+d*r-q) …, g o c r … -> n g o p …"; a single group has no g. The places p are no operand's plain axis:
// their extents are set here.
IndexMap convolution_map(int64_t batch, const Grouping& grouping, const Windows& windows) {
  IndexMap map;
  auto add = [&](std::string name, int64_t extent) {
    map.names.push_back(std::move(name));
    map.extents.push_back(extent);
    return static_cast<int>(map.names.size() - 1);
  };
  int n = add("n", batch), g = grouping.grouped() ? add("g", grouping.groups) : -1;
  int c = add("c", grouping.channels), o = add("o", grouping.outputs);
  std::vector<IndexTerm> x_terms{IndexTerm::plain(n)}, w_terms;
  map.result = {n};
  if (g >= 0) {
    x_terms.push_back(IndexTerm::plain(g));
    w_terms.push_back(IndexTerm::plain(g));
    map.result.push_back(g);
  }
  x_terms.push_back(IndexTerm::plain(c));
  w_terms.push_back(IndexTerm::plain(o));
  w_terms.push_back(IndexTerm::plain(c));
  map.result.push_back(o);
  for (size_t k = 0; k < windows.size.size(); ++k) {
    int p = add(fmt::format("p{}", k), windows.places[k].extent), r = add(fmt::format("r{}", k), windows.size[k]);
    x_terms.push_back({{{p, windows.stride[k]}, {r, windows.dilation[k]}}, -windows.padding[k], 1});
    w_terms.push_back(IndexTerm::plain(r));
    map.result.push_back(p);
  }
  map.operands = {std::move(x_terms), std::move(w_terms)};
  return map;
}

// Splits axis `axis` of a node into groups and the rest.
NodeId split_groups(Context& context, NodeId node, size_t axis, int64_t groups) {
  Dims dims = context.build->type(node).dims;
  dims[axis] /= groups;
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), groups);
  return context.build->reshape(node, std::move(dims));
}

std::optional<Grouping> grouping_of(Context& context, const Tensor& x, const Tensor& weight,
                                    const CallArguments& arguments) {
  auto groups = integer_from(context, arguments[5], "`groups`", arguments.spans[5]);
  if (!groups) return std::nullopt;
  int64_t channels = x.type.dims[1], outputs = weight.type.dims[0];
  if (*groups >= 1 && channels % *groups == 0 && outputs % *groups == 0 && weight.type.dims[1] == channels / *groups) {
    return Grouping{*groups, channels / *groups, outputs / *groups};
  }
  fault(context, DiagnosticKind::shape_mismatch, arguments.call, "{} and weights {} do not fit {} group{}",
        type_text(x), type_text(weight), *groups, *groups == 1 ? "" : "s");
  return std::nullopt;
}

// convolution(x, weight, stride, padding, dilation, groups): [batch, C, …] and [O, C / groups, …] give [batch, O, …].
Value convolution(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  const Tensor& weight = arguments[1].tensor();
  if (x.rank() < 3 || x.rank() > largest_rank || weight.rank() != x.rank()) {
    fault(context, DiagnosticKind::shape_mismatch, arguments.call,
          "a convolution needs [batch, C, …] and [O, C, …], found {} and {}", type_text(x), type_text(weight));
    return poison();
  }
  size_t axes = x.batch.size() - 2;
  auto stride = per_axis(context, arguments[2], axes, 1, "stride", arguments.spans[2]);
  auto padding = per_axis(context, arguments[3], axes, 0, "padding", arguments.spans[3]);
  auto dilation = per_axis(context, arguments[4], axes, 1, "dilation", arguments.spans[4]);
  auto grouping = grouping_of(context, x, weight, arguments);
  if (!stride || !padding || !dilation || !grouping) return poison();
  Windows windows{Dims(weight.type.dims.begin() + 2, weight.type.dims.end()), *stride, *padding, *dilation, {}};
  if (!place_windows(context, x, windows, arguments.call)) return poison();
  std::vector<Dim> result{x.dim(0), weight.dim(0)};
  result.insert(result.end(), windows.places.begin(), windows.places.end());
  if (!may_exist(context, {DType::f32, 0, extents_of(result)}, arguments.call)) return poison();
  no_lowering(context, "convolution", arguments.call);
  NodeId left = real_node(context, x), right = real_node(context, weight);
  if (grouping->grouped()) {
    left = split_groups(context, left, 1, grouping->groups);
    right = split_groups(context, right, 0, grouping->groups);
  }
  NodeId node = context.build->contract(left, right, convolution_map(x.type.dims[0], *grouping, windows));
  if (grouping->grouped()) node = context.build->reshape(node, extents_of(result));
  return made(context, node, result);
}

// Windows that lie side by side without padding are axes of their own: cut off the rest, reshape, reduce.
NodeId pooled_by_reshape(Context& context, const Tensor& x, const Windows& windows, Reduction reduction) {
  GraphBuilder& build = *context.build;
  Dims cut = x.type.dims, split(x.type.dims.begin(), x.type.dims.begin() + 2);
  std::vector<int64_t> reduced;
  for (size_t k = 0; k < windows.size.size(); ++k) {
    cut[k + 2] = windows.places[k].extent * windows.size[k];
    split.push_back(windows.places[k].extent);
    split.push_back(windows.size[k]);
    reduced.push_back(static_cast<int64_t>(2 * k + 3));
  }
  NodeId node = real_node(context, x);
  if (cut != x.type.dims) node = build.slice(node, Dims(cut.size(), 0), cut, Dims(cut.size(), 1));
  return build.reduce(reduction, build.reshape(node, split), reduced);
}

// pool(x, "max" | "mean", size, stride, padding)
Value pool(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  bool largest = arguments[1].as<std::string>() == "max";
  if (x.rank() < 3 || x.rank() > largest_rank || (!largest && arguments[1].as<std::string>() != "mean")) {
    fault(context, DiagnosticKind::bad_argument, arguments.call,
          "`pool` needs [batch, C, …] and \"max\" or \"mean\", found {}", type_text(x));
    return poison();
  }
  size_t axes = x.batch.size() - 2;
  auto size = per_axis(context, arguments[2], axes, 1, "kernel_size", arguments.spans[2]);
  auto stride = per_axis(context, arguments[3], axes, 1, "stride", arguments.spans[3]);
  auto padding = per_axis(context, arguments[4], axes, 0, "padding", arguments.spans[4]);
  if (!size || !stride || !padding) return poison();
  Windows windows{*size, *stride, *padding, Dims(axes, 1), {}};
  if (!place_windows(context, x, windows, arguments.call)) return poison();
  std::vector<Dim> result{x.dim(0), x.dim(1)};
  result.insert(result.end(), windows.places.begin(), windows.places.end());
  Reduction reduction = largest ? Reduction::max : Reduction::sum;
  GraphBuilder& build = *context.build;
  NodeId node;
  if (*stride == *size && std::all_of(padding->begin(), padding->end(), [](int64_t p) { return p == 0; })) {
    node = pooled_by_reshape(context, x, windows, reduction);
  } else {
    no_lowering(context, "pooling with windows that overlap or are padded", arguments.call);
    auto all_axes = [](Dims spatial, int64_t other) {
      spatial.insert(spatial.begin(), 2, other);
      return spatial;
    };
    node = build.window(real_node(context, x), {reduction, all_axes(*size, 1), all_axes(*stride, 1), Dims(axes + 2, 1),
                                                all_axes(*padding, 0), all_axes(*padding, 0)});
  }
  int64_t elements = 1;
  for (int64_t extent : *size) elements *= extent;
  if (!largest) node = build.mul(node, build.constant_like(1.0 / static_cast<double>(elements), node));
  return made(context, node, result);
}

bool is_tensor(Context& context, const CallArguments& arguments, size_t position) {
  if (arguments[position].is_tensor()) return true;
  fault(context, DiagnosticKind::wrong_operand, arguments.spans[position], "`{}` needs a tensor, found {}",
        arguments.name, describe(arguments[position]));
  return false;
}

Value checked_convolution(Context& context, const CallArguments& arguments) {
  return is_tensor(context, arguments, 0) && is_tensor(context, arguments, 1) ? convolution(context, arguments)
                                                                              : poison();
}

Value checked_pool(Context& context, const CallArguments& arguments) {
  return is_tensor(context, arguments, 0) ? pool(context, arguments) : poison();
}

}  // namespace

std::span<const Builtin> window_functions() {
  static constexpr Builtin table[] = {
      {"convolution", "x: tensor, weight: tensor, stride = 1, padding = 0, dilation = 1, groups: int = 1",
       checked_convolution},
      {"pool", "x: tensor, kind: string, kernel_size, stride, padding = 0", checked_pool},
  };
  return table;
}

}  // namespace nnc
