#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/checkpoint_files.h"
#include "runtime/checkpoint/progress_json.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/memory.h"

namespace nnc {

namespace fs = std::filesystem;

namespace {

int64_t bytes_of(const StateTensor& tensor) {
  int64_t bytes = element_size(tensor.type);
  for (const int64_t extent : tensor.dims) bytes *= extent;
  return bytes;
}

struct Writer {
  const std::string& folder;
  const CheckpointContent& content;
  nlohmann::json files = nlohmann::json::object();

  tl::expected<void, RuntimeError> finish(DurableFile& file, const char* name) {
    if (auto done = file.finish(); !done) return done;
    files[name] = {{"bytes", file.bytes()}, {"xxh3", fmt::format("{:016x}", file.hash())}};
    return {};
  }

  tl::expected<void, RuntimeError> text(const char* name, const nlohmann::json& json) {
    auto file = DurableFile::create(folder + "/" + name);
    if (!file) return tl::unexpected(file.error());
    if (auto done = file->write(json.dump() + "\n"); !done) return done;
    return finish(*file, name);
  }

  tl::expected<void, RuntimeError> states(const char* name, bool weights) {
    std::vector<const StateTensor*> chosen;
    int64_t bytes = 0;
    for (const StateTensor& state : content.executable->states) {
      if (is_weight(state) != weights) continue;
      chosen.push_back(&state);
      bytes += bytes_of(state);
    }
    auto memory = allocate(bytes, "a checkpoint");
    if (!memory) return tl::unexpected(memory.error());
    std::vector<TensorBytes> tensors;
    std::byte* at = memory->data();
    for (const StateTensor* state : chosen) {
      read_state(*state, content.segment, at);
      const auto length = static_cast<size_t>(bytes_of(*state));
      tensors.push_back({state->name, state->type, state->dims, {at, length}});
      at += length;
    }
    auto file = DurableFile::create(folder + "/" + name);
    if (!file) return tl::unexpected(file.error());
    if (auto done = write_safetensors(*file, std::move(tensors)); !done) return done;
    return finish(*file, name);
  }

  tl::expected<void, RuntimeError> all() {
    if (mkdir(folder.c_str(), 0755) != 0) return tl::unexpected(write_failure(folder, errno));
    if (auto done = states(weights_file, true); !done) return done;
    if (auto done = states(optimizer_file, false); !done) return done;
    const nlohmann::json progress = {{"schema", 1},
                                     {"steps", content.steps},
                                     {"epoch", content.epoch},
                                     {"progress", to_json(*content.progress)},
                                     {"fingerprints", content.fingerprints}};
    if (auto done = text(progress_file, progress); !done) return done;
    const nlohmann::json manifest = {{"schema", 1}, {"files", files}};
    if (auto done = text(manifest_file, manifest); !done) return done;
    return sync_folder(folder);
  }
};

// Gives the finished folder its name. One that has it is left under another, for `remove_others`: only when the names
// are on the device may it go.
tl::expected<void, RuntimeError> publish(const std::string& under_way, const std::string& path) {
  std::error_code ignored;
  if (fs::exists(path, ignored)) {
    if (renameat2(AT_FDCWD, under_way.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) return {};
    const std::string old = path + ".old";
    fs::remove_all(old, ignored);
    if (std::rename(path.c_str(), old.c_str()) != 0) return tl::unexpected(write_failure(path, errno));
  }
  if (std::rename(under_way.c_str(), path.c_str()) != 0) return tl::unexpected(write_failure(path, errno));
  return {};
}

// Leaves the newest `keep`, and nothing that was abandoned half way.
void remove_others(const std::string& folder, int64_t keep) {
  std::error_code ignored;
  std::vector<int64_t> steps;
  std::vector<fs::path> abandoned;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (const auto number = step_of(name)) steps.push_back(*number);
    if (name.starts_with("step-") && (name.ends_with(".tmp") || name.ends_with(".old"))) abandoned.push_back(entry);
  }
  for (const fs::path& path : abandoned) fs::remove_all(path, ignored);
  std::sort(steps.begin(), steps.end(), std::greater<>());
  for (size_t k = static_cast<size_t>(keep); k < steps.size(); ++k) {
    fs::remove_all(fmt::format("{}/step-{}", folder, steps[k]), ignored);
  }
}

}  // namespace

bool is_weight(const StateTensor& state) {
  return state.slot_of.empty() && !state.name.starts_with(':') && state.name != "step" && state.name != "seed";
}

std::optional<int64_t> step_of(std::string_view name) {
  if (!name.starts_with("step-") || name.size() == 5 || name.size() > 5 + 18) return {};
  int64_t number = 0;
  for (const char digit : name.substr(5)) {
    if (digit < '0' || digit > '9') return {};
    number = number * 10 + (digit - '0');
  }
  return number;
}

tl::expected<void, RuntimeError> save_checkpoint(const std::string& folder, const CheckpointContent& content,
                                                 int64_t keep) {
  if (auto made = make_folders(folder); !made) return made;
  const std::string path = fmt::format("{}/step-{}", folder, content.steps);
  const std::string under_way = path + ".tmp";
  std::error_code ignored;
  fs::remove_all(under_way, ignored);
  auto done = Writer{under_way, content}.all();
  if (done) done = publish(under_way, path);
  if (!done) {
    fs::remove_all(under_way, ignored);
    return done;
  }
  if (auto flushed = sync_folder(folder); !flushed) return flushed;
  remove_others(folder, keep);
  return {};
}

}  // namespace nnc
