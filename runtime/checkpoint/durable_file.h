// Files that are either whole or not there: written under another name, flushed to the device, then renamed.
//
// Errors everywhere: E651 where the disk or a limit leaves no room, E652 where the file system refuses otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "runtime/error.h"

namespace nnc {

// A new file under construction; removes nothing when abandoned. XXH3 of what was written is kept on the way.
class DurableFile {
 public:
  // Fails where the file exists.
  static tl::expected<DurableFile, RuntimeError> create(const std::string& path);
  DurableFile(DurableFile&& other) noexcept;
  DurableFile(const DurableFile&) = delete;
  ~DurableFile();

  tl::expected<void, RuntimeError> write(std::span<const std::byte> bytes);
  tl::expected<void, RuntimeError> write(std::string_view text);
  // Flushes to the device and closes.
  tl::expected<void, RuntimeError> finish();

  int64_t bytes() const { return bytes_; }
  uint64_t hash() const;  // XXH3, 64 bits, of all written so far

 private:
  DurableFile() = default;
  int file_ = -1;
  int64_t bytes_ = 0;
  void* hash_ = nullptr;
  std::string path_;
};

// Replaces (or makes) the file in one step: readers see the old text or the new one. The folder is flushed too.
tl::expected<void, RuntimeError> replace_file(const std::string& path, std::string_view text);

// Flushes the entries of a folder: names made, renamed and removed in it.
tl::expected<void, RuntimeError> sync_folder(const std::string& path);

// Makes the folder and those above it, as far as they are missing.
tl::expected<void, RuntimeError> make_folders(const std::string& path);

// The whole file, if it is a plain one of at most `limit` bytes. Errors: E604.
tl::expected<std::string, RuntimeError> read_whole_file(const std::string& path, int64_t limit);

// The error for an errno met while writing `path`.
RuntimeError write_failure(const std::string& path, int error);

}  // namespace nnc
