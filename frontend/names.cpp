#include <algorithm>

#include "frontend/evaluator.h"

namespace nnc {

namespace {

const ast::TypeExpr* type_of_static(const Declared& declared) {
  const ast::Decl& decl = declared.decl();
  const ast::TypeId id =
      decl.kind() == ast::DeclKind::option ? decl.as<ast::Option>().type : decl.as<ast::Const>().type;
  return id ? &(*declared.ast)[id] : nullptr;
}

bool same_kind(const Value& a, const Value& b) { return a.data.index() == b.data.index(); }

// The value the command line gives an option, checked against the default's kind.
Value overridden(Evaluator& e, const OverrideText& text, const Value& otherwise) {
  if (otherwise.is<std::string>()) {
    if (!text.expr) return Value(text.text, otherwise.origin);
    const ast::Expr& expr = text.ast->exprs[text.expr.value];
    // from the command line: a path in it is relative to the current folder
    return Value(expr.kind() == ast::ExprKind::string ? expr.as<ast::String>().value : text.text, expr.span);
  }
  Value value{Poison{}};
  if (text.expr) {
    Frame inner;
    inner.file = e.unit.main;
    inner.ast = text.ast;
    value = within(e, inner, [&] { return evaluate(e, text.expr); });
    if (value.is_poison()) return value;
  }
  if (!text.expr || (!same_kind(value, otherwise) && !otherwise.is_none())) {
    report(e.unit.diagnostics, DiagnosticKind::bad_setting_value, Place{"command line"},
           "`{}` is not what option `{}` needs", text.text, text.name)
        .help(fmt::format("its default is {}", describe(otherwise)));
    return Value(Poison{});
  }
  value.origin = otherwise.origin;
  return value;
}

Value compute_static(Evaluator& e, const Declared& declared) {
  const ast::Decl& decl = declared.decl();
  const bool option = decl.kind() == ast::DeclKind::option;
  const ast::ExprId expr = option ? decl.as<ast::Option>().value : decl.as<ast::Const>().value;
  Frame inner;
  inner.file = declared.file;
  inner.ast = declared.ast;
  Value value = within(e, inner, [&] { return evaluate(e, expr); });
  const Span name = option ? decl.as<ast::Option>().name.span : decl.as<ast::Const>().name.span;
  if (value.is_tensor()) {
    complain(e, DiagnosticKind::wrong_kind, name, "`{}` must be known before anything runs, found a tensor",
             declared.name);
    return Value(Poison{});
  }
  value.origin = name;
  if (option && !value.is_poison()) {
    const auto given = e.unit.option_overrides.find(&declared);
    if (given != e.unit.option_overrides.end()) value = overridden(e, *given->second, value);
  }
  if (const ast::TypeExpr* type = type_of_static(declared); type != nullptr && !value.is_poison()) {
    if (!check_static_kind(e, type->kind, value, name, declared.name)) return Value(Poison{});
  }
  return value;
}

Value callable_of(const Declared& declared, Callable::Kind kind, Span span) {
  Callable callable;
  callable.kind = kind;
  callable.name = declared.name;
  callable.declaration = &declared;
  return Value(std::make_shared<const Callable>(std::move(callable)), span);
}

void collect_names(const Evaluator& e, std::vector<std::string>& names) {
  if (e.frame == nullptr) return;
  for (const auto& scope : e.frame->scopes) {
    for (const auto& [name, binding] : scope) names.push_back(name);
  }
  for (const FileNames* file : {e.frame->file, static_cast<const FileNames*>(e.unit.prelude)}) {
    if (file == nullptr) continue;
    for (const auto& [name, declared] : file->names) names.push_back(name);
  }
  for (const Builtin& builtin : builtins()) names.emplace_back(builtin.name);
}

bool starts_upper(std::string_view name) { return !name.empty() && name[0] >= 'A' && name[0] <= 'Z'; }

Value unknown(Evaluator& e, const std::string& name, Span span, bool called) {
  std::vector<std::string> names;
  collect_names(e, names);
  const bool layer = called && starts_upper(name);
  const std::string_view what = layer ? "layer" : called ? "function" : "name";
  if (layer) std::erase_if(names, [](const std::string& other) { return !starts_upper(other); });
  complain(e, DiagnosticKind::unknown_name, span, "unknown {} `{}`", what, name).help(similar(what, name, names));
  return Value(Poison{});
}

}  // namespace

Binding* find_local(Evaluator& e, const std::string& name) {
  auto& scopes = e.frame->scopes;
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
    const auto found = scope->find(name);
    if (found != scope->end()) return &found->second;
  }
  return nullptr;
}

const Declared* find_declared(const Evaluator& e, const FileNames& file, const std::string& name) {
  const auto own = file.names.find(name);
  if (own != file.names.end()) return own->second;
  if (e.unit.prelude == nullptr) return nullptr;
  const auto standard = e.unit.prelude->names.find(name);
  return standard != e.unit.prelude->names.end() ? standard->second : nullptr;
}

const Builtin* find_builtin(std::string_view name) {
  const auto all = builtins();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Builtin& builtin) { return builtin.name == name; });
  return found != all.end() ? &*found : nullptr;
}

Value static_value(Evaluator& e, const Declared& declared) {
  StaticCell& cell = e.unit.statics[&declared];
  if (cell.state == StaticCell::known) return cell.value;
  if (cell.state == StaticCell::running) {
    complain(e, DiagnosticKind::cyclic_value, declared.decl().span, "`{}` is needed to compute itself", declared.name);
    return cell.value = Value(Poison{});
  }
  cell.state = StaticCell::running;
  cell.value = Value(Poison{});
  const Span span = e.context.span;
  Value value = compute_static(e, declared);
  e.context.span = span;
  cell.value = std::move(value);
  cell.state = StaticCell::known;
  return cell.value;
}

Value declared_value(Evaluator& e, const Declared& declared, Span span) {
  switch (declared.decl().kind()) {
    case ast::DeclKind::option:
    case ast::DeclKind::constant:
      return static_value(e, declared);
    case ast::DeclKind::function:
      return callable_of(declared, Callable::function, span);
    case ast::DeclKind::schedule:
      return callable_of(declared, Callable::schedule, span);
    case ast::DeclKind::layer:
      return callable_of(declared, Callable::layer, span);
    case ast::DeclKind::optimizer:
      return callable_of(declared, Callable::optimizer, span);
    default:
      break;
  }
  complain(e, DiagnosticKind::wrong_kind, span, "`{}` is not a value", declared.name);
  return Value(Poison{});
}

Value value_of(Evaluator& e, const Binding& binding, Span span) {
  if (binding.kind == Binding::param || binding.kind == Binding::variable) {
    if (!e.initialised.empty()) {
      complain(e, DiagnosticKind::wrong_kind, span, "an initialiser cannot read a parameter or state");
      return Value(Poison{});
    }
    const NodeId node = read_state(e, binding.state);
    if (!node) return Value(Poison{});
    Value value = tensor_value(e.context, node);
    if (value.is_poison()) return value;
    std::get<Tensor>(value.data).state = binding.state;
    value.origin = binding.span;
    return value;
  }
  if (e.measure.current != nullptr) return measured_value(e, binding.value);
  if (binding.value.is_tensor() && binding.value.tensor().graph != e.context.graph) {
    complain(e, DiagnosticKind::wrong_kind, span, "an initialiser cannot depend on a tensor of the model");
    return Value(Poison{});
  }
  return binding.value;
}

Value lookup(Evaluator& e, const std::string& name, Span span, bool called) {
  if (const Binding* binding = find_local(e, name)) return value_of(e, *binding, span);
  if (name == "training" && e.frame->kind != Frame::statics) return Value(e.context.training, span);
  if (name == "none") return Value(None{}, span);
  if (const Declared* declared = find_declared(e, *e.frame->file, name)) return declared_value(e, *declared, span);
  if (const Builtin* builtin = find_builtin(name)) {
    Callable callable;
    callable.name = name;
    callable.native = builtin;
    return Value(std::make_shared<const Callable>(std::move(callable)), span);
  }
  return unknown(e, name, span, called);
}

void bind_local(Evaluator& e, const ast::Name& name, Value value, Binding::Kind kind) {
  if (name.discards()) return;
  auto& scopes = e.frame->scopes;
  if (const Binding* old = find_local(e, name.text)) {
    const bool fixed = old->kind == Binding::param || old->kind == Binding::variable || old->kind == Binding::size;
    if (fixed && !value.is_poison()) {
      const char* what = old->kind == Binding::param ? "param" : old->kind == Binding::variable ? "state" : "size";
      Diagnostic& error = complain(e, DiagnosticKind::cannot_rebind, name.span,
                                   "`{}` is a {} and cannot be bound again", name.text, what);
      if (old->kind == Binding::variable) error.help(fmt::format("a state is written with `{} <- …`", name.text));
      return;
    }
    // `if` and `for` open no scope; a scan's carried names live outside its body
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
      const auto found = scope->find(name.text);
      if (found == scope->end()) continue;
      found->second = Binding{kind, std::move(value), {}, name.span};
      return;
    }
  }
  scopes.back()[name.text] = Binding{kind, std::move(value), {}, name.span};
}

}  // namespace nnc
