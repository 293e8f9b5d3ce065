#include "driver/run_directory.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "codegen/codegen.h"
#include "driver/console.h"
#include "runtime/checkpoint/durable_file.h"
#include "runtime/checkpoint/fingerprint.h"
#include "runtime/checkpoint/json_text.h"
#include "runtime/checkpoint/run_directory.h"
#include "runtime/data/pipeline_json.h"

namespace nnc {

namespace fs = std::filesystem;

namespace {

constexpr int64_t longest_info = int64_t{64} << 20;
constexpr int64_t longest_fitted = int64_t{1} << 30;

std::string absolute(const std::string& path) { return fs::absolute(path).lexically_normal().string(); }

nlohmann::json fields_json(const Experiment& experiment) {
  nlohmann::json fields = nlohmann::json::array();
  for (const DataField& field : experiment.dataset.fields) {
    fields.push_back({{"name", field.name},
                      {"integers", field.type == ElementType::i32},
                      {"bound", field.bound},
                      {"dims", field.dims}});
  }
  return fields;
}

nlohmann::json run_info(const Experiment& experiment, const Program& program, const TrainArguments& arguments,
                        const Host& host) {
  const CompileArguments& compile = arguments.compile;
  const bool native = compile.cpu == "native";
  nlohmann::json info = {{"schema", 1},
                         {"nnc", NNC_VERSION},
                         {"model", program.name},
                         {"file", absolute(experiment.path)},
                         {"folder", fs::current_path().string()},
                         {"settings", experiment.settings},
                         {"machine", host.cpu},
                         {"cpu", native ? host.targets.front().name : compile.cpu},
                         {"interpret", compile.interpret},
                         {"disabled_passes", compile.disabled_passes},
                         {"seed", experiment.config.seed},
                         {"parameters", parameter_count(program.states)},
                         {"data", fingerprint(experiment.dataset)},
                         {"fields", fields_json(experiment)},
                         {"started", utc_time()},
                         {"status", "running"}};
  if (experiment.fold) info["fold"] = {{"index", experiment.fold->index}, {"of", experiment.fold->of}};
  return info;
}

// Copies of the user's files, whose places stand in run.json.
tl::expected<nlohmann::json, RuntimeError> keep_texts(const std::string& directory, const Experiment& experiment) {
  nlohmann::json kept = nlohmann::json::array();
  for (const SourceFile* file : user_files(*experiment.unit)) {
    std::string stored = run_model_file;
    if (!kept.empty()) {
      if (auto made = make_folders(directory + "/imports"); !made) return tl::unexpected(made.error());
      stored = fmt::format("imports/{}-{}", kept.size(), fs::path(file->name).filename().string());
    }
    if (auto done = replace_file(directory + "/" + stored, file->text); !done) return tl::unexpected(done.error());
    kept.push_back({{"path", absolute(file->name)}, {"kept", stored}, {"xxh3", fingerprint(file->text)}});
  }
  return kept;
}

// run.json comes last: what lacks it is no run, so nobody opens one that is not locked yet.
RuntimeErrors fill_run(BegunRun& run, const Experiment& experiment) {
  auto lock = RunLock::take(run.directory);
  if (!lock) return {lock.error()};
  run.lock = std::move(*lock);
  auto kept = keep_texts(run.directory, experiment);
  if (!kept) return {kept.error()};
  run.info["files"] = std::move(*kept);
  nlohmann::json fields = nlohmann::json::array();
  for (const DataField& field : experiment.dataset.fields) fields.push_back(to_json(field.plan));
  const nlohmann::json fitted = {{"schema", 1}, {"fields", std::move(fields)}};
  auto done = replace_file(run.directory + "/" + run_fitted_file, fitted.dump() + "\n");
  if (!done) return {done.error()};
  auto written = write_run_info(run.directory, run.info);
  return written ? RuntimeErrors{} : written.error();
}

tl::expected<nlohmann::json, RuntimeError> read_json(const std::string& path, int64_t limit) {
  auto text = read_whole_file(path, limit);
  if (!text) return tl::unexpected(text.error());
  auto json = parse_json(*text, 400);
  if (!json) return tl::unexpected(run_error(ErrorCode::E801, fmt::format("{}: {}", path, json.error())));
  return std::move(*json);
}

std::vector<std::string> strings(const nlohmann::json& from, const char* name) {
  std::vector<std::string> texts;
  const auto member = from.find(name);
  if (member == from.end() || !member->is_array()) return texts;
  for (const nlohmann::json& item : *member) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

// The kept texts by the paths they had. Errors: E604, E801, E802.
tl::expected<FileTexts, RuntimeError> read_texts(const std::string& directory, const nlohmann::json& info) {
  FileTexts texts;
  for (const nlohmann::json& file : info.value("files", nlohmann::json::array())) {
    const bool good = file.is_object() && file.value("path", nlohmann::json()).is_string() &&
                      file.value("kept", nlohmann::json()).is_string() &&
                      file.value("xxh3", nlohmann::json()).is_string();
    const std::string kept = good ? file["kept"].get<std::string>() : "";
    if (!good || kept.find("..") != std::string::npos || kept.starts_with('/')) {
      return tl::unexpected(
          run_error(ErrorCode::E801, fmt::format("{}/{}: malformed `files`", directory, run_info_file)));
    }
    const std::string path = directory + "/" + kept;
    auto text = read_whole_file(path, longest_info);
    if (!text) return tl::unexpected(text.error());
    if (fingerprint(*text) != file["xxh3"]) {
      return tl::unexpected(run_error(ErrorCode::E802, fmt::format("{} has changed since the run began", path),
                                      "a changed model begins a run of its own: nnc train FILE"));
    }
    texts[file["path"].get<std::string>()] = std::move(*text);
  }
  return texts;
}

bool is_within(const nlohmann::json& number, int64_t least, int64_t most) {
  if (number.is_number_unsigned() && number.get<uint64_t>() > static_cast<uint64_t>(most)) return false;
  return number.is_number_integer() && number.get<int64_t>() >= least && number.get<int64_t>() <= most;
}

// The types of fields size tensors: only those that a dataset can have are let in.
bool has_sound_fields(const nlohmann::json& info) {
  const nlohmann::json fields = info.value("fields", nlohmann::json::array());
  constexpr double most_elements = 1099511627776.0;  // 2^40
  return fields.is_array() && std::all_of(fields.begin(), fields.end(), [&](const nlohmann::json& field) {
           if (!field.is_object()) return false;
           const nlohmann::json dims = field.value("dims", nlohmann::json());
           const bool sound = field.value("name", nlohmann::json()).is_string() &&
                              is_within(field.value("bound", nlohmann::json()), 0, max_extent) && dims.is_array() &&
                              dims.size() < static_cast<size_t>(max_rank);
           double elements = 1;
           return sound && std::all_of(dims.begin(), dims.end(), [&](const nlohmann::json& extent) {
                    if (!is_within(extent, 1, max_extent)) return false;
                    elements *= extent.get<double>();
                    return elements <= most_elements;
                  });
         });
}

bool has_sound_fold(const nlohmann::json& info) {
  const auto fold = info.find("fold");
  if (fold == info.end()) return true;
  if (!fold->is_object() || !is_within(fold->value("of", nlohmann::json()), 2, most_folds)) return false;
  return is_within(fold->value("index", nlohmann::json()), 1, fold->value("of", int64_t{0}));
}

// Requires has_sound_fold.
std::optional<FoldSpec> read_fold(const nlohmann::json& info) {
  const auto fold = info.find("fold");
  if (fold == info.end()) return {};
  return FoldSpec{fold->value("index", int64_t{0}), fold->value("of", int64_t{0}), 0};
}

tl::expected<std::vector<FieldPlan>, RuntimeError> read_plans(const std::string& directory) {
  const std::string path = directory + "/" + run_fitted_file;
  auto json = read_json(path, longest_fitted);
  if (!json) return tl::unexpected(json.error());
  std::vector<FieldPlan> plans;
  const nlohmann::json fields = json->is_object() ? json->value("fields", nlohmann::json()) : nlohmann::json();
  if (!fields.is_array()) return tl::unexpected(run_error(ErrorCode::E801, fmt::format("{} holds no fields", path)));
  for (const nlohmann::json& field : fields) {
    auto plan = plan_from_json(field);
    if (!plan) return tl::unexpected(run_error(ErrorCode::E801, fmt::format("{}: {}", path, plan.error())));
    plans.push_back(std::move(*plan));
  }
  return plans;
}

}  // namespace

RuntimeError run_error(ErrorCode code, std::string message, std::string help) {
  RuntimeError error;
  error.code = code;
  error.message = std::move(message);
  error.help = std::move(help);
  return error;
}

std::string utc_time() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

tl::expected<void, RuntimeErrors> write_run_info(const std::string& directory, const nlohmann::json& info) {
  const std::string text = info.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  auto done = replace_file(directory + "/" + run_info_file, text);
  if (!done) return tl::unexpected(RuntimeErrors{done.error()});
  return {};
}

tl::expected<BegunRun, RuntimeErrors> begin_run(const Experiment& experiment, const Program& program,
                                                const TrainArguments& arguments) {
  const std::string root = arguments.run_dir.empty() ? "runs" : arguments.run_dir;
  auto made = create_run_directory(root, fs::path(experiment.path).stem().string());
  if (!made) return tl::unexpected(RuntimeErrors{made.error()});
  BegunRun begun{*made, {}, run_info(experiment, program, arguments, detect_host())};
  if (RuntimeErrors errors = fill_run(begun, experiment); !errors.empty()) {
    discard_run(begun.directory);
    return tl::unexpected(std::move(errors));
  }
  return begun;
}

void discard_run(const std::string& directory) {
  std::error_code ignored;
  fs::remove_all(directory, ignored);
}

RuntimeErrors read_run(const std::string& directory, const std::vector<std::string>& more, Run& run) {
  run.directory = directory;
  while (run.directory.size() > 1 && run.directory.back() == '/') run.directory.pop_back();
  const std::string path = run.directory + "/" + run_info_file;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) {
    return {run_error(ErrorCode::E803, fmt::format("{} is no run: there is no {}", directory, path),
                      "`nnc train FILE` makes one and says its name")};
  }
  auto info = read_json(path, longest_info);
  if (!info) return {info.error()};
  const bool good = info->is_object() && info->value("file", nlohmann::json()).is_string() &&
                    info->value("folder", nlohmann::json()).is_string() &&
                    info->value("files", nlohmann::json()).is_array() &&
                    info->value("resumed", nlohmann::json::array()).is_array() &&
                    info->value("seconds", nlohmann::json(0)).is_number();
  if (!good)
    return {
        run_error(ErrorCode::E801, fmt::format("{} lacks `file`, `folder` or `files`, or has them malformed", path))};
  if (!has_sound_fields(*info) || !has_sound_fold(*info))
    return {run_error(ErrorCode::E801, fmt::format("{} has `fields` or `fold` malformed", path))};
  run.info = std::move(*info);
  auto texts = read_texts(run.directory, run.info);
  if (!texts) return {texts.error()};
  auto plans = read_plans(run.directory);
  if (!plans) return {plans.error()};
  run.plans = std::move(*plans);
  std::vector<std::string> settings = strings(run.info, "settings");
  for (const std::string& setting : settings) {
    if (setting.find('=') == std::string::npos)
      return {run_error(ErrorCode::E801, fmt::format("{}: malformed `settings`", path))};
  }
  settings.insert(settings.end(), more.begin(), more.end());
  run.experiment = load_experiment(run.info["file"].get<std::string>(), settings, *texts);
  run.experiment.folder = run.info["folder"].get<std::string>();
  run.experiment.fold = read_fold(run.info);
  return {};
}

tl::expected<FoundCheckpoint, RuntimeErrors> weights_of_run(const std::string& directory) {
  RuntimeErrors damaged;
  for (const char* folder : {run_best_folder, run_last_folder}) {
    FoundCheckpoints found = find_checkpoints(directory + "/" + folder);
    if (!found.sound.empty()) return std::move(found.sound.front());
    damaged.insert(damaged.end(), found.damaged.begin(), found.damaged.end());
  }
  if (!damaged.empty()) return tl::unexpected(std::move(damaged));
  return tl::unexpected(RuntimeErrors{run_error(ErrorCode::E803, fmt::format("{} holds no checkpoint", directory),
                                                "the run ended before its first one")});
}

void add_saving_help(RuntimeErrors& errors) {
  for (RuntimeError& error : errors) {
    if (error.code != ErrorCode::E651 && error.code != ErrorCode::E652) continue;
    error.help = error.code == ErrorCode::E651
                     ? "checkpoints saved before are untouched; make room, or save elsewhere: --run-dir FOLDER"
                     : "save elsewhere: --run-dir FOLDER; or not at all: --no-save";
  }
}

int report_errors(const RuntimeErrors& errors, bool json) {
  Experiment experiment;
  experiment.unit = load_text("nnc", "");
  add_errors(*experiment.unit, errors, experiment.origins);
  return report(experiment, json);
}

void refresh(Session& session) {
  if (const Entry* entry = session.executable->find("refresh", 0)) {
    const std::vector<void*> io(entry->io.size() + 1, nullptr);
    run_entry(session, *entry, io.data());
  }
}

}  // namespace nnc
