#include "runtime/data/pipeline_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/data/arguments.h"

namespace nnc {
namespace {

constexpr double missing_value = std::numeric_limits<double>::quiet_NaN();

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
