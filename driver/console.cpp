#include "driver/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <vector>

#include "frontend/diagnostics.h"
#include "runtime/logs/progress.h"

namespace nnc {

bool use_colour(std::FILE* stream) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return isatty(fileno(stream)) == 1 && !dumb && (no_colour == nullptr || *no_colour == '\0');
}

int fail(int code, const std::string& message, const std::optional<std::string>& help, bool json) {
  if (json) {
    print_json({{"schema", json_schema},
                {"severity", "error"},
                {"message", message},
                {"file", ""},
                {"help", help ? std::vector{*help} : std::vector<std::string>{}}});
    return code;
  }
  const bool colour = use_colour(stderr);
  fmt::print(stderr, "nnc: {}error{}: {}\n", colour ? "\x1b[1;31m" : "", colour ? "\x1b[0m" : "", message);
  if (help) fmt::print(stderr, "{}help{}: {}\n", colour ? "\x1b[1;36m" : "", colour ? "\x1b[0m" : "", *help);
  return code;
}

bool check_name(std::string_view what, const std::string& name, std::span<const std::string> known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return true;
  auto help = similar(what, name, known);
  if (!help && known.size() <= 12) help = fmt::format("there are: {}", fmt::join(known, ", "));
  fail(0, fmt::format("no {} `{}`", what, name), help);
  return false;
}

void print_json(const nlohmann::ordered_json& object) {
  fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  std::fflush(stdout);
}

std::string group_digits(int64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3) {
    digits.insert(static_cast<size_t>(at), ",");
  }
  return digits;
}

std::string format_flops(double flops) {
  struct Unit {
    double size;
    const char* name;
  };
  for (const Unit& unit : {Unit{1e12, "TFLOP"}, Unit{1e9, "GFLOP"}, Unit{1e6, "MFLOP"}, Unit{1e3, "kFLOP"}}) {
    if (flops >= unit.size) return fmt::format("{:.3g} {}", flops / unit.size, unit.name);
  }
  return fmt::format("{:.0f} FLOP", flops);
}

}  // namespace nnc
