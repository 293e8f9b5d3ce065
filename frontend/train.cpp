// The `train` block: which settings there are, their kinds and defaults.
#include <algorithm>
#include <cmath>
#include <functional>

#include "frontend/settings.h"

namespace nnc {

namespace {

const std::vector<std::string>& train_keys() {
  static const std::vector<std::string> keys{"optimizer", "batch",      "epochs",  "stop",      "seed",
                                             "clip",      "accumulate", "average", "precision", "init_from"};
  return keys;
}

struct Reader {
  Evaluator& e;
  TrainSettings& settings;

  void fault(Span span, const std::string& message, const char* help) {
    Diagnostic& error = complain(e, DiagnosticKind::bad_train_setting, span, "{}", message);
    if (*help != '\0') error.help(help);
  }

  std::optional<int64_t> whole(const Setting& setting, const char* key, int64_t least) {
    int64_t value = 0;
    if (setting.kind == Setting::number && integral(number_value(setting.number_value), value) && value >= least)
      return value;
    if (setting.kind != Setting::none)
      fault(setting.span, fmt::format("`{}` must be an integer of at least {}", key, least), "for example 32");
    return std::nullopt;
  }

  // The argument at `position` or of this name.
  const Setting* argument(const Setting& call, size_t position, std::string_view name) {
    if (position < call.items.size()) return &call.items[position];
    return call.find_named(name);
  }

  // Names the call does not know are mistakes: ignored ones would be believed.
  void check_names(const Setting& call, const std::vector<std::string>& known) {
    if (call.items.size() > known.size())
      fault(call.span,
            fmt::format("`{}` takes {} argument{}, found more", call.text, known.size(), known.size() == 1 ? "" : "s"),
            "");
    for (const auto& [name, value] : call.named) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      complain(e, DiagnosticKind::bad_train_setting, value.span, "`{}` has no argument `{}`", call.text, name)
          .help(similar("argument", name, known).value_or(fmt::format("it has `{}`", fmt::join(known, "`, `"))));
    }
  }

  bool flag(const Setting& call, size_t position, const char* name, bool otherwise) {
    const Setting* given = argument(call, position, name);
    if (given == nullptr) return otherwise;
    if (given->kind != Setting::boolean) fault(given->span, fmt::format("`{}` must be true or false", name), "");
    return given->kind == Setting::boolean && given->boolean_value;
  }

  void read_batch(const Setting& setting) {
    const char* help = "`mini(32)`, `full()` or `stochastic()`";
    settings.batch_span = setting.span;
    const bool call = setting.kind == Setting::call;
    if (call && setting.text == "full" && setting.items.empty()) {
      settings.batch = BatchKind::full;
      settings.batch_size = 0;
    } else if (call && setting.text == "stochastic" && setting.items.empty()) {
      settings.batch = BatchKind::stochastic;
      settings.batch_size = 1;
    } else if (call && setting.text == "mini" && argument(setting, 0, "n") != nullptr) {
      check_names(setting, {"n", "drop_last"});
      settings.drop_last = flag(setting, 1, "drop_last", false);
      settings.batch = BatchKind::mini;
      if (const auto size = whole(*argument(setting, 0, "n"), "batch", 1))
        settings.batch_size = std::min<int64_t>(*size, int64_t{1} << 31);
    } else if (setting.kind != Setting::none) {
      fault(setting.span, "`batch` must say how rows are grouped", help);
    }
  }

  void read_stop(const Setting& setting) {
    const Setting* name =
        setting.kind == Setting::call && setting.text == "early" ? argument(setting, 0, "name") : nullptr;
    if (name == nullptr || name->kind != Setting::string) {
      if (setting.kind != Setting::none)
        fault(setting.span, "`stop` must name what to watch", "`early(\"val.loss\", patience = 10)`");
      return;
    }
    check_names(setting, {"name", "patience", "mode", "restore"});
    StopSetting stop;
    stop.name = name->text;
    stop.span = setting.span;
    stop.patience = 10;
    if (const Setting* patience = argument(setting, 1, "patience")) {
      const auto value = whole(*patience, "patience", 0);
      if (value) stop.patience = static_cast<double>(*value);
    }
    if (const Setting* mode = argument(setting, 2, "mode")) {
      if (mode->kind != Setting::string || (mode->text != "min" && mode->text != "max"))
        fault(mode->span, "`mode` must be \"min\" or \"max\"", "\"max\" for an accuracy");
      stop.maximize = mode->text == "max";
    }
    stop.restore = flag(setting, 3, "restore", false);
    settings.stop = std::move(stop);
  }

  void read_clip(const Setting& setting) {
    settings.clip_span = setting.span;
    const bool call = setting.kind == Setting::call && (setting.text == "norm" || setting.text == "value") &&
                      setting.items.size() == 1;
    if (!call || setting.items[0].kind != Setting::number || !(setting.items[0].number_value > 0)) {
      if (setting.kind != Setting::none)
        fault(setting.span, "`clip` must be a limit for gradients", "`norm(1.0)` or `value(0.5)`");
      return;
    }
    settings.clip = setting.text == "norm" ? Clip::norm : Clip::value;
    settings.clip_limit = setting.items[0].number_value;
  }

  void read_average(const Setting& setting) {
    settings.average_span = setting.span;
    const Setting* decay =
        setting.kind == Setting::call && setting.text == "ema" ? argument(setting, 0, "decay") : nullptr;
    if (decay != nullptr && decay->kind == Setting::number && decay->number_value > 0 && decay->number_value < 1) {
      check_names(setting, {"decay"});
      settings.average = decay->number_value;
    } else if (setting.kind != Setting::none) {
      fault(setting.span, "`average` must be a moving average of the weights", "`ema(0.999)`");
    }
  }

  void read_precision(const Setting& setting) {
    settings.precision_span = setting.span;
    const bool named = setting.kind == Setting::name || setting.kind == Setting::string;
    if (named && setting.text == "bf16") {
      settings.precision = DType::bf16;
    } else if (!(named && setting.text == "f32") && setting.kind != Setting::none) {
      fault(setting.span, "`precision` must be f32 or bf16", "`precision = bf16`");
    }
  }

  void read(const std::string& key, const Setting& setting) {
    if (key == "batch") return read_batch(setting);
    if (key == "stop") return read_stop(setting);
    if (key == "clip") return read_clip(setting);
    if (key == "average") return read_average(setting);
    if (key == "precision") return read_precision(setting);
    if (key == "epochs") settings.epochs = whole(setting, "epochs", 1).value_or(settings.epochs);
    if (key == "seed") settings.seed = static_cast<uint64_t>(whole(setting, "seed", 0).value_or(0));
    if (key == "accumulate") {
      settings.accumulate_span = setting.span;
      settings.accumulate = whole(setting, "accumulate", 1).value_or(1);
    }
    if (key == "init_from") {
      settings.init_from_span = setting.span;
      if (setting.kind == Setting::string)
        settings.init_from = setting.text;
      else if (setting.kind != Setting::none)
        fault(setting.span, "`init_from` must be the path of a weight file", "`init_from = \"weights.safetensors\"`");
    }
  }
};

struct Written {
  const Ast* ast = nullptr;
  ast::ExprId expr;
  Span span;
};

// Where the value of a train setting stands: the command line, else the block.
std::optional<Written> find_setting(const Unit& unit, const std::string& key) {
  if (const OverrideText* given = find_override(unit, "train." + key); given != nullptr && given->expr) {
    return Written{given->ast, given->expr, given->ast->exprs[given->expr.value].span};
  }
  if (unit.train == nullptr) return std::nullopt;
  for (const ast::Setting& setting : unit.train->decl().as<ast::Train>().settings) {
    if (setting.names.size() == 1 && setting.names[0].text == key)
      return Written{unit.train->ast, setting.value, (*unit.train->ast)[setting.value].span};
  }
  return std::nullopt;
}

void check_keys(Evaluator& e) {
  std::set<std::string> seen;
  for (const ast::Setting& setting : e.unit.train->decl().as<ast::Train>().settings) {
    for (const ast::Name& name : setting.names) {
      if (std::find(train_keys().begin(), train_keys().end(), name.text) == train_keys().end()) {
        complain(e, DiagnosticKind::bad_train_setting, name.span, "there is no setting `{}` in `train`", name.text)
            .help(similar("setting", name.text, train_keys()));
      } else if (!seen.insert(name.text).second) {
        complain(e, DiagnosticKind::bad_train_setting, name.span, "`{}` is set twice", name.text);
      }
    }
    if (setting.names.size() > 1) complain(e, DiagnosticKind::bad_train_setting, setting.span, "one setting, one name");
  }
}

const std::vector<ast::Parameter>& parameters_of(const Declared& declared) {
  const ast::Decl& decl = declared.decl();
  return decl.kind() == ast::DeclKind::optimizer ? decl.as<ast::Optimizer>().parameters
                                                 : decl.as<ast::Schedule>().parameters;
}

// Replaces the argument `path` (after "train.optimizer.") of a call by the override's value.
Value with_argument(Evaluator& e, const Value& call, std::string_view path, const OverrideText& given) {
  const auto fail = [&](const std::vector<std::string>& known, const std::string& prefix) {
    report(e.unit.diagnostics, DiagnosticKind::unknown_setting, Place{"command line"}, "no setting `{}`", given.name)
        .help(similar("setting", given.name, [&] {
          std::vector<std::string> full;
          for (const std::string& name : known) full.push_back(prefix + name);
          return full;
        }()));
    return Value(Poison{});
  };
  const bool callable =
      call.is<std::shared_ptr<const Callable>>() && call.as<std::shared_ptr<const Callable>>()->declaration != nullptr;
  const std::string prefix = given.name.substr(0, given.name.size() - path.size());
  if (!callable) return fail({}, prefix);
  Callable changed = *call.as<std::shared_ptr<const Callable>>();
  if (changed.kind != Callable::optimizer && changed.kind != Callable::schedule) return fail({}, prefix);
  const auto infos = parameter_infos(parameters_of(*static_cast<const Declared*>(changed.declaration)));
  const size_t dot = path.find('.');
  const std::string name(path.substr(0, dot));
  const auto found =
      std::find_if(infos.begin(), infos.end(), [&](const ParameterInfo& info) { return info.name == name; });
  if (found == infos.end()) {
    std::vector<std::string> known;
    for (const ParameterInfo& info : infos) known.push_back(info.name);
    return fail(known, prefix);
  }
  const auto index = static_cast<size_t>(found - infos.begin());
  Argument* slot = nullptr;
  for (size_t k = 0; k < changed.given.size(); ++k) {
    const bool here = changed.given[k].name.empty() ? k == index : changed.given[k].name == name;
    if (here) slot = &changed.given[k];
  }
  if (slot == nullptr) slot = &changed.given.emplace_back(Argument{Value(None{}), call.origin, name});
  if (dot != std::string_view::npos) {
    slot->value = with_argument(e, slot->value, path.substr(dot + 1), given);
    return slot->value.is_poison() ? slot->value : Value(std::make_shared<const Callable>(changed), call.origin);
  }
  if (!given.expr) {
    slot->value = Value(given.text);
  } else {
    Frame frame;
    frame.file = e.unit.main;
    frame.ast = given.ast;
    slot->value = within(e, frame, [&] { return evaluate(e, given.expr); });
    slot->span = given.ast->exprs[given.expr.value].span;
  }
  if (slot->value.is_poison()) return slot->value;
  return Value(std::make_shared<const Callable>(changed), call.origin);
}

}  // namespace

Value optimizer_value(Evaluator& e) {
  const auto written = find_setting(e.unit, "optimizer");
  if (!written) return Value(Poison{});
  Frame frame;
  frame.file = e.unit.main;
  frame.ast = written->ast;
  frame.scopes.front()["steps"] = Binding{Binding::parameter, number_value(e.steps), {}, {}};
  frame.scopes.front()["steps_per_epoch"] = Binding{Binding::parameter, number_value(e.steps_per_epoch), {}, {}};
  Value value = within(e, frame, [&] { return evaluate(e, written->expr); });
  const bool optimizer = value.is<std::shared_ptr<const Callable>>() &&
                         value.as<std::shared_ptr<const Callable>>()->kind == Callable::optimizer;
  if (!optimizer) {
    if (!value.is_poison()) {
      complain(e, DiagnosticKind::bad_train_setting, written->span, "`optimizer` must be an optimizer, found {}",
               describe(value))
          .help("`Adam(lr = 1e-3)`");
    }
    return Value(Poison{});
  }
  const std::string prefix = "train.optimizer.";
  for (const OverrideText& given : e.unit.overrides) {
    if (!given.name.starts_with(prefix) || value.is_poison()) continue;
    value = with_argument(e, value, std::string_view(given.name).substr(prefix.size()), given);
  }
  return value;
}

const TrainSettings& train_settings(Unit& unit) {
  if (unit.train_settings) return *unit.train_settings;
  TrainSettings& settings = unit.train_settings.emplace();
  Evaluator e(unit);
  if (unit.train != nullptr) {
    settings.present = true;
    settings.span = unit.train->decl().keyword_span;
    check_keys(e);
  }
  Reader reader{e, settings};
  for (const std::string& key : train_keys()) {
    const auto written = find_setting(unit, key);
    if (!written || key == "optimizer") continue;
    Frame frame;
    frame.file = unit.main;
    frame.ast = written->ast;
    const Setting setting = within(e, frame, [&] { return setting_of(e, written->expr, {"bf16", "f32"}); });
    reader.read(key, setting);
  }
  if (const auto written = find_setting(unit, "optimizer")) {
    settings.optimizer_span = written->span;
    const Value value = optimizer_value(e);
    if (!value.is_poison()) {
      settings.optimizer = value.as<std::shared_ptr<const Callable>>()->name;
      settings.plateau = plateau_choice(e, value);
      const auto& optimizer = *value.as<std::shared_ptr<const Callable>>();
      const auto& declared = *static_cast<const Declared*>(optimizer.declaration);
      bind_arguments(e, optimizer.name, parameter_infos(parameters_of(declared)), optimizer.given, written->span,
                     false);
    }
  } else if (settings.present) {
    complain(e, DiagnosticKind::no_optimizer, settings.span, "`train` sets no optimizer")
        .help("`optimizer = Adam(lr = 1e-3)`");
  }
  return settings;
}

}  // namespace nnc
