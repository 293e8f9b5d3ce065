#include "runtime/executable.h"

#include <cstring>
#include <string_view>

namespace nnc {
namespace {

enum class Direction { read, write };

int64_t elements_of(const StateTensor& tensor) {
  int64_t count = 1;
  for (int64_t extent : tensor.dims) count *= extent;
  return count;
}

int64_t element_offset(const StateTensor& tensor, const std::vector<int64_t>& index) {
  int64_t offset = 0;
  for (const StateTensor::Factor& factor : tensor.layout) {
    offset += index[static_cast<size_t>(factor.axis)] / factor.divisor % factor.extent * factor.stride;
  }
  return offset;
}

// True if the segment holds the elements in row-major order without gaps.
bool is_row_major(const StateTensor& tensor) {
  int64_t stride = 1;
  for (size_t axis = tensor.dims.size(); axis-- > 0; stride *= tensor.dims[axis]) {
    if (tensor.dims[axis] <= 1) continue;
    int64_t factors = 0;
    for (const StateTensor::Factor& factor : tensor.layout) {
      if (factor.axis != static_cast<int64_t>(axis)) continue;
      ++factors;
      if (factor.divisor != 1 || factor.extent < tensor.dims[axis] || factor.stride != stride) return false;
    }
    if (factors != 1) return false;
  }
  return true;
}

// Walks the logical elements in row-major order. The two pointers are only written on their own side.
void copy_state(const StateTensor& tensor, std::byte* segment, std::byte* logical, Direction direction) {
  const auto size = static_cast<size_t>(element_size(tensor.type));
  std::vector<int64_t> index(tensor.dims.size(), 0);
  const int64_t count = elements_of(tensor);
  if (is_row_major(tensor)) {
    std::byte* placed = segment + tensor.offset;
    std::memcpy(direction == Direction::read ? logical : placed, direction == Direction::read ? placed : logical,
                static_cast<size_t>(count) * size);
    return;
  }
  for (int64_t at = 0; at < count; ++at) {
    std::byte* placed = segment + tensor.offset + element_offset(tensor, index) * static_cast<int64_t>(size);
    std::byte* plain = logical + at * static_cast<int64_t>(size);
    if (direction == Direction::read) {
      std::memcpy(plain, placed, size);
    } else {
      std::memcpy(placed, plain, size);
    }
    for (size_t axis = index.size(); axis-- > 0;) {
      if (++index[axis] < tensor.dims[axis]) break;
      index[axis] = 0;
    }
  }
}

}  // namespace

int64_t element_size(ElementType type) {
  switch (type) {
    case ElementType::boolean:
      return 1;
    case ElementType::bf16:
      return 2;
    case ElementType::i32:
    case ElementType::f32:
      return 4;
    case ElementType::i64:
    case ElementType::f64:
      return 8;
  }
  return 0;
}

const Entry* Executable::find(std::string_view name, int64_t batch) const {
  for (const Entry& entry : entries) {
    if (entry.name == name && entry.batch == batch) return &entry;
  }
  return nullptr;
}

void read_state(const StateTensor& tensor, const void* segment, void* logical) {
  copy_state(tensor, static_cast<std::byte*>(const_cast<void*>(segment)), static_cast<std::byte*>(logical),
             Direction::read);
}

void write_state(const StateTensor& tensor, const void* logical, void* segment) {
  copy_state(tensor, static_cast<std::byte*>(segment), static_cast<std::byte*>(const_cast<void*>(logical)),
             Direction::write);
}

}  // namespace nnc
