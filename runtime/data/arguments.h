// Reads the arguments of a call: positional ones get the names given, unknown and doubled ones are E607, wrong kinds
// too.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "runtime/error.h"
#include "runtime/spec.h"

namespace nnc {

class Arguments {
 public:
  // `names`: the call's parameters in order. The first `skip` positional arguments belong to the caller (what is piped
  // in). open: any further named arguments are the caller's affair too.
  Arguments(const Spec& call, std::vector<std::string> names, size_t skip, ErrorList& errors, bool open = false);

  // The argument as written, or null where it was left out.
  const Spec* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }

  double number(std::string_view name, double otherwise);
  // A whole number in [low, high].
  int64_t integer(std::string_view name, int64_t otherwise, int64_t low, int64_t high);
  bool flag(std::string_view name, bool otherwise);
  std::string text(std::string_view name, std::string otherwise);
  // One of `choices`.
  std::string choice(std::string_view name, std::string otherwise, std::vector<std::string> choices);
  // Strings; numbers become their shortest text. A single value counts as a list of one.
  std::vector<std::string> texts(std::string_view name);
  // Finite numbers; a single one counts as a list of one.
  std::vector<double> numbers(std::string_view name);
  // An existing argument that must be there: E607 if it is not.
  bool require(std::string_view name);

  void wrong(std::string_view name, std::string_view expected);

 private:
  const Spec& call_;
  std::vector<std::string> names_;
  std::vector<const Spec*> values_;
  ErrorList& errors_;
};

// A path as its string says, relative to the file that says it.
std::string resolve_path(const Spec& text);

// The shortest text that reads back as `value`: "2", "0.1".
std::string text_of_number(double value);

}  // namespace nnc
