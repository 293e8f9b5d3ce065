#include "driver/table_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "runtime/data/arguments.h"
#include "runtime/data/columns.h"
#include "runtime/data/csv.h"
#include "runtime/data/utf8.h"

namespace nnc {
namespace {

constexpr int64_t most_classes = 50;
constexpr int64_t most_words = 30;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// 1981-01-31, with anything behind it that starts with a blank or T.
bool is_date(std::string_view text) {
  if (text.size() < 10 || (text.size() > 10 && text[10] != ' ' && text[10] != 'T')) return false;
  for (size_t i = 0; i < 10; ++i) {
    if (i == 4 || i == 7 ? text[i] != '-' : !is_digit(text[i])) return false;
  }
  return true;
}

void profile_text(const Column& column, int64_t rows, ColumnProfile& profile) {
  profile.missing = std::count(column.codes.begin(), column.codes.end(), missing_code);
  profile.distinct = static_cast<int64_t>(column.words.size());
  const int64_t present = rows - profile.missing;
  const auto unused = [&](const char* why) {
    profile.use = ColumnUse::unused;
    profile.why = why;
  };
  if (profile.distinct < 2) return unused(profile.distinct == 0 ? "empty" : "the same in all rows");
  if (std::all_of(column.words.begin(), column.words.end(), is_date)) {
    const bool ascending = profile.missing == 0 &&
                           std::is_sorted(column.codes.begin(), column.codes.end(),
                                          [&](uint32_t a, uint32_t b) { return column.words[a] < column.words[b]; });
    profile.ascending_dates = ascending && profile.distinct > rows / 2;
    return unused("dates");
  }
  if (present < rows / 2) return unused("mostly empty");
  if (profile.distinct == present && present > 2) return unused("a different text in each row");
  if (profile.distinct > most_words && profile.distinct > present / 2) return unused("hardly a text stands twice");
  profile.use = profile.distinct <= most_words ? ColumnUse::words : ColumnUse::many;
}

void profile_numbers(const Column& column, int64_t rows, ColumnProfile& profile) {
  std::set<double> values;
  bool in_order = true;
  double previous = -INFINITY, low = INFINITY, high = -INFINITY;
  profile.whole = true;
  for (const double value : column.numbers) {
    if (std::isnan(value)) {
      ++profile.missing;
      continue;
    }
    // Distinct values are counted as far as it matters, so that a large table stays cheap.
    if (values.size() <= 4096) values.insert(value);
    profile.whole = profile.whole && value == std::floor(value) && std::abs(value) < 1e15;
    in_order = in_order && value == previous + 1;
    if (previous == -INFINITY) in_order = true;
    previous = value;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  profile.distinct = static_cast<int64_t>(values.size());
  const int64_t present = rows - profile.missing;
  const auto unused = [&](const char* why) {
    profile.use = ColumnUse::unused;
    profile.why = why;
  };
  if (profile.distinct < 2) return unused(profile.distinct == 0 ? "empty" : "the same in all rows");
  if (present < rows / 2) return unused("mostly empty");
  const bool numbered = profile.whole && profile.missing == 0 && profile.distinct > 4;
  if (numbered && in_order) return unused("numbers the rows");
  if (numbered && profile.distinct == rows && high - low == static_cast<double>(rows - 1))
    return unused("a different number in each row");
  const bool codes = profile.whole && profile.distinct > 2 && profile.distinct <= 7 && present >= 20 * profile.distinct;
  profile.use = codes ? ColumnUse::codes : ColumnUse::number;
}

// How often each value occurs; false where there are more values than classes could be.
bool count_values(const Column& column, size_t most, TargetProfile& profile) {
  if (column.kind == ColumnKind::text) {
    if (column.words.size() > most) return false;
    std::map<std::string, int64_t> counts;
    for (const uint32_t code : column.codes) ++counts[column.words[code]];
    for (const auto& [word, count] : counts) profile.classes.push_back(word), profile.counts.push_back(count);
    return true;
  }
  std::map<double, int64_t> counts;
  for (const double value : column.numbers) {
    ++counts[value];
    if (counts.size() > most) return false;
  }
  for (const auto& [value, count] : counts)
    profile.classes.push_back(text_of_number(value)), profile.counts.push_back(count);
  return true;
}

// "1" does so beside "0" or "-1" alone: where classes are counted from 1 it says nothing.
bool says_yes(std::string word, const std::string& other) {
  if (word == "1") return other == "0" || other == "-1";
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* yes : {"yes", "y", "true", "t", "positive", "pos"}) {
    if (word == yes) return true;
  }
  return false;
}

// The class one asks for: yes rather than no, else the rarer one, unless it is so rare that training may not see it.
std::string positive_of(const TargetProfile& profile) {
  const auto& counts = profile.counts;
  const size_t rarer = counts[1] <= counts[0] ? 1 : 0;
  size_t chosen = rarer;
  const bool first = says_yes(profile.classes[0], profile.classes[1]),
             second = says_yes(profile.classes[1], profile.classes[0]);
  if (first != second) chosen = second ? 1 : 0;
  return profile.classes[counts[chosen] < 2 ? 1 - chosen : chosen];
}

// Whole numbers that look like names of classes: close together and each seen several times.
bool few_codes(const Column& column, const TargetProfile& profile) {
  double low = INFINITY, high = -INFINITY;
  for (const double value : column.numbers) {
    if (value != std::floor(value)) return false;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const auto count = static_cast<int64_t>(profile.classes.size());
  const auto rows = static_cast<int64_t>(column.numbers.size());
  return count <= 20 && high - low < 2 * static_cast<double>(count) && rows >= 3 * count;
}

}  // namespace

bool writable(std::string_view text) {
  const auto control = [](char c) { return (c >= 0 && c < 0x20 && c != '\n' && c != '\t') || c == 0x7F; };
  return is_utf8(text) && std::none_of(text.begin(), text.end(), control);
}

std::vector<ColumnProfile> profile_columns(const Table& table) {
  std::map<std::string_view, int> names;
  for (const Column& column : table.columns) ++names[column.name];
  std::vector<ColumnProfile> profiles;
  for (const Column& column : table.columns) {
    ColumnProfile profile;
    profile.name = column.name;
    if (column.kind == ColumnKind::text) {
      profile_text(column, table.rows, profile);
    } else {
      profile_numbers(column, table.rows, profile);
    }
    if (names[column.name] > 1 || !writable(column.name)) {
      profile.use = ColumnUse::unused;
      profile.ascending_dates = false;
      profile.why = writable(column.name) ? "its name stands twice" : "its name cannot be written";
    }
    profiles.push_back(std::move(profile));
  }
  return profiles;
}

TargetProfile profile_target(const Table& table, size_t index) {
  const Column& column = table.columns[index];
  TargetProfile profile;
  const bool text = column.kind == ColumnKind::text;
  const auto wrong = [&](std::string why, std::string help) {
    profile.why = std::move(why);
    profile.help = std::move(help);
    return profile;
  };
  const int64_t missing =
      std::count_if(column.numbers.begin(), column.numbers.end(), [](double x) { return std::isnan(x); }) +
      std::count(column.codes.begin(), column.codes.end(), missing_code);
  if (missing == table.rows) return wrong("it is empty", "");
  if (missing > 0) {
    return wrong(fmt::format("{} of {} rows have no value there", missing, table.rows),
                 "remove these rows from the file: there is nothing to learn from them");
  }
  const bool counted = count_values(column, text ? most_classes * 2 : most_classes, profile);
  if (counted && profile.classes.size() == 1) {
    return wrong(fmt::format("it is \"{}\" in all rows", printable(profile.classes[0])),
                 "there is nothing to learn: choose a column that varies");
  }
  const bool spellable = std::all_of(profile.classes.begin(), profile.classes.end(), writable);
  if (counted && profile.classes.size() == 2 && spellable) {
    profile.kind = TargetKind::binary;
    profile.positive = positive_of(profile);
  } else if (text && (!counted || 2 * static_cast<int64_t>(profile.classes.size()) > table.rows)) {
    return wrong(fmt::format("it holds {} different texts in {} rows", column.words.size(), table.rows),
                 "a class needs several rows: choose a column with fewer values");
  } else {
    profile.kind = text || (counted && few_codes(column, profile)) ? TargetKind::classes : TargetKind::number;
  }
  return profile;
}

std::vector<std::string> missing_words(const Table& table) {
  std::set<std::string> found;
  for (const Column& column : table.columns) {
    if (column.kind != ColumnKind::text) continue;
    std::vector<std::string> others;
    double value;
    for (const std::string& word : column.words) {
      if (!parse_number(word, value)) others.push_back(word);
      if (others.size() > 4) break;
    }
    const bool markers = std::all_of(others.begin(), others.end(), [](const std::string& word) {
      for (const char* marker :
           {"NA", "N/A", "n/a", "na", "NaN", "nan", "NULL", "null", "None", "none", "?", "-", "."}) {
        if (word == marker) return true;
      }
      return false;
    });
    if (markers && others.size() < column.words.size()) found.insert(others.begin(), others.end());
  }
  return {found.begin(), found.end()};
}

}  // namespace nnc
