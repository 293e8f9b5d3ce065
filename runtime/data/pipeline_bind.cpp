// Binding a pipe to a table: where its column is, and what each step needs to look up in it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <unordered_map>

#include "runtime/data/arguments.h"
#include "runtime/data/columns.h"
#include "runtime/data/csv.h"
#include "runtime/data/pipeline_run.h"

namespace nnc {
namespace {

// The category of text that a column of numbers would hold.
void number_codes(const Column& column, BoundPipe& bound) {
  std::unordered_map<double, uint32_t> known;
  for (double value : column.numbers) {
    if (std::isnan(value)) {
      bound.codes.push_back(missing_code);
      continue;
    }
    const auto [found, fresh] = known.emplace(value, static_cast<uint32_t>(bound.words.size()));
    if (fresh) bound.words.push_back(text_of_number(value));
    bound.codes.push_back(found->second);
  }
}

// What kind the block has after the steps before `step`.
bool text_before(const BoundPipe& bound, size_t step) {
  bool text = bound.text;
  for (size_t i = 0; i < step; ++i) {
    if (bound.pipe->steps[i].kind != StepKind::impute) text = false;
  }
  return text;
}

void bind_categories(BoundPipe& bound, const std::vector<std::string>& categories,
                     const std::vector<std::string>& infrequent, bool text, BoundPipe::Lookup& lookup) {
  std::unordered_map<std::string_view, int32_t> known;
  const auto last = static_cast<int32_t>(categories.size());
  for (int32_t i = 0; i < last; ++i) known.emplace(categories[static_cast<size_t>(i)], i);
  for (const std::string& category : infrequent) known.emplace(category, last);
  if (text) {
    for (const std::string& word : bound.words) {
      const auto found = known.find(word);
      lookup.of_word.push_back(found == known.end() ? -1 : found->second);
    }
    return;
  }
  for (const auto& [category, place] : known) {
    double value;
    if (parse_number(category, value)) lookup.of_number.emplace_back(value, place);
  }
  std::sort(lookup.of_number.begin(), lookup.of_number.end());
}

void bind_labels(BoundPipe& bound, const PipeStep& step, BoundPipe::Lookup& lookup) {
  std::unordered_map<std::string_view, int32_t> known;
  for (size_t i = 0; i < step.categories.size(); ++i) known.emplace(step.categories[i], static_cast<int32_t>(i));
  for (const std::string& word : bound.words) {
    auto& labels = lookup.labels_of_word.emplace_back();
    auto& unknown = lookup.unknown_of_word.emplace_back();
    for (std::string& label : labels_of(word, step.fill)) {
      const auto found = known.find(label);
      if (found != known.end())
        labels.push_back(found->second);
      else if (unknown.empty())
        unknown = std::move(label);
    }
  }
}

}  // namespace

void report_text(const Table& table, size_t index, Origin origin, ErrorList& errors) {
  const Column& column = table.columns[index];
  int64_t numbers = 0;
  for (const std::string& word : column.words) {
    double value;
    numbers += parse_number(word, value);
  }
  const bool mostly_numbers = 2 * numbers >= static_cast<int64_t>(column.words.size());
  const size_t shown = mostly_numbers ? column.unreadable.size() : 1;
  for (size_t i = 0; i < std::min(shown, column.unreadable.size()); ++i) {
    const auto row = static_cast<size_t>(column.unreadable[i]);
    const std::string word = printable(column.words[column.codes[row]]);
    RuntimeError error;
    error.code = ErrorCode::E602;
    error.origin = origin;
    error.message = fmt::format("\"{}\" is not a number (column \"{}\")", word, printable(column.name));
    error.help = mostly_numbers ? fmt::format("if it stands for a missing value, add \"{}\" to `missing = [...]`", word)
                                : "turn categories into numbers: onehot(), ordinal() or binary(positive = \"…\")";
    place_error(table, column.unreadable[i], index, error);
    errors.add(std::move(error));
  }
}

bool bind_pipe(const Pipe& pipe, const Table& table, BoundPipe& bound, ErrorList& errors) {
  const auto index = column_of(pipe, table);
  if (!index) {
    find_column(table, pipe.column, table.origin, errors);
    return false;
  }
  const Column& column = table.columns[*index];
  bound.pipe = &pipe;
  bound.table = &table;
  bound.index = *index;
  bound.column = &column;
  bound.text = pipe.text;
  if (elements_per_row(column) != pipe.elements) {
    errors.add(
        ErrorCode::E611, table.origin,
        fmt::format("column \"{}\" of {} has {} values a row, {} in training", printable(column.name),
                    std::filesystem::path(table.file).filename().string(), elements_per_row(column), pipe.elements));
    return false;
  }
  if (pipe.text) {
    if (column.kind == ColumnKind::number) {
      number_codes(column, bound);
    } else if (column.kind == ColumnKind::text || column.kind == ColumnKind::symbols) {
      bound.words = column.words;
    } else {
      errors.add(ErrorCode::E611, table.origin,
                 fmt::format("column \"{}\" holds numbers, categories are needed", printable(column.name)));
      return false;
    }
  } else if (column.kind == ColumnKind::text || column.kind == ColumnKind::symbols) {
    report_text(table, *index, 0, errors);
    return false;
  }
  return true;
}

bool bind_step(BoundPipe& bound, size_t index, ErrorList& errors) {
  const PipeStep& step = bound.pipe->steps[index];
  BoundPipe::Lookup lookup;
  const bool text = text_before(bound, index);
  if (step.kind == StepKind::impute && text) {
    const auto found = std::find(bound.words.begin(), bound.words.end(), step.fill);
    lookup.filled = static_cast<int32_t>(found - bound.words.begin());
    if (found == bound.words.end()) bound.words.push_back(step.fill);
  }
  if (step.kind == StepKind::multilabel) {
    bind_labels(bound, step, lookup);
  } else if (is_categorical(step.kind)) {
    bind_categories(bound, step.kind == StepKind::binary ? std::vector<std::string>{step.fill} : step.categories,
                    step.infrequent, text, lookup);
  }
  for (const Pipe& other : step.other) {
    lookup.other.emplace_back();
    if (!bind_pipe(other, *bound.table, lookup.other.back(), errors)) return false;
    for (size_t i = 0; i < other.steps.size(); ++i) {
      if (!bind_step(lookup.other.back(), i, errors)) return false;
    }
  }
  bound.lookups.push_back(std::move(lookup));
  return true;
}

}  // namespace nnc
