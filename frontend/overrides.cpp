// `NAME=value` from the command line: which option or setting is meant.
#include <algorithm>

#include "frontend/parser.h"
#include "frontend/unit.h"

namespace nnc {

namespace {

struct Settable {
  std::string name;
  std::string now;  // its text in the file, "" if it is not written there
};

std::string text_at(const Unit& unit, const Ast& tree, ast::ExprId expr) {
  return std::string(text_of(unit.sources, tree[expr].span));
}

std::vector<Settable> settables(const Unit& unit) {
  std::vector<Settable> all;
  for (const auto& [name, declared] : unit.main->names) {
    if (declared->decl().kind() != ast::DeclKind::option) continue;
    all.push_back({name, text_at(unit, *declared->ast, declared->decl().as<ast::Option>().value)});
  }
  const auto written = [&](const Declared* block, const std::vector<ast::Setting>* settings,
                           const std::string& key) -> std::string {
    for (size_t k = 0; block != nullptr && k < settings->size(); ++k) {
      if ((*settings)[k].names[0].text == key) return text_at(unit, *block->ast, (*settings)[k].value);
    }
    return "";
  };
  const auto* data = unit.data != nullptr ? &unit.data->decl().as<ast::Data>().settings : nullptr;
  const auto* train = unit.train != nullptr ? &unit.train->decl().as<ast::Train>().settings : nullptr;
  for (const char* key : {"source", "split"})
    all.push_back({fmt::format("data.{}", key), written(unit.data, data, key)});
  for (const char* key :
       {"optimizer", "batch", "epochs", "stop", "seed", "clip", "accumulate", "average", "precision", "init_from"}) {
    all.push_back({fmt::format("train.{}", key), written(unit.train, train, key)});
  }
  return all;
}

void report_unknown(Unit& unit, const std::string& name, const std::vector<Settable>& all) {
  std::vector<std::string> names;
  for (const Settable& settable : all) names.push_back(settable.name);
  Diagnostic& error =
      report(unit.diagnostics, DiagnosticKind::unknown_setting, Place{"command line"}, "no setting `{}`", name);
  const auto near = closest(name, names);
  if (!near) return;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Settable& settable) { return settable.name == *near; });
  error.help(fmt::format("a similar setting exists: `{}`{}", *near,
                         found->now.empty() ? "" : fmt::format(" (now {})", found->now)));
}

bool is_value(const Ast& tree, ast::ExprId id) {
  const ast::Expr& expr = tree[id];
  switch (expr.kind()) {
    case ast::ExprKind::number:
    case ast::ExprKind::boolean:
    case ast::ExprKind::string:
    case ast::ExprKind::list:
    case ast::ExprKind::call:
    case ast::ExprKind::unary:
    case ast::ExprKind::binary:
      return true;
    case ast::ExprKind::name:
      return expr.as<ast::NameRef>().text == "bf16" || expr.as<ast::NameRef>().text == "f32";
    default:
      return false;
  }
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n' || c == '\t') {
      result += c == '\n' ? "\\n" : "\\t";
    } else {
      result += c;
    }
  }
  return result + "\"";
}

// Values are literals, lists or calls; anything else is a string without its quotes.
void parse_value(Unit& unit, OverrideText& text) {
  for (const std::string& written : {text.text, quoted(text.text)}) {
    Diagnostics ignored;
    const FileId file = add_source(unit.sources, "command line", written);
    unit.prelude_sources.resize(unit.sources.files.size(), false);
    ParsedExpression parsed = parse_expression(unit.sources, file, ignored);
    if (has_errors(ignored) || !is_value(parsed.ast, parsed.value)) continue;
    text.ast = &unit.asts.emplace_back(std::move(parsed.ast));
    text.expr = parsed.value;
    return;
  }
}

}  // namespace

void apply_overrides(Unit& unit, const std::vector<Override>& overrides) {
  if (overrides.empty()) return;
  const std::vector<Settable> all = settables(unit);
  for (const Override& override : overrides) {
    const bool known =
        std::any_of(all.begin(), all.end(), [&](const Settable& settable) { return settable.name == override.name; });
    const bool argument = override.name.starts_with("train.optimizer.");
    if (!known && !argument) {
      report_unknown(unit, override.name, all);
      continue;
    }
    if (override.value.size() > 65536) {
      report(unit.diagnostics, DiagnosticKind::bad_setting_value, Place{"command line"},
             "the value of `{}` is too long", override.name);
      continue;
    }
    OverrideText& text = unit.overrides.emplace_back();
    text.name = override.name;
    text.text = override.value;
    parse_value(unit, text);
    const auto option = unit.main->names.find(override.name);
    if (option != unit.main->names.end()) unit.option_overrides[option->second] = &text;
  }
}

const OverrideText* find_override(const Unit& unit, const std::string& name) {
  const OverrideText* found = nullptr;
  for (const OverrideText& text : unit.overrides) {
    if (text.name == name) found = &text;  // the last one counts
  }
  return found;
}

}  // namespace nnc
