#include "codegen/object_cache.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace nnc {
namespace {

namespace fs = std::filesystem;

constexpr char magic[8] = {'n', 'n', 'c', ' ', 'o', 'b', 'j', '1'};

// What stands before an object in its file.
struct ObjectHeader {
  char magic[8];
  uint64_t bytes;
  uint64_t hash;  // XXH3 of the object
};

struct File {
  explicit File(int opened) : descriptor(opened) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor >= 0) close(descriptor);
  }
  int descriptor;
};

bool read_all(int descriptor, void* into, size_t bytes) {
  auto* at = static_cast<char*>(into);
  while (bytes > 0) {
    const ssize_t got = read(descriptor, at, bytes);
    if (got <= 0) return false;
    at += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

bool write_all(int descriptor, const void* from, size_t bytes) {
  const auto* at = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t put = write(descriptor, at, bytes);
    if (put <= 0) return false;
    at += put;
    bytes -= static_cast<size_t>(put);
  }
  return true;
}

std::string path_of(const ObjectCache& cache, const std::string& key) { return cache.folder + "/" + key + ".o"; }

bool is_private(const std::string& folder) {
  struct stat status = {};
  return stat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

std::string wanted_folder() {
  if (const char* named = std::getenv("NNC_CACHE_DIR")) return named;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return std::string(cache) + "/nnc";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') return std::string(home) + "/.cache/nnc";
  return {};
}

// The note that the linker derives from the contents of a program.
int find_identity(dl_phdr_info* info, size_t, void* result) {
  auto& identity = *static_cast<std::string*>(result);
  for (int k = 0; k < info->dlpi_phnum; ++k) {
    const auto& header = info->dlpi_phdr[k];
    if (header.p_type != PT_NOTE) continue;
    const auto* at = reinterpret_cast<const char*>(info->dlpi_addr + header.p_vaddr);
    const char* end = at + header.p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      const char* name = at + sizeof note;
      const char* description = name + (note.n_namesz + 3) / 4 * 4;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0)
        identity.assign(description, note.n_descsz);
      at = description + (note.n_descsz + 3) / 4 * 4;
    }
  }
  return 1;  // the first is the program itself
}

}  // namespace

ObjectCache default_cache() {
  ObjectCache cache;
  const std::string folder = wanted_folder();
  if (folder.empty()) return cache;
  std::error_code ignored;
  fs::create_directories(fs::path(folder).parent_path(), ignored);
  mkdir(folder.c_str(), 0700);
  if (!is_private(folder)) return cache;
  cache.folder = folder;
  if (const char* text = std::getenv("NNC_CACHE_SIZE")) {
    int64_t mebibytes = 0;
    const auto parsed = std::from_chars(text, text + std::strlen(text), mebibytes);
    if (parsed.ec == std::errc() && mebibytes >= 0 && mebibytes < (int64_t{1} << 40))
      cache.limit_bytes = mebibytes << 20;
  }
  return cache;
}

std::string build_identity() {
  std::string identity;
  dl_iterate_phdr(find_identity, &identity);
  return identity;
}

std::string object_key(const std::vector<std::string_view>& parts) {
  XXH3_state_t* state = XXH3_createState();
  XXH3_128bits_reset(state);
  for (const std::string_view part : parts) {
    const uint64_t bytes = part.size();
    XXH3_128bits_update(state, &bytes, sizeof bytes);
    XXH3_128bits_update(state, part.data(), part.size());
  }
  const XXH128_hash_t hash = XXH3_128bits_digest(state);
  XXH3_freeState(state);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::vector<char> load_object(const ObjectCache& cache, const std::string& key) {
  if (cache.folder.empty()) return {};
  const File file(open(path_of(cache, key).c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status = {};
  ObjectHeader header = {};
  if (file.descriptor < 0 || fstat(file.descriptor, &status) != 0 ||
      !read_all(file.descriptor, &header, sizeof header) || std::memcmp(header.magic, magic, sizeof magic) != 0 ||
      header.bytes != static_cast<uint64_t>(status.st_size) - sizeof header)
    return {};
  std::vector<char> object(header.bytes);
  if (!read_all(file.descriptor, object.data(), object.size()) ||
      XXH3_64bits(object.data(), object.size()) != header.hash)
    return {};
  futimens(file.descriptor, nullptr);
  return object;
}

void store_object(const ObjectCache& cache, const std::string& key, std::string_view object) {
  if (cache.folder.empty()) return;
  static std::atomic<uint32_t> count{0};
  const std::string path = path_of(cache, key);
  const std::string beside = fmt::format("{}.{}-{}.tmp", path, getpid(), count++);
  ObjectHeader header = {};
  std::memcpy(header.magic, magic, sizeof magic);
  header.bytes = object.size();
  header.hash = XXH3_64bits(object.data(), object.size());
  bool written = false;
  {
    const File file(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.descriptor < 0) return;
    written =
        write_all(file.descriptor, &header, sizeof header) && write_all(file.descriptor, object.data(), object.size());
  }
  if (!written || rename(beside.c_str(), path.c_str()) != 0) unlink(beside.c_str());
}

void trim(const ObjectCache& cache) {
  if (cache.folder.empty()) return;
  struct Kept {
    fs::file_time_type used;
    int64_t bytes;
    fs::path path;
  };
  std::vector<Kept> kept;
  int64_t total = 0;
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  for (fs::directory_iterator at(cache.folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    const auto used = at->last_write_time(gone);
    const auto bytes = static_cast<int64_t>(at->file_size(gone));
    if (gone) continue;
    if (at->path().extension() == ".tmp") {
      if (now - used > std::chrono::hours(1)) fs::remove(at->path(), gone);
    } else if (at->path().extension() == ".o") {
      kept.push_back({used, bytes, at->path()});
      total += bytes;
    }
  }
  std::sort(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) { return a.used < b.used; });
  for (const Kept& file : kept) {
    if (total <= cache.limit_bytes) break;
    std::error_code gone;
    fs::remove(file.path, gone);
    total -= file.bytes;
  }
}

}  // namespace nnc
