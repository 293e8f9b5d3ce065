// What a model file says about its data and its training, as neutral values: the driver converts the syntax tree into
// them, so that the runtime needs to know nothing of the language.
//
//   col("a", "b") |> standard()   arrives as   standard(col("a", "b"))
//   col("images") / 255           arrives as   /(col("images"), 255)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nnc {

// Where a value came from; opaque to the runtime, which hands it back in errors. 0 is nowhere.
using Origin = uint32_t;

struct NamedSpec;

struct Spec {
  enum class Kind : uint8_t { number, boolean, string, list, call };
  Kind kind = Kind::number;
  double number = 0;             // of a number
  bool boolean = false;          // of a boolean
  std::string text;              // a string's value, a call's name; operators are calls named "+", "-", "*", "/", "**"
  std::string folder;            // of a string: what a relative path in it is relative to; empty is the current folder
  std::vector<Spec> items;       // a list's items, a call's positional arguments; `a |> f(b)` is f with items a, b
  std::vector<NamedSpec> named;  // a call's named arguments
  Origin origin = 0;
};

struct NamedSpec {
  std::string name;
  Origin origin = 0;  // of the name
  Spec value;
};

// One field of the data: `x = …`, with the names of other fields already replaced by what they stand for. Of
// `a, b = …` each name is a field of its own, with the same value and its place among the results.
struct FieldSpec {
  std::string name;
  Origin origin = 0;
  Spec value;
  int64_t result = 0, results = 1;
};

// Fold `index` of `of`, from 1: its rows are for validation, those of the other folds for training.
struct FoldSpec {
  int64_t index = 1, of = 5;
  Origin origin = 0;
};

// The `data` block. `val` and `test` are further sources, in place of a part of the split. With a fold, the split's
// rows for training and validation are those of one fold of a cross-validation.
struct DataSpec {
  std::optional<Spec> source, split, val, test;
  std::vector<FieldSpec> fields;
  std::optional<FoldSpec> fold;
  Origin origin = 0;
};

Spec spec_number(double value, Origin origin = 0);
Spec spec_bool(bool value, Origin origin = 0);
Spec spec_string(std::string value, Origin origin = 0, std::string folder = {});
Spec spec_list(std::vector<Spec> items, Origin origin = 0);
Spec spec_call(std::string name, std::vector<Spec> items = {}, std::vector<NamedSpec> named = {}, Origin origin = 0);

// "a number", "a string", …, for messages.
std::string describe(const Spec& spec);

}  // namespace nnc
