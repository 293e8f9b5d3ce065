// Arguments to parameters: for core functions by their signature, for declarations by their parameter list.
#include <algorithm>
#include <charconv>
#include <limits>

#include "frontend/evaluator.h"

namespace nnc {

namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Splits at `separator` outside quotes.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  bool quoted = false;
  for (size_t k = 0; k <= text.size(); ++k) {
    if (k < text.size() && text[k] == '"') quoted = !quoted;
    if (k == text.size() || (text[k] == separator && !quoted)) {
      parts.push_back(trim(text.substr(begin, k - begin)));
      begin = k + 1;
    }
  }
  return parts;
}

Value literal(std::string_view text) {
  if (text == "none") return Value(None{});
  if (text == "true" || text == "false") return Value(text == "true");
  if (text.front() == '"') return Value(std::string(text.substr(1, text.size() - 2)));
  const bool negative = text.front() == '-';
  if (negative) text.remove_prefix(1);
  double number = 0;
  if (text == "inf") {
    number = std::numeric_limits<double>::infinity();
  } else {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    NNC_CHECK(failure == std::errc() && end == text.data() + text.size(), "default `{}` in a core function's signature",
              text);
  }
  return number_value(negative ? -number : number);
}

ParameterInfo parse_parameter(std::string_view text) {
  ParameterInfo info;
  if (const size_t equals = text.find('='); equals != std::string_view::npos) {
    info.has_default = true;
    info.otherwise = literal(trim(text.substr(equals + 1)));
    text = trim(text.substr(0, equals));
  }
  if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    for (const std::string_view kind : split(text.substr(colon + 1), '|')) info.kinds.emplace_back(kind);
    text = trim(text.substr(0, colon));
  }
  if (text.starts_with("**")) {
    info.keywords = info.has_default = true;
    text.remove_prefix(2);
  } else if (text.starts_with('*')) {
    info.variadic = true;
    text.remove_prefix(1);
  }
  info.name = text;
  return info;
}

bool has_kind(const std::string& kind, const Value& value) {
  if (kind == "tensor") return value.is_tensor() || value.is_number();
  if (kind == "int" || kind == "float") return value.is_number();
  if (kind == "bool") return value.is<bool>();
  if (kind == "string") return value.is<std::string>();
  if (kind == "list") return value.is_list();
  return value.is<std::shared_ptr<const Callable>>() || value.is<std::shared_ptr<LayerInstance>>() || value.is_list();
}

bool check_kinds(Evaluator& e, std::string_view callee, const ParameterInfo& info, const Value& value, Span span) {
  if (info.kinds.empty() || value.is_none()) return true;
  const bool fits =
      std::any_of(info.kinds.begin(), info.kinds.end(), [&](const std::string& kind) { return has_kind(kind, value); });
  if (!fits) {
    Diagnostic& error = complain(e, DiagnosticKind::wrong_kind, span, "`{}` of `{}` must be {}, found {}", info.name,
                                 callee, fmt::join(info.kinds, " or "), describe(value));
    const auto* waiting =
        value.is<std::shared_ptr<const Callable>>() ? value.as<std::shared_ptr<const Callable>>().get() : nullptr;
    if (waiting != nullptr && waiting->called) error.help("an argument of that function is still missing");
    return false;
  }
  int64_t integer = 0;
  const bool whole = std::find(info.kinds.begin(), info.kinds.end(), "int") != info.kinds.end() &&
                     std::find(info.kinds.begin(), info.kinds.end(), "float") == info.kinds.end() && value.is_number();
  if (!whole || integral(value, integer)) return true;
  complain(e, DiagnosticKind::not_an_integer, span, "`{}` of `{}` must be an integer, found {}", info.name, callee,
           value.number());
  return false;
}

void report_unknown_argument(Evaluator& e, std::string_view callee, const std::vector<ParameterInfo>& parameters,
                             const Argument& argument) {
  std::vector<std::string> names;
  for (const ParameterInfo& info : parameters) names.push_back(info.name);
  Diagnostic& error =
      complain(e, DiagnosticKind::unknown_argument, argument.span, "`{}` has no argument `{}`", callee, argument.name);
  if (const auto help = similar("argument", argument.name, names)) {
    error.help(*help);
  } else if (!names.empty()) {
    error.help(fmt::format("it has `{}`", fmt::join(names, "`, `")));
  }
}

}  // namespace

const std::vector<ParameterInfo>& signature_of(Evaluator& e, const Builtin& builtin) {
  std::vector<ParameterInfo>& infos = e.signatures[&builtin];
  if (infos.empty() && !trim(builtin.signature).empty()) {
    for (const std::string_view part : split(builtin.signature, ',')) infos.push_back(parse_parameter(part));
  }
  return infos;
}

std::vector<ParameterInfo> parameter_infos(const std::vector<ast::Parameter>& parameters) {
  std::vector<ParameterInfo> infos;
  for (const ast::Parameter& parameter : parameters) {
    ParameterInfo info;
    info.name = parameter.name.text;
    info.has_default = static_cast<bool>(parameter.otherwise);
    infos.push_back(std::move(info));
  }
  return infos;
}

std::optional<BoundArguments> bind_arguments(Evaluator& e, std::string_view callee,
                                             const std::vector<ParameterInfo>& parameters,
                                             const std::vector<Argument>& arguments, Span call, bool allow_waiting) {
  BoundArguments bound;
  bound.values.resize(parameters.size());
  size_t next = 0;
  bool positional = false;
  std::vector<Value> rest, others;
  for (const Argument& argument : arguments) {
    if (!argument.name.empty()) continue;
    positional = true;
    if (next < parameters.size() && parameters[next].variadic) {
      rest.push_back(argument.value);
      continue;
    }
    if (next >= parameters.size()) {
      complain(e, DiagnosticKind::too_many_arguments, argument.span, "`{}` takes {} argument{}, found more", callee,
               parameters.size(), parameters.size() == 1 ? "" : "s");
      return std::nullopt;
    }
    bound.values[next++] = argument;
  }
  for (const Argument& argument : arguments) {
    if (argument.name.empty()) continue;
    const auto found = std::find_if(parameters.begin(), parameters.end(),
                                    [&](const ParameterInfo& info) { return info.name == argument.name; });
    if (found == parameters.end() && !parameters.empty() && parameters.back().keywords) {
      others.push_back(list_value({Value(argument.name, argument.span), argument.value}, argument.span));
      continue;
    }
    if (found == parameters.end()) {
      report_unknown_argument(e, callee, parameters, argument);
      return std::nullopt;
    }
    auto& slot = bound.values[static_cast<size_t>(found - parameters.begin())];
    if (slot || (found->variadic && !rest.empty())) {
      complain(e, DiagnosticKind::too_many_arguments, argument.span, "`{}` of `{}` is given twice", argument.name,
               callee);
      return std::nullopt;
    }
    slot = argument;
  }
  if (!parameters.empty() && parameters.back().keywords && !bound.values.back()) {
    const Span at = others.empty() ? call : others.front().origin;
    bound.values.back() = Argument{list_value(std::move(others), at), at, ""};
  }
  for (size_t k = 0; k < parameters.size(); ++k) {
    if (bound.values[k]) continue;
    if (parameters[k].variadic) {
      if (k == 0 && !positional && allow_waiting && !arguments.empty()) {
        bound.waits = true;
      } else {
        bound.values[k] = Argument{list_value(std::move(rest), call), call, ""};
      }
    } else if (!parameters[k].has_default) {
      if (k == 0 && !positional && allow_waiting) {
        bound.waits = true;
        continue;
      }
      if (bound.waits) continue;
      complain(e, DiagnosticKind::missing_argument, call, "`{}` of `{}` is missing", parameters[k].name, callee);
      return std::nullopt;
    }
  }
  return bound;
}

Value call_builtin(Evaluator& e, const Builtin& builtin, std::vector<Argument> arguments, Span call) {
  const std::vector<ParameterInfo>& parameters = signature_of(e, builtin);
  auto bound = bind_arguments(e, builtin.name, parameters, arguments, call, true);
  if (!bound) return Value(Poison{});
  if (bound->waits) {
    Callable waiting;
    waiting.name = builtin.name;
    waiting.native = &builtin;
    waiting.given = std::move(arguments);
    waiting.called = true;
    return Value(std::make_shared<const Callable>(std::move(waiting)), call);
  }
  locate_nodes(e, call);
  CallArguments passed;
  passed.name = builtin.name;
  passed.call = blame(e, call);
  for (size_t k = 0; k < parameters.size(); ++k) {
    const auto& argument = bound->values[k];
    const Span span = argument ? blame(e, argument->span) : passed.call;
    Value value = argument ? argument->value : parameters[k].otherwise;
    if (argument && !parameters[k].variadic && !parameters[k].keywords &&
        !check_kinds(e, builtin.name, parameters[k], value, span))
      return Value(Poison{});
    passed.values.push_back(std::move(value));
    passed.spans.push_back(span);
  }
  return builtin.call(e.context, passed);
}

}  // namespace nnc
