#include "driver/experiment.h"

#include <algorithm>
#include <chrono>

#include "driver/console.h"
#include "runtime/data/batches.h"

namespace nnc {
namespace {

// Files are opened as the model's inputs need them; without a model, all fields are.
std::vector<std::string> wanted_fields(const Unit& unit) {
  std::vector<std::string> names;
  for (const ModelInput& input : model_inputs(unit)) names.push_back(input.name);
  return names;
}

// Strings of the command line say no folder.
void resolve_folders(Spec& spec, const std::string& folder) {
  if (spec.kind == Spec::Kind::string && spec.folder.empty()) spec.folder = folder;
  for (Spec& item : spec.items) resolve_folders(item, folder);
  for (NamedSpec& item : spec.named) resolve_folders(item.value, folder);
}

bool wants(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Errors of the data are among the diagnostics: adds those of the model. The data block says which fields there are.
void check_without_data(Experiment& experiment) {
  std::vector<FieldType> fields;
  for (const DataBinding& binding : data_settings(*experiment.unit).fields) {
    for (const std::string& name : binding.names) fields.push_back({name, {}, false});
  }
  const BatchStrategy& batch = experiment.config.batch;
  const bool single = batch.kind == BatchStrategy::Kind::stochastic;
  BuildRequest request;
  request.batches = {single ? 1 : batch.size};
  build_program(*experiment.unit, fields, request);
}

}  // namespace

bool convert_fields(Experiment& experiment) {
  bool converts = true;
  for (const ModelInput& input : model_inputs(*experiment.unit)) {
    const auto field = std::find_if(experiment.dataset.fields.begin(), experiment.dataset.fields.end(),
                                    [&](const DataField& candidate) { return candidate.name == input.name; });
    if (input.integers || field == experiment.dataset.fields.end()) continue;
    if (auto converted = convert_to_float(*field); !converted) {
      add_errors(*experiment.unit, {converted.error()}, experiment.origins);
      converts = false;
    }
  }
  return converts;
}

std::vector<FieldType> field_types(const Dataset& dataset) {
  std::vector<FieldType> types;
  for (const DataField& field : dataset.fields) {
    const bool integers = field.type == ElementType::i32;
    types.push_back({field.name, {integers ? DType::i32 : DType::f32, integers ? field.bound : 0, field.dims}});
  }
  return types;
}

Experiment load_experiment(const std::string& path, const std::vector<std::string>& settings, const FileTexts& texts) {
  std::vector<Override> overrides;
  for (const std::string& setting : settings) {
    const size_t equals = setting.find('=');
    overrides.push_back({setting.substr(0, equals), setting.substr(std::min(equals, setting.size() - 1) + 1)});
  }
  Experiment experiment;
  experiment.path = path;
  experiment.settings = settings;
  experiment.unit = load(path, overrides, texts);
  return experiment;
}

DataSpec read_data_spec(Experiment& experiment) {
  Unit& unit = *experiment.unit;
  DataSpec spec = data_spec(unit, wanted_fields(unit), experiment.origins, experiment.fold);
  if (experiment.folder.empty()) return spec;
  for (std::optional<Spec>* part : {&spec.source, &spec.split, &spec.val, &spec.test}) {
    if (*part) resolve_folders(**part, experiment.folder);
  }
  return spec;
}

bool open_data(Experiment& experiment) {
  Unit& unit = *experiment.unit;
  if (has_errors(diagnostics(unit))) return false;
  experiment.config = train_config(train_settings(unit), experiment.origins);
  const size_t errors_so_far = diagnostics(unit).errors;
  const DataSettings& data = data_settings(unit);
  if (!data.present) return true;
  const auto start = std::chrono::steady_clock::now();
  const DataSpec spec = read_data_spec(experiment);
  if (diagnostics(unit).errors > errors_so_far) return false;
  auto opened = open_dataset(spec);
  if (!opened) {
    add_errors(unit, opened.error(), experiment.origins);
    return false;
  }
  experiment.dataset = std::move(*opened);
  const bool converted = convert_fields(experiment);
  experiment.data_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return converted;
}

bool build(Experiment& experiment) {
  BuildRequest request;
  request.batches.clear();
  for (const EntryNeed& need : needed_entries(experiment.dataset, experiment.config)) {
    if (need.name == "step") request.batches.push_back(need.batch);
    if (need.name == "evaluate") request.evaluate_batches.push_back(need.batch);
  }
  const auto rows = static_cast<int64_t>(experiment.dataset.train.size());
  if (request.batches.empty()) request.batches = {1};
  const BatchLengths epoch = batch_lengths(rows, experiment.config.batch);
  if (rows > 0) request.step_rows = {epoch.length * epoch.count + epoch.last};
  for (const DataPart part : {DataPart::val, DataPart::test}) {
    const auto length = static_cast<int64_t>(experiment.dataset.part(part).size());
    if (length > 0) request.evaluate_rows.push_back(length);
  }
  const int64_t batches = batch_lengths(rows, experiment.config.batch).steps();
  const int64_t group = experiment.config.accumulate;
  request.steps_per_epoch = std::max<int64_t>(1, (batches + group - 1) / group);
  experiment.program = build_program(*experiment.unit, field_types(experiment.dataset), request);
  return experiment.program.has_value();
}

bool open_and_build(Experiment& experiment, bool to_train) {
  Unit& unit = *experiment.unit;
  if (has_errors(diagnostics(unit))) return false;
  bool built = false;
  if (open_data(experiment) || !experiment.dataset.fields.empty()) {
    built = build(experiment);
  } else {
    check_without_data(experiment);
  }
  if (to_train) check_trainable(experiment);
  return built && !has_errors(diagnostics(unit));
}

void keep_training_functions(Experiment& experiment, const std::vector<std::string>& others) {
  const std::vector<EntryNeed> needs = needed_entries(experiment.dataset, experiment.config);
  std::erase_if(experiment.program->functions, [&](const Graph& graph) {
    const EntryNeed own{graph.name, graph.batch};
    return graph.name != "initialize" && !wants(others, graph.name) &&
           std::find(needs.begin(), needs.end(), own) == needs.end();
  });
}

bool check_trainable(Experiment& experiment) {
  Unit& unit = *experiment.unit;
  const TrainSettings& train = train_settings(unit);
  Diagnostics& list = diagnostics(unit);
  if (!train.present && train.optimizer.empty()) {
    report(list, DiagnosticKind::no_optimizer, Place{experiment.path}, "there is no `train` block")
        .help("`train { optimizer = Adam(lr = 1e-3) }`");
  }
  return !has_errors(list);
}

int report(Experiment& experiment, bool json) {
  const Diagnostics& list = diagnostics(*experiment.unit);
  if (json) {
    fmt::print("{}", render_json(sources(*experiment.unit), list));
  } else {
    RenderOptions options;
    options.colour = use_colour(stderr);
    fmt::print(stderr, "{}", render(sources(*experiment.unit), list, options));
  }
  return exit_code(list);
}

int64_t parameter_count(const std::vector<StateDecl>& states) {
  int64_t count = 0;
  for (const StateDecl& state : states) count += state.trained ? state.type.elements() : 0;
  return count;
}

}  // namespace nnc
