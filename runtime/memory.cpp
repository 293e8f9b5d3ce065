#include "runtime/memory.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <limits>
#include <utility>

namespace nnc {
namespace {

constexpr int64_t huge_page = int64_t{2} << 20;

int64_t read_number(const char* path) {
  std::ifstream file(path);
  int64_t value = -1;
  return file >> value ? value : -1;
}

int64_t machine_memory() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  int64_t value = 0;
  while (file >> key >> value) {
    std::getline(file, unit);
    if (key == "MemAvailable:") return value * 1024;
  }
  return std::numeric_limits<int64_t>::max();
}

// Pages of files count as used there, though the kernel would give them back first.
int64_t reclaimable(const char* stat_path, std::string_view wanted) {
  std::ifstream file(stat_path);
  std::string key;
  int64_t value = 0;
  while (file >> key >> value) {
    if (key == wanted) return value;
  }
  return 0;
}

int64_t group_memory() {
  int64_t limit = read_number("/sys/fs/cgroup/memory.max"), used = read_number("/sys/fs/cgroup/memory.current");
  if (limit > 0 && used >= 0) return limit - used + reclaimable("/sys/fs/cgroup/memory.stat", "inactive_file");
  limit = read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  used = read_number("/sys/fs/cgroup/memory/memory.usage_in_bytes");
  if (limit > 0 && used >= 0)
    return limit - used + reclaimable("/sys/fs/cgroup/memory/memory.stat", "total_inactive_file");
  return std::numeric_limits<int64_t>::max();
}

}  // namespace

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  if (this != &other) {
    release();
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
    mapped_ = std::exchange(other.mapped_, 0);
  }
  return *this;
}

AlignedBuffer::~AlignedBuffer() { release(); }

void AlignedBuffer::release() {
  if (data_ != nullptr) munmap(data_, static_cast<size_t>(mapped_));
  data_ = nullptr;
}

int64_t available_memory() { return std::max<int64_t>(0, std::min(machine_memory(), group_memory())); }

std::string format_bytes(int64_t bytes) {
  constexpr const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) value /= 1024, ++unit;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

tl::expected<AlignedBuffer, RuntimeError> allocate(int64_t bytes, const char* purpose) {
  auto refusal = [&](int64_t available) {
    RuntimeError error;
    error.code = ErrorCode::E650;
    error.message =
        fmt::format("{} needs {}, but only {} are free", purpose, format_bytes(bytes), format_bytes(available));
    return tl::unexpected(std::move(error));
  };
  constexpr int64_t small = int64_t{1} << 20;  // below, asking the system costs more than it can save
  if (bytes < 0 || (bytes > small && bytes > available_memory())) return refusal(available_memory());

  const bool huge = bytes >= 2 * huge_page;
  const int64_t small_page = sysconf(_SC_PAGESIZE);
  const int64_t page = huge ? huge_page : small_page;
  const int64_t rounded = std::max<int64_t>(1, (bytes + small_page - 1) / small_page) * small_page;
  const int64_t mapped = huge ? rounded + huge_page : rounded;
  void* memory = mmap(nullptr, static_cast<size_t>(mapped), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return refusal(available_memory());

  auto* start = static_cast<std::byte*>(memory);
  const auto aligned = (reinterpret_cast<uintptr_t>(start) + static_cast<uintptr_t>(page) - 1) /
                       static_cast<uintptr_t>(page) * static_cast<uintptr_t>(page);
  const int64_t before = static_cast<int64_t>(aligned - reinterpret_cast<uintptr_t>(start));
  if (before > 0) munmap(start, static_cast<size_t>(before));
  if (mapped - before > rounded) munmap(start + before + rounded, static_cast<size_t>(mapped - before - rounded));

  AlignedBuffer buffer;
  buffer.data_ = start + before;
  buffer.bytes_ = bytes;
  buffer.mapped_ = rounded;
  // What does not fill a huge page has small ones: no more memory than was asked for.
  if (huge) madvise(buffer.data_, static_cast<size_t>(rounded / huge_page * huge_page), MADV_HUGEPAGE);
  for (int64_t at = 0; at < rounded; at += small_page) reinterpret_cast<volatile char*>(buffer.data_)[at] = 0;
  return buffer;
}

}  // namespace nnc
