#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/checkpoint_files.h"
#include "runtime/checkpoint/json_text.h"
#include "runtime/checkpoint/progress_json.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/half.h"

namespace nnc {

namespace fs = std::filesystem;

namespace {

constexpr int64_t longest_manifest = int64_t{1} << 20;
constexpr int64_t longest_progress = int64_t{1} << 30;

RuntimeError trouble(ErrorCode code, const std::string& file, std::string message, std::string help = {}) {
  RuntimeError error;
  error.code = code;
  error.message = std::move(message);
  error.help = std::move(help);
  error.file = file;
  return error;
}

// The file's XXH3 in hexadecimal and its size; an empty text where it cannot be read.
std::string hash_of(const std::string& path, int64_t& bytes) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return {};
  struct stat status = {};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(file);
    return {};
  }
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  std::vector<char> block(1 << 20);
  ssize_t got = 0;
  bytes = 0;
  while ((got = read(file, block.data(), block.size())) > 0 || (got < 0 && errno == EINTR)) {
    if (got < 0) continue;
    XXH3_64bits_update(state, block.data(), static_cast<size_t>(got));
    bytes += got;
  }
  const std::string hash = got < 0 ? std::string() : fmt::format("{:016x}", XXH3_64bits_digest(state));
  XXH3_freeState(state);
  close(file);
  return hash;
}

tl::expected<nlohmann::json, std::string> read_json(const std::string& path, int64_t limit) {
  auto text = read_whole_file(path, limit);
  if (!text) return tl::unexpected(text.error().message);
  auto json = parse_json(*text);
  if (!json) return tl::unexpected(fmt::format("{}: {}", path, json.error()));
  if (!json->is_object()) return tl::unexpected(fmt::format("{} holds no object", path));
  return json;
}

// What is wrong with the folder's files; empty where all is as the manifest says.
std::string check_manifest(const std::string& path) {
  auto manifest = read_json(fmt::format("{}/{}", path, manifest_file), longest_manifest);
  if (!manifest) return manifest.error();
  const auto files = manifest->find("files");
  if (files == manifest->end() || !files->is_object()) return "its manifest names no files";
  for (const char* name : {weights_file, optimizer_file, progress_file}) {
    if (!files->contains(name)) return fmt::format("its manifest lacks {}", name);
  }
  for (const auto& [name, entry] : files->items()) {
    if (name.find('/') != std::string::npos || !entry.is_object()) return "its manifest is malformed";
    int64_t bytes = 0;
    const std::string hash = hash_of(fmt::format("{}/{}", path, name), bytes);
    if (hash.empty()) return fmt::format("{} cannot be read", printable(name));
    if (entry.value("bytes", nlohmann::json()) != bytes || entry.value("xxh3", nlohmann::json()) != hash) {
      return fmt::format("{} is not as it was written", printable(name));
    }
  }
  return {};
}

tl::expected<FoundCheckpoint, std::string> open_checkpoint(const std::string& path) {
  if (std::string why = check_manifest(path); !why.empty()) return tl::unexpected(std::move(why));
  auto json = read_json(fmt::format("{}/{}", path, progress_file), longest_progress);
  if (!json) return tl::unexpected(json.error());
  FoundCheckpoint found;
  found.path = path;
  for (const auto& [name, into] : {std::pair{"steps", &found.steps}, std::pair{"epoch", &found.epoch}}) {
    const auto member = json->find(name);
    if (member == json->end() || !member->is_number_integer())
      return tl::unexpected(fmt::format("{} lacks `{}`", progress_file, name));
    *into = member->get<int64_t>();
  }
  auto progress = progress_from_json(json->value("progress", nlohmann::json()));
  if (!progress) return tl::unexpected(progress.error());
  found.progress = std::move(*progress);
  found.fingerprints = json->value("fingerprints", nlohmann::json());
  return found;
}

std::string shape_text(std::string_view type, const std::vector<int64_t>& dims) {
  return fmt::format("{}[{}]", type, fmt::join(dims, ", "));
}

int64_t elements_of(const std::vector<int64_t>& dims) {
  int64_t count = 1;
  for (const int64_t extent : dims) count *= extent;
  return count;
}

double float_at(std::string_view type, const std::byte* bytes, size_t index) {
  const auto load = [&](auto value) {
    std::memcpy(&value, bytes + index * sizeof value, sizeof value);
    return value;
  };
  if (type == "F64") return load(0.0);
  if (type == "F32") return load(0.0f);
  if (type == "F16") return float_of_half(load(uint16_t{0}));
  const uint32_t bits = static_cast<uint32_t>(load(uint16_t{0})) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

bool is_float(std::string_view type) { return type == "F64" || type == "F32" || type == "F16" || type == "BF16"; }

// The tensor's elements in another float type, f32 or f64.
std::vector<std::byte> convert(const std::vector<std::byte>& from, std::string_view type, ElementType to,
                               size_t count) {
  std::vector<std::byte> into(count * static_cast<size_t>(element_size(to)));
  for (size_t k = 0; k < count; ++k) {
    const double value = float_at(type, from.data(), k);
    const auto narrow = static_cast<float>(value);
    if (to == ElementType::f64) {
      std::memcpy(into.data() + k * 8, &value, 8);
    } else {
      std::memcpy(into.data() + k * 4, &narrow, 4);
    }
  }
  return into;
}

struct StateLoader {
  const SafeTensorsReader& reader;
  std::string file;
  Origin origin;
  bool converts;  // between float types
  std::byte* segment;
  RuntimeErrors& errors;
  size_t matched = 0;

  void refuse(ErrorCode code, std::string message) {
    if (errors.size() >= 20) return;
    errors.push_back(trouble(code, file, std::move(message)));
    errors.back().origin = origin;
  }

  void load(const StateTensor& state) {
    const SafeTensor* tensor = reader.find(state.name);
    if (tensor == nullptr) {
      std::vector<std::string> names;
      for (const SafeTensor& other : reader.tensors()) names.push_back(other.name);
      const std::string_view similar = nearest(state.name, names);
      refuse(ErrorCode::E802, fmt::format("{} lacks `{}`{}", file, state.name,
                                          similar.empty() ? "" : fmt::format(", but has `{}`", printable(similar))));
      return;
    }
    const std::string_view wanted = safetensors_type(state.type);
    const bool other_width = converts && is_float(tensor->type) && is_float(wanted) && state.type != ElementType::bf16;
    if (tensor->dims != state.dims || (tensor->type != wanted && !other_width)) {
      refuse(ErrorCode::E802,
             fmt::format("`{}` is {} in {}, and {} in the model", state.name, shape_text(tensor->type, tensor->dims),
                         file, shape_text(wanted, state.dims)));
      return;
    }
    ++matched;
    std::vector<std::byte> bytes(static_cast<size_t>(tensor->end - tensor->begin));
    if (auto read = reader.read(*tensor, bytes); !read) {
      errors.push_back(read.error());
      return;
    }
    if (tensor->type != wanted) {
      bytes = convert(bytes, tensor->type, state.type, static_cast<size_t>(elements_of(state.dims)));
    }
    write_state(state, bytes.data(), segment);
  }
};

}  // namespace

FoundCheckpoints find_checkpoints(const std::string& folder) {
  std::error_code ignored;
  std::vector<int64_t> steps;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (const auto number = step_of(entry.path().filename().string())) steps.push_back(*number);
  }
  std::sort(steps.begin(), steps.end(), std::greater<>());
  FoundCheckpoints found;
  for (const int64_t number : steps) {
    const std::string path = fmt::format("{}/step-{}", folder, number);
    if (auto checkpoint = open_checkpoint(path)) {
      found.sound.push_back(std::move(*checkpoint));
    } else {
      found.damaged.push_back(
          trouble(ErrorCode::E801, path, fmt::format("{} is no sound checkpoint: {}", path, checkpoint.error())));
      found.damaged_paths.push_back(path);
    }
  }
  return found;
}

void set_aside(const FoundCheckpoints& found) {
  std::error_code ignored;
  for (const std::string& path : found.damaged_paths) {
    fs::remove_all(path + ".damaged", ignored);
    fs::rename(path, path + ".damaged", ignored);
  }
}

void remove_later_epochs(const std::string& folder, int64_t epoch) {
  std::error_code ignored;
  for (const FoundCheckpoint& found : find_checkpoints(folder).sound) {
    if (found.epoch > epoch) fs::remove_all(found.path, ignored);
  }
}

RuntimeErrors load_states(const std::string& path, const Executable& executable, StateKind kind, std::byte* segment) {
  RuntimeErrors errors;
  for (const bool weights : {true, false}) {
    if (!weights && kind == StateKind::weights) break;
    const std::string file = fmt::format("{}/{}", path, weights ? weights_file : optimizer_file);
    auto reader = SafeTensorsReader::open(file);
    if (!reader) {
      errors.push_back(reader.error());
      continue;
    }
    StateLoader loader{*reader, file, 0, kind == StateKind::weights, segment, errors};
    for (const StateTensor& state : executable.states) {
      if (is_weight(state) == weights) loader.load(state);
    }
    if (!errors.empty() || loader.matched == reader->tensors().size()) continue;
    for (const SafeTensor& tensor : reader->tensors()) {
      const auto same = [&](const StateTensor& state) { return state.name == tensor.name; };
      if (std::any_of(executable.states.begin(), executable.states.end(), same)) continue;
      errors.push_back(
          trouble(ErrorCode::E802, file,
                  fmt::format("{} holds `{}`, a state that the model does not have", file, printable(tensor.name))));
      break;
    }
  }
  return errors;
}

RuntimeErrors load_parameters(const std::string& file, const Executable& executable, Origin origin,
                              std::byte* segment) {
  RuntimeErrors errors;
  auto reader = SafeTensorsReader::open(file);
  if (!reader) {
    errors.push_back(reader.error());
    errors.back().origin = origin;
    return errors;
  }
  StateLoader loader{*reader, file, origin, true, segment, errors};
  for (const StateTensor& state : executable.states) {
    if (state.trained) loader.load(state);
  }
  return errors;
}

}  // namespace nnc
