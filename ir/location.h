// Where in the user's source a piece of any form came from.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <vector>

namespace nnc {

// A place in a source file. `file` indexes the file table of the program; line and column count from 1.
// line 0 means "no place": made by the compiler.
struct Location {
  uint32_t file = 0;
  uint32_t line = 0;
  uint32_t column = 0;

  constexpr explicit operator bool() const { return line != 0; }
  friend constexpr auto operator<=>(const Location&, const Location&) = default;
};

// After fusion one thing comes from several places: sorted, without repeats.
using Locations = std::vector<Location>;

inline void merge_into(Locations& into, const Locations& from) {
  into.insert(into.end(), from.begin(), from.end());
  std::sort(into.begin(), into.end());
  into.erase(std::unique(into.begin(), into.end()), into.end());
}

}  // namespace nnc
