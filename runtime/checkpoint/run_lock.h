// One process at a time trains a run: an advisory lock on DIRECTORY/lock, which the system lets go with the process,
// however that ends. The file stays; it names the machine and the process that had it last.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "runtime/error.h"

namespace nnc {

class RunLock {
 public:
  // Errors: E804 where another process holds it, with that process; E651, E652. On a file system without locks it holds
  // nothing.
  static tl::expected<RunLock, RuntimeError> take(const std::string& directory);

  RunLock() = default;  // holds nothing
  RunLock(RunLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  RunLock& operator=(RunLock&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~RunLock();

 private:
  int file_ = -1;
};

}  // namespace nnc
