// What the golden tests of diagnostics run.
#pragma once

#include <cstdint>
#include <string>

// Whether the fields' types are given, or all are left unknown as where the data cannot be read.
enum class DataTypes : uint8_t { known, unknown };

// All diagnostics of the .nn file at `path`, rendered without colour under the file's own name; empty if there are
// none. A file that starts with `# fields: x f32[30]; y i32<10>[]` is built at batch 32 with these fields of the data;
// others are only parsed. `# set: hidden=3; train.epochs=9` gives overrides.
std::string render_all_diagnostics(const std::string& path, DataTypes types = DataTypes::known);
