// Which known name the user may have meant.
#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "frontend/diagnostics.h"

namespace nnc {

namespace {

constexpr size_t longest_compared = 64;
constexpr int whole = 2;  // distances are counted in halves

int replace_cost(char a, char b) {
  if (a == b) return 0;
  auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return lower(a) == lower(b) ? whole / 2 : whole;
}

// Damerau-Levenshtein in the restricted form (optimal string alignment).
int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> before_previous, previous(b.size() + 1), current(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) previous[j] = static_cast<int>(j) * whole;
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = static_cast<int>(i) * whole;
    for (size_t j = 1; j <= b.size(); ++j) {
      current[j] =
          std::min({previous[j] + whole, current[j - 1] + whole, previous[j - 1] + replace_cost(a[i - 1], b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before_previous[j - 2] + whole);
      }
    }
    before_previous = previous;
    previous = current;
  }
  return previous[b.size()];
}

}  // namespace

std::optional<std::string> closest(std::string_view name, std::span<const std::string> candidates) {
  const std::string* best = nullptr;
  int best_distance = 0;
  if (name.empty() || name.size() > longest_compared) return std::nullopt;
  for (const std::string& candidate : candidates) {
    if (candidate.empty() || candidate.size() > longest_compared || candidate == name) continue;
    // A name of one letter is near to every other one of one letter: nothing is gained by saying so.
    int limit = std::max<int>(whole, static_cast<int>(std::max(name.size(), candidate.size()) * whole / 3));
    int distance = edit_distance(name, candidate);
    bool nothing_shared = distance >= whole * static_cast<int>(std::min(name.size(), candidate.size()));
    if (distance > limit || nothing_shared || (best && distance >= best_distance)) continue;
    best = &candidate;
    best_distance = distance;
  }
  return best ? std::optional(*best) : std::nullopt;
}

std::optional<std::string> similar(std::string_view what, std::string_view name,
                                   std::span<const std::string> candidates) {
  auto found = closest(name, candidates);
  if (!found) return std::nullopt;
  std::string_view article =
      !what.empty() && std::string_view("aeiou").find(what[0]) != std::string_view::npos ? "an" : "a";
  return fmt::format("{} {} with a similar name exists: `{}`", article, what, *found);
}

}  // namespace nnc
