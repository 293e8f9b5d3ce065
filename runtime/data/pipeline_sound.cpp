#include "runtime/data/pipeline_sound.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nnc {
namespace {

constexpr int64_t widest = int64_t{1} << 31;  // values a row: far beyond what memory holds

bool encodes(StepKind kind) {
  return kind == StepKind::onehot || kind == StepKind::ordinal || kind == StepKind::binary ||
         kind == StepKind::multilabel || kind == StepKind::symbols;
}

bool scales(StepKind kind) {
  return kind == StepKind::standard || kind == StepKind::robust || kind == StepKind::minmax;
}

bool combines(StepKind kind) { return kind >= StepKind::add && kind <= StepKind::reverse_power; }

bool repeats(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  return std::adjacent_find(words.begin(), words.end()) != words.end();
}

// Follows a row through the pipes as applying does.
struct Follower {
  std::string path, wrong;

  bool fail(std::string_view what) {
    if (wrong.empty()) wrong = fmt::format("{}: {}", path, what);
    return false;
  }

  bool one_a_lane(const std::vector<double>& values, int64_t lanes) {
    if (values.size() == 1 || static_cast<int64_t>(values.size()) == lanes) return true;
    return fail(fmt::format("{} fitted numbers for {} lanes", values.size(), lanes));
  }

  bool one_a_channel(const PipeStep& step, int64_t elements) {
    const auto channels = static_cast<int64_t>(step.a.size());
    if (channels > 0 && step.b.size() == step.a.size() && elements % channels == 0) return true;
    return fail(fmt::format("{} fitted numbers for {} elements", channels, elements));
  }

  bool encode(const PipeStep& step, bool text, int64_t elements, int64_t& lanes) {
    if (lanes != 1 || elements != 1) return fail("a category is one value a row");
    if (step.kind == StepKind::multilabel && (!text || step.fill.empty()))
      return fail("labels are text with a separator");
    if (step.kind == StepKind::binary) return true;
    const auto count = static_cast<int64_t>(step.categories.size());
    if (count > INT32_MAX || repeats(step.categories)) return fail("the categories repeat themselves");
    if (step.kind == StepKind::onehot) lanes = count + (step.infrequent.empty() ? 0 : 1) - (step.drop_first ? 1 : 0);
    if (step.kind == StepKind::multilabel) lanes = count;
    if (count == 0 || lanes == 0) return fail("no categories");
    return true;
  }

  bool step(const PipeStep& step, int64_t elements, int64_t& lanes, bool& text) {
    const size_t length = path.size();
    if (!step.other.empty() && !combines(step.kind)) return fail("no place for another column");
    if (step.other.size() > 1) return fail("arithmetic takes one other column");
    if (text && step.kind != StepKind::impute && !encodes(step.kind)) return fail("numbers are needed here");
    if (step.kind == StepKind::normalise && !one_a_channel(step, elements)) return false;
    if (step.kind == StepKind::impute && !text && !one_a_lane(step.a, lanes)) return false;
    if (scales(step.kind) && (!one_a_lane(step.a, lanes) || !one_a_lane(step.b, lanes))) return false;
    if (scales(step.kind) && step.a.size() != step.b.size()) return fail("`a` and `b` differ in length");
    if (encodes(step.kind)) {
      return encode(step, std::exchange(text, false), elements, lanes);
    }
    if (step.other.empty()) return true;
    path += ".other[0]";
    if (!pipe(step.other[0])) return false;
    path.resize(length);
    if (step.other[0].lanes * step.other[0].elements != lanes * elements) return fail("the two sides differ in width");
    return true;
  }

  bool pipe(const Pipe& pipe) {
    const size_t length = path.size();
    int64_t lanes = 1;
    bool text = pipe.text;
    if (pipe.elements < 1 || pipe.elements > widest) return fail("no such number of elements");
    if (text && pipe.elements != 1) return fail("a category is one value a row");
    for (size_t i = 0; i < pipe.steps.size(); ++i) {
      path += fmt::format(".steps[{}]", i);
      if (!step(pipe.steps[i], pipe.elements, lanes, text)) return false;
      path.resize(length);
    }
    if (text) return fail("categories are left, numbers are needed");
    if (lanes != pipe.lanes) return fail(fmt::format("{} lanes, but the steps make {}", pipe.lanes, lanes));
    return true;
  }
};

}  // namespace

std::string unsound(const FieldPlan& plan) {
  const WindowPlan windows = plan.windows.value_or(WindowPlan{});
  const auto in_range = [](int64_t rows, int64_t least) { return rows >= least && rows <= INT32_MAX; };
  if (!in_range(windows.length, 1) || !in_range(windows.stride, 1) || !in_range(windows.shift, 0) ||
      !in_range(windows.after, 0))
    return "windows: no such number of rows";
  if (windows.result < 0 || windows.result > 1) return "windows: no such result";
  Follower follower;
  if (plan.name.empty()) return "name: a field needs a name";
  if (plan.pipes.empty()) return "pipes: a field needs a column";
  int64_t width = 0, product = 1;
  for (size_t i = 0; i < plan.pipes.size(); ++i) {
    follower.path = fmt::format("pipes[{}]", i);
    if (!follower.pipe(plan.pipes[i])) return follower.wrong;
    width += plan.pipes[i].lanes * plan.pipes[i].elements;  // lanes are 1 where elements are not, and both are bounded
    if (width > widest) return "pipes: too many values a row";
  }
  for (const int64_t extent : plan.dims) {
    if (extent < 0 || extent > widest || __builtin_mul_overflow(product, extent, &product))
      return "dims: no such shape";
  }
  if (width * std::max(windows.length, windows.after) > widest) return "windows: too many values a row";
  if (product != width) return fmt::format("dims: {} values a row, the pipes make {}", product, width);
  return {};
}

}  // namespace nnc
