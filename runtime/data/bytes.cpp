#include "runtime/data/bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace nnc {

RuntimeError ByteSource::failure(std::string message) const {
  RuntimeError error;
  error.code = ErrorCode::E604;
  error.origin = origin_;
  error.file = path_;
  error.message = std::move(message);
  return error;
}

ByteSource::ByteSource(ByteSource&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)),
      path_(std::move(other.path_)),
      origin_(other.origin_),
      file_bytes_(other.file_bytes_),
      delivered_(other.delivered_),
      compressed_(other.compressed_) {}

ByteSource::~ByteSource() {
  if (file_ != nullptr) gzclose(file_);
}

tl::expected<ByteSource, RuntimeError> ByteSource::open(const std::string& path, Origin origin) {
  ByteSource source;
  source.path_ = path;
  source.origin_ = origin;
  // Nonblocking, or a pipe without a writer would never open.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return tl::unexpected(source.failure(fmt::format("cannot open {}: {}", path, std::strerror(errno))));
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    return tl::unexpected(source.failure(fmt::format("{} is not a file", path)));
  }
  source.file_bytes_ = status.st_size;
  source.file_ = gzdopen(descriptor, "rb");
  if (source.file_ == nullptr) {
    close(descriptor);
    return tl::unexpected(source.failure(fmt::format("cannot open {}: out of memory", path)));
  }
  gzbuffer(source.file_, static_cast<unsigned>(std::clamp<int64_t>(source.file_bytes_, 1 << 13, 1 << 18)));
  source.compressed_ = gzdirect(source.file_) == 0;
  return source;
}

tl::expected<int64_t, RuntimeError> ByteSource::read(std::span<char> into) {
  size_t filled = 0;
  while (filled < into.size()) {
    const auto wanted = static_cast<unsigned>(std::min<size_t>(into.size() - filled, 1u << 30));
    const int got = gzread(file_, into.data() + filled, wanted);
    int code = Z_OK;
    const char* why = gzerror(file_, &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
      if (code == Z_ERRNO) why = std::strerror(errno);
      if (code == Z_BUF_ERROR) why = "the compressed data ends early";
      return tl::unexpected(failure(fmt::format("cannot read {}: {}", path_, why)));
    }
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  delivered_ += static_cast<int64_t>(filled);
  if (compressed_ && delivered_ > (int64_t{1} << 26) && delivered_ / inflation_limit > file_bytes_) {
    return tl::unexpected(failure(fmt::format("{} inflates beyond reason", path_)));
  }
  return static_cast<int64_t>(filled);
}

tl::expected<std::string, RuntimeError> read_whole_file(const std::string& path, Origin origin, int64_t limit) {
  auto source = ByteSource::open(path, origin);
  if (!source) return tl::unexpected(source.error());
  std::string content;
  constexpr int64_t block = int64_t{1} << 22;
  for (;;) {
    const auto filled = static_cast<int64_t>(content.size());
    // One byte more than a plain file has, so that a single read sees its end.
    int64_t wanted =
        std::min(source->compressed() || filled > 0 ? block : source->file_bytes() + 1, limit + 1 - filled);
    content.resize(static_cast<size_t>(filled + wanted));
    auto got = source->read(std::span<char>(content).subspan(static_cast<size_t>(filled)));
    if (!got) return tl::unexpected(got.error());
    content.resize(static_cast<size_t>(filled + *got));
    if (static_cast<int64_t>(content.size()) > limit) {
      RuntimeError error;
      error.code = ErrorCode::E604;
      error.origin = origin;
      error.file = path;
      error.message = fmt::format("cannot read {}: it holds more than {} bytes", path, limit);
      return tl::unexpected(std::move(error));
    }
    if (*got < wanted) return content;
  }
}

}  // namespace nnc
