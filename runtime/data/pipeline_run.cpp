#include "runtime/data/pipeline_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <unordered_map>

#include "runtime/data/arguments.h"
#include "runtime/data/columns.h"
#include "runtime/data/csv.h"

namespace nnc {
namespace {

constexpr double missing_value = std::numeric_limits<double>::quiet_NaN();

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

int32_t category_of(const BoundPipe::Lookup& lookup, bool text, double value) {
  if (text) return lookup.of_word[static_cast<size_t>(value)];
  const auto found = std::lower_bound(lookup.of_number.begin(), lookup.of_number.end(), std::pair(value, int32_t{-1}));
  return found != lookup.of_number.end() && found->first == value ? found->second : -1;
}

struct Runner {
  const BoundPipe& bound;
  size_t index;
  std::span<const uint32_t> rows;
  ValueBlock& block;
  Troubles* troubles;
  const PipeStep& step = bound.pipe->steps[index];
  const BoundPipe::Lookup& lookup = bound.lookups[index];

  int64_t row_of(size_t at) const { return rows[at / static_cast<size_t>(block.lanes * block.elements)]; }
  size_t lane_of(size_t at) const {
    return at / static_cast<size_t>(block.elements) % static_cast<size_t>(block.lanes);
  }
  double fitted(const std::vector<double>& values, size_t at) const {
    return values[values.size() == 1 ? 0 : lane_of(at)];
  }

  void unknown(double value, size_t at) {
    if (troubles == nullptr) return;
    troubles->add(ErrorCode::E603, index, block.text ? bound.words[static_cast<size_t>(value)] : text_of_number(value),
                  row_of(at));
  }

  template <class F>
  void each(F&& f) {
    for (double& x : block.values) x = f(x);
  }

  void impute() {
    for (size_t at = 0; at < block.values.size(); ++at) {
      if (std::isnan(block.values[at])) block.values[at] = block.text ? lookup.filled : fitted(step.a, at);
    }
  }

  void scale() {
    if (step.a.size() == 1) {
      const double a = step.a[0], b = step.b[0];
      if (step.kind == StepKind::minmax) return each([=](double x) { return x * a + b; });
      return each([=](double x) { return (x - a) / b; });
    }
    for (size_t at = 0; at < block.values.size(); ++at) {
      double& x = block.values[at];
      const double a = fitted(step.a, at), b = fitted(step.b, at);
      x = step.kind == StepKind::minmax ? x * a + b : (x - a) / b;
    }
  }

  void logarithm() {
    for (size_t at = 0; at < block.values.size(); ++at) {
      double& x = block.values[at];
      if (x <= 0 && troubles != nullptr)
        troubles->add(ErrorCode::E613, index, fmt::format("log({})", text_of_number(x)), row_of(at));
      x = std::log(x);
    }
  }

  void ordinal() {
    for (size_t at = 0; at < block.values.size(); ++at) {
      double& x = block.values[at];
      if (std::isnan(x)) continue;
      const int32_t category = category_of(lookup, block.text, x);
      if (category < 0 && step.unknown == PipeStep::Unknown::error) unknown(x, at);
      x = category >= 0 ? category : static_cast<double>(step.categories.size());
    }
    block.text = false;
  }

  void binary() {
    each([&](double x) { return std::isnan(x) ? x : category_of(lookup, block.text, x) == 0 ? 1.0 : 0.0; });
    block.text = false;
  }

  void onehot() {
    const int64_t first = step.drop_first ? 1 : 0;
    const int64_t lanes = static_cast<int64_t>(step.categories.size()) + !step.infrequent.empty() - first;
    std::vector<double> out(static_cast<size_t>(block.rows * lanes), 0.0);
    for (size_t at = 0; at < block.values.size(); ++at) {
      const double x = block.values[at];
      double* row = out.data() + static_cast<int64_t>(at) * lanes;
      if (std::isnan(x)) {
        std::fill(row, row + lanes, x);
        continue;
      }
      const int32_t category = category_of(lookup, block.text, x);
      if (category < 0 && step.unknown == PipeStep::Unknown::error) unknown(x, at);
      if (category >= first) row[category - first] = 1;
    }
    block.values = std::move(out);
    block.lanes = lanes;
    block.text = false;
  }

  // A cell without a value has no labels.
  void multilabel() {
    const auto lanes = static_cast<int64_t>(step.categories.size());
    std::vector<double> out(static_cast<size_t>(block.rows * lanes), 0.0);
    for (size_t at = 0; at < block.values.size(); ++at) {
      if (std::isnan(block.values[at])) continue;
      const auto word = static_cast<size_t>(block.values[at]);
      for (int32_t label : lookup.labels_of_word[word])
        out[at * static_cast<size_t>(lanes) + static_cast<size_t>(label)] = 1;
      const std::string& stranger = lookup.unknown_of_word[word];
      if (!stranger.empty() && step.unknown == PipeStep::Unknown::error && troubles != nullptr)
        troubles->add(ErrorCode::E603, index, stranger, row_of(at));
    }
    block.values = std::move(out);
    block.lanes = lanes;
    block.text = false;
  }

  void normalise() {
    if (step.a.size() == 1) return scale();
    const size_t elements = static_cast<size_t>(block.elements), pixels = elements / step.a.size();
    for (size_t at = 0; at < block.values.size(); ++at) {
      const size_t channel = at % elements / pixels;
      block.values[at] = (block.values[at] - step.a[channel]) / step.b[channel];
    }
  }

  template <class F>
  void combine(F&& f) {
    if (lookup.other.empty()) {
      const double c = step.low;
      return each([&](double x) { return f(x, c); });
    }
    const BoundPipe& other = lookup.other[0];
    ValueBlock right;
    load_block(other, rows, right);
    for (size_t i = 0; i < other.pipe->steps.size(); ++i) run_step(other, i, rows, right, troubles);
    for (size_t at = 0; at < block.values.size(); ++at) block.values[at] = f(block.values[at], right.values[at]);
  }

  void run() {
    switch (step.kind) {
      case StepKind::impute:
        return impute();
      case StepKind::standard:
      case StepKind::robust:
      case StepKind::minmax:
        return scale();
      case StepKind::log:
        return logarithm();
      case StepKind::clip:
        return each([&](double x) { return x < step.low ? step.low : x > step.high ? step.high : x; });
      case StepKind::add:
        return combine([](double x, double y) { return x + y; });
      case StepKind::subtract:
        return combine([](double x, double y) { return x - y; });
      case StepKind::multiply:
        return combine([](double x, double y) { return x * y; });
      case StepKind::divide:
        return combine([](double x, double y) { return x / y; });
      case StepKind::power:
        return combine([](double x, double y) { return std::pow(x, y); });
      case StepKind::reverse_subtract:
        return combine([](double x, double y) { return y - x; });
      case StepKind::reverse_divide:
        return combine([](double x, double y) { return y / x; });
      case StepKind::reverse_power:
        return combine([](double x, double y) { return std::pow(y, x); });
      case StepKind::onehot:
        return onehot();
      case StepKind::ordinal:
      case StepKind::symbols:
        return ordinal();
      case StepKind::binary:
        return binary();
      case StepKind::multilabel:
        return multilabel();
      case StepKind::normalise:
        return normalise();
    }
  }
};

}  // namespace

bool is_categorical(StepKind kind) {
  return kind == StepKind::onehot || kind == StepKind::ordinal || kind == StepKind::binary ||
         kind == StepKind::multilabel || kind == StepKind::symbols;
}

std::vector<std::string> labels_of(std::string_view cell, std::string_view separator) {
  std::vector<std::string> labels;
  for (size_t at = 0; at <= cell.size();) {
    const size_t end = std::min(cell.find(separator, at), cell.size());
    std::string_view label = cell.substr(at, end - at);
    const size_t first = label.find_first_not_of(" \t"), last = label.find_last_not_of(" \t");
    if (first != std::string_view::npos) labels.emplace_back(label.substr(first, last - first + 1));
    at = end + separator.size();
  }
  return labels;
}

void Troubles::add(ErrorCode code, size_t step, std::string value, int64_t row) {
  TroubleKey key{code, step, std::move(value)};
  auto at = found.find(key);
  if (at == found.end()) {
    if (found.size() >= limit) return;
    at = found.emplace(std::move(key), Trouble{row, 0}).first;
  }
  at->second.first_row = std::min(at->second.first_row, row);
  ++at->second.rows;
}

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

void load_block(const BoundPipe& bound, std::span<const uint32_t> rows, ValueBlock& block) {
  const Column& column = *bound.column;
  block.rows = static_cast<int64_t>(rows.size());
  block.lanes = 1;
  block.elements = bound.pipe->elements;
  block.text = bound.text;
  block.values.resize(static_cast<size_t>(block.rows * block.elements));
  const auto width = static_cast<size_t>(block.elements);
  double* out = block.values.data();
  for (uint32_t row : rows) {
    if (bound.text) {
      const uint32_t code = bound.codes.empty() ? column.codes[row] : bound.codes[row];
      *out++ = code == missing_code ? missing_value : code;
    } else if (column.kind == ColumnKind::number) {
      *out++ = column.numbers[row];
    } else if (column.kind == ColumnKind::bytes) {
      out = std::copy_n(column.bytes.data() + row * width, width, out);
    } else if (column.kind == ColumnKind::symbols) {
      *out++ = column.codes[row];
    } else if (column.kind == ColumnKind::integers) {
      out = std::copy_n(column.integers.data() + row * width, width, out);
    } else {
      out = std::copy_n(column.floats.data() + row * width, width, out);
    }
  }
}

void run_step(const BoundPipe& bound, size_t step, std::span<const uint32_t> rows, ValueBlock& block,
              Troubles* troubles) {
  Runner{bound, step, rows, block, troubles}.run();
}

}  // namespace nnc
