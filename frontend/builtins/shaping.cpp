#include "frontend/builtins/shaping.h"

#include <algorithm>
#include <numeric>

#include "frontend/builtins/tables.h"

namespace nnc {

Value reshape_to(Context& context, const Tensor& x, const std::vector<Dim>& dims) {
  Dims extents = extents_of(dims);
  return made(context, extents == x.type.dims ? x.node : context.build->reshape(x.node, std::move(extents)), dims);
}

Value permute(Context& context, const Tensor& x, const std::vector<int64_t>& permutation) {
  std::vector<Dim> dims;
  for (int64_t axis : permutation) dims.push_back(x.dim(axis));
  bool same = std::is_sorted(permutation.begin(), permutation.end());
  return made(context, same ? x.node : context.build->transpose(x.node, permutation), dims);
}

Value slice_axis(Context& context, const Tensor& x, int64_t axis, int64_t start, int64_t size) {
  std::vector<Dim> dims = dims_of(x);
  if (size == x.type.dims[static_cast<size_t>(axis)]) return made(context, x.node, dims);
  dims[static_cast<size_t>(axis)] = {size, 0};
  Dims starts(dims.size(), 0), steps(dims.size(), 1);
  starts[static_cast<size_t>(axis)] = start;
  return made(context, context.build->slice(x.node, starts, extents_of(dims), steps), dims);
}

Value with_unit_axis(Context& context, const Tensor& x, int64_t axis) {
  std::vector<Dim> dims = dims_of(x);
  dims.insert(dims.begin() + axis, Dim{1, 0});
  return reshape_to(context, x, dims);
}

namespace {

int64_t elements_of(std::span<const Dim> dims) {
  int64_t elements = 1;
  for (Dim dim : dims) elements *= dim.extent;
  return elements;
}

// Several axes as one: a single batch axis among them makes it a multiple of the batch.
Dim merged(std::span<const Dim> dims) {
  Dim result{elements_of(dims), 0};
  for (Dim dim : dims) {
    if (dim.batch_multiple == 0) continue;
    if (result.batch_multiple != 0) return {result.extent, 0};
    result.batch_multiple = result.extent / dim.extent * dim.batch_multiple;
  }
  return result;
}

void report_reshape(Context& context, const Tensor& x, std::span<const Dim> dims, const CallArguments& arguments) {
  Diagnostic& diagnostic =
      fault(context, DiagnosticKind::shape_mismatch, arguments.call, "{} has {} elements, {} has {}", type_text(x),
            x.type.elements(), shape_text(dims), elements_of(dims));
  label_at(context, diagnostic, arguments.spans[0], type_text(x));
}

// Leading and trailing axes that stay the same give their batch marks to the new shape.
void carry_marks(const Tensor& x, std::vector<Dim>& dims) {
  for (size_t k = 0; k < dims.size() && k < x.batch.size() && dims[k].extent == x.type.dims[k]; ++k) {
    dims[k].batch_multiple = std::max(dims[k].batch_multiple, x.batch[k]);
  }
}

Value reshape(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  auto dims = dims_from(context, arguments[1], arguments.spans[1], true);
  if (!dims) return poison();
  auto rest = std::find_if(dims->begin(), dims->end(), [](Dim dim) { return dim.extent == -1; });
  if (rest != dims->end()) {
    rest->extent = 1;
    // Bounded before it is multiplied: a wrong shape may have any product.
    if (!may_exist(context, {x.type.dtype, 0, extents_of(*dims)}, arguments.spans[1])) return poison();
    int64_t known = elements_of(*dims);
    if (x.type.elements() % known != 0) {
      fault(context, DiagnosticKind::shape_mismatch, arguments.call, "the {} elements of {} do not divide by {}",
            x.type.elements(), type_text(x), known);
      return poison();
    }
    rest->extent = x.type.elements() / known;
    bool batch_is_named = std::any_of(dims->begin(), dims->end(), [](Dim dim) { return dim.batch_multiple != 0; });
    Dim all = merged(dims_of(x));
    if (!batch_is_named && all.batch_multiple != 0 && all.batch_multiple % known == 0)
      rest->batch_multiple = all.batch_multiple / known;
  }
  if (elements_of(*dims) != x.type.elements()) {
    report_reshape(context, x, *dims, arguments);
    return poison();
  }
  carry_marks(x, *dims);
  return reshape_to(context, x, *dims);
}

Value flatten(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  if (x.rank() == 0) return with_unit_axis(context, x, 0);
  auto from = axis_from(context, arguments[1], x.rank(), arguments.spans[1]);
  auto to = axis_from(context, arguments[2], x.rank(), arguments.spans[2]);
  if (!from || !to) return poison();
  if (*from > *to) {
    fault(context, DiagnosticKind::axis_range, arguments.call,
          "`flatten` from axis {} to axis {}: the first must not lie behind", *from, *to);
    return poison();
  }
  std::vector<Dim> dims = dims_of(x);
  Dim joined = merged(std::span(dims).subspan(static_cast<size_t>(*from), static_cast<size_t>(*to - *from + 1)));
  dims.erase(dims.begin() + *from + 1, dims.begin() + *to + 1);
  dims[static_cast<size_t>(*from)] = joined;
  return reshape_to(context, x, dims);
}

Value squeeze(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  std::vector<Dim> dims;
  if (arguments[1].is_none()) {
    for (Dim dim : dims_of(x)) {
      if (dim != Dim{1, 0}) dims.push_back(dim);
    }
    return reshape_to(context, x, dims);
  }
  auto axes = axes_from(context, arguments[1], x.rank(), arguments.spans[1]);
  if (!axes) return poison();
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    if (!std::binary_search(axes->begin(), axes->end(), axis)) {
      dims.push_back(x.dim(axis));
    } else if (x.type.dims[static_cast<size_t>(axis)] != 1) {
      Diagnostic& diagnostic =
          fault(context, DiagnosticKind::shape_mismatch, arguments.call,
                "only an axis of size 1 can be dropped, axis {} has {}", axis, dim_text(x.dim(axis)));
      label_at(context, diagnostic, arguments.spans[0], type_text(x));
      return poison();
    }
  }
  return reshape_to(context, x, dims);
}

// Axes are counted in the result.
Value unsqueeze(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  int64_t added = arguments[1].is_list() ? static_cast<int64_t>(arguments[1].items().size()) : 1;
  if (arguments[1].is_none() || x.rank() + added > max_rank) {
    fault(context, DiagnosticKind::bad_argument, arguments.call, "`unsqueeze` needs an axis, and at most {} of them",
          max_rank);
    return poison();
  }
  auto axes = axes_from(context, arguments[1], x.rank() + added, arguments.spans[1]);
  if (!axes) return poison();
  std::vector<Dim> dims = dims_of(x);
  for (int64_t axis : *axes) dims.insert(dims.begin() + axis, Dim{1, 0});
  return reshape_to(context, x, dims);
}

// expand(x, dims): broadcasts; -1 keeps an axis.
Value expand(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  auto dims = dims_from(context, arguments[1], arguments.spans[1], true);
  if (!dims) return poison();
  for (size_t k = 0; k < dims->size(); ++k) {
    if ((*dims)[k].extent == -1 && dims->size() - k <= x.type.dims.size()) {
      (*dims)[k] = x.dim(x.rank() - static_cast<int64_t>(dims->size() - k));
    }
  }
  auto fitted = fitted_to(context, arguments[0], x.type.dtype, *dims, arguments.call);
  return fitted ? Value(*fitted) : poison();
}

// transpose(x, 0, 1) swaps two axes, transpose(x, [0, 2, 1]) gives their new order.
Value transpose(Context& context, const CallArguments& arguments) {
  const Tensor& x = arguments[0].tensor();
  std::vector<int64_t> permutation(static_cast<size_t>(x.rank()));
  std::iota(permutation.begin(), permutation.end(), 0);
  const Value& first = arguments[1];
  if (first.is_list()) {
    if (!axes_from(context, first, x.rank(), arguments.spans[1])) return poison();
    if (static_cast<int64_t>(first.items().size()) != x.rank()) {
      fault(context, DiagnosticKind::bad_argument, arguments.spans[1], "{} axes are listed, {} has {}",
            first.items().size(), type_text(x), x.rank());
      return poison();
    }
    for (size_t k = 0; k < permutation.size(); ++k)
      permutation[k] = *axis_from(context, first.items()[k], x.rank(), arguments.spans[1]);
    return permute(context, x, permutation);
  }
  if (arguments[2].is_none()) {
    fault(context, DiagnosticKind::bad_argument, arguments.call, "`transpose` needs two axes or a list of all")
        .help("`x.T` swaps the last two");
    return poison();
  }
  auto a = axis_from(context, first, x.rank(), arguments.spans[1]);
  auto b = axis_from(context, arguments[2], x.rank(), arguments.spans[2]);
  if (!a || !b) return poison();
  std::swap(permutation[static_cast<size_t>(*a)], permutation[static_cast<size_t>(*b)]);
  return permute(context, x, permutation);
}

Value rank_of(Context&, const CallArguments& arguments) {
  return number_value(arguments[0].is_tensor() ? static_cast<double>(arguments[0].tensor().rank()) : 0, arguments.call);
}

Value shape_of(Context&, const CallArguments& arguments) {
  std::vector<Value> sizes;
  if (arguments[0].is_tensor()) {
    for (Dim dim : dims_of(arguments[0].tensor())) {
      const Number size{static_cast<double>(dim.extent), dim.batch_multiple, dim.batch_multiple != 0};
      sizes.emplace_back(size, arguments.call);
    }
  }
  return list_value(std::move(sizes), arguments.call);
}

Value length_of(Context& context, const CallArguments& arguments) {
  const Value& x = arguments[0];
  if (x.is_list()) return number_value(static_cast<double>(x.items().size()), arguments.call);
  Diagnostic& diagnostic =
      fault(context, DiagnosticKind::wrong_operand, arguments.spans[0], "`len` needs a list, found {}", describe(x));
  if (x.is_tensor()) diagnostic.help("`shape(x)[0]` is the size of the first axis");
  return poison();
}

// Movement of a plain number is nothing to do; of a bool or string a mistake that binding has caught.
template <Value (*function)(Context&, const CallArguments&)>
Value on_tensor(Context& context, const CallArguments& arguments) {
  if (arguments[0].is_tensor()) return function(context, arguments);
  fault(context, DiagnosticKind::wrong_operand, arguments.spans[0], "`{}` needs a tensor, found {}", arguments.name,
        describe(arguments[0]));
  return poison();
}

}  // namespace

std::span<const Builtin> shape_functions() {
  static constexpr Builtin table[] = {
      {"reshape", "x: tensor, *dims", on_tensor<reshape>},
      {"flatten", "x: tensor, from: int = 0, to: int = -1", on_tensor<flatten>},
      {"squeeze", "x: tensor, axis = none", on_tensor<squeeze>},
      {"unsqueeze", "x: tensor, axis", on_tensor<unsqueeze>},
      {"expand", "x: tensor, *dims", on_tensor<expand>},
      {"transpose", "x: tensor, axis, other = none", on_tensor<transpose>},
      {"rank", "x: tensor", rank_of},
      {"shape", "x: tensor", shape_of},
      {"len", "x", length_of},
  };
  return table;
}

}  // namespace nnc
