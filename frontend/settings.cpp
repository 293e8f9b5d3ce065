#include "frontend/settings.h"

#include <algorithm>

namespace nnc {

namespace {

Setting call_setting(std::string name, Span span) {
  Setting setting;
  setting.kind = Setting::call;
  setting.text = std::move(name);
  setting.span = span;
  return setting;
}

bool is_number(const Setting& setting) { return setting.kind == Setting::number; }

Setting name_setting(Evaluator& e, const ast::Expr& expr, const std::set<std::string>& names) {
  const std::string& text = expr.as<ast::NameRef>().text;
  Setting setting;
  setting.span = expr.span;
  if (names.contains(text)) {
    setting.kind = Setting::name;
    setting.text = text;
    return setting;
  }
  const Declared* declared = find_declared(e, *e.frame->file, text);
  const bool is_static = declared != nullptr && (declared->decl().kind() == ast::DeclKind::option ||
                                                 declared->decl().kind() == ast::DeclKind::constant);
  if (find_local(e, text) != nullptr || is_static) return setting_of(lookup(e, text, expr.span, false), expr.span);
  std::vector<std::string> known(names.begin(), names.end());
  for (const auto& [name, other] : e.frame->file->names) known.push_back(name);
  complain(e, DiagnosticKind::unknown_name, expr.span, "unknown name `{}`", text).help(similar("name", text, known));
  return setting;
}

void add_arguments(Evaluator& e, const ast::Call& call, Setting& setting, const std::set<std::string>& names) {
  for (const ast::Argument& argument : call.arguments) {
    Setting value = setting_of(e, argument.value, names);
    if (argument.name) {
      setting.named.emplace_back(argument.name->text, std::move(value));
    } else {
      setting.items.push_back(std::move(value));
    }
  }
}

std::optional<std::string> callee_name(Evaluator& e, ast::ExprId id) {
  const ast::Expr& expr = (*e.frame->ast)[id];
  if (expr.kind() == ast::ExprKind::name) return expr.as<ast::NameRef>().text;
  complain(e, DiagnosticKind::bad_data_setting, expr.span, "the name of a source or a transform is needed here");
  return std::nullopt;
}

Setting pipe_setting(Evaluator& e, Setting left, const ast::Expr& whole, const std::set<std::string>& names) {
  const ast::ExprId right = whole.as<ast::Binary>().right;
  const ast::Expr& expr = (*e.frame->ast)[right];
  const bool call = expr.kind() == ast::ExprKind::call;
  const auto name = callee_name(e, call ? expr.as<ast::Call>().callee : right);
  if (!name) return {};
  Setting setting = call_setting(*name, expr.span);
  setting.items.push_back(std::move(left));
  if (call) add_arguments(e, expr.as<ast::Call>(), setting, names);
  return setting;
}

std::optional<double> folded(ast::BinaryOp op, double a, double b) {
  switch (op) {
    case ast::BinaryOp::add:
      return a + b;
    case ast::BinaryOp::subtract:
      return a - b;
    case ast::BinaryOp::multiply:
      return a * b;
    case ast::BinaryOp::divide:
      return a / b;
    case ast::BinaryOp::floor_divide:
      return std::floor(a / b);
    case ast::BinaryOp::modulo:
      return a - b * std::floor(a / b);
    case ast::BinaryOp::power:
      return std::pow(a, b);
    default:
      return std::nullopt;
  }
}

Setting binary_setting(Evaluator& e, ast::ExprId id, const std::set<std::string>& names) {
  const ast::Ast& tree = *e.frame->ast;
  std::vector<ast::ExprId> spine = ast::left_spine(tree, id);
  if (spine.empty()) spine.push_back(id);
  Setting left = setting_of(e, tree[spine.front()].as<ast::Binary>().left, names);
  // as for nested calls: the tree of settings must not be deeper than what may recurse over it
  if (spine.size() > 200) {
    complain(e, DiagnosticKind::too_large, tree[id].span, "a setting may chain 200 operators");
    return {};
  }
  for (const ast::ExprId link : spine) {
    const auto& node = tree[link].as<ast::Binary>();
    if (node.op == ast::BinaryOp::pipe) {
      left = pipe_setting(e, std::move(left), tree[link], names);
      continue;
    }
    Setting right = setting_of(e, node.right, names);
    const auto number =
        is_number(left) && is_number(right) ? folded(node.op, left.number_value, right.number_value) : std::nullopt;
    if (number) {
      left.number_value = *number;
      left.span = tree[link].span;
      continue;
    }
    Setting setting = call_setting(ast::spelling(node.op), tree[link].span);
    setting.items = {std::move(left), std::move(right)};
    left = std::move(setting);
  }
  return left;
}

}  // namespace

const Setting* Setting::find_named(std::string_view key) const {
  for (const auto& [name, value] : named) {
    if (name == key) return &value;
  }
  return nullptr;
}

Setting setting_of(const Value& value, Span span) {
  Setting setting;
  setting.span = span;
  setting.written = value.origin;
  if (value.is_number()) {
    setting.kind = Setting::number;
    setting.number_value = value.number();
  } else if (value.is<bool>()) {
    setting.kind = Setting::boolean;
    setting.boolean_value = value.as<bool>();
  } else if (value.is<std::string>()) {
    setting.kind = Setting::string;
    setting.text = value.as<std::string>();
  } else if (value.is_list()) {
    setting.kind = Setting::list;
    for (const Value& item : value.items()) setting.items.push_back(setting_of(item, span));
  }
  return setting;
}

Setting setting_of(Evaluator& e, ast::ExprId id, const std::set<std::string>& names) {
  const ast::Expr& expr = (*e.frame->ast)[id];
  switch (expr.kind()) {
    case ast::ExprKind::name:
      return name_setting(e, expr, names);
    case ast::ExprKind::binary:
      return binary_setting(e, id, names);
    case ast::ExprKind::call: {
      const auto name = callee_name(e, expr.as<ast::Call>().callee);
      if (!name) return {};
      Setting setting = call_setting(*name, expr.span);
      add_arguments(e, expr.as<ast::Call>(), setting, names);
      return setting;
    }
    case ast::ExprKind::list: {
      Setting setting;
      setting.kind = Setting::list;
      setting.span = expr.span;
      for (const ast::ExprId item : expr.as<ast::List>().items) setting.items.push_back(setting_of(e, item, names));
      return setting;
    }
    default:
      return setting_of(evaluate(e, id), expr.span);
  }
}

const DataSettings& data_settings(Unit& unit) {
  if (unit.data_settings) return *unit.data_settings;
  DataSettings& settings = unit.data_settings.emplace();
  Evaluator e(unit);
  std::set<std::string> names;
  const std::vector<ast::Setting>* written = nullptr;
  if (unit.data != nullptr) {
    written = &unit.data->decl().as<ast::Data>().settings;
    settings.present = true;
    settings.span = unit.data->decl().span;
    for (const ast::Setting& setting : *written) {
      for (const ast::Name& name : setting.names) names.insert(name.text);
    }
  }
  for (const std::string_view own : {"source", "split", "val", "test"}) names.erase(std::string(own));
  const auto slot_of = [&](const std::string& name) -> std::optional<Setting>* {
    if (name == "source") return &settings.source;
    if (name == "split") return &settings.split;
    if (name == "val") return &settings.val;
    return name == "test" ? &settings.test : nullptr;
  };
  const auto read = [&](const Ast* tree, ast::ExprId expr) {
    Frame frame;
    frame.file = unit.main;
    frame.ast = tree;
    return within(e, frame, [&] { return setting_of(e, expr, names); });
  };
  for (size_t k = 0; written != nullptr && k < written->size(); ++k) {
    const ast::Setting& setting = (*written)[k];
    auto* slot = setting.names.size() == 1 ? slot_of(setting.names[0].text) : nullptr;
    Setting value = read(unit.data->ast, setting.value);
    if (slot != nullptr) {
      if (slot->has_value())
        complain(e, DiagnosticKind::already_declared, setting.names[0].span, "`{}` is set twice",
                 setting.names[0].text);
      *slot = std::move(value);
      continue;
    }
    DataBinding binding{{}, std::move(value), setting.names[0].span};
    for (const ast::Name& name : setting.names) {
      binding.names.push_back(name.text);
      binding.span = join(binding.span, name.span);
      const bool twice = std::any_of(settings.fields.begin(), settings.fields.end(), [&](const DataBinding& other) {
        return std::find(other.names.begin(), other.names.end(), name.text) != other.names.end();
      });
      if (twice)
        complain(e, DiagnosticKind::already_declared, name.span, "the field `{}` is declared twice", name.text);
    }
    settings.fields.push_back(std::move(binding));
  }
  for (const std::string name : {"source", "split"}) {
    const OverrideText* given = find_override(unit, "data." + name);
    if (given == nullptr || !given->expr) continue;
    *slot_of(name) = read(given->ast, given->expr);
    settings.present = true;
  }
  return settings;
}

}  // namespace nnc
