// Errors of the runtime: plain values, collected, several in one run, rendered by the driver.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "runtime/spec.h"

namespace nnc {

enum class ErrorCode : uint8_t {
#define ERROR(code, exit, title) code,
#include "runtime/errors.def"
#undef ERROR
};

struct RuntimeError {
  ErrorCode code = ErrorCode::E604;
  std::string message;
  std::string help;    // empty where there is no advice
  Origin origin = 0;   // the place in the model file, or 0
  std::string file;    // the place in a data file, or empty
  int64_t line = 0;    // 1-based; 0 where the file has no lines
  int64_t column = 0;  // 1-based, in characters
  bool operator==(const RuntimeError&) const = default;
};

using RuntimeErrors = std::vector<RuntimeError>;

std::string_view name_of(ErrorCode code);   // "E601"
std::string_view title_of(ErrorCode code);  // "no such column"
int exit_code(ErrorCode code);
int exit_code(const RuntimeErrors& errors);  // of the first; 1 if there is none
std::span<const ErrorCode> all_error_codes();

// "file:3:7: error[E602]: …" with the help on a second line: for logs and tests; the driver adds excerpts.
std::string to_string(const RuntimeError& error);

// Collects errors: drops exact repetitions, and after `limit` of them counts only.
struct ErrorList {
  RuntimeErrors errors;
  int64_t limit = 20;
  int64_t dropped = 0;

  bool empty() const { return errors.empty(); }
  bool full() const { return static_cast<int64_t>(errors.size()) >= limit; }
  void add(RuntimeError error);
  void add(ErrorCode code, Origin origin, std::string message, std::string help = {});
};

// The candidate nearest to `word` by edit distance (transpositions count one), or empty when none is near.
std::string_view nearest(std::string_view word, std::span<const std::string> candidates);

// Text from a file made fit for a message: at most 40 bytes, control characters as \xNN.
std::string printable(std::string_view text);

}  // namespace nnc
