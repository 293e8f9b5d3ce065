// Fingerprints of data: XXH3 of the bytes that training reads. They tell changes, not forgeries.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/data/dataset.h"

namespace nnc {

std::string fingerprint(std::string_view bytes);  // 16 hexadecimal digits

// {"rows": n, "train": "…", "val": "…", "test": "…", "fields": {"x": {"type": "f32", "dims": [30], "values": "…"}}}
nlohmann::json fingerprint(const Dataset& dataset);

// What differs between two of them, a sentence each; empty if nothing does.
std::vector<std::string> differences(const nlohmann::json& before, const nlohmann::json& now);

}  // namespace nnc
