#include "driver/data_spec.h"

#include <algorithm>
#include <filesystem>

#include "driver/commands.h"
#include "ir/check.h"

namespace nnc {
namespace {

constexpr size_t most_values = 100000;  // of all fields, once names are replaced
constexpr size_t deepest = 400;

struct Converter {
  Unit& unit;
  const DataSettings& settings;
  Origins& origins;
  std::vector<const DataBinding*> open;  // fields whose names are being replaced
  size_t values = 0, depth = 0;
  bool failed = false;

  void complain(DiagnosticKind kind, Span span, const std::string& message) {
    if (!failed) report(diagnostics(unit), kind, span, "{}", message);
    failed = true;
  }

  const DataBinding* find(const std::string& name) const {
    for (const DataBinding& binding : settings.fields) {
      if (binding.names.size() == 1 && binding.names[0] == name) return &binding;
    }
    return nullptr;
  }

  std::string folder_of(Span span) const {
    if (!span.file) return "";
    const std::string& name = sources(unit)[span.file].name;
    return name == "command line" ? "" : std::filesystem::path(name).parent_path().string();
  }

  Spec named_field(const Setting& setting, Origin origin) {
    const DataBinding* binding = find(setting.text);
    if (binding == nullptr) return spec_call(setting.text, {}, {}, origin);
    if (std::find(open.begin(), open.end(), binding) != open.end()) {
      complain(DiagnosticKind::cyclic_value, setting.span,
               fmt::format("the field `{}` is needed to compute itself", setting.text));
      return {};
    }
    open.push_back(binding);
    Spec spec = convert(binding->value);
    open.pop_back();
    return spec;
  }

  Spec call(const Setting& setting, Origin origin) {
    Spec spec = spec_call(setting.text, {}, {}, origin);
    for (const Setting& item : setting.items) spec.items.push_back(convert(item));
    for (const auto& [name, value] : setting.named) {
      Spec converted = convert(value);
      spec.named.push_back({name, converted.origin, std::move(converted)});
    }
    return spec;
  }

  Spec value(const Setting& setting) {
    const Origin origin = origins.add(setting.span);
    switch (setting.kind) {
      case Setting::number:
        return spec_number(setting.number_value, origin);
      case Setting::boolean:
        return spec_bool(setting.boolean_value, origin);
      case Setting::string:
        return spec_string(setting.text, origin, folder_of(setting.written.file ? setting.written : setting.span));
      case Setting::name:
        return named_field(setting, origin);
      case Setting::call:
        return call(setting, origin);
      case Setting::none:
        return spec_call("none", {}, {}, origin);
      case Setting::list:
        break;
    }
    Spec spec = spec_list({}, origin);
    for (const Setting& item : setting.items) spec.items.push_back(convert(item));
    return spec;
  }

  Spec convert(const Setting& setting) {
    if (++values > most_values || depth >= deepest) {
      complain(DiagnosticKind::too_large, setting.span, "the data block is too large once names are replaced");
    }
    if (failed) return {};
    ++depth;
    Spec spec = value(setting);
    --depth;
    return spec;
  }
};

DiagnosticKind kind_of(ErrorCode code) {
  const auto all = all_diagnostic_kinds();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const DiagnosticInfo& info) { return info.code == name_of(code); });
  NNC_CHECK(found != all.end(), "diagnostics.def lacks {}", name_of(code));
  return found->kind;
}

Diagnostic& add_error(Unit& unit, const RuntimeError& error, Span span) {
  Diagnostics& list = diagnostics(unit);
  const DiagnosticKind kind = kind_of(error.code);
  if (!error.file.empty() && error.line > 0) {
    Diagnostic& added =
        report(list, kind, Place{error.file, static_cast<uint64_t>(error.line), static_cast<uint64_t>(error.column)},
               "{}", error.message);
    if (!span.file) return added;
    const Location at = locate(sources(unit), span);
    return added.note(fmt::format("asked for at {}:{}:{}", sources(unit)[span.file].name, at.line, at.column));
  }
  const bool named = error.file.empty() || error.message.find(error.file) != std::string::npos;
  const std::string message = named ? error.message : fmt::format("{}: {}", error.file, error.message);
  if (span.file) return report(list, kind, span, "{}", message);
  return report(list, kind, Place{sources(unit).files.empty() ? "nnc" : sources(unit).files[0].name}, "{}", message);
}

}  // namespace

Origin Origins::add(Span span) {
  if (!span.file) return 0;
  spans.push_back(span);
  return static_cast<Origin>(spans.size());
}

Span Origins::find(Origin origin) const { return origin == 0 || origin > spans.size() ? Span{} : spans[origin - 1]; }

DataSpec data_spec(Unit& unit, const std::vector<std::string>& wanted, Origins& origins,
                   const std::optional<FoldSpec>& fold) {
  const DataSettings& settings = data_settings(unit);
  Converter converter{unit, settings, origins, {}};
  DataSpec spec;
  spec.origin = origins.add(settings.span);
  spec.fold = fold;
  const auto part = [&](const std::optional<Setting>& from, std::optional<Spec>& to) {
    if (from) to = converter.convert(*from);
  };
  part(settings.source, spec.source);
  part(settings.split, spec.split);
  part(settings.val, spec.val);
  part(settings.test, spec.test);
  const auto wants = [&](const std::string& name) {
    return name != "_" && (wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end());
  };
  for (const DataBinding& binding : settings.fields) {
    if (std::none_of(binding.names.begin(), binding.names.end(), wants)) continue;
    converter.open = {&binding};
    const Spec value = converter.convert(binding.value);
    for (size_t k = 0; k < binding.names.size(); ++k) {
      if (!wants(binding.names[k])) continue;
      spec.fields.push_back({binding.names[k], origins.add(binding.span), value, static_cast<int64_t>(k),
                             static_cast<int64_t>(binding.names.size())});
    }
  }
  return spec;
}

TrainConfig train_config(const TrainSettings& settings, Origins& origins) {
  TrainConfig config;
  config.epochs = settings.epochs;
  config.seed = settings.seed;
  using Kind = BatchStrategy::Kind;
  config.batch.kind = settings.batch == BatchKind::full   ? Kind::full
                      : settings.batch == BatchKind::mini ? Kind::mini
                                                          : Kind::stochastic;
  if (settings.batch == BatchKind::mini) config.batch.size = settings.batch_size;
  config.batch.drop_last = settings.drop_last;
  config.accumulate = settings.accumulate;
  if (settings.plateau) {
    const PlateauChoice& from = *settings.plateau;
    config.plateau = PlateauSetting{from.lr,       from.factor,   from.threshold, from.min_lr,  from.eps,
                                    from.patience, from.cooldown, from.maximize,  from.monitor, origins.add(from.span)};
  }
  if (settings.stop) {
    config.stop = EarlyStop{settings.stop->name, static_cast<int64_t>(settings.stop->patience), settings.stop->maximize,
                            settings.stop->restore, origins.add(settings.stop->span)};
  }
  return config;
}

void add_errors(Unit& unit, const RuntimeErrors& errors, const Origins& origins) {
  for (const RuntimeError& error : errors) {
    Diagnostic& added = add_error(unit, error, origins.find(error.origin));
    if (!error.help.empty()) added.help(error.help);
  }
}

int exit_code(const Diagnostics& diagnostics) {
  if (!has_errors(diagnostics)) return kOk;
  int code = kInternal;
  for (const Diagnostic& diagnostic : diagnostics.list) {
    const DiagnosticInfo& kind = info(diagnostic.kind);
    if (kind.severity != Severity::error) continue;
    int own = kUsage;
    for (const ErrorCode data : all_error_codes()) {
      if (name_of(data) == kind.code) own = exit_code(data);
    }
    code = code == kInternal ? own : std::min(code, own);
  }
  return code;
}

}  // namespace nnc
