#include "runtime/logs/events.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>

namespace nnc {
namespace {

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
    table[byte] = crc;
  }
  return table;
}

template <typename T>
void put_little_endian(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>((value >> (8 * i)) & 0xFF);
}

// protobuf's wire types
enum Wire : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void put_key(std::string& out, int field, Wire wire) { put_varint(out, static_cast<uint64_t>(field) << 3 | wire); }

void put_double(std::string& out, int field, double value) {
  put_key(out, field, fixed64);
  put_little_endian(out, std::bit_cast<uint64_t>(value));
}

void put_float(std::string& out, int field, float value) {
  put_key(out, field, fixed32);
  put_little_endian(out, std::bit_cast<uint32_t>(value));
}

void put_integer(std::string& out, int field, int64_t value) {
  put_key(out, field, varint);
  put_varint(out, static_cast<uint64_t>(value));
}

void put_bytes(std::string& out, int field, std::string_view value) {
  put_key(out, field, bytes);
  put_varint(out, value.size());
  out += value;
}

// The fields every event has. protobuf leaves out a zero.
std::string event(double wall_time, int64_t step) {
  std::string out;
  if (wall_time != 0) put_double(out, 1, wall_time);
  if (step != 0) put_integer(out, 2, step);
  return out;
}

std::string record(std::string_view payload) {
  std::string out;
  put_little_endian(out, static_cast<uint64_t>(payload.size()));
  put_little_endian(out, masked_crc32c(out));
  out += payload;
  put_little_endian(out, masked_crc32c(payload));
  return out;
}

std::string host_name() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  std::string out;
  for (const char* c = name; *c != '\0'; ++c) out += *c == '/' ? '_' : *c;
  return out;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> table = crc_table();
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) crc = table[(crc ^ static_cast<uint8_t>(c)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8U; }

std::string version_record(double wall_time) {
  std::string payload = event(wall_time, 0);
  put_bytes(payload, 3, "brain.Event:2");
  return record(payload);
}

std::string scalars_record(double wall_time, int64_t step, std::span<const TaggedScalar> scalars) {
  std::string summary;
  for (const TaggedScalar& scalar : scalars) {
    std::string value;
    put_bytes(value, 1, scalar.tag);
    put_float(value, 2, scalar.value);
    put_bytes(summary, 1, value);
  }
  std::string payload = event(wall_time, step);
  put_bytes(payload, 5, summary);
  return record(payload);
}

std::string session_start_record(double wall_time, int64_t step) {
  std::string log;
  put_integer(log, 1, 1);  // status = START
  std::string payload = event(wall_time, step);
  put_bytes(payload, 7, log);
  return record(payload);
}

tl::expected<EventWriter, std::string> EventWriter::open(const std::string& directory, double wall_time) {
  const std::string stem = fmt::format("{}/events.out.tfevents.{:010}.{}.{}", directory,
                                       static_cast<int64_t>(std::floor(wall_time)), host_name(), getpid());
  std::string path;
  for (int uid = 0;; ++uid) {
    path = fmt::format("{}.{}", stem, uid);
    if (::access(path.c_str(), F_OK) != 0) break;
  }
  auto file = AppendFile::open(path);
  if (!file) return tl::unexpected(file.error());
  EventWriter writer;
  writer.file_ = std::move(*file);
  if (auto written = writer.file_.append(version_record(wall_time)); !written) return tl::unexpected(written.error());
  return writer;
}

tl::expected<void, std::string> EventWriter::session_start(int64_t step, double wall_time) {
  return file_.append(session_start_record(wall_time, step));
}

tl::expected<void, std::string> EventWriter::scalar(const std::string& tag, int64_t step, double value,
                                                    double wall_time) {
  const TaggedScalar one{tag, static_cast<float>(value)};
  return scalars({&one, 1}, step, wall_time);
}

tl::expected<void, std::string> EventWriter::scalars(std::span<const TaggedScalar> scalars, int64_t step,
                                                     double wall_time) {
  return file_.append(scalars_record(wall_time, step, scalars));
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace nnc
