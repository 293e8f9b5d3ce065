// Opening a run to use it: its model compiled for evaluation or prediction, its best weights loaded.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "driver/run_directory.h"
#include "runtime/data/apply_saved.h"
#include "runtime/data/batches.h"
#include "runtime/pass.h"

namespace nnc {
namespace {

constexpr DataPart all_parts[] = {DataPart::train, DataPart::val, DataPart::test};

BatchLengths prediction_lengths(int64_t rows) {
  BatchStrategy strategy;
  strategy.size = 256;
  return batch_lengths(rows, strategy);
}

RuntimeError argument_error(std::string message, std::string help = {}) {
  RuntimeError error;
  error.code = ErrorCode::E607;
  error.message = std::move(message);
  error.help = std::move(help);
  return error;
}

// The run's source with other files in place of its own. Options such as delimiter stay; a named file that is not given
// is left out.
tl::expected<Spec, RuntimeError> source_of_files(const Spec& source, const std::vector<std::string>& files) {
  Spec changed = source;
  std::vector<NamedSpec> named;
  bool placed = false;
  for (const std::string& file : files) {
    const size_t equals = file.find('=');
    const std::string name = equals == std::string::npos ? "" : file.substr(0, equals);
    const auto of_name = [&](const NamedSpec& item) {
      return item.name == name && item.value.kind == Spec::Kind::string;
    };
    const auto known = std::find_if(source.named.begin(), source.named.end(), of_name);
    if (!name.empty() && known != source.named.end()) {
      named.push_back({name, known->origin, spec_string(file.substr(equals + 1))});
    } else if (!changed.items.empty() && changed.items[0].kind == Spec::Kind::string && !placed) {
      changed.items[0] = spec_string(file);
      placed = true;
    } else if (changed.items.empty() && !source.named.empty() && named.empty() &&
               source.named[0].value.kind == Spec::Kind::string) {
      named.push_back({source.named[0].name, source.named[0].origin, spec_string(file)});
    } else {
      return tl::unexpected(argument_error(fmt::format("the run's source `{}` has no place for {}", source.text, file),
                                           "one FILE, or NAME=FILE for each file that the source names"));
    }
  }
  if (placed) return changed;
  const auto is_file = [](const NamedSpec& item) { return item.value.kind == Spec::Kind::string; };
  std::erase_if(changed.named, is_file);
  changed.named.insert(changed.named.begin(), named.begin(), named.end());
  return changed;
}

// Integers of a field may not reach beyond those of training: the model has no place for them.
RuntimeErrors check_bounds(const nlohmann::json& known, Dataset& dataset) {
  RuntimeErrors errors;
  for (DataField& field : dataset.fields) {
    for (const nlohmann::json& before : known.is_array() ? known : nlohmann::json::array()) {
      if (!before.is_object() || before.value("name", nlohmann::json()) != field.name) continue;
      const nlohmann::json bound = before.value("bound", nlohmann::json());
      if (field.type != ElementType::i32 || !bound.is_number_integer()) continue;
      const int64_t most = bound.get<int64_t>();
      if (most > 0 && (field.bound == 0 || field.bound > most)) {
        errors.push_back({ErrorCode::E603,
                          fmt::format("field `{}` holds integers that the model was not trained for: it knows 0 to {}",
                                      field.name, most - 1)});
      }
      field.bound = most;
    }
  }
  return errors;
}

// Applies what was fitted to the files given.
RuntimeErrors open_files(Run& run, const RunRequest& request) {
  Experiment& experiment = run.experiment;
  const DataSpec spec = read_data_spec(experiment);
  if (has_errors(diagnostics(*experiment.unit))) return {};
  if (!spec.source) return {argument_error("the run's model file names no source")};
  auto source = source_of_files(*spec.source, request.files);
  if (!source) return {source.error()};
  std::vector<FieldPlan> plans = run.plans;
  for (const ModelInput& input : model_inputs(*experiment.unit)) {
    if (!input.target || !request.without_targets) continue;
    std::erase_if(plans, [&](const FieldPlan& plan) { return plan.name == input.name; });
  }
  auto dataset = apply_saved(*source, plans);
  if (!dataset) return dataset.error();
  experiment.dataset = std::move(*dataset);
  if (!convert_fields(experiment)) return {};
  return check_bounds(run.info.value("fields", nlohmann::json()), experiment.dataset);
}

// The fields' types as they were in training; read_run has checked them.
std::vector<FieldType> trained_types(const Run& run) {
  std::vector<FieldType> types = field_types(run.experiment.dataset);
  for (const nlohmann::json& field : run.info.value("fields", nlohmann::json::array())) {
    const auto same = [&](const FieldType& type) { return type.name == field["name"]; };
    if (std::any_of(types.begin(), types.end(), same)) continue;
    const bool integers = field.value("integers", nlohmann::json()) == true;
    const TensorType type{integers ? DType::i32 : DType::f32, integers ? field["bound"].get<int64_t>() : 0,
                          field["dims"].get<std::vector<int64_t>>()};
    types.push_back({field["name"].get<std::string>(), type});
  }
  return types;
}

void add_length(std::vector<int64_t>& lengths, int64_t length) {
  if (length > 0 && std::find(lengths.begin(), lengths.end(), length) == lengths.end()) lengths.push_back(length);
}

bool build_request(Run& run, const RunRequest& request) {
  Experiment& experiment = run.experiment;
  BuildRequest build;
  for (const DataPart part : all_parts) {
    const auto rows = static_cast<int64_t>(experiment.dataset.part(part).size());
    if (rows == 0) continue;
    const BatchLengths pass = evaluation_lengths(rows, experiment.config.batch), predict = prediction_lengths(rows);
    for (const int64_t length : {pass.length, pass.last}) add_length(build.evaluate_batches, length);
    for (const int64_t length : {predict.length, predict.last}) add_length(build.predict_batches, length);
    add_length(build.evaluate_rows, rows);
  }
  experiment.program = build_program(*experiment.unit, trained_types(run), build);
  if (!experiment.program) return false;
  std::erase_if(experiment.program->functions, [&](const Graph& graph) {
    const bool wanted = (graph.name == "evaluate" && request.evaluate) || (graph.name == "predict" && request.predict);
    return !wanted;
  });
  return true;
}

// The outputs that are sigmoids by the model's text: passes change what a graph looks like.
std::vector<std::string> find_probabilities(const Program& program) {
  std::vector<std::string> names;
  for (const Graph& graph : program.functions) {
    if (graph.name != "predict") continue;
    for (const Root& root : graph.roots) {
      NodeId node = root.node;
      while (graph[node].op == Op::reshape || graph[node].op == Op::transpose) node = graph[node].operands[0];
      if (root.kind == Root::output && graph[node].op == Op::sigmoid) names.push_back(root.name);
    }
    break;
  }
  return names;
}

template <class T>
void append_as(const void* from, int64_t count, std::vector<float>& into) {
  const T* values = static_cast<const T*>(from);
  for (int64_t k = 0; k < count; ++k) into.push_back(static_cast<float>(values[k]));
}

// What the entry wrote into its io tensor, as floats.
void append_values(const BoundEntry& bound, size_t io, std::vector<float>& into) {
  const IoTensor& tensor = bound.entry->io[io];
  int64_t count = 1;
  for (const int64_t extent : tensor.dims) count *= extent;
  const void* from = bound.io[0][io];
  switch (tensor.type) {
    case ElementType::boolean:
      return append_as<uint8_t>(from, count, into);
    case ElementType::i32:
      return append_as<int32_t>(from, count, into);
    case ElementType::i64:
      return append_as<int64_t>(from, count, into);
    case ElementType::f64:
      return append_as<double>(from, count, into);
    case ElementType::f32:
      return append_as<float>(from, count, into);
    case ElementType::bf16:
      break;
  }
  for (int64_t k = 0; k < count; ++k) {
    const uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t*>(from)[k]) << 16;
    into.push_back(std::bit_cast<float>(bits));
  }
}

int show(Run& run, const RuntimeErrors& errors, bool json) {
  if (run.experiment.unit == nullptr) return report_errors(errors, json);
  add_errors(*run.experiment.unit, errors, run.experiment.origins);
  return report(run.experiment, json);
}

}  // namespace

int open_run(const std::string& directory, const RunRequest& request, bool json, Run& run) {
  PipelineOptions options;
  if (!read_compile_arguments(request.compile, request.compile.interpret.empty(), options)) return kUsage;
  if (const RuntimeErrors errors = read_run(directory, {}, run); !errors.empty()) return report_errors(errors, json);
  auto found = weights_of_run(run.directory);
  if (!found) return report_errors(found.error(), json);
  run.weights = found->path;
  Experiment& experiment = run.experiment;
  if (has_errors(diagnostics(*experiment.unit))) return report(experiment, json);
  if (request.files.empty()) {
    if (!open_data(experiment)) {
      if (request.needs_data) return report(experiment, json);
      Diagnostics& list = diagnostics(*experiment.unit);
      run.without_data = list.list.front().message;
      list = {};
      experiment.dataset = {};
    }
  } else {
    experiment.config = train_config(train_settings(*experiment.unit), experiment.origins);
    if (const RuntimeErrors errors = open_files(run, request); !errors.empty()) return show(run, errors, json);
  }
  if (has_errors(diagnostics(*experiment.unit)) || !build_request(run, request)) return report(experiment, json);
  diagnostics(*experiment.unit).list.clear();  // warnings were said in training
  run.probabilities = find_probabilities(*experiment.program);
  set_options(experiment, options);
  auto runnable = make_runnable(std::move(*experiment.program), request.compile, options);
  if (!runnable) return report_errors({{ErrorCode::E650, runnable.error()}}, json);
  run.runnable = std::move(*runnable);
  const Executable& executable = run.runnable->executable;
  double flops = 0;
  for (const Entry& entry : executable.entries) flops = std::max(flops, entry.flops);
  auto session = open_session(executable, choose_threads(request.threads, flops));
  if (!session) return show(run, session.error(), json);
  run.session = std::move(*session);
  const RuntimeErrors errors = load_states(run.weights, executable, StateKind::weights, run.session->state.data());
  if (!errors.empty()) return report_errors(errors, json);
  refresh(*run.session);
  return kOk;
}

tl::expected<std::vector<PredictedOutput>, RuntimeErrors> predict_rows(Run& run, std::span<const uint32_t> rows) {
  std::vector<PredictedOutput> outputs;
  if (rows.empty()) return outputs;
  auto pass =
      open_pass(*run.session, run.experiment.dataset, "predict", prediction_lengths(static_cast<int64_t>(rows.size())));
  if (!pass) return tl::unexpected(pass.error());
  const std::vector<std::string>& known = run.probabilities;
  std::vector<size_t> places;
  for (size_t k = 0; k < pass->full->entry->io.size(); ++k) {
    const IoTensor& tensor = pass->full->entry->io[k];
    if (tensor.role != IoTensor::output || tensor.dims.empty()) continue;
    PredictedOutput& output = outputs.emplace_back();
    output.name = tensor.name;
    output.dims.assign(tensor.dims.begin() + 1, tensor.dims.end());
    output.probability = std::find(known.begin(), known.end(), tensor.name) != known.end();
    places.push_back(k);
  }
  size_t at = 0;
  for (int64_t step = 0; step < pass->lengths.steps(); ++step) {
    const BoundEntry& bound = pass->at(step);
    const auto batch = static_cast<size_t>(bound.entry->batch);
    fill_batch(bound, rows.subspan(at, batch), 0);
    run_entry(*run.session, *bound.entry, bound.io[0].data());
    for (size_t k = 0; k < places.size(); ++k) append_values(bound, places[k], outputs[k].values);
    at += batch;
  }
  return outputs;
}

}  // namespace nnc
