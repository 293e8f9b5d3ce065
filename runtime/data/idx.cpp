#include "runtime/data/idx.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "runtime/data/bytes.h"

namespace nnc {
namespace {

RuntimeError malformed(const std::string& path, Origin origin, std::string message) {
  RuntimeError error;
  error.code = ErrorCode::E606;
  error.origin = origin;
  error.file = path;
  error.message = std::move(message);
  return error;
}

uint32_t big_endian(const char* at) {
  const auto* b = reinterpret_cast<const unsigned char*>(at);
  return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | uint32_t{b[3]};
}

struct Header {
  std::vector<int64_t> dims;
  int64_t bytes = 0;
};

tl::expected<Header, RuntimeError> read_header(ByteSource& source, const std::string& path, Origin origin) {
  constexpr uint32_t max_axes = 8;
  std::array<char, 4 * (1 + max_axes)> raw{};
  auto got = source.read(std::span<char>(raw).first(4));
  if (!got) return tl::unexpected(got.error());
  const uint32_t magic = big_endian(raw.data());
  const uint32_t axes = magic & 0xFF;
  if (*got < 4 || magic >> 8 != 0x000008 || axes < 1 || axes > max_axes) {
    return tl::unexpected(
        malformed(path, origin, fmt::format("not an IDX file of unsigned bytes: it starts with 0x{:08x}", magic)));
  }
  got = source.read(std::span<char>(raw).subspan(4, size_t{4} * axes));
  if (!got) return tl::unexpected(got.error());
  if (*got < int64_t{4} * axes) return tl::unexpected(malformed(path, origin, "the file ends within its header"));
  Header header;
  header.bytes = 1;
  for (uint32_t axis = 0; axis < axes; ++axis) {
    const int64_t extent = big_endian(raw.data() + 4 * (1 + axis));
    header.dims.push_back(extent);
    if (extent == 0) return tl::unexpected(malformed(path, origin, fmt::format("axis {} has no elements", axis)));
    if (__builtin_mul_overflow(header.bytes, extent, &header.bytes) || header.dims[0] > INT32_MAX) {
      return tl::unexpected(malformed(path, origin, "the header promises more elements than can exist"));
    }
  }
  return header;
}

}  // namespace

tl::expected<IdxFile, RuntimeError> read_idx(const std::string& path, Origin origin) {
  auto source = ByteSource::open(path, origin);
  if (!source) return tl::unexpected(source.error());
  auto header = read_header(*source, path, origin);
  if (!header) return tl::unexpected(header.error());

  IdxFile idx;
  idx.rows = header->dims[0];
  idx.column.kind = ColumnKind::bytes;
  idx.column.dims.assign(header->dims.begin() + 1, header->dims.end());
  const int64_t possible =
      source->compressed() ? source->file_bytes() * ByteSource::inflation_limit : source->file_bytes();
  if (header->bytes <= possible) {
    // Block by block: what is allocated follows what was really there, not what the header says.
    constexpr int64_t block = int64_t{4} << 20;
    std::vector<uint8_t>& bytes = idx.column.bytes;
    if (!source->compressed()) bytes.reserve(static_cast<size_t>(header->bytes));
    for (int64_t filled = 0; filled < header->bytes;) {
      const int64_t wanted = std::min(block, header->bytes - filled);
      bytes.resize(static_cast<size_t>(filled + wanted));
      auto got = source->read({reinterpret_cast<char*>(bytes.data()) + filled, static_cast<size_t>(wanted)});
      if (!got) return tl::unexpected(got.error());
      filled += *got;
      if (*got < wanted) {
        return tl::unexpected(
            malformed(path, origin, fmt::format("the file ends after {} of {} values", filled, header->bytes)));
      }
    }
  } else {
    return tl::unexpected(malformed(path, origin,
                                    fmt::format("the header promises {} values, more than the file's {} bytes can hold",
                                                header->bytes, source->file_bytes())));
  }
  char extra;
  auto got = source->read({&extra, 1});
  if (!got) return tl::unexpected(got.error());
  if (*got != 0)
    return tl::unexpected(
        malformed(path, origin, fmt::format("bytes follow the {} values the header promises", header->bytes)));

  const bool scalar = idx.column.dims.empty();
  idx.column.bound = scalar ? *std::max_element(idx.column.bytes.begin(), idx.column.bytes.end()) + 1 : 256;
  return idx;
}

}  // namespace nnc
