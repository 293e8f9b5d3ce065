#include "runtime/data/transforms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nnc {
namespace {

void read_impute(Arguments& arguments, PipeStep& step) {
  if (!arguments.require("value")) return;
  const Spec& value = *arguments.find("value");
  if (value.kind == Spec::Kind::number) {
    step.low = value.number;
    step.fill = text_of_number(value.number);
  } else if (value.kind == Spec::Kind::string) {
    const bool method = value.text == "mean" || value.text == "median" || value.text == "most_frequent";
    (method ? step.method : step.fill) = value.text;
    step.low = std::nan("");
  } else {
    arguments.wrong("value", "\"mean\", \"median\", \"most_frequent\" or a value");
  }
}

void read_range(Arguments& arguments, PipeStep& step) {
  step.low = arguments.number("low", step.kind == StepKind::clip ? -INFINITY : 0);
  step.high = arguments.number("high", step.kind == StepKind::clip ? INFINITY : 1);
  if (!(step.low < step.high)) arguments.wrong("high", "greater than `low`");
}

PipeStep::Unknown unknown_of(const std::string& word) {
  return word == "zero"    ? PipeStep::Unknown::zero
         : word == "extra" ? PipeStep::Unknown::extra
                           : PipeStep::Unknown::error;
}

void read_onehot(Arguments& arguments, PipeStep& step) {
  step.learned = true;
  step.unknown = unknown_of(arguments.choice("unknown", "error", {"error", "zero"}));
  step.drop_first = arguments.flag("drop_first", false);
  step.max_categories = arguments.integer("max_categories", 0, 1, INT32_MAX);
}

// Categories as listed in the argument `name`, or to be learned where it is left out.
void read_list(Arguments& arguments, const char* name, PipeStep& step) {
  step.categories = arguments.texts(name);
  step.learned = !arguments.has(name);
  std::vector<std::string> sorted = step.categories;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    arguments.wrong(name, "a list without repetitions");
  if (!step.learned && sorted.empty()) arguments.wrong(name, "a list of categories");
}

void read_ordinal(Arguments& arguments, PipeStep& step) {
  read_list(arguments, "order", step);
  step.unknown = unknown_of(arguments.choice("unknown", "error", {"error", "extra"}));
}

void read_multilabel(Arguments& arguments, PipeStep& step) {
  read_list(arguments, "categories", step);
  step.fill = arguments.text("separator", ";");
  if (step.fill.empty()) arguments.wrong("separator", "at least one character");
  step.unknown = unknown_of(arguments.choice("unknown", "error", {"error", "zero"}));
}

void read_normalise(Arguments& arguments, PipeStep& step) {
  if (!arguments.require("mean") || !arguments.require("std")) return;
  step.a = arguments.numbers("mean");
  step.b = arguments.numbers("std");
  if (step.a.empty()) step.a = {0};
  if (std::any_of(step.b.begin(), step.b.end(), [](double x) { return !(x > 0); }))
    arguments.wrong("std", "greater than 0");
  if (step.b.size() != step.a.size()) {
    arguments.wrong("std", fmt::format("as many numbers as `mean` has, which is {}", step.a.size()));
    step.b.assign(step.a.size(), 1);
  }
}

void read_binary(Arguments& arguments, PipeStep& step) {
  if (!arguments.require("positive")) return;
  const std::vector<std::string> values = arguments.texts("positive");
  if (values.size() != 1) return arguments.wrong("positive", "one category");
  step.fill = values[0];
}

void read_nothing(Arguments&, PipeStep&) {}

}  // namespace

const std::vector<Transform>& transforms() {
  static const std::vector<Transform> list = {
      {"impute", StepKind::impute, {"value"}, read_impute},
      {"standard", StepKind::standard, {}, read_nothing},
      {"robust", StepKind::robust, {}, read_nothing},
      {"minmax", StepKind::minmax, {"low", "high"}, read_range},
      {"log", StepKind::log, {}, read_nothing},
      {"clip", StepKind::clip, {"low", "high"}, read_range},
      {"onehot", StepKind::onehot, {"unknown", "drop_first", "max_categories"}, read_onehot},
      {"ordinal", StepKind::ordinal, {"order", "unknown"}, read_ordinal},
      {"binary", StepKind::binary, {"positive"}, read_binary},
      {"multilabel", StepKind::multilabel, {"categories", "separator", "unknown"}, read_multilabel},
      {"normalise", StepKind::normalise, {"mean", "std"}, read_normalise},
  };
  return list;
}

}  // namespace nnc
