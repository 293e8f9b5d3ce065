#include "runtime/data/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace nnc {

Arguments::Arguments(const Spec& call, std::vector<std::string> names, size_t skip, ErrorList& errors, bool open)
    : call_(call), names_(std::move(names)), values_(names_.size(), nullptr), errors_(errors) {
  for (size_t i = skip; i < call.items.size(); ++i) {
    if (i - skip < names_.size()) {
      values_[i - skip] = &call.items[i];
    } else {
      errors_.add(ErrorCode::E607, call.items[i].origin,
                  fmt::format("`{}` takes at most {} argument{} here", call.text, names_.size(),
                              names_.size() == 1 ? "" : "s"));
      break;
    }
  }
  for (const NamedSpec& argument : call.named) {
    const auto found = std::find(names_.begin(), names_.end(), argument.name);
    if (found == names_.end()) {
      if (open) continue;
      const std::string_view similar = nearest(argument.name, names_);
      errors_.add(ErrorCode::E607, argument.origin, fmt::format("`{}` has no argument `{}`", call.text, argument.name),
                  similar.empty() ? (names_.empty() ? "" : fmt::format("its arguments: {}", fmt::join(names_, ", ")))
                                  : fmt::format("a similar argument exists: `{}`", similar));
      continue;
    }
    const Spec*& value = values_[static_cast<size_t>(found - names_.begin())];
    if (value != nullptr)
      errors_.add(ErrorCode::E607, argument.origin, fmt::format("`{}` is given twice", argument.name));
    value = &argument.value;
  }
}

const Spec* Arguments::find(std::string_view name) const {
  for (size_t i = 0; i < names_.size(); ++i) {
    if (names_[i] == name) return values_[i];
  }
  return nullptr;
}

void Arguments::wrong(std::string_view name, std::string_view expected) {
  const Spec* value = find(name);
  errors_.add(ErrorCode::E607, value == nullptr ? call_.origin : value->origin,
              fmt::format("`{}` of `{}` must be {}{}", name, call_.text, expected,
                          value == nullptr                    ? ""
                          : value->kind == Spec::Kind::number ? fmt::format(", found {}", text_of_number(value->number))
                                                              : fmt::format(", found {}", describe(*value))));
}

double Arguments::number(std::string_view name, double otherwise) {
  const Spec* value = find(name);
  if (value == nullptr) return otherwise;
  if (value->kind == Spec::Kind::number && std::isfinite(value->number)) return value->number;
  wrong(name, "a finite number");
  return otherwise;
}

int64_t Arguments::integer(std::string_view name, int64_t otherwise, int64_t low, int64_t high) {
  const Spec* value = find(name);
  if (value == nullptr) return otherwise;
  const double number = value->number;
  if (value->kind == Spec::Kind::number && number == std::floor(number) && number >= static_cast<double>(low) &&
      number <= static_cast<double>(high)) {
    return static_cast<int64_t>(number);
  }
  wrong(name, high == INT64_MAX || high > (int64_t{1} << 50) ? fmt::format("a whole number from {}", low)
                                                             : fmt::format("a whole number from {} to {}", low, high));
  return otherwise;
}

bool Arguments::flag(std::string_view name, bool otherwise) {
  const Spec* value = find(name);
  if (value == nullptr) return otherwise;
  if (value->kind == Spec::Kind::boolean) return value->boolean;
  wrong(name, "true or false");
  return otherwise;
}

std::string Arguments::text(std::string_view name, std::string otherwise) {
  const Spec* value = find(name);
  if (value == nullptr) return otherwise;
  if (value->kind == Spec::Kind::string) return value->text;
  wrong(name, "a string");
  return otherwise;
}

std::string Arguments::choice(std::string_view name, std::string otherwise, std::vector<std::string> choices) {
  const Spec* value = find(name);
  if (value == nullptr) return otherwise;
  if (value->kind == Spec::Kind::string && std::find(choices.begin(), choices.end(), value->text) != choices.end())
    return value->text;
  wrong(name, fmt::format("\"{}\"", fmt::join(choices, "\" or \"")));
  return otherwise;
}

std::vector<std::string> Arguments::texts(std::string_view name) {
  const Spec* value = find(name);
  std::vector<std::string> out;
  if (value == nullptr) return out;
  auto take = [&](const Spec& item) {
    if (item.kind == Spec::Kind::string) {
      out.push_back(item.text);
    } else if (item.kind == Spec::Kind::number) {
      out.push_back(text_of_number(item.number));
    } else {
      errors_.add(ErrorCode::E607, item.origin,
                  fmt::format("`{}` of `{}` holds strings or numbers, found {}", name, call_.text, describe(item)));
    }
  };
  if (value->kind != Spec::Kind::list) {
    take(*value);
  } else {
    for (const Spec& item : value->items) take(item);
  }
  return out;
}

std::vector<double> Arguments::numbers(std::string_view name) {
  const Spec* value = find(name);
  std::vector<double> out;
  if (value == nullptr) return out;
  auto take = [&](const Spec& item) {
    if (item.kind == Spec::Kind::number && std::isfinite(item.number)) {
      out.push_back(item.number);
    } else {
      errors_.add(ErrorCode::E607, item.origin,
                  fmt::format("`{}` of `{}` holds finite numbers, found {}", name, call_.text, describe(item)));
    }
  };
  if (value->kind != Spec::Kind::list) {
    take(*value);
  } else {
    for (const Spec& item : value->items) take(item);
  }
  return out;
}

bool Arguments::require(std::string_view name) {
  if (has(name)) return true;
  errors_.add(ErrorCode::E607, call_.origin, fmt::format("`{}` needs `{} = …`", call_.text, name));
  return false;
}

std::string resolve_path(const Spec& text) {
  const std::filesystem::path path(text.text);
  if (text.folder.empty() || path.is_absolute()) return text.text;
  return (std::filesystem::path(text.folder) / path).lexically_normal().string();
}

std::string text_of_number(double value) { return fmt::format("{}", value == 0 ? 0.0 : value); }

}  // namespace nnc
