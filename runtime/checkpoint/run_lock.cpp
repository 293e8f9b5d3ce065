#include "runtime/checkpoint/run_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/checkpoint/durable_file.h"

namespace nnc {
namespace {

std::string this_process() {
  char host[256] = {};
  if (gethostname(host, sizeof host - 1) != 0) host[0] = 0;
  return fmt::format("process {}{}{}\n", getpid(), host[0] == 0 ? "" : " on ", host);
}

// What the holder wrote; it may not have come to that yet.
std::string holder_of(int file) {
  char text[300];
  const ssize_t got = pread(file, text, sizeof text, 0);
  std::string holder(text, got > 0 ? static_cast<size_t>(got) : 0);
  holder.resize(std::min(holder.size(), holder.find('\n')));
  return holder.starts_with("process ") ? printable(holder) : "another process";
}

}  // namespace

tl::expected<RunLock, RuntimeError> RunLock::take(const std::string& directory) {
  const std::string path = directory + "/lock";
  RunLock lock;
  lock.file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
  if (lock.file_ < 0) return tl::unexpected(write_failure(path, errno));
  int done = 0;
  do {
    done = flock(lock.file_, LOCK_EX | LOCK_NB);
  } while (done != 0 && errno == EINTR);
  if (done != 0 && errno == EWOULDBLOCK) {
    RuntimeError error;
    error.code = ErrorCode::E804;
    error.message = fmt::format("{} is being trained by {}", directory, holder_of(lock.file_));
    error.help = "wait for it, or end it (Ctrl-C or kill) and go on from where it was";
    return tl::unexpected(std::move(error));
  }
  if (done != 0) return lock;
  const std::string text = this_process();
  // Only tells others whom to wait for: where it fails they hear of "another process".
  [[maybe_unused]] const bool told =
      ftruncate(lock.file_, 0) == 0 && pwrite(lock.file_, text.data(), text.size(), 0) >= 0;
  return lock;
}

RunLock::~RunLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace nnc
