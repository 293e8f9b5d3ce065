#include "runtime/spec.h"

#include <fmt/format.h>

namespace nnc {

Spec spec_number(double value, Origin origin) {
  Spec spec;
  spec.kind = Spec::Kind::number;
  spec.number = value;
  spec.origin = origin;
  return spec;
}

Spec spec_bool(bool value, Origin origin) {
  Spec spec;
  spec.kind = Spec::Kind::boolean;
  spec.boolean = value;
  spec.origin = origin;
  return spec;
}

Spec spec_string(std::string value, Origin origin, std::string folder) {
  Spec spec;
  spec.kind = Spec::Kind::string;
  spec.text = std::move(value);
  spec.folder = std::move(folder);
  spec.origin = origin;
  return spec;
}

Spec spec_list(std::vector<Spec> items, Origin origin) {
  Spec spec;
  spec.kind = Spec::Kind::list;
  spec.items = std::move(items);
  spec.origin = origin;
  return spec;
}

Spec spec_call(std::string name, std::vector<Spec> items, std::vector<NamedSpec> named, Origin origin) {
  Spec spec;
  spec.kind = Spec::Kind::call;
  spec.text = std::move(name);
  spec.items = std::move(items);
  spec.named = std::move(named);
  spec.origin = origin;
  return spec;
}

std::string describe(const Spec& spec) {
  switch (spec.kind) {
    case Spec::Kind::number:
      return "a number";
    case Spec::Kind::boolean:
      return spec.boolean ? "true" : "false";
    case Spec::Kind::string:
      return "a string";
    case Spec::Kind::list:
      return "a list";
    case Spec::Kind::call:
      return fmt::format("`{}(…)`", spec.text);
  }
  return "a value";
}

}  // namespace nnc
