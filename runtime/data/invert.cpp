#include "runtime/data/invert.h"

#include <algorithm>
#include <cmath>

namespace nnc {
namespace {

bool passes_over(const PipeStep& step) { return step.kind == StepKind::impute || step.kind == StepKind::clip; }

bool is_invertible(const PipeStep& step) {
  const bool fitted = step.a.size() == 1 && step.b.size() == 1;
  switch (step.kind) {
    case StepKind::impute:
    case StepKind::clip:
    case StepKind::log:
      return true;
    case StepKind::standard:
    case StepKind::robust:
      return fitted;
    case StepKind::minmax:
      return fitted && step.a[0] != 0;
    case StepKind::add:
    case StepKind::subtract:
    case StepKind::reverse_subtract:
      return step.other.empty();
    case StepKind::multiply:
    case StepKind::divide:
    case StepKind::reverse_divide:
      return step.other.empty() && step.low != 0;
    default:
      return false;
  }
}

double undo(const PipeStep& step, double y) {
  switch (step.kind) {
    case StepKind::standard:
    case StepKind::robust:
      return y * step.b[0] + step.a[0];
    case StepKind::minmax:
      return (y - step.b[0]) / step.a[0];
    case StepKind::log:
      return std::exp(y);
    case StepKind::add:
      return y - step.low;
    case StepKind::subtract:
      return y + step.low;
    case StepKind::reverse_subtract:
      return step.low - y;
    case StepKind::multiply:
      return y / step.low;
    case StepKind::divide:
      return y * step.low;
    case StepKind::reverse_divide:
      return step.low / y;
    default:
      return y;
  }
}

}  // namespace

bool is_invertible(const Pipe& pipe) {
  return !pipe.text && pipe.elements == 1 && pipe.lanes == 1 &&
         !std::all_of(pipe.steps.begin(), pipe.steps.end(), passes_over) &&
         std::all_of(pipe.steps.begin(), pipe.steps.end(), [](const PipeStep& step) { return is_invertible(step); });
}

double original_value(const Pipe& pipe, double value) {
  for (size_t k = pipe.steps.size(); k-- > 0;) value = undo(pipe.steps[k], value);
  return value;
}

}  // namespace nnc
