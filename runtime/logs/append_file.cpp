#include "runtime/logs/append_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace nnc {
namespace {

std::string trouble(const std::string& path, int error) {
  return fmt::format("cannot write `{}`: {}", path, std::strerror(error));
}

}  // namespace

tl::expected<AppendFile, std::string> AppendFile::open(const std::string& path, int64_t keep) {
  AppendFile file;
  file.path_ = path;
  file.handle_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (keep < 0 ? O_TRUNC : 0), 0644);
  if (file.handle_ < 0) return tl::unexpected(trouble(path, errno));
  file.size_ = keep < 0 ? 0 : keep;
  if (::ftruncate(file.handle_, file.size_) != 0) return tl::unexpected(trouble(path, errno));
  return file;
}

AppendFile& AppendFile::operator=(AppendFile&& other) noexcept {
  if (this == &other) return *this;
  close();
  handle_ = std::exchange(other.handle_, -1);
  size_ = other.size_;
  path_ = std::move(other.path_);
  return *this;
}

tl::expected<void, std::string> AppendFile::append(std::string_view record) {
  size_t done = 0;
  while (done < record.size()) {
    const ssize_t written = ::pwrite(handle_, record.data() + done, record.size() - done,
                                     static_cast<off_t>(size_) + static_cast<off_t>(done));
    if (written > 0) {
      done += static_cast<size_t>(written);
      continue;
    }
    const int error = written == 0 ? ENOSPC : errno;
    if (error == EINTR) continue;
    // Half a record is worse than none; if even this fails, the next one is written over it.
    [[maybe_unused]] const int cut = ::ftruncate(handle_, static_cast<off_t>(size_));
    return tl::unexpected(trouble(path_, error));
  }
  size_ += static_cast<int64_t>(done);
  return {};
}

void AppendFile::close() {
  if (handle_ >= 0) ::close(std::exchange(handle_, -1));
}

}  // namespace nnc
