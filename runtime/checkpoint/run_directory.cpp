#include "runtime/checkpoint/run_directory.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <vector>

#include "runtime/checkpoint/durable_file.h"

namespace nnc {
namespace {

std::string file_name(std::string_view name) {
  std::string clean(name.substr(0, 100));
  for (char& c : clean) {
    const auto byte = static_cast<unsigned char>(c);
    const bool good = std::isalnum(byte) != 0 || c == '_' || c == '-' || c == '.' || byte >= 0x80;
    if (!good) c = '_';
  }
  if (clean.empty() || clean[0] == '.' || clean[0] == '-') clean.insert(0, "_");
  return clean;
}

// The highest K of root/NAME-K, 0 if there is none.
int64_t highest(const std::string& root, const std::string& name) {
  int64_t found = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(root, ignored)) {
    const std::string other = entry.path().filename().string();
    if (!other.starts_with(name + "-")) continue;
    int64_t number = 0;
    const char* end = other.data() + other.size();
    const auto [stop, error] = std::from_chars(other.data() + name.size() + 1, end, number);
    if (error == std::errc() && stop == end) found = std::max(found, number);
  }
  return found;
}

// FILE.PID.tmp
bool is_unfinished(std::string_view name, std::string_view file) {
  constexpr std::string_view end = ".tmp";
  if (!name.starts_with(file) || !name.ends_with(end) || name.size() < file.size() + 2 + end.size()) return false;
  const std::string_view process = name.substr(file.size(), name.size() - file.size() - end.size());
  return process[0] == '.' && process.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

}  // namespace

tl::expected<std::string, RuntimeError> create_run_directory(const std::string& root, std::string_view name) {
  if (auto made = make_folders(root); !made) return tl::unexpected(made.error());
  const std::string stem = file_name(name);
  for (int64_t number = highest(root, stem) + 1;; ++number) {
    const std::string path = (std::filesystem::path(root) / fmt::format("{}-{}", stem, number)).string();
    if (mkdir(path.c_str(), 0755) == 0) {
      if (auto flushed = sync_folder(root); !flushed) return tl::unexpected(flushed.error());
      return path;
    }
    // Another run may have taken the number meanwhile.
    if (errno != EEXIST) return tl::unexpected(write_failure(path, errno));
  }
}

void remove_unfinished(const std::string& directory) {
  std::vector<std::filesystem::path> unfinished;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    for (const std::string_view file : {run_info_file, run_model_file, run_fitted_file}) {
      if (is_unfinished(name, file)) unfinished.push_back(entry.path());
    }
  }
  for (const auto& path : unfinished) std::filesystem::remove(path, ignored);
}

}  // namespace nnc
