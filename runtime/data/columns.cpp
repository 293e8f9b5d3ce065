#include "runtime/data/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace nnc {
namespace {

// Greedy, with a return to the last star only: linear in text for each star.
bool matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool is_pattern(std::string_view pattern) { return pattern.find('*') != std::string_view::npos; }

std::vector<size_t> match_columns(const Table& table, std::string_view pattern) {
  std::vector<size_t> found;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (matches(pattern, table.columns[i].name)) found.push_back(i);
  }
  return found;
}

std::optional<size_t> find_column(const Table& table, std::string_view name, Origin origin, ErrorList& errors) {
  std::vector<size_t> found;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].name == name) found.push_back(i);
  }
  if (found.size() == 1) return found[0];
  const std::string file = std::filesystem::path(table.file).filename().string();
  if (found.size() > 1) {
    errors.add(ErrorCode::E601, origin,
               fmt::format("column \"{}\" stands twice in {}, as number {} and {}", printable(name), file, found[0] + 1,
                           found[1] + 1),
               "rename one of them in the file");
    return {};
  }
  std::vector<std::string> names;
  for (const Column& column : table.columns) names.push_back(column.name);
  const std::string_view similar = nearest(name, names);
  std::string help;
  if (!similar.empty()) {
    help = fmt::format("a similar column exists: \"{}\"", printable(similar));
  } else if (!table.named) {
    help =
        fmt::format("no header was found, so the columns are c1 … c{}; if the first line is one, say `header = true`",
                    names.size());
  }
  errors.add(ErrorCode::E601, origin, fmt::format("no column \"{}\" in {}", printable(name), file), help);
  return {};
}

}  // namespace nnc
