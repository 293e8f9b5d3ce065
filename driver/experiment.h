// A model file on its way to a Program: read with its settings, its data opened, its functions built.
//
//   Experiment experiment = load_experiment("net.nn", {"hidden=32"});
//   if (!open_and_build(experiment)) return report(experiment, json);
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "driver/data_spec.h"
#include "frontend/frontend.h"
#include "ir/graph/graph.h"
#include "runtime/data/dataset.h"
#include "runtime/train_config.h"
#include "runtime/trainer.h"

namespace nnc {

struct Experiment {
  std::string path;
  std::vector<std::string> settings;
  std::string folder;            // what relative paths on the command line are relative to; "": the current one
  std::optional<FoldSpec> fold;  // of a cross-validation
  UnitPointer unit;              // its diagnostics hold all that went wrong, the runtime's errors too
  Origins origins;
  TrainConfig config;
  Dataset dataset;
  std::optional<Program> program;
  double data_ms = 0;
};

// Each setting is `name=value`. `texts` stand for files on the disk.
Experiment load_experiment(const std::string& path, const std::vector<std::string>& settings,
                           const FileTexts& texts = {});

// The data block, for the fields the model needs. Errors are in the diagnostics.
DataSpec read_data_spec(Experiment& experiment);

// Makes integer fields floats where the model wants floats. False: diagnostics say why not.
bool convert_fields(Experiment& experiment);

// What build binds the model's free sizes by.
std::vector<FieldType> field_types(const Dataset& dataset);

// Reads the data block's files and fits its transforms. False: there is no data to build with, diagnostics say why.
// True with errors among the diagnostics where only other settings are wrong: build still finds the mistakes of the
// model.
bool open_data(Experiment& experiment);

// Builds initialize, step, evaluate and predict at the batch lengths the data needs, the full one first. Requires
// open_data. False: diagnostics say why.
bool build(Experiment& experiment);

// open_data and build; with `to_train` check_trainable too. Where the data cannot be read, the mistakes of the model
// that show without them are found all the same. False: diagnostics say why.
bool open_and_build(Experiment& experiment, bool to_train = true);

// Leaves the functions that training calls, and those named in `others`.
void keep_training_functions(Experiment& experiment, const std::vector<std::string>& others = {});

// Says so where there is no train block and so no optimizer (E503). False if there are errors, this or others.
bool check_trainable(Experiment& experiment);

// Shows the diagnostics: on stderr, or with json on stdout. Returns the exit code for them.
int report(Experiment& experiment, bool json);

// Elements of all trained states.
int64_t parameter_count(const std::vector<StateDecl>& states);

}  // namespace nnc
