// Metrics that are no single number, as text and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/measuring.h"

namespace nnc {

// A number (null where it is not finite), a list of them, or a list of lists, by the metric's shape.
nlohmann::ordered_json measure_json(const Measure& measure);

// Every metric of these that is no scalar: its name with `title`, then its rows in columns as wide as needed.
//
//   confusion (val)
//     65   6
//      2  41
std::string measure_tables(std::string_view title, const std::vector<Measure>& measures);

}  // namespace nnc
