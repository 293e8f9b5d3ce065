// The standard library of the language, embedded in the binary by cmake/prelude.cmake.
#pragma once

#include <span>
#include <string_view>

namespace nnc {

struct PreludeFile {
  std::string_view name;  // "prelude/layers.nn"
  std::string_view text;
};

std::span<const PreludeFile> prelude_files();

}  // namespace nnc
