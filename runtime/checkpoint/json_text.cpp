#include "runtime/checkpoint/json_text.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "runtime/error.h"

namespace nnc {
namespace {

// Leaves the parser at once: one that reads on to the end would keep something for each level there is.
struct Refused {
  std::string why;
};

}  // namespace

tl::expected<nlohmann::json, std::string> parse_json(std::string_view text, int depth) {
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::set<std::string>> names;
  const auto watch = [&](int, Event event, nlohmann::json& value) {
    if (event == Event::object_start || event == Event::array_start) names.emplace_back();
    if ((event == Event::object_end || event == Event::array_end) && !names.empty()) names.pop_back();
    if (static_cast<int>(names.size()) > depth) throw Refused{fmt::format("more than {} levels", depth)};
    if (event == Event::key && !names.back().insert(value.get<std::string>()).second) {
      throw Refused{fmt::format("`{}` is given twice", printable(value.get_ref<const std::string&>()))};
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), watch);
  } catch (Refused& refused) {
    return tl::unexpected(std::move(refused.why));
  } catch (const nlohmann::json::exception& error) {
    const std::string message = error.what();  // "[json.exception.parse_error.101] parse error at …"
    return tl::unexpected(message.substr(std::min(message.size(), message.find(']') + 2)));
  }
}

nlohmann::json json_of_double(double value) {
  if (std::isfinite(value)) return value;
  if (std::isnan(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}

bool double_from_json(const nlohmann::json& from, double& value) {
  if (from.is_number()) {
    value = from.get<double>();
  } else if (from == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else if (from == "inf" || from == "-inf") {
    value = from == "inf" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
  } else {
    return false;
  }
  return true;
}

}  // namespace nnc
