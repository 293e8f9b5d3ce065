// Typed 32-bit ids into dense tables. Every form of nnc is tables of plain data joined by these.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace nnc {

// An index into the table of `Tag`s. Default-constructed ids are invalid and convert to false.
template <class Tag>
struct Id {
  uint32_t value = UINT32_MAX;

  constexpr Id() = default;
  constexpr explicit Id(size_t index) : value(static_cast<uint32_t>(index)) {}
  constexpr explicit operator bool() const { return value != UINT32_MAX; }
  friend constexpr auto operator<=>(Id, Id) = default;
};

}  // namespace nnc

template <class Tag>
struct std::hash<nnc::Id<Tag>> {
  size_t operator()(nnc::Id<Tag> id) const noexcept { return std::hash<uint32_t>{}(id.value); }
};
