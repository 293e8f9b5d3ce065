#include "runtime/data/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "runtime/half.h"

namespace nnc {
namespace {

RuntimeError malformed(const NpyPlace& place, std::string message, std::string help = {}) {
  RuntimeError error;
  error.code = ErrorCode::E620;
  error.origin = place.origin;
  error.file = place.file;
  error.message = std::move(message);
  error.help = std::move(help);
  return error;
}

// Cuts the header: a Python dict of strings, True, False and tuples of whole numbers. No recursion, no backtracking.
struct DictReader {
  std::string_view text;
  size_t at = 0;

  void blanks() {
    while (at < text.size() && std::strchr(" \t\r\n", text[at]) != nullptr && text[at] != 0) ++at;
  }
  bool take(char c) {
    blanks();
    if (at >= text.size() || text[at] != c) return false;
    ++at;
    return true;
  }
  bool take(std::string_view word) {
    blanks();
    if (!text.substr(at).starts_with(word)) return false;
    at += word.size();
    return true;
  }
  bool string(std::string& out) {
    blanks();
    if (at >= text.size() || (text[at] != '\'' && text[at] != '"')) return false;
    const size_t end = text.find(text[at], at + 1);
    if (end == std::string_view::npos) return false;
    out = text.substr(at + 1, end - at - 1);
    at = end + 1;
    return true;
  }
  bool whole(int64_t& out) {
    blanks();
    const size_t begin = at;
    out = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      if (__builtin_mul_overflow(out, 10, &out) || __builtin_add_overflow(out, text[at] - '0', &out)) return false;
    }
    if (at == begin) return false;
    if (at < text.size() && text[at] == 'L') ++at;  // as Python 2 wrote long integers
    return true;
  }
  bool tuple(std::vector<int64_t>& out) {
    constexpr size_t most_axes = 32;
    if (!take('(')) return false;
    while (!take(')')) {
      int64_t extent;
      if (!whole(extent) || out.size() == most_axes) return false;
      out.push_back(extent);
      if (!take(',')) return take(')');
    }
    return true;
  }
};

struct RawHeader {
  std::string descr;
  bool described = false, records = false, ordered = false, shaped = false;
  bool fortran = false;
  std::vector<int64_t> shape;
};

bool parse_dict(std::string_view text, RawHeader& out) {
  DictReader reader{text};
  if (!reader.take('{')) return false;
  while (!reader.take('}')) {
    std::string key;
    if (!reader.string(key) || !reader.take(':')) return false;
    if (key == "descr" && !out.described) {
      out.described = true;
      if (!reader.string(out.descr)) {
        out.records = reader.take('[');
        return out.records;
      }
    } else if (key == "fortran_order" && !out.ordered) {
      out.ordered = true;
      out.fortran = reader.take("True");
      if (!out.fortran && !reader.take("False")) return false;
    } else if (key == "shape" && !out.shaped) {
      out.shaped = true;
      if (!reader.tuple(out.shape)) return false;
    } else {
      return false;
    }
    if (!reader.take(',')) {
      if (!reader.take('}')) return false;
      break;
    }
  }
  reader.blanks();
  return reader.at == text.size() && out.described && out.ordered && out.shaped;
}

// "" or why the type cannot be read.
std::string read_type(const RawHeader& raw, NpyHeader& header) {
  if (raw.records) return "an array of records; save its fields as arrays of their own";
  const std::string& descr = raw.descr;
  const bool marked = !descr.empty() && std::strchr("<>|=", descr[0]) != nullptr;
  const char kind = descr.size() > (marked ? 1 : 0) ? descr[marked ? 1 : 0] : ' ';
  if (kind == 'O') return "an array of Python objects, which only Python can read";
  if (kind == 'U' || kind == 'S' || kind == 'a') return "an array of text; save class numbers instead";
  const std::string digits = descr.substr(std::min(descr.size(), size_t{marked} + 1));
  header.type = kind;
  header.size = digits.size() == 1 ? digits[0] - '0' : 0;
  header.swapped = marked && descr[0] == '>' && header.size > 1;
  const int64_t size = header.size;
  const bool known = (kind == 'b' && size == 1) ||
                     ((kind == 'i' || kind == 'u') && (size == 1 || size == 2 || size == 4 || size == 8)) ||
                     (kind == 'f' && (size == 2 || size == 4 || size == 8));
  return known ? "" : fmt::format("elements of the type \"{}\" cannot be read", printable(descr));
}

template <class T>
T from_bytes(const char* at, bool swapped) {
  T value;
  if (!swapped) {
    std::memcpy(&value, at, sizeof value);
  } else {
    char reversed[sizeof value];
    std::reverse_copy(at, at + sizeof value, reversed);
    std::memcpy(&value, reversed, sizeof value);
  }
  return value;
}

// Calls consume(value) for each of `count` elements.
template <class T, class F>
void each_of(const char* at, int64_t count, bool swapped, F&& consume) {
  for (int64_t i = 0; i < count; ++i, at += sizeof(T)) consume(from_bytes<T>(at, swapped));
}

template <class F>
void each_element(const NpyHeader& header, const char* at, int64_t count, F&& consume) {
  const bool swapped = header.swapped;
  if (header.type == 'b') return each_of<uint8_t>(at, count, false, [&](uint8_t x) { consume(x != 0 ? 1 : 0); });
  if (header.type == 'f') {
    if (header.size == 2) return each_of<uint16_t>(at, count, swapped, [&](uint16_t x) { consume(float_of_half(x)); });
    if (header.size == 4) return each_of<float>(at, count, swapped, consume);
    return each_of<double>(at, count, swapped, consume);
  }
  const bool is_signed = header.type == 'i';
  switch (header.size) {
    case 1:
      return is_signed ? each_of<int8_t>(at, count, swapped, consume) : each_of<uint8_t>(at, count, swapped, consume);
    case 2:
      return is_signed ? each_of<int16_t>(at, count, swapped, consume) : each_of<uint16_t>(at, count, swapped, consume);
    case 4:
      return is_signed ? each_of<int32_t>(at, count, swapped, consume) : each_of<uint32_t>(at, count, swapped, consume);
    default:
      return is_signed ? each_of<int64_t>(at, count, swapped, consume) : each_of<uint64_t>(at, count, swapped, consume);
  }
}

// From column-major order, in place of `values`.
template <class T>
void to_row_major(std::vector<T>& values, const std::vector<int64_t>& dims) {
  std::vector<T> out(values.size());
  std::vector<int64_t> index(dims.size()), strides(dims.size(), 1);
  for (size_t axis = dims.size() - 1; axis > 0; --axis) strides[axis - 1] = strides[axis] * dims[axis];
  int64_t to = 0;
  for (const T& value : values) {
    out[static_cast<size_t>(to)] = value;
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      to += strides[axis];
      if (++index[axis] < dims[axis]) break;
      to -= strides[axis] * dims[axis];
      index[axis] = 0;
    }
  }
  values = std::move(out);
}

// Appends elements to a column of the header's kind and follows their range.
struct Collector {
  const NpyHeader& header;
  Column& column;
  double low = std::numeric_limits<double>::infinity(), high = -low;

  void add(const char* at, int64_t count) {
    const auto follow = [&](auto x) {
      low = std::min(low, static_cast<double>(x));
      high = std::max(high, static_cast<double>(x));
    };
    const bool whole = header.type != 'f';
    switch (column.kind) {
      case ColumnKind::number:
        return each_element(header, at, count, [&](auto x) {
          if (whole) follow(x);
          column.numbers.push_back(static_cast<double>(x));
        });
      case ColumnKind::bytes:
        return each_element(header, at, count, [&](auto x) {
          follow(x);
          column.bytes.push_back(static_cast<uint8_t>(x));
        });
      case ColumnKind::integers:
        return each_element(header, at, count, [&](auto x) {
          follow(x);
          column.integers.push_back(static_cast<int32_t>(x));
        });
      default:
        return each_element(header, at, count, [&](auto x) { column.floats.push_back(static_cast<float>(x)); });
    }
  }

  void reserve(size_t count) {
    if (column.kind == ColumnKind::number) column.numbers.reserve(count);
    if (column.kind == ColumnKind::bytes) column.bytes.reserve(count);
    if (column.kind == ColumnKind::integers) column.integers.reserve(count);
    if (column.kind == ColumnKind::floats) column.floats.reserve(count);
  }

  void finish() {
    if (header.type != 'f' && low >= 0 && high < std::numeric_limits<int32_t>::max())
      column.bound = static_cast<int64_t>(high) + 1;
    if (!header.fortran || header.dims.size() < 2) return;
    if (column.kind == ColumnKind::bytes) to_row_major(column.bytes, header.dims);
    if (column.kind == ColumnKind::integers) to_row_major(column.integers, header.dims);
    if (column.kind == ColumnKind::floats) to_row_major(column.floats, header.dims);
  }
};

tl::expected<std::string, RuntimeError> read_dict(const ReadBytes& read, const NpyPlace& place) {
  constexpr int64_t longest = int64_t{1} << 20;
  char head[12];
  auto got = read(std::span<char>(head, 10));
  if (!got) return tl::unexpected(got.error());
  if (*got < 10 || std::memcmp(head, "\x93NUMPY", 6) != 0)
    return tl::unexpected(malformed(place, "not an npy file: it does not start with \\x93NUMPY"));
  const int version = head[6];
  if (version < 1 || version > 3)
    return tl::unexpected(malformed(place, fmt::format("version {} of the npy format is not known", version & 0xFF)));
  int64_t length = from_bytes<uint16_t>(head + 8, false);
  if (version > 1) {
    got = read(std::span<char>(head + 10, 2));
    if (!got) return tl::unexpected(got.error());
    if (*got < 2) return tl::unexpected(malformed(place, "the file ends within its header"));
    length = from_bytes<uint32_t>(head + 8, false);
  }
  if (length > longest) return tl::unexpected(malformed(place, fmt::format("a header of {} bytes", length)));
  std::string text(static_cast<size_t>(length), '\0');
  got = read(text);
  if (!got) return tl::unexpected(got.error());
  if (*got < length) return tl::unexpected(malformed(place, "the file ends within its header"));
  return text;
}

}  // namespace

tl::expected<NpyHeader, RuntimeError> read_npy_header(const ReadBytes& read, const NpyPlace& place) {
  auto text = read_dict(read, place);
  if (!text) return tl::unexpected(text.error());
  RawHeader raw;
  if (!parse_dict(*text, raw)) {
    return tl::unexpected(
        malformed(place, "the header is no dict of `descr`, `fortran_order` and `shape`, as NumPy writes it"));
  }
  NpyHeader header;
  const std::string why = read_type(raw, header);
  if (!why.empty()) return tl::unexpected(malformed(place, why));
  header.fortran = raw.fortran;
  header.dims = raw.shape;
  if (header.dims.empty()) return tl::unexpected(malformed(place, "a single value: the first axis has to be the rows"));
  bool overflow = header.dims[0] > std::numeric_limits<int32_t>::max();
  for (size_t axis = 0; axis < header.dims.size(); ++axis) {
    const int64_t extent = header.dims[axis];
    if (extent == 0) return tl::unexpected(malformed(place, fmt::format("axis {} has no elements", axis)));
    overflow = overflow || __builtin_mul_overflow(header.elements, extent, &header.elements) ||
               header.elements > std::numeric_limits<int64_t>::max() / 16;
  }
  if (overflow) return tl::unexpected(malformed(place, "the header promises more elements than can exist"));
  return header;
}

Column npy_column(const NpyHeader& header) {
  Column column;
  column.dims.assign(header.dims.begin() + 1, header.dims.end());
  column.loaded = false;
  column.kind = header.dims.size() == 1                                          ? ColumnKind::number
                : header.type == 'f'                                             ? ColumnKind::floats
                : header.type == 'b' || (header.type == 'u' && header.size == 1) ? ColumnKind::bytes
                                                                                 : ColumnKind::integers;
  return column;
}

tl::expected<void, RuntimeError> read_npy_values(const NpyHeader& header, const ReadBytes& read, int64_t possible,
                                                 const NpyPlace& place, Column& column) {
  constexpr int64_t block_elements = int64_t{1} << 17;
  if (header.elements * header.size > possible) {
    return tl::unexpected(
        malformed(place, fmt::format("the header promises {} values, more than the file can hold", header.elements)));
  }
  Collector collector{header, column};
  std::vector<char> block(static_cast<size_t>(std::min(block_elements, header.elements) * header.size));
  for (int64_t done = 0; done < header.elements;) {
    const int64_t count = std::min(block_elements, header.elements - done);
    auto got = read(std::span<char>(block).first(static_cast<size_t>(count * header.size)));
    if (!got) return tl::unexpected(got.error());
    const int64_t whole = *got / header.size;
    collector.add(block.data(), whole);
    done += whole;
    if (whole < count) {
      return tl::unexpected(
          malformed(place, fmt::format("the file ends after {} of {} values", done, header.elements)));
    }
    // Half of what is promised is there: that much more memory is no risk, and spares copies.
    if (done * 2 >= header.elements) collector.reserve(static_cast<size_t>(header.elements));
  }
  char extra;
  auto got = read(std::span<char>(&extra, 1));
  if (!got) return tl::unexpected(got.error());
  if (*got != 0) {
    return tl::unexpected(
        malformed(place, fmt::format("bytes follow the {} values the header promises", header.elements)));
  }
  constexpr double limit = std::numeric_limits<int32_t>::max();
  if (column.kind == ColumnKind::integers && (collector.low < -limit || collector.high > limit)) {
    return tl::unexpected(malformed(
        place,
        fmt::format("a value of {:.0f} is beyond 32 bits", collector.high > limit ? collector.high : collector.low),
        "save such values as floats"));
  }
  collector.finish();
  column.loaded = true;
  return {};
}

}  // namespace nnc
