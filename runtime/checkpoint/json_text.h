// JSON from files that nobody vouches for.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace nnc {

// The text as JSON. Errors, a sentence: malformed text, a name given twice in one object, more than `depth` levels.
tl::expected<nlohmann::json, std::string> parse_json(std::string_view text, int depth = 64);

// Doubles in JSON, every bit kept but a NaN's payload: numbers, or "nan", "inf", "-inf".
nlohmann::json json_of_double(double value);
// False where `from` is none of these.
bool double_from_json(const nlohmann::json& from, double& value);

}  // namespace nnc
