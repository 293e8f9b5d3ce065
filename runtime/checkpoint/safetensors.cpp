#include "runtime/checkpoint/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace nnc {
namespace {

constexpr size_t most_dims = 64;

struct TypeSize {
  std::string_view name;
  int64_t bits;
};

constexpr TypeSize known_types[] = {{"BOOL", 8},    {"U8", 8},   {"I8", 8},   {"F8_E4M3", 8}, {"F8_E5M2", 8},
                                    {"F8_E8M0", 8}, {"I16", 16}, {"U16", 16}, {"F16", 16},    {"BF16", 16},
                                    {"I32", 32},    {"U32", 32}, {"F32", 32}, {"I64", 64},    {"U64", 64},
                                    {"F64", 64},    {"C64", 64}};

// Reads the one shape of document the format allows; anything else ends the parse with a reason.
struct HeaderReader : nlohmann::json_sax<nlohmann::json> {
  enum class At : uint8_t { start, top, metadata, tensor, shape, offsets, done };
  At at = At::start;
  std::string name, member, why;
  std::set<std::string> names, members;  // used so far, of the header and of the current object
  SafeTensor tensor;
  std::vector<int64_t> offsets;
  std::vector<SafeTensor> tensors;

  bool refuse(std::string reason) {
    if (why.empty()) why = std::move(reason);
    return false;
  }
  std::string here() const { return printable(name); }
  bool unexpected() { return refuse(fmt::format("`{}` does not have the members of a tensor", here())); }

  bool null() override { return unexpected(); }
  bool boolean(bool) override { return unexpected(); }
  bool number_integer(number_integer_t) override { return refuse(fmt::format("`{}` has a negative number", here())); }
  bool number_float(number_float_t, const string_t&) override {
    return refuse(fmt::format("`{}` has a number that is not whole", here()));
  }
  bool binary(binary_t&) override { return unexpected(); }

  bool number_unsigned(number_unsigned_t value) override {
    if (at != At::shape && at != At::offsets) return unexpected();
    if (value > static_cast<number_unsigned_t>(INT64_MAX)) return refuse(fmt::format("`{}` is too large", here()));
    std::vector<int64_t>& into = at == At::shape ? tensor.dims : offsets;
    if (into.size() == most_dims) return refuse(fmt::format("`{}` has too many axes", here()));
    into.push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(string_t& value) override {
    if (at == At::metadata) return true;
    if (at != At::tensor || member != "dtype") return unexpected();
    tensor.type = value;
    return true;
  }

  bool start_object(std::size_t) override {
    members.clear();
    if (at == At::start) {
      at = At::top;
    } else if (at == At::top) {
      at = name == "__metadata__" ? At::metadata : At::tensor;
      tensor = {};
      offsets.clear();
    } else {
      return unexpected();
    }
    return true;
  }

  bool key(string_t& value) override {
    const bool top = at == At::top;
    if (!(top ? names : members).insert(value).second)
      return refuse(fmt::format("`{}` stands twice", printable(value)));
    (top ? name : member) = value;
    if (at == At::tensor && value != "dtype" && value != "shape" && value != "data_offsets") return unexpected();
    return true;
  }

  bool start_array(std::size_t) override {
    if (at != At::tensor || member == "dtype") return unexpected();
    at = member == "shape" ? At::shape : At::offsets;
    return true;
  }

  bool end_array() override {
    at = At::tensor;
    return true;
  }

  bool end_object() override {
    if (at == At::top) {
      at = At::done;
      return true;
    }
    if (at == At::tensor) {
      if (members.size() != 3 || offsets.size() != 2) return unexpected();
      tensor.name = name;
      tensor.begin = offsets[0];
      tensor.end = offsets[1];
      tensors.push_back(std::move(tensor));
    }
    at = At::top;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return refuse(fmt::format("the header is no JSON at byte {}", position));
  }
};

// Bytes of the tensor as its type and shape say, or -1 where that is beyond all numbers or no whole number of bytes.
int64_t bytes_of(const SafeTensor& tensor) {
  int64_t bits = safetensors_bits(tensor.type);
  for (const int64_t extent : tensor.dims) {
    if (__builtin_mul_overflow(bits, extent, &bits)) return -1;
  }
  return bits / 8;
}

RuntimeError malformed(const std::string& path, const std::string& why) {
  RuntimeError error;
  error.code = ErrorCode::E801;
  error.message = fmt::format("{} is no sound safetensors file: {}", path, why);
  error.file = path;
  return error;
}

RuntimeError unreadable(const std::string& path, const char* why) {
  RuntimeError error;
  error.code = ErrorCode::E604;
  error.message = fmt::format("cannot read {}: {}", path, why);
  error.file = path;
  return error;
}

bool read_at(int file, int64_t offset, std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t got = pread(file, into.data(), into.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into = into.subspan(static_cast<size_t>(got));
    offset += got;
  }
  return true;
}

}  // namespace

int64_t safetensors_bits(std::string_view type) {
  for (const TypeSize& known : known_types) {
    if (known.name == type) return known.bits;
  }
  return 0;
}

std::string_view safetensors_type(ElementType type) {
  switch (type) {
    case ElementType::boolean:
      return "BOOL";
    case ElementType::i32:
      return "I32";
    case ElementType::i64:
      return "I64";
    case ElementType::bf16:
      return "BF16";
    case ElementType::f32:
      return "F32";
    case ElementType::f64:
      return "F64";
  }
  return "";
}

tl::expected<std::vector<SafeTensor>, std::string> parse_safetensors_header(std::string_view header,
                                                                            int64_t data_bytes) {
  if (header.empty() || header[0] != '{') return tl::unexpected(std::string("the header does not start with `{`"));
  const size_t last = header.find_last_not_of(' ');
  if (header[last] != '}') return tl::unexpected(std::string("the header does not end with `}`"));
  header = header.substr(0, last + 1);
  HeaderReader reader;
  const bool good = nlohmann::json::sax_parse(header.begin(), header.end(), &reader);
  if (!good || !reader.why.empty()) {
    return tl::unexpected(reader.why.empty() ? "the header is no JSON" : reader.why);
  }
  std::vector<SafeTensor> tensors = std::move(reader.tensors);
  std::sort(tensors.begin(), tensors.end(), [](const SafeTensor& a, const SafeTensor& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  int64_t at = 0;
  for (const SafeTensor& tensor : tensors) {
    const std::string name = printable(tensor.name);
    if (safetensors_bits(tensor.type) == 0) {
      return tl::unexpected(fmt::format("`{}` has the unknown type `{}`", name, printable(tensor.type)));
    }
    if (tensor.begin != at || tensor.end < tensor.begin) {
      return tl::unexpected(fmt::format("the data of `{}` does not start where that of the one before it ends", name));
    }
    if (tensor.end - tensor.begin != bytes_of(tensor)) {
      return tl::unexpected(fmt::format("the data of `{}` is not as long as its shape", name));
    }
    at = tensor.end;
  }
  if (at != data_bytes)
    return tl::unexpected(fmt::format("it has {} bytes of data, its header wants {}", data_bytes, at));
  return tensors;
}

tl::expected<SafeTensorsReader, RuntimeError> SafeTensorsReader::open(const std::string& path) {
  SafeTensorsReader reader;
  reader.path_ = path;
  reader.file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status = {};
  if (reader.file_ < 0 || fstat(reader.file_, &status) != 0)
    return tl::unexpected(unreadable(path, std::strerror(errno)));
  if (!S_ISREG(status.st_mode)) return tl::unexpected(unreadable(path, "it is no plain file"));
  uint64_t length = 0;
  const int64_t size = status.st_size;
  if (size < 8 || !read_at(reader.file_, 0, std::as_writable_bytes(std::span(&length, 1)))) {
    return tl::unexpected(malformed(path, "it is shorter than 8 bytes"));
  }
  if (length > static_cast<uint64_t>(longest_safetensors_header)) {
    return tl::unexpected(malformed(path, "its header is longer than 100 MB"));
  }
  const auto header_bytes = static_cast<int64_t>(length);
  if (header_bytes + 8 > size) return tl::unexpected(malformed(path, "its header is longer than the file"));
  std::string header(length, '\0');
  if (!read_at(reader.file_, 8, std::as_writable_bytes(std::span(header)))) {
    return tl::unexpected(unreadable(path, "it ends too early"));
  }
  reader.data_begin_ = 8 + header_bytes;
  auto tensors = parse_safetensors_header(header, size - reader.data_begin_);
  if (!tensors) return tl::unexpected(malformed(path, tensors.error()));
  reader.tensors_ = std::move(*tensors);
  return reader;
}

SafeTensorsReader::SafeTensorsReader(SafeTensorsReader&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      data_begin_(other.data_begin_),
      path_(std::move(other.path_)),
      tensors_(std::move(other.tensors_)) {}

SafeTensorsReader::~SafeTensorsReader() {
  if (file_ >= 0) close(file_);
}

const SafeTensor* SafeTensorsReader::find(std::string_view name) const {
  for (const SafeTensor& tensor : tensors_) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

tl::expected<void, RuntimeError> SafeTensorsReader::read(const SafeTensor& tensor, std::span<std::byte> into) const {
  if (!read_at(file_, data_begin_ + tensor.begin, into)) return tl::unexpected(unreadable(path_, "it ends too early"));
  return {};
}

tl::expected<void, RuntimeError> write_safetensors(DurableFile& file, std::vector<TensorBytes> tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorBytes& a, const TensorBytes& b) {
    const int64_t wide_a = element_size(a.type), wide_b = element_size(b.type);
    if (wide_a != wide_b) return wide_a > wide_b;
    return std::tie(a.type, a.name) < std::tie(b.type, b.name);
  });
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};
  int64_t at = 0;
  for (const TensorBytes& tensor : tensors) {
    const auto end = at + static_cast<int64_t>(tensor.bytes.size());
    header[tensor.name] = {
        {"dtype", safetensors_type(tensor.type)}, {"shape", tensor.dims}, {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  if (auto done = file.write(std::as_bytes(std::span(&length, 1))); !done) return done;
  if (auto done = file.write(text); !done) return done;
  for (const TensorBytes& tensor : tensors) {
    if (auto done = file.write(tensor.bytes); !done) return done;
  }
  return {};
}

}  // namespace nnc
