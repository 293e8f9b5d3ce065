// rearrange and einsum.
#include <algorithm>
#include <map>

#include "frontend/builtins/contraction.h"
#include "frontend/builtins/patterns.h"
#include "frontend/builtins/shaping.h"
#include "frontend/builtins/tables.h"

namespace nnc {
namespace {

Diagnostic& bad_pattern(Context& context, Span at, std::string why) {
  return fault(context, DiagnosticKind::bad_pattern, at, "{}", why);
}

std::string axis_text(const PatternAxis& axis) {
  return axis.names.size() == 1 ? axis.names[0] : fmt::format("({})", fmt::join(axis.names, " "));
}

// ---- rearrange

using Sizes = std::map<std::string, Dim>;

// Sizes given by name: `h = heads`.
std::optional<Sizes> named_sizes(Context& context, const CallArguments& arguments) {
  Sizes sizes;
  for (const Value& pair : arguments[2].items()) {
    const std::string& name = pair.items()[0].as<std::string>();
    const Value& value = pair.items()[1];
    if (value.is_poison()) return std::nullopt;
    auto extent = integer_from(context, value, fmt::format("the size `{}`", name), arguments.spans[2]);
    if (!extent) return std::nullopt;
    if (*extent < 1) {
      fault(context, DiagnosticKind::bad_argument, arguments.spans[2], "the size `{}` must be at least 1, found {}",
            name, *extent);
      return std::nullopt;
    }
    sizes[name] = {*extent, value.as<Number>().batch_multiple};
  }
  return sizes;
}

// Finds the sizes of the names in one axis of the operand: at most one of them may be unknown.
bool solve_axis(Context& context, const PatternAxis& axis, Dim dim, Sizes& sizes, Span at) {
  int64_t known = 1;
  const std::string* unknown = nullptr;
  for (const std::string& name : axis.names) {
    auto size = sizes.find(name);
    if (size == sizes.end() && unknown) {
      bad_pattern(context, at, fmt::format("the sizes of `{}` and `{}` are not known", *unknown, name))
          .help(fmt::format("give one: `{} = …`", name));
      return false;
    }
    if (size == sizes.end()) {
      unknown = &name;
    } else if (known > dim.extent || size->second.extent > dim.extent) {
      known = dim.extent + 1;
    } else {
      known *= size->second.extent;
    }
  }
  if (known > dim.extent || dim.extent % known != 0 || (!unknown && known != dim.extent)) {
    bad_pattern(context, at, fmt::format("`{}` does not divide an axis of {}", axis_text(axis), dim_text(dim)));
    return false;
  }
  if (!unknown) return true;
  bool divides = dim.batch_multiple % known == 0;
  sizes[*unknown] = {dim.extent / known, divides ? dim.batch_multiple / known : 0};
  return true;
}

// All names of a side in order.
std::vector<std::string> flat_names(const std::vector<PatternAxis>& axes) {
  std::vector<std::string> names;
  for (const PatternAxis& axis : axes) names.insert(names.end(), axis.names.begin(), axis.names.end());
  return names;
}

// Both sides must have the same names, each once.
bool check_rearrangement(Context& context, const std::vector<std::string>& from, const std::vector<std::string>& to,
                         Span at) {
  for (const auto* side : {&from, &to}) {
    std::vector<std::string> sorted = *side;
    std::sort(sorted.begin(), sorted.end());
    auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice == sorted.end()) continue;
    bad_pattern(context, at, fmt::format("`{}` occurs twice on one side", *twice));
    return false;
  }
  for (bool left : {true, false}) {
    for (const std::string& name : left ? from : to) {
      const auto& other = left ? to : from;
      if (std::find(other.begin(), other.end(), name) != other.end()) continue;
      std::string shown = name.starts_with("...") ? "..." : name;
      Diagnostic& diagnostic =
          bad_pattern(context, at, fmt::format("`{}` is only {} of `->`", shown, left ? "left" : "right"));
      diagnostic.help(left ? "`sum` or `mean` takes an axis away" : "`expand` repeats along a new axis");
      return false;
    }
  }
  return true;
}

Dim product_of(const PatternAxis& axis, const Sizes& sizes) {
  Dim dim{1, 0};
  int marked = 0;
  for (const std::string& name : axis.names) {
    Dim part = sizes.at(name);
    marked += part.batch_multiple != 0;
    int64_t extent = dim.extent * part.extent;
    if (part.batch_multiple != 0)
      dim.batch_multiple = part.batch_multiple * dim.extent;
    else
      dim.batch_multiple *= part.extent;
    dim.extent = extent;
  }
  if (marked > 1) dim.batch_multiple = 0;
  return dim;
}

Value rearrange(Context& context, const CallArguments& arguments) {
  Span at = arguments.spans[1];
  if (!arguments[0].is_tensor()) {
    fault(context, DiagnosticKind::wrong_operand, arguments.spans[0], "`rearrange` needs a tensor, found {}",
          describe(arguments[0]));
    return poison();
  }
  const Tensor& x = arguments[0].tensor();
  std::string error;
  auto pattern = parse_pattern(arguments[1].as<std::string>(), true, error);
  if (!pattern || pattern->operands.size() != 1) {
    bad_pattern(context, at, pattern ? "`rearrange` takes one tensor" : error)
        .help("a pattern looks like \"b t (h d) -> b h t d\"");
    return poison();
  }
  auto& axes = pattern->operands[0];
  auto dots_at = [](const PatternAxis& axis) { return axis.ellipsis; };
  size_t leading = std::any_of(axes.begin(), axes.end(), dots_at)
                       ? x.batch.size() + 1 - std::min(axes.size(), x.batch.size() + 1)
                       : 0;
  size_t result_rank = pattern->result.size() + leading;
  if (std::any_of(pattern->result.begin(), pattern->result.end(), dots_at))
    --result_rank;
  else
    result_rank = pattern->result.size();
  if (!expand_ellipsis(axes, x.batch.size())) {
    Diagnostic& diagnostic = bad_pattern(
        context, at, fmt::format("the pattern has {} axes, {} has {}", axes.size(), type_text(x), x.rank()));
    label_at(context, diagnostic, arguments.spans[0], type_text(x));
    return poison();
  }
  expand_ellipsis(pattern->result, result_rank);
  std::vector<std::string> from = flat_names(axes), to = flat_names(pattern->result);
  auto sizes = named_sizes(context, arguments);
  if (!sizes || !check_rearrangement(context, from, to, at)) return poison();
  for (const auto& [name, size] : *sizes) {
    if (std::find(from.begin(), from.end(), name) != from.end()) continue;
    bad_pattern(context, arguments.spans[2], fmt::format("the pattern has no `{}`", name))
        .help(similar("name", name, from));
    return poison();
  }
  for (size_t k = 0; k < axes.size(); ++k) {
    if (!solve_axis(context, axes[k], x.dim(static_cast<int64_t>(k)), *sizes, at)) return poison();
  }
  // Split, permute, merge; each only where something changes.
  std::vector<Dim> split, merged;
  for (const std::string& name : from) split.push_back(sizes->at(name));
  std::vector<int64_t> permutation;
  for (const std::string& name : to) permutation.push_back(std::find(from.begin(), from.end(), name) - from.begin());
  for (const PatternAxis& axis : pattern->result) merged.push_back(product_of(axis, *sizes));
  if (split.size() > static_cast<size_t>(max_rank) || merged.size() > static_cast<size_t>(max_rank)) {
    bad_pattern(context, at, fmt::format("more than {} axes", max_rank));
    return poison();
  }
  Value parts = reshape_to(context, x, split);
  Value ordered = permute(context, parts.tensor(), permutation);
  return reshape_to(context, ordered.tensor(), merged);
}

// ---- einsum

// Checks that every name has one size over all operands; axes of 1 do not stretch, but for `...`, which broadcasts.
bool check_sizes(Context& context, const std::vector<Named>& operands, const CallArguments& arguments) {
  std::map<std::string, Dim> sizes;
  for (const Named& operand : operands) {
    for (size_t axis = 0; axis < operand.names.size(); ++axis) {
      Dim dim = operand.tensor.dim(static_cast<int64_t>(axis));
      auto [known, fresh] = sizes.try_emplace(operand.names[axis], dim);
      if (fresh || known->second == dim) continue;
      bool dots = operand.names[axis].starts_with("...");
      if (dots && (dim == Dim{1, 0} || known->second == Dim{1, 0})) {
        if (known->second == Dim{1, 0}) known->second = dim;
        continue;
      }
      Diagnostic& diagnostic = fault(context, DiagnosticKind::shape_mismatch, arguments.spans[0],
                                     "`{}` is {} in one operand and {} in another", dots ? "..." : operand.names[axis],
                                     dim_text(known->second), dim_text(dim));
      for (const Value& value : arguments[1].items())
        label_at(context, diagnostic, value.origin, type_text(value.tensor()));
      return false;
    }
  }
  return true;
}

// One operand: diagonals by a product with 1, sums, then the order of the result.
Value einsum_single(Context& context, Named operand, const std::vector<std::string>& result) {
  std::vector<std::string> sorted = operand.names;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    Value one = made(context, context.build->constant(1, {operand.tensor.type.dtype, 0, {}}), {});
    return contract_named(context, std::move(operand), {one.tensor(), {}}, result);
  }
  std::vector<int64_t> summed;
  std::vector<std::string> left;
  std::vector<Dim> dims;
  for (size_t axis = 0; axis < operand.names.size(); ++axis) {
    if (std::find(result.begin(), result.end(), operand.names[axis]) == result.end()) {
      summed.push_back(static_cast<int64_t>(axis));
    } else {
      left.push_back(operand.names[axis]);
      dims.push_back(operand.tensor.dim(static_cast<int64_t>(axis)));
    }
  }
  NodeId node = operand.tensor.node;
  if (!summed.empty()) node = context.build->reduce(Reduction::sum, node, summed);
  Value rest = made(context, node, dims);
  std::vector<int64_t> permutation;
  for (const std::string& name : result)
    permutation.push_back(std::find(left.begin(), left.end(), name) - left.begin());
  return permute(context, rest.tensor(), permutation);
}

// Left to right: each product keeps the names that a later operand or the result needs.
Value einsum_product(Context& context, const std::vector<Named>& operands, const std::vector<std::string>& result) {
  if (operands.size() == 1) return einsum_single(context, operands[0], result);
  Named product = operands[0];
  for (size_t k = 1; k < operands.size(); ++k) {
    std::vector<std::string> kept;
    if (k + 1 == operands.size()) {
      kept = result;
    } else {
      auto needed = [&](const std::string& name) {
        if (std::find(result.begin(), result.end(), name) != result.end()) return true;
        return std::any_of(operands.begin() + static_cast<std::ptrdiff_t>(k) + 1, operands.end(),
                           [&](const Named& later) {
                             return std::find(later.names.begin(), later.names.end(), name) != later.names.end();
                           });
      };
      for (const Named* side : {static_cast<const Named*>(&product), &operands[k]}) {
        for (const std::string& name : side->names) {
          if (needed(name) && std::find(kept.begin(), kept.end(), name) == kept.end()) kept.push_back(name);
        }
      }
    }
    Value value = contract_named(context, std::move(product), operands[k], kept);
    if (value.is_poison()) return value;
    product = {value.tensor(), std::move(kept)};
  }
  return made(context, product.tensor.node, dims_of(product.tensor));
}

std::optional<std::vector<Named>> named_operands(Context& context, Pattern& pattern, const CallArguments& arguments,
                                                 size_t& dots) {
  const auto& values = arguments[1].items();
  if (values.size() != pattern.operands.size()) {
    bad_pattern(context, arguments.spans[0],
                fmt::format("the pattern has {} operand{}, {} given", pattern.operands.size(),
                            pattern.operands.size() == 1 ? "" : "s", values.size()));
    return std::nullopt;
  }
  std::vector<Operand> all;
  for (const Value& value : values) {
    if (value.is_poison()) return std::nullopt;
    all.push_back({value, arguments.spans[1]});
  }
  auto dtype = meet(context, all, Meeting::real, "`einsum`");
  if (!dtype) return std::nullopt;
  std::vector<Named> operands;
  for (size_t k = 0; k < values.size(); ++k) {
    std::vector<Dim> dims;
    if (values[k].is_tensor()) dims = dims_of(values[k].tensor());
    auto& axes = pattern.operands[k];
    size_t plain = static_cast<size_t>(
        std::count_if(axes.begin(), axes.end(), [](const PatternAxis& axis) { return !axis.ellipsis; }));
    if (!expand_ellipsis(axes, dims.size())) {
      Diagnostic& diagnostic =
          bad_pattern(context, arguments.spans[0],
                      fmt::format("operand {} has {} axes in the pattern, {} is given", k + 1, plain,
                                  values[k].is_tensor() ? type_text(values[k].tensor()) : "a number"));
      if (axes.size() == 1 && axes[0].names[0].size() == dims.size())
        diagnostic.help("separate the axes by spaces: \"b i, o i -> b o\"");
      return std::nullopt;
    }
    if (axes.size() != plain) dots = std::max(dots, dims.size() - plain);
    operands.push_back({made(context, placed(context, values[k], *dtype, dims), dims).tensor(), flat_names(axes)});
  }
  return operands;
}

Value einsum(Context& context, const CallArguments& arguments) {
  Span at = arguments.spans[0];
  std::string error;
  auto pattern = parse_pattern(arguments[0].as<std::string>(), false, error);
  if (!pattern) {
    bad_pattern(context, at, error).help("a pattern looks like \"b i, o i -> b o\"");
    return poison();
  }
  size_t dots = 0;
  auto operands = named_operands(context, *pattern, arguments, dots);
  if (!operands) return poison();
  bool dotted = std::any_of(pattern->result.begin(), pattern->result.end(),
                            [](const PatternAxis& axis) { return axis.ellipsis; });
  expand_ellipsis(pattern->result, pattern->result.size() + (dotted ? dots - 1 : 0));
  std::vector<std::string> result = flat_names(pattern->result);
  for (size_t k = 0; k < result.size(); ++k) {
    bool twice = std::find(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(k), result[k]) !=
                 result.begin() + static_cast<std::ptrdiff_t>(k);
    bool known = std::any_of(operands->begin(), operands->end(), [&](const Named& operand) {
      return std::find(operand.names.begin(), operand.names.end(), result[k]) != operand.names.end();
    });
    if (known && !twice) continue;
    bad_pattern(context, at,
                fmt::format("`{}` {}", result[k], twice ? "occurs twice right of `->`" : "is in no operand"));
    return poison();
  }
  return check_sizes(context, *operands, arguments) ? einsum_product(context, *operands, result) : poison();
}

}  // namespace

std::span<const Builtin> pattern_functions() {
  static constexpr Builtin table[] = {
      {"rearrange", "x: tensor, pattern: string, **sizes", rearrange},
      {"einsum", "pattern: string, *operands", einsum},
  };
  return table;
}

}  // namespace nnc
