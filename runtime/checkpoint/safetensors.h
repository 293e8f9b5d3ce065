// The safetensors format: eight bytes with the length of a JSON header, the header, then the tensors' bytes, row-major
// and little-endian. Names, types and shapes are the header's; a reader never trusts a number it has not checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "runtime/checkpoint/durable_file.h"
#include "runtime/executable.h"

namespace nnc {

struct SafeTensor {
  std::string name;
  std::string type;  // "F32", "BF16", "I64", "BOOL", …
  std::vector<int64_t> dims;
  int64_t begin = 0, end = 0;  // bytes, from the start of the data
  bool operator==(const SafeTensor&) const = default;
};

// Longest header that is read, in bytes.
constexpr int64_t longest_safetensors_header = 100'000'000;

// Bits of an element of that type; 0 for a name the format does not know.
int64_t safetensors_bits(std::string_view type);
// "F32" for f32, …
std::string_view safetensors_type(ElementType type);

// The tensors of a header, in the order of their data. Errors, a sentence: no JSON object, a name twice, members other
// than the format's, offsets that leave holes, overlap or do not fit the shape, data that does not end at `data_bytes`.
tl::expected<std::vector<SafeTensor>, std::string> parse_safetensors_header(std::string_view header,
                                                                            int64_t data_bytes);

// An open file whose header was checked; tensors are read one by one. What it reads of is at most what the file holds.
class SafeTensorsReader {
 public:
  // Errors: E604 where the file cannot be opened, E801 where it is malformed.
  static tl::expected<SafeTensorsReader, RuntimeError> open(const std::string& path);
  SafeTensorsReader(SafeTensorsReader&& other) noexcept;
  SafeTensorsReader(const SafeTensorsReader&) = delete;
  ~SafeTensorsReader();

  const std::vector<SafeTensor>& tensors() const { return tensors_; }
  const SafeTensor* find(std::string_view name) const;  // null if there is none
  // Requires: `into` is as long as the tensor. Errors: E604, where the file changed meanwhile.
  tl::expected<void, RuntimeError> read(const SafeTensor& tensor, std::span<std::byte> into) const;

 private:
  SafeTensorsReader() = default;
  int file_ = -1;
  int64_t data_begin_ = 0;
  std::string path_;
  std::vector<SafeTensor> tensors_;
};

// A tensor to be written: row-major elements.
struct TensorBytes {
  std::string name;
  ElementType type = ElementType::f32;
  std::vector<int64_t> dims;
  std::span<const std::byte> bytes;
};

// Writes the tensors, widest type first, then by name, padded so that the data starts at a multiple of 8. The metadata
// says format "pt", which some readers need. Requires: names differ. Errors: E651, E652.
tl::expected<void, RuntimeError> write_safetensors(DurableFile& file, std::vector<TensorBytes> tensors);

}  // namespace nnc
