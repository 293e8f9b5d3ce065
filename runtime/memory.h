// Aligned, zeroed, prefaulted memory whose refusal is a result: segments of a program, buffers, data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tl/expected.hpp>

#include "runtime/error.h"

namespace nnc {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  AlignedBuffer(const AlignedBuffer&) = delete;
  ~AlignedBuffer();

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  friend tl::expected<AlignedBuffer, RuntimeError> allocate(int64_t bytes, const char* purpose);
  void release();
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
  int64_t mapped_ = 0;  // bytes of the mapping
};

// `bytes` of zeros, aligned to 64 bytes (to 2 MiB, with huge pages advised, from 4 MiB on), every page present.
// Refused with E650 when it is more than the machine can give now. `purpose` names it in the message.
tl::expected<AlignedBuffer, RuntimeError> allocate(int64_t bytes, const char* purpose);

// Bytes that can still be given to this process without swapping: the machine's and the control group's, whichever is
// less.
int64_t available_memory();

// "1.5 GiB"
std::string format_bytes(int64_t bytes);

}  // namespace nnc
