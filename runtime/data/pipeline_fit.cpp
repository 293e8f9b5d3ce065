#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "runtime/data/arguments.h"
#include "runtime/data/csv.h"
#include "runtime/data/pipeline.h"
#include "runtime/data/pipeline_run.h"

namespace nnc {
namespace {

// The present values of one lane.
std::vector<double> lane_values(const ValueBlock& block, int64_t lane) {
  std::vector<double> out;
  for (int64_t row = 0; row < block.rows; ++row) {
    const double* from = block.values.data() + (row * block.lanes + lane) * block.elements;
    for (int64_t i = 0; i < block.elements; ++i) {
      if (std::isfinite(from[i])) out.push_back(from[i]);
    }
  }
  return out;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Linear interpolation between order statistics, as NumPy's default: position q (n - 1). Sorts `values`.
double quantile(std::vector<double>& values, double q) {
  std::sort(values.begin(), values.end());
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (values[above] - values[below]) * (position - static_cast<double>(below));
}

// The smallest of the most frequent values.
double most_frequent(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  double best = values[0];
  size_t best_count = 0;
  for (size_t i = 0; i < values.size();) {
    size_t j = i;
    while (j < values.size() && values[j] == values[i]) ++j;
    if (j - i > best_count) best_count = j - i, best = values[i];
    i = j;
  }
  return best;
}

// Scales that scikit-learn takes for constant columns: ranges below ten units of rounding, and variances within the
// rounding of the sums behind them (sklearn.preprocessing, _handle_zeros_in_scale and _is_constant_feature).
double safe_range(double range) { return range < 10 * std::numeric_limits<double>::epsilon() ? 1 : range; }

double safe_deviation(double variance, double mean, double count) {
  constexpr double rounding = std::numeric_limits<double>::epsilon();
  const double noise = count * mean * rounding;
  return variance <= count * rounding * variance + noise * noise ? 1 : std::sqrt(variance);
}

void fit_standard(std::vector<double>& values, PipeStep& step) {
  const double mean = mean_of(values);
  double squares = 0, drift = 0;
  for (double x : values) squares += (x - mean) * (x - mean), drift += x - mean;
  const auto count = static_cast<double>(values.size());
  const double variance = std::max(0.0, (squares - drift * drift / count) / count);
  step.a.push_back(mean);
  step.b.push_back(safe_deviation(variance, mean, count));
}

void fit_robust(std::vector<double>& values, PipeStep& step) {
  const double median = quantile(values, 0.5);
  step.a.push_back(median);
  step.b.push_back(safe_range(quantile(values, 0.75) - quantile(values, 0.25)));
}

void fit_minmax(std::vector<double>& values, PipeStep& step) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double scale = (step.high - step.low) / safe_range(*high - *low);
  step.a.push_back(scale);
  step.b.push_back(step.low - *low * scale);
}

void fit_impute(std::vector<double>& values, PipeStep& step) {
  step.a.push_back(step.method == "mean"     ? mean_of(values)
                   : step.method == "median" ? quantile(values, 0.5)
                                             : most_frequent(values));
}

struct Category {
  std::string name;
  int64_t count = 0;
};

// Categories of a block: of numbers ascending, of text in byte order.
std::vector<Category> categories_of(const BoundPipe& bound, const ValueBlock& block) {
  std::vector<double> values = lane_values(block, 0);
  std::sort(values.begin(), values.end());
  std::vector<Category> out;
  for (size_t i = 0; i < values.size();) {
    size_t j = i;
    while (j < values.size() && values[j] == values[i]) ++j;
    out.push_back({block.text ? bound.words[static_cast<size_t>(values[i])] : text_of_number(values[i]),
                   static_cast<int64_t>(j - i)});
    i = j;
  }
  if (block.text) std::sort(out.begin(), out.end(), [](const auto& x, const auto& y) { return x.name < y.name; });
  return out;
}

std::vector<std::string> names_of(const std::vector<Category>& categories) {
  std::vector<std::string> names;
  for (const Category& category : categories) names.push_back(category.name);
  return names;
}

// Leaves the most frequent ones, one fewer than the limit, where there are that many at all; of equally frequent ones
// the later (as scikit-learn's OneHotEncoder does, whose limit counts the lane of the infrequent).
void fit_onehot(const std::vector<Category>& categories, PipeStep& step) {
  step.categories.clear();
  step.infrequent.clear();
  const size_t kept = step.max_categories == 0 || static_cast<size_t>(step.max_categories) > categories.size()
                          ? categories.size()
                          : static_cast<size_t>(step.max_categories) - 1;
  std::vector<size_t> order(categories.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t x, size_t y) { return categories[x].count < categories[y].count; });
  std::vector<bool> folded(categories.size(), false);
  for (size_t i = 0; i + kept < categories.size(); ++i) folded[order[i]] = true;
  for (size_t i = 0; i < categories.size(); ++i)
    (folded[i] ? step.infrequent : step.categories).push_back(categories[i].name);
}

// Labels are text even where each cell of the file holds one number.
bool reads_labels(const Pipe& pipe) {
  for (const PipeStep& step : pipe.steps) {
    if (step.kind != StepKind::impute) return step.kind == StepKind::multilabel;
  }
  return false;
}

struct Fitter {
  FieldPlan& plan;
  const TrainingView& view;
  ErrorList& errors;

  void error(ErrorCode code, const PipeStep& step, std::string message, std::string help = {}) {
    errors.add(code, step.origin, std::move(message), std::move(help));
  }

  bool no_values(const PipeStep& step, const Pipe& pipe) {
    error(ErrorCode::E609, step,
          fmt::format("column \"{}\" has no values in the training rows", printable(pipe.column)));
    return false;
  }

  bool fit_numbers(PipeStep& step, const Pipe& pipe, const ValueBlock& block,
                   void (*fit)(std::vector<double>&, PipeStep&)) {
    step.a.clear();
    step.b.clear();
    for (int64_t lane = 0; lane < block.lanes; ++lane) {
      std::vector<double> values = lane_values(block, lane);
      if (values.empty()) return no_values(step, pipe);
      fit(values, step);
    }
    return true;
  }

  bool fit_imputation(PipeStep& step, const BoundPipe& bound, const ValueBlock& block) {
    if (!block.text) {
      if (!step.method.empty()) return fit_numbers(step, *bound.pipe, block, fit_impute);
      if (std::isnan(step.low) && !parse_number(step.fill, step.low)) {
        error(ErrorCode::E607, step,
              fmt::format("column \"{}\" holds numbers, which \"{}\" is not", printable(bound.pipe->column),
                          printable(step.fill)));
        return false;
      }
      step.a = {step.low};
      return true;
    }
    if (step.method == "mean" || step.method == "median") {
      error(ErrorCode::E607, step,
            fmt::format("a {} needs numbers, but column \"{}\" holds categories", step.method,
                        printable(bound.pipe->column)),
            "impute(\"most_frequent\")");
      return false;
    }
    if (step.method.empty()) return true;
    std::map<std::string, int64_t> counts;
    for (double code : lane_values(block, 0)) ++counts[bound.words[static_cast<size_t>(code)]];
    if (counts.empty()) return no_values(step, *bound.pipe);
    step.fill = std::max_element(counts.begin(), counts.end(), [](const auto& x, const auto& y) {
                  return x.second < y.second;
                })->first;
    return true;
  }

  bool fit_labels(PipeStep& step, const std::vector<std::string>& cells, const Pipe& pipe) {
    std::set<std::string> labels;
    for (const std::string& cell : cells) {
      for (std::string& label : labels_of(cell, step.fill)) labels.insert(std::move(label));
    }
    if (labels.empty()) return no_values(step, pipe);
    step.categories.assign(labels.begin(), labels.end());
    return true;
  }

  bool fit_categories(PipeStep& step, const BoundPipe& bound, const ValueBlock& block) {
    const std::string column = printable(bound.pipe->column);
    if (block.lanes * block.elements != 1) {
      error(ErrorCode::E611, step,
            fmt::format("column \"{}\" has {} values a row here, one category is needed", column,
                        block.lanes * block.elements));
      return false;
    }
    if (step.kind != StepKind::binary && !step.learned) return true;
    const std::vector<Category> categories = categories_of(bound, block);
    if (categories.empty()) return no_values(step, *bound.pipe);
    std::vector<std::string> found = names_of(categories);
    if (step.kind == StepKind::multilabel) return fit_labels(step, found, *bound.pipe);
    if (step.kind != StepKind::binary) {
      if (step.kind == StepKind::onehot) {
        fit_onehot(categories, step);
      } else {
        step.categories = std::move(found);
      }
      if (step.drop_first && step.categories.size() + !step.infrequent.empty() == 1) {
        error(ErrorCode::E611, step,
              fmt::format("column \"{}\" has a single category: nothing is left without the first", column));
        return false;
      }
      return true;
    }
    double wanted;
    const bool number = !block.text && parse_number(step.fill, wanted);
    if (std::find(found.begin(), found.end(), number ? text_of_number(wanted) : step.fill) != found.end()) {
      if (found.size() == 2) step.categories = std::move(found);  // they name the two classes
      return true;
    }
    const std::string_view similar = nearest(step.fill, found);
    const std::vector<std::string> few(found.begin(),
                                       found.begin() + static_cast<int64_t>(std::min<size_t>(found.size(), 6)));
    error(ErrorCode::E612, step,
          fmt::format("category \"{}\" does not occur in the training rows (column \"{}\")", printable(step.fill),
                      column),
          similar.empty() ? printable(fmt::format("found: \"{}\"", fmt::join(few, "\", \"")))
                          : fmt::format("a similar category occurs: \"{}\"", printable(similar)));
    return false;
  }

  // Fits the step on what the steps before it made of the training rows.
  bool fit_step(PipeStep& step, const BoundPipe& bound, const ValueBlock& block) {
    const bool encodes = is_categorical(step.kind);
    if (block.text && !encodes && step.kind != StepKind::impute) {
      report_text(view.table, bound.index, step.origin, errors);
      return false;
    }
    switch (step.kind) {
      case StepKind::impute:
        return fit_imputation(step, bound, block);
      case StepKind::standard:
        return fit_numbers(step, *bound.pipe, block, fit_standard);
      case StepKind::robust:
        return fit_numbers(step, *bound.pipe, block, fit_robust);
      case StepKind::minmax:
        return fit_numbers(step, *bound.pipe, block, fit_minmax);
      default:
        break;
    }
    if (step.kind == StepKind::symbols) {
      // The alphabet is what the whole file is written in, not something measured on it.
      if (step.categories.empty()) step.categories = bound.words;
      if (step.categories.empty()) return no_values(step, *bound.pipe);
      return true;
    }
    if (encodes) return fit_categories(step, bound, block);
    for (Pipe& other : step.other) {
      if (!fit_pipe(other)) return false;
      if (other.lanes * other.elements == block.lanes * block.elements) continue;
      error(ErrorCode::E611, step,
            fmt::format("the two sides have {} and {} values a row", block.lanes * block.elements,
                        other.lanes * other.elements));
      return false;
    }
    return true;
  }

  bool fit_pipe(Pipe& pipe) {
    const auto index = column_of(pipe, view.table);
    pipe.text = index && (view.table.columns[*index].kind == ColumnKind::text ||
                          view.table.columns[*index].kind == ColumnKind::symbols || reads_labels(pipe));
    BoundPipe bound;
    if (!bind_pipe(pipe, view.table, bound, errors)) return false;
    // Elementwise steps fit nothing: then one row is enough to follow kinds and widths.
    auto fits = [](const PipeStep& step) {
      return step.kind < StepKind::log || (is_categorical(step.kind) && step.kind != StepKind::symbols) ||
             !step.other.empty();
    };
    const bool any = std::any_of(pipe.steps.begin(), pipe.steps.end(), fits);
    const auto rows = any ? view.rows : view.rows.first(std::min<size_t>(1, view.rows.size()));
    ValueBlock block;
    load_block(bound, rows, block);
    for (size_t i = 0; i < pipe.steps.size(); ++i) {
      if (!fit_step(pipe.steps[i], bound, block) || !bind_step(bound, i, errors)) return false;
      run_step(bound, i, rows, block, nullptr);
    }
    pipe.lanes = block.lanes;
    if (!block.text) return true;
    errors.add(ErrorCode::E611, plan.origin,
               fmt::format("column \"{}\" holds categories where numbers are needed", printable(pipe.column)),
               "turn them into numbers: onehot(), ordinal() or binary(positive = \"…\")");
    return false;
  }

  void settle_shape() {
    using Shape = FieldPlan::Shape;
    const int64_t width = field_width(plan);
    if (plan.shape == Shape::scalar && width != 1) plan.shape = Shape::vector;
    if (plan.shape == Shape::scalar) plan.dims.clear();
    if (plan.shape == Shape::vector) plan.dims = {width};
    if (plan.shape != Shape::reshaped) return;
    int64_t known = 1;
    bool overflow = false;
    for (int64_t extent : plan.dims)
      overflow = overflow || (extent > 0 && __builtin_mul_overflow(known, extent, &known));
    const auto open = std::find(plan.dims.begin(), plan.dims.end(), -1);
    if (!overflow && open != plan.dims.end() && width % known == 0) *open = width / known, known = width;
    if (overflow || known != width) {
      errors.add(ErrorCode::E611, plan.shape_origin,
                 fmt::format("cannot reshape {} values a row to [{}]", width, fmt::join(plan.dims, ", ")));
    }
  }
};

}  // namespace

std::vector<int64_t> field_dims(const FieldPlan& plan) {
  std::vector<int64_t> dims = plan.dims;
  if (!plan.windows) return dims;
  const WindowPlan& windows = *plan.windows;
  const int64_t rows = windows.result == 1 && windows.after > 0 ? windows.after : windows.length;
  if (windows.result == 0 || windows.after != 1) dims.insert(dims.begin(), rows);
  return dims;
}

int64_t field_width(const FieldPlan& plan) {
  int64_t width = 0;
  for (const Pipe& pipe : plan.pipes) width += pipe.lanes * pipe.elements;
  return width;
}

void fit_field(FieldPlan& plan, const TrainingView& view, ErrorList& errors) {
  Fitter fitter{plan, view, errors};
  bool fitted = true;
  for (Pipe& pipe : plan.pipes) fitted = fitter.fit_pipe(pipe) && fitted;
  if (fitted) fitter.settle_shape();
}

}  // namespace nnc
