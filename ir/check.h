// The check for broken invariants of the compiler itself: prints what broke and aborts.
// User errors are diagnostics, environment failures are results; neither comes here.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace nnc {

[[noreturn]] inline void broken_invariant(const char* condition, const char* file, int line, const std::string& why) {
  fmt::print(stderr, "nnc: internal error: {}\n  {}:{}: {}\n", why, file, line, condition);
  std::abort();
}

}  // namespace nnc

// NNC_CHECK(condition, "format", args...): aborts with the message when `condition` is false.
#define NNC_CHECK(condition, ...)                                                                        \
  do {                                                                                                   \
    if (!(condition)) ::nnc::broken_invariant(#condition, __FILE__, __LINE__, fmt::format(__VA_ARGS__)); \
  } while (false)
