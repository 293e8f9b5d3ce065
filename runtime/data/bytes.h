// A file read front to back, inflated where it starts with gzip's magic number.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>

#include "runtime/error.h"

struct gzFile_s;

namespace nnc {

class ByteSource {
 public:
  // Fails with E604 on what is missing, unreadable or no plain file.
  static tl::expected<ByteSource, RuntimeError> open(const std::string& path, Origin origin);
  ByteSource(ByteSource&& other) noexcept;
  ByteSource(const ByteSource&) = delete;
  ~ByteSource();

  // Reads until `into` is full or the file ends; returns how many bytes. Fails with E604 on a damaged file, and on one
  // that inflates to more than `inflation_limit` times its size (deflate itself cannot exceed 1032).
  tl::expected<int64_t, RuntimeError> read(std::span<char> into);

  int64_t file_bytes() const { return file_bytes_; }
  bool compressed() const { return compressed_; }

  static constexpr int64_t inflation_limit = 1040;

 private:
  ByteSource() = default;
  RuntimeError failure(std::string message) const;
  gzFile_s* file_ = nullptr;
  std::string path_;
  Origin origin_ = 0;
  int64_t file_bytes_ = 0;
  int64_t delivered_ = 0;
  bool compressed_ = false;
};

// All of the file, inflated where it is compressed. E604 also where that is more than `limit` bytes.
tl::expected<std::string, RuntimeError> read_whole_file(const std::string& path, Origin origin, int64_t limit);

}  // namespace nnc
