// TrainProgress as JSON, every double bit for bit.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <tl/expected.hpp>

#include "runtime/trainer.h"

namespace nnc {

nlohmann::json to_json(const TrainProgress& progress);
nlohmann::json to_json(const EpochReport& report);
nlohmann::json to_json(const std::vector<Measure>& measures);

// From a file that may hold anything. Errors, a sentence: members that are missing, of another type, or negative
// counts.
tl::expected<TrainProgress, std::string> progress_from_json(const nlohmann::json& json);

}  // namespace nnc
