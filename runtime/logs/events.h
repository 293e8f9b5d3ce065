// TensorBoard event files: scalars over steps, readable by TensorBoard while they grow.
//
// A file is a row of records: u64le length, u32le masked crc32c of those 8 bytes, payload, u32le masked crc32c of the
// payload; mask(c) = rotate_right(c, 15) + 0xa282ead8. A payload is the protobuf message Event: 1 wall_time (double),
// 2 step (int64), 3 file_version (string), 5 summary, 7 session_log; Summary: 1 value, of 1 tag, 2 simple_value
// (float). The first record of a file holds file_version "brain.Event:2".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "runtime/logs/append_file.h"

namespace nnc {

// Castagnoli's polynomial 0x1EDC6F41, reflected: crc32c("123456789") == 0xe3069283.
uint32_t crc32c(std::string_view bytes);
uint32_t masked_crc32c(std::string_view bytes);

struct TaggedScalar {
  std::string tag;
  float value = 0;
};

// One record each. Wall times are seconds since 1970.
std::string version_record(double wall_time);
std::string scalars_record(double wall_time, int64_t step, std::span<const TaggedScalar> scalars);
// SessionLog START: readers drop what earlier files of the directory hold at `step` and after.
std::string session_start_record(double wall_time, int64_t step);

class EventWriter {
 public:
  // Opens DIRECTORY/events.out.tfevents.SECONDS.HOST.PID.UID, which no other file is called, and writes the version.
  // Errors: what the system said.
  static tl::expected<EventWriter, std::string> open(const std::string& directory, double wall_time);

  tl::expected<void, std::string> session_start(int64_t step, double wall_time);
  tl::expected<void, std::string> scalar(const std::string& tag, int64_t step, double value, double wall_time);
  // In one record.
  tl::expected<void, std::string> scalars(std::span<const TaggedScalar> scalars, int64_t step, double wall_time);
  void close() { file_.close(); }
  bool is_open() const { return file_.is_open(); }
  const std::string& path() const { return file_.path(); }

 private:
  AppendFile file_;
};

// Seconds since 1970, now.
double wall_time();

}  // namespace nnc
