#include "runtime/checkpoint/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

namespace nnc {
namespace {

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

RuntimeError read_failure(const std::string& path, const std::string& why) {
  RuntimeError error;
  error.code = ErrorCode::E604;
  error.message = fmt::format("cannot read {}: {}", path, why);
  error.file = path;
  return error;
}

}  // namespace

RuntimeError write_failure(const std::string& path, int error) {
  RuntimeError failure;
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  failure.code = full ? ErrorCode::E651 : ErrorCode::E652;
  failure.message = fmt::format("cannot write {}: {}", path, std::strerror(error));
  if (full) failure.help = "what was saved before is untouched";
  failure.file = path;
  return failure;
}

tl::expected<DurableFile, RuntimeError> DurableFile::create(const std::string& path) {
  DurableFile made;
  made.path_ = path;
  made.file_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (made.file_ < 0) return tl::unexpected(write_failure(path, errno));
  made.hash_ = XXH3_createState();
  XXH3_64bits_reset(static_cast<XXH3_state_t*>(made.hash_));
  return made;
}

DurableFile::DurableFile(DurableFile&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      bytes_(other.bytes_),
      hash_(std::exchange(other.hash_, nullptr)),
      path_(std::move(other.path_)) {}

DurableFile::~DurableFile() {
  if (file_ >= 0) close(file_);
  XXH3_freeState(static_cast<XXH3_state_t*>(hash_));
}

tl::expected<void, RuntimeError> DurableFile::write(std::span<const std::byte> bytes) {
  XXH3_64bits_update(static_cast<XXH3_state_t*>(hash_), bytes.data(), bytes.size());
  bytes_ += static_cast<int64_t>(bytes.size());
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return tl::unexpected(write_failure(path_, errno));
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

tl::expected<void, RuntimeError> DurableFile::write(std::string_view text) {
  return write(std::as_bytes(std::span(text.data(), text.size())));
}

tl::expected<void, RuntimeError> DurableFile::finish() {
  // A pipe or a character device has nothing to flush.
  const bool flushed = fsync(file_) == 0 || errno == EINVAL;
  const int flush_error = errno;
  const bool closed = close(std::exchange(file_, -1)) == 0;
  if (!flushed) return tl::unexpected(write_failure(path_, flush_error));
  if (!closed) return tl::unexpected(write_failure(path_, errno));
  return {};
}

uint64_t DurableFile::hash() const { return XXH3_64bits_digest(static_cast<const XXH3_state_t*>(hash_)); }

tl::expected<void, RuntimeError> replace_file(const std::string& path, std::string_view text) {
  const std::string under_way = fmt::format("{}.{}.tmp", path, getpid());
  auto write = [&]() -> tl::expected<void, RuntimeError> {
    auto file = DurableFile::create(under_way);
    if (!file) {
      // The name that was asked for says more than that of the file under way.
      std::string& message = file.error().message;
      if (const size_t at = message.find(under_way); at != std::string::npos)
        message.replace(at, under_way.size(), path);
      file.error().file = path;
      return tl::unexpected(file.error());
    }
    if (auto done = file->write(text); !done) return done;
    if (auto done = file->finish(); !done) return done;
    if (std::rename(under_way.c_str(), path.c_str()) != 0) return tl::unexpected(write_failure(path, errno));
    return sync_folder(folder_of(path));
  };
  unlink(under_way.c_str());
  auto done = write();
  if (!done) unlink(under_way.c_str());
  return done;
}

tl::expected<void, RuntimeError> sync_folder(const std::string& path) {
  const int folder = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return tl::unexpected(write_failure(path, errno));
  // Some file systems cannot flush folders; they order names themselves.
  const bool flushed = fsync(folder) == 0 || errno == EINVAL || errno == ENOTSUP;
  const int error = errno;
  close(folder);
  if (!flushed) return tl::unexpected(write_failure(path, error));
  return {};
}

tl::expected<void, RuntimeError> make_folders(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  // From the first that is there: each new name is flushed with the folder it stands in.
  std::vector<fs::path> missing;
  for (fs::path at = path; !at.empty() && !fs::exists(at, error); at = at.parent_path()) {
    missing.push_back(at);
    if (at == at.parent_path()) break;
  }
  fs::create_directories(path, error);
  if (error) return tl::unexpected(write_failure(path, error.value()));
  if (!fs::is_directory(path, error)) return tl::unexpected(write_failure(path, ENOTDIR));
  for (const fs::path& made : missing) {
    if (auto flushed = sync_folder(folder_of(made.string())); !flushed) return flushed;
  }
  return {};
}

tl::expected<std::string, RuntimeError> read_whole_file(const std::string& path, int64_t limit) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return tl::unexpected(read_failure(path, std::strerror(errno)));
  struct stat status = {};
  std::string why, text;
  if (fstat(file, &status) != 0) {
    why = std::strerror(errno);
  } else if (!S_ISREG(status.st_mode)) {
    why = "it is no plain file";
  } else if (status.st_size > limit) {
    why = fmt::format("it has more than {} bytes", limit);
  } else {
    text.resize(static_cast<size_t>(status.st_size));
    size_t have = 0;
    while (have < text.size()) {
      const ssize_t got = read(file, text.data() + have, text.size() - have);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      have += static_cast<size_t>(got);
    }
    text.resize(have);
  }
  close(file);
  if (!why.empty()) return tl::unexpected(read_failure(path, why));
  return text;
}

}  // namespace nnc
