#include <algorithm>
#include <cmath>

#include "frontend/builtins/operands.h"
#include "frontend/evaluator.h"
#include "frontend/parser.h"

namespace nnc {

namespace {

struct Pattern {
  const ast::TypeExpr* type = nullptr;
  size_t before = 0;  // dims before the ellipsis; all of them if there is none
  size_t after = 0;
  bool ellipsis = false;
};

Pattern pattern_of(const ast::TypeExpr& type) {
  Pattern pattern{&type};
  for (const ast::Dimension& dim : type.dims) {
    if (dim.ellipsis) {
      pattern.ellipsis = true;
    } else {
      ++(pattern.ellipsis ? pattern.after : pattern.before);
    }
  }
  return pattern;
}

const std::string* bare_name(const Evaluator& e, ast::ExprId id) {
  if (!id) return nullptr;
  const ast::Expr& expr = (*e.frame->ast)[id];
  return expr.kind() == ast::ExprKind::name && !expr.parenthesised ? &expr.as<ast::NameRef>().text : nullptr;
}

void bind_size(Evaluator& e, ast::ExprId id, Number size) {
  const std::string* name = bare_name(e, id);
  if (name == nullptr || *name == "_" || visible_size(e, *name)) return;
  const Span span = (*e.frame->ast)[id].span;
  e.frame->scopes.front()[*name] = Binding{Binding::size, Value(size, span), {}, span};
}

void bind_dim(Evaluator& e, ast::ExprId id, Dim dim) {
  bind_size(e, id, Number{static_cast<double>(dim.extent), dim.batch_multiple, dim.batch_multiple > 0});
}

void report_shape(Evaluator& e, const TypedValue& typed, const Tensor& tensor, std::string_view expected) {
  Diagnostic& error = complain(e, DiagnosticKind::shape_mismatch, typed.span, "{} must be {}, found {}", typed.shown,
                               expected, type_text(tensor));
  const Span declared = (*e.frame->ast)[typed.type].span;
  label_origin(e, error, declared, "declared here");
  if (typed.value->origin != typed.span) label_origin(e, error, typed.value->origin, type_text(tensor));
}

// Binds what the type leaves free; false if the ranks cannot agree.
bool bind_free(Evaluator& e, const TypedValue& typed) {
  const ast::TypeExpr& type = (*e.frame->ast)[typed.type];
  if (type.kind != ast::TypeKind::tensor || !typed.value->is_tensor()) return true;
  const Tensor& tensor = typed.value->tensor();
  const Pattern pattern = pattern_of(type);
  const size_t rank = tensor.type.dims.size(), fixed = pattern.before + pattern.after;
  if (pattern.ellipsis ? rank < fixed : rank != fixed) {
    report_shape(e, typed, tensor, print_type(*e.frame->ast, typed.type));
    return false;
  }
  for (size_t k = 0; k < pattern.before; ++k) bind_dim(e, type.dims[k].size, tensor.dim(static_cast<int64_t>(k)));
  for (size_t k = 0; k < pattern.after; ++k) {
    bind_dim(e, type.dims[pattern.before + 1 + k].size, tensor.dim(static_cast<int64_t>(rank - pattern.after + k)));
  }
  if (pattern.ellipsis && !e.frame->ellipsis) {
    e.frame->ellipsis.emplace();
    for (size_t k = pattern.before; k < rank - pattern.after; ++k)
      e.frame->ellipsis->push_back(tensor.dim(static_cast<int64_t>(k)));
  }
  if (tensor.type.bound > 0) bind_size(e, type.bound, Number{static_cast<double>(tensor.type.bound)});
  return true;
}

bool check_bound(Evaluator& e, const TypedValue& typed, const ast::TypeExpr& type, const Tensor& tensor) {
  if (!type.bound) return true;
  if (tensor.type.bound == 0) {
    complain(e, DiagnosticKind::dtype_mismatch, typed.span, "{} needs integers with a known bound, found {}",
             typed.shown, type_text(tensor))
        .help("`i32<n>` comes from labels and categories of the data, `argmax`, `arange` and `randint`");
    return false;
  }
  const auto bound = known_extent(e, type.bound);
  if (!bound) return false;
  if (tensor.type.bound <= *bound) return true;
  const bool classes = bare_name(e, type.bound) != nullptr;
  const std::string shown =
      in_prelude(e, typed.span) ? typed.shown : fmt::format("`{}`", text_of(e.unit.sources, typed.span));
  if (classes) {
    complain(e, DiagnosticKind::label_bound, typed.span, "{} classes predicted, but {} holds labels below {}", *bound,
             shown, tensor.type.bound);
  } else {
    complain(e, DiagnosticKind::label_bound, typed.span, "labels below {} are needed, but {} holds labels below {}",
             *bound, shown, tensor.type.bound);
  }
  return false;
}

bool check_dtype(Evaluator& e, const TypedValue& typed, const ast::TypeExpr& type) {
  const Tensor& tensor = typed.value->tensor();
  switch (type.element) {
    case ast::ElementType::compute:
    case ast::ElementType::f32:
      if (!is_float(tensor.type.dtype) && tensor.type.dtype != DType::i64) {
        const Span origin = typed.value->origin;
        locate_nodes(e, typed.span);
        *typed.value = tensor_value(e.context, cast_node(e.context, tensor.node, e.context.compute_type), tensor.batch);
        typed.value->origin = origin;
      }
      return true;
    case ast::ElementType::i32:
      if (is_integer(tensor.type.dtype)) return check_bound(e, typed, type, tensor);
      break;
    case ast::ElementType::boolean:
      if (tensor.type.dtype == DType::boolean) return true;
      break;
  }
  Diagnostic& error = complain(e, DiagnosticKind::dtype_mismatch, typed.span, "{} must be {}, found {}", typed.shown,
                               type.element == ast::ElementType::i32 ? "i32" : "bool", type_text(tensor));
  label_origin(e, error, (*e.frame->ast)[typed.type].span, "declared here");
  return false;
}

std::optional<std::vector<Dim>> expected_dims(Evaluator& e, const ast::TypeExpr& type) {
  std::vector<Dim> dims;
  for (const ast::Dimension& dim : type.dims) {
    if (dim.ellipsis) {
      if (!e.frame->ellipsis && e.unknown_inputs) return std::nullopt;
      if (e.frame->ellipsis) dims.insert(dims.end(), e.frame->ellipsis->begin(), e.frame->ellipsis->end());
      continue;
    }
    if (const std::string* name = bare_name(e, dim.size); name != nullptr && *name == "_") {
      dims.push_back({-1, 0});
      continue;
    }
    int64_t multiple = 0;
    const auto extent = known_extent(e, dim.size, &multiple);
    if (!extent) return std::nullopt;
    dims.push_back({*extent, multiple});
  }
  return dims;
}

bool check_tensor(Evaluator& e, const TypedValue& typed, const ast::TypeExpr& type) {
  const Value& value = *typed.value;
  if (value.is_none()) return true;
  if (!value.is_tensor() && !value.is_number() && !value.is<bool>()) {
    complain(e, DiagnosticKind::wrong_kind, typed.span, "{} must be a tensor, found {}", typed.shown, describe(value));
    return false;
  }
  const auto dims = expected_dims(e, type);
  if (!dims) return false;
  if (!value.is_tensor()) {
    const DType dtype = dtype_of(e, type.element);
    locate_nodes(e, typed.span);
    const auto fitted = fitted_to(e.context, value, dtype, *dims, blame(e, typed.span));
    if (!fitted) return false;
    *typed.value = Value(*fitted, value.origin);
    return true;
  }
  const Tensor& tensor = value.tensor();
  bool equal = dims->size() == tensor.type.dims.size();
  for (size_t k = 0; equal && k < dims->size(); ++k) {
    equal = (*dims)[k].extent < 0 || (*dims)[k] == tensor.dim(static_cast<int64_t>(k));
  }
  if (!equal) {
    std::vector<Dim> shown = *dims;
    for (size_t k = 0; k < shown.size(); ++k) {
      if (shown[k].extent < 0 && k < tensor.type.dims.size()) shown[k] = tensor.dim(static_cast<int64_t>(k));
    }
    report_shape(e, typed, tensor, type_text(dtype_of(e, type.element), 0, shown));
    return false;
  }
  return check_dtype(e, typed, type);
}

// A name whose value is poison: that is reported already.
bool is_poisoned(Evaluator& e, const std::string& name) {
  if (const Binding* binding = find_local(e, name)) return binding->value.is_poison();
  const Declared* declared = find_declared(e, *e.frame->file, name);
  if (declared == nullptr) return false;
  const ast::DeclKind kind = declared->decl().kind();
  const bool computed = kind == ast::DeclKind::option || kind == ast::DeclKind::constant;
  return computed && static_value(e, *declared).is_poison();
}

const char* kind_text(ast::TypeKind kind) {
  switch (kind) {
    case ast::TypeKind::static_int:
      return "an integer";
    case ast::TypeKind::static_float:
      return "a number";
    case ast::TypeKind::static_bool:
      return "true or false";
    case ast::TypeKind::static_string:
      return "a string";
    case ast::TypeKind::static_list:
      return "a list";
    case ast::TypeKind::static_fn:
      return "a function or layer";
    case ast::TypeKind::tensor:
      break;
  }
  return "a tensor";
}

bool is_applicable(const Value& value) {
  if (value.is<std::shared_ptr<const Callable>>() || value.is<std::shared_ptr<LayerInstance>>()) return true;
  return value.is_list() &&
         std::all_of(value.items().begin(), value.items().end(), [](const Value& item) { return is_applicable(item); });
}

bool has_kind(ast::TypeKind kind, const Value& value) {
  switch (kind) {
    case ast::TypeKind::static_int:
    case ast::TypeKind::static_float:
      return value.is_number();
    case ast::TypeKind::static_bool:
      return value.is<bool>();
    case ast::TypeKind::static_string:
      return value.is<std::string>();
    case ast::TypeKind::static_list:
      return value.is_list();
    case ast::TypeKind::static_fn:
      return is_applicable(value);
    case ast::TypeKind::tensor:
      break;
  }
  return value.is_tensor() || value.is_number();
}

}  // namespace

bool check_static_kind(Evaluator& e, ast::TypeKind kind, const Value& value, Span span, std::string_view shown) {
  if (value.is_none()) return true;
  if (!has_kind(kind, value)) {
    complain(e, DiagnosticKind::wrong_kind, span, "`{}` must be {}, found {}", shown, kind_text(kind), describe(value));
    return false;
  }
  int64_t integer = 0;
  if (kind != ast::TypeKind::static_int || integral(value, integer)) return true;
  complain(e, DiagnosticKind::not_an_integer, span, "`{}` must be an integer, found {}", shown, value.number());
  return false;
}

DType dtype_of(const Evaluator& e, ast::ElementType element) {
  switch (element) {
    case ast::ElementType::compute:
      return e.context.compute_type;
    case ast::ElementType::f32:
      return DType::f32;
    case ast::ElementType::i32:
      return DType::i32;
    case ast::ElementType::boolean:
      return DType::boolean;
  }
  return DType::f32;
}

std::optional<Number> visible_size(Evaluator& e, const std::string& name) {
  if (const Binding* binding = find_local(e, name)) {
    if (binding->value.is_number()) return binding->value.as<Number>();
    return std::nullopt;
  }
  const Declared* declared = find_declared(e, *e.frame->file, name);
  if (declared == nullptr) return std::nullopt;
  const ast::DeclKind kind = declared->decl().kind();
  if (kind != ast::DeclKind::option && kind != ast::DeclKind::constant) return std::nullopt;
  const Value value = static_value(e, *declared);
  return value.is_number() ? std::optional(value.as<Number>()) : std::nullopt;
}

std::optional<int64_t> known_extent(Evaluator& e, ast::ExprId size, int64_t* batch_multiple) {
  const ast::Expr& expr = (*e.frame->ast)[size];
  Value value;
  if (const std::string* name = bare_name(e, size)) {
    const auto visible = visible_size(e, *name);
    if (!visible) {
      if (!is_poisoned(e, *name))
        complain(e, DiagnosticKind::unknown_size, expr.span, "the size `{}` is not known here", *name);
      return std::nullopt;
    }
    value = Value(*visible);
  } else {
    value = evaluate(e, size);
  }
  if (value.is_poison()) return std::nullopt;
  int64_t extent = 0;
  if (!integral(value, extent)) {
    complain(e, value.is_number() ? DiagnosticKind::not_an_integer : DiagnosticKind::wrong_kind, expr.span,
             "a size must be an integer, found {}", describe(value));
    return std::nullopt;
  }
  if (extent < 1 || extent > max_extent) {
    complain(e, DiagnosticKind::wrong_kind, expr.span, "a size must be at least 1 and at most 2^31 - 1, found {}",
             extent);
    return std::nullopt;
  }
  if (batch_multiple != nullptr) *batch_multiple = value.as<Number>().batch_multiple;
  return extent;
}

bool bind_unknown(Evaluator& e, ast::ExprId size) {
  const std::string* name = bare_name(e, size);
  if (name == nullptr || visible_size(e, *name)) return false;
  const Span span = (*e.frame->ast)[size].span;
  if (*name != "_") e.frame->scopes.front()[*name] = Binding{Binding::size, Value(Poison{}, span), {}, span};
  return true;
}

std::optional<std::vector<Dim>> known_dims(Evaluator& e, const ast::TypeExpr& type) { return expected_dims(e, type); }

std::optional<TensorType> known_type(Evaluator& e, const ast::TypeExpr& type, std::vector<Dim>& dims) {
  if (type.kind != ast::TypeKind::tensor) {
    complain(e, DiagnosticKind::wrong_kind, type.span, "a tensor's type is needed here");
    return std::nullopt;
  }
  const auto found = known_dims(e, type);
  if (!found) return std::nullopt;
  TensorType result{dtype_of(e, type.element), 0, {}};
  double elements = 1;
  for (const Dim& dim : *found) {
    result.dims.push_back(dim.extent);
    elements *= static_cast<double>(dim.extent);
    if (dim.extent < 0 || dim.batch_multiple > 0) {
      complain(e, DiagnosticKind::batch_in_state, type.span,
               "a shape that outlives the batch cannot depend on its size");
      return std::nullopt;
    }
  }
  if (elements > 1099511627776.0) {
    complain(e, DiagnosticKind::too_large, type.span, "{} has more than 2^40 elements", to_string(result));
    return std::nullopt;
  }
  if (type.bound) {
    const auto bound = known_extent(e, type.bound);
    if (!bound) return std::nullopt;
    result.bound = *bound;
  }
  dims = *found;
  return result;
}

bool check_types(Evaluator& e, std::vector<TypedValue> values) {
  bool fine = true;
  for (const TypedValue& typed : values) {
    if (!typed.value->is_poison()) fine &= bind_free(e, typed);
  }
  if (!fine) return false;
  for (const TypedValue& typed : values) {
    if (!typed.value->is_poison() || !e.unknown_inputs) continue;
    const ast::TypeExpr& type = (*e.frame->ast)[typed.type];
    for (const ast::Dimension& dim : type.dims) bind_unknown(e, dim.size);
    bind_unknown(e, type.bound);
  }
  for (const TypedValue& typed : values) {
    const ast::TypeExpr& type = (*e.frame->ast)[typed.type];
    if (typed.value->is_poison()) {
      fine &= e.unknown_inputs;
    } else if (type.kind != ast::TypeKind::tensor) {
      fine &= check_static_kind(e, type.kind, *typed.value, typed.span, typed.shown);
    } else {
      fine &= check_tensor(e, typed, type);
    }
  }
  return fine;
}

}  // namespace nnc
