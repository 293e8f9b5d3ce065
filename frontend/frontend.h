// From a model file to a Program: what the driver calls.
//
//   auto unit = load("net.nn", {{"hidden", "32"}});
//   const DataSettings& data = data_settings(*unit);     // the runtime reads, splits and fits by these
//   std::optional<Program> program = build_program(*unit, fields, {.batches = {32, 17}, .steps_per_epoch = 15});
//   unit->diagnostics holds what went wrong; with errors in it there is no Program.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "frontend/diagnostics.h"
#include "frontend/source.h"
#include "ir/graph/graph.h"

namespace nnc {

// A setting from the command line: `hidden=32`, `train.epochs=9`, `train.optimizer.lr=1e-3`.
struct Override {
  std::string name;
  std::string value;
};

// What one row of a field holds: no batch axis. A label has `bound` set; words and numbers of other kinds are f32.
struct FieldType {
  std::string name;
  TensorType row_type;
  bool known = true;  // false: the data, which would say the type, could not be read; that is reported already
};

// A settings value: static expressions are computed, calls into the data vocabulary are kept as trees.
// `a |> f(b)` is the call f(a, b); `col("x") / 255` is the call "/"(col("x"), 255).
struct Setting {
  enum Kind : uint8_t { none, number, boolean, string, list, call, name };
  Kind kind = none;
  double number_value = 0;
  bool boolean_value = false;
  std::string text;                                    // string: its text; call, name: the name
  std::vector<Setting> items;                          // list: items; call: positional arguments
  std::vector<std::pair<std::string, Setting>> named;  // call: named arguments
  Span span;
  Span written;  // where the text of a literal stands, if not at `span`: in the option it comes from, or the command
                 // line

  const Setting* find_named(std::string_view key) const;  // null if not written
};

// One binding of the data block: `x = …`, `ids, next = …`.
struct DataBinding {
  std::vector<std::string> names;
  Setting value;
  Span span;  // of the names
};

struct DataSettings {
  bool present = false;
  std::optional<Setting> source, split, val, test;
  std::vector<DataBinding> fields;  // everything else, in written order; helpers included
  Span span;
};

enum class BatchKind : uint8_t { mini, full, stochastic };
enum class Clip : uint8_t { none, norm, value };

struct StopSetting {
  std::string name;  // "val.bce"
  double patience = 0;
  bool maximize = false;
  bool restore = false;
  Span span;
};

// reduce_on_plateau(…) as the rate of the optimizer: the runtime lowers the state ":lr_factor".
struct PlateauChoice {
  double lr = 0, factor = 0.1, threshold = 1e-4, min_lr = 0, eps = 1e-8;
  int64_t patience = 10, cooldown = 0;
  bool maximize = false;
  std::string monitor;
  Span span;
};

struct TrainSettings {
  bool present = false;
  BatchKind batch = BatchKind::mini;
  int64_t batch_size = 32;  // mini: as written; stochastic: 1; full: 0, all rows
  bool drop_last = false;   // mini: the last, shorter batch of an epoch is left out
  Span batch_span;
  int64_t epochs = 10;
  uint64_t seed = 0;
  std::optional<StopSetting> stop;
  std::optional<PlateauChoice> plateau;
  Clip clip = Clip::none;
  double clip_limit = 0;
  Span clip_span;
  int64_t accumulate = 1;  // batches to an update
  Span accumulate_span;
  double average = 0;  // decay of the moving average of weights; 0: none
  Span average_span;
  DType precision = DType::f32;
  Span precision_span;
  std::string init_from;
  Span init_from_span;
  std::string optimizer;  // the optimizer's name, "" if none is set
  Span optimizer_span;
  Span span;
};

struct Unit;  // parsed files, names, overrides; frontend/unit.h

struct UnitDeleter {
  void operator()(Unit* unit) const;
};
using UnitPointer = std::unique_ptr<Unit, UnitDeleter>;

// Texts of files by their normalised paths: they stand for what the disk holds.
using FileTexts = std::map<std::string, std::string>;

// Reads a file with its imports and the prelude, resolves declarations and applies overrides.
// Ensures: never null; errors (unreadable files too) are in diagnostics(unit).
UnitPointer load(const std::string& path, const std::vector<Override>& overrides = {}, const FileTexts& texts = {});
// The same over a text in memory; imports are relative to `name`.
UnitPointer load_text(const std::string& name, std::string text, const std::vector<Override>& overrides = {});

Diagnostics& diagnostics(Unit& unit);
const SourceFiles& sources(const Unit& unit);  // for rendering diagnostics
std::string model_name(const Unit& unit);      // "" if the file holds no model
// The user's files, the model file first, then what it imports.
std::vector<const SourceFile*> user_files(const Unit& unit);

// The inputs and targets the model's text declares, in order: the fields the data has to give.
struct ModelInput {
  std::string name;
  bool target = false;
  bool integers = false;  // declared i32: labels or ids
  Span span;
};
std::vector<ModelInput> model_inputs(const Unit& unit);

// The data and train blocks, evaluated once; mistakes in them become diagnostics. Lengths of schedules are not needed.
const DataSettings& data_settings(Unit& unit);
const TrainSettings& train_settings(Unit& unit);

struct BuildRequest {
  std::vector<int64_t> batches = {1};     // the batch lengths of `step`, the full one first
  std::vector<int64_t> evaluate_batches;  // empty: the same as `batches`
  std::vector<int64_t> predict_batches;   // empty: the first of `batches`
  int64_t steps_per_epoch = 1;            // updates
  // Rows of a whole pass of `step` and of `evaluate`: the lengths for which Program::measures are built. Empty: the
  // batch lengths.
  std::vector<int64_t> step_rows, evaluate_rows;
};

// Builds the functions initialize, step, evaluate and predict (names "step", … ; Graph::batch tells lengths apart), all
// states and an update rule per trained parameter. With `accumulate` > 1 also "accumulate", which adds a batch's
// gradients to the states "NAME:grad_sum"; with `average`, evaluate and predict read the states "NAME:average". The
// state ":lr" holds the learning rate of the last update, where the optimizer has an argument `lr`.
// Shapes: fields bind the model's free sizes and bounds. Errors: none is returned when any error was reported.
// Where a field is not known there is no Program; what can be said about the model without it is still reported.
std::optional<Program> build_program(Unit& unit, const std::vector<FieldType>& fields, const BuildRequest& request);

}  // namespace nnc
