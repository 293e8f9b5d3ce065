#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "runtime/data/arguments.h"
#include "runtime/data/columns.h"
#include "runtime/data/pipeline.h"
#include "runtime/data/transforms.h"

namespace nnc {
namespace {

struct Planner {
  const Table& table;
  ErrorList& errors;
  int depth = 0;

  FieldPlan value(const Spec& spec);
  FieldPlan rows(const Spec& spec);  // a value that no windows were cut from yet
  FieldPlan col(const Spec& call);
  FieldPlan concat(const Spec& call);
  FieldPlan reshape(const Spec& call);
  FieldPlan arithmetic(const Spec& call, StepKind forward, StepKind reversed);
  FieldPlan symbols(const Spec& call);
  FieldPlan windows(const Spec& call);
  FieldPlan transform(const Spec& call, const Transform& how);
  bool operand(const Spec& call);
  void check_channels(const FieldPlan& plan, const PipeStep& step);
  void add_columns(const Spec& pattern, std::vector<size_t>& columns);
};

void unknown_call(const Spec& call, ErrorList& errors) {
  std::vector<std::string> names = {"col", "concat", "reshape", "windows", "chars", "bytes"};
  for (const Transform& transform : transforms()) names.emplace_back(transform.name);
  const std::string_view similar = nearest(call.text, names);
  errors.add(ErrorCode::E608, call.origin, fmt::format("unknown transform `{}`", call.text),
             similar.empty() ? fmt::format("transforms: {}", fmt::join(names, ", "))
                             : fmt::format("a transform with a similar name exists: `{}`", similar));
}

void push_step(FieldPlan& plan, const PipeStep& step) {
  for (Pipe& pipe : plan.pipes) pipe.steps.push_back(step);
}

void Planner::add_columns(const Spec& pattern, std::vector<size_t>& columns) {
  if (pattern.kind != Spec::Kind::string) {
    errors.add(ErrorCode::E607, pattern.origin,
               fmt::format("`col` takes names of columns, found {}", describe(pattern)));
    return;
  }
  if (!is_pattern(pattern.text)) {
    if (auto found = find_column(table, pattern.text, pattern.origin, errors)) columns.push_back(*found);
    return;
  }
  const std::vector<size_t> found = match_columns(table, pattern.text);
  if (found.empty())
    errors.add(ErrorCode::E601, pattern.origin, fmt::format("no column matches \"{}\"", printable(pattern.text)));
  std::unordered_set<std::string_view> seen;
  for (size_t i : found) {
    const std::string& name = table.columns[i].name;
    if (!seen.insert(name).second) find_column(table, name, pattern.origin, errors);  // says that it stands twice
  }
  columns.insert(columns.end(), found.begin(), found.end());
}

FieldPlan Planner::col(const Spec& call) {
  FieldPlan plan;
  plan.origin = call.origin;
  Arguments arguments(call, {"except"}, call.items.size(), errors);
  std::vector<size_t> columns;
  for (const Spec& item : call.items) add_columns(item, columns);
  if (call.items.empty()) errors.add(ErrorCode::E607, call.origin, "`col` needs the name of a column");
  for (const std::string& name : arguments.texts("except")) {
    const Origin origin = arguments.find("except")->origin;
    std::vector<size_t> removed = match_columns(table, name);
    if (removed.empty()) find_column(table, name, origin, errors);
    std::erase_if(columns, [&](size_t i) { return std::find(removed.begin(), removed.end(), i) != removed.end(); });
  }
  for (size_t i : columns) {
    Pipe pipe;
    pipe.column = table.columns[i].name;
    pipe.position = i;
    pipe.elements = elements_per_row(table.columns[i]);
    plan.pipes.push_back(std::move(pipe));
    if (!table.columns[i].dims.empty()) {
      plan.shape = FieldPlan::Shape::tensor;
      plan.dims = table.columns[i].dims;
    }
  }
  if (plan.shape == FieldPlan::Shape::tensor && columns.size() > 1) {
    errors.add(ErrorCode::E611, call.origin,
               "a column of tensors stands alone: `col` joins columns of single values only");
  }
  if (plan.shape == FieldPlan::Shape::scalar && (call.items.size() != 1 || is_pattern(call.items[0].text))) {
    plan.shape = FieldPlan::Shape::vector;
  }
  if (columns.empty() && errors.empty()) errors.add(ErrorCode::E611, call.origin, "no column is left here");
  return plan;
}

FieldPlan Planner::concat(const Spec& call) {
  FieldPlan plan;
  plan.origin = call.origin;
  plan.shape = FieldPlan::Shape::vector;
  plan.joined = true;
  for (const NamedSpec& argument : call.named) {
    errors.add(ErrorCode::E607, argument.origin, fmt::format("`concat` has no argument `{}`", argument.name));
  }
  const bool list = call.items.size() == 1 && call.items[0].kind == Spec::Kind::list;
  const std::vector<Spec>& parts = list ? call.items[0].items : call.items;
  if (parts.empty()) errors.add(ErrorCode::E607, call.origin, "`concat` needs at least one value");
  for (const Spec& item : parts) {
    FieldPlan part = rows(item);
    if (part.shape == FieldPlan::Shape::tensor || (part.shape == FieldPlan::Shape::reshaped && part.dims.size() > 1)) {
      errors.add(ErrorCode::E611, item.origin, "`concat` joins single values and vectors, not tensors");
    }
    std::move(part.pipes.begin(), part.pipes.end(), std::back_inserter(plan.pipes));
  }
  return plan;
}

FieldPlan Planner::reshape(const Spec& call) {
  if (!operand(call)) return {};
  FieldPlan plan = rows(call.items[0]);
  plan.shape = FieldPlan::Shape::reshaped;
  plan.shape_origin = call.origin;
  plan.dims.clear();
  std::vector<Spec> extents(call.items.begin() + 1, call.items.end());
  if (extents.size() == 1 && extents[0].kind == Spec::Kind::list) extents = std::vector<Spec>(extents[0].items);
  for (const NamedSpec& argument : call.named) {
    errors.add(ErrorCode::E607, argument.origin, fmt::format("`reshape` has no argument `{}`", argument.name));
  }
  int64_t open = 0;
  for (const Spec& extent : extents) {
    const bool whole = extent.kind == Spec::Kind::number && extent.number == std::floor(extent.number) &&
                       std::abs(extent.number) <= INT32_MAX;
    const auto size = whole ? static_cast<int64_t>(extent.number) : 0;
    open += size == -1;
    if (size < -1 || size == 0 || open > 1) {
      errors.add(ErrorCode::E607, extent.origin, "an extent of `reshape` must be a positive whole number, or once -1");
      return plan;
    }
    plan.dims.push_back(size);
  }
  return plan;
}

FieldPlan Planner::arithmetic(const Spec& call, StepKind forward, StepKind reversed) {
  const size_t count = call.items.size();
  const bool negation = count == 1 && forward == StepKind::subtract;
  if (!negation && count != 2) {
    errors.add(ErrorCode::E607, call.origin, fmt::format("`{}` takes two values", call.text));
    return {};
  }
  PipeStep step;
  step.origin = call.origin;
  if (negation) {
    FieldPlan plan = rows(call.items[0]);
    step.kind = StepKind::multiply;
    step.low = -1;
    push_step(plan, step);
    return plan;
  }
  const bool left_number = call.items[0].kind == Spec::Kind::number,
             right_number = call.items[1].kind == Spec::Kind::number;
  FieldPlan plan = rows(call.items[left_number ? 1 : 0]);
  step.kind = left_number ? reversed : forward;
  if (left_number || right_number) {
    step.low = call.items[left_number ? 0 : 1].number;
    push_step(plan, step);
    return plan;
  }
  const FieldPlan right = rows(call.items[1]);
  if (right.pipes.size() != 1 && right.pipes.size() != plan.pipes.size()) {
    if (errors.empty()) {
      errors.add(ErrorCode::E611, call.origin,
                 fmt::format("`{}` needs as many columns on both sides, found {} and {}", call.text, plan.pipes.size(),
                             right.pipes.size()));
    }
    return plan;
  }
  for (size_t i = 0; i < plan.pipes.size(); ++i) {
    PipeStep own = step;
    own.other.push_back(right.pipes[right.pipes.size() == 1 ? 0 : i]);
    plan.pipes[i].steps.push_back(std::move(own));
  }
  return plan;
}

bool Planner::operand(const Spec& call) {
  if (!call.items.empty()) return true;
  errors.add(ErrorCode::E607, call.origin, fmt::format("`{}` needs columns to work on", call.text),
             fmt::format("col(\"…\") |> {}(…)", call.text));
  return false;
}

FieldPlan Planner::rows(const Spec& spec) {
  FieldPlan plan = value(spec);
  if (plan.windows) {
    errors.add(ErrorCode::E611, plan.windows->origin, "`windows` comes last: nothing can follow it",
               "transform the rows first, then cut windows from them");
    plan.windows.reset();
  }
  return plan;
}

void Planner::check_channels(const FieldPlan& plan, const PipeStep& step) {
  if (step.kind != StepKind::normalise || step.a.size() == 1) return;
  const bool channels = (plan.shape == FieldPlan::Shape::tensor || plan.shape == FieldPlan::Shape::reshaped) &&
                        plan.pipes.size() == 1 && !plan.dims.empty() &&
                        plan.dims[0] == static_cast<int64_t>(step.a.size());
  if (channels) return;
  errors.add(ErrorCode::E611, step.origin,
             fmt::format("`normalise` has {} means, but the value's first axis is not {} channels", step.a.size(),
                         step.a.size()));
}

FieldPlan Planner::transform(const Spec& call, const Transform& how) {
  PipeStep step;
  step.kind = how.kind;
  step.origin = call.origin;
  Arguments arguments(call, how.parameters, 1, errors);
  if (!operand(call)) return {};
  how.read(arguments, step);
  FieldPlan plan = rows(call.items[0]);
  check_channels(plan, step);
  push_step(plan, step);
  return plan;
}

FieldPlan Planner::symbols(const Spec& call) {
  FieldPlan plan;
  plan.origin = call.origin;
  Arguments(call, {}, 0, errors);
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].kind != ColumnKind::symbols || table.columns[i].name != call.text) continue;
    Pipe pipe;
    pipe.column = table.columns[i].name;
    pipe.position = i;
    PipeStep step;
    step.kind = StepKind::symbols;
    step.origin = call.origin;
    pipe.steps.push_back(std::move(step));
    plan.pipes.push_back(std::move(pipe));
    return plan;
  }
  errors.add(ErrorCode::E611, call.origin, fmt::format("`{}()` needs a source of text", call.text),
             "source = text(\"…\")");
  return plan;
}

FieldPlan Planner::windows(const Spec& call) {
  Arguments arguments(call, {"length", "stride", "shift", "after"}, 1, errors);
  if (!operand(call)) return {};
  WindowPlan windows;
  windows.origin = call.origin;
  constexpr int64_t most = INT32_MAX;
  arguments.require("length");
  windows.length = arguments.integer("length", 1, 1, most);
  windows.stride = arguments.integer("stride", 1, 1, most);
  windows.shift = arguments.integer("shift", 0, 1, most);
  windows.after = arguments.integer("after", 0, 1, most);
  if (windows.shift > 0 && windows.after > 0) arguments.wrong("after", "left out where `shift` is given");
  FieldPlan plan = rows(call.items[0]);
  plan.windows = windows;
  return plan;
}

FieldPlan Planner::value(const Spec& spec) {
  constexpr int deepest = 200;
  if (spec.kind != Spec::Kind::call) {
    errors.add(ErrorCode::E611, spec.origin, fmt::format("columns are needed here, found {}", describe(spec)),
               "name them: col(\"…\")");
    return {};
  }
  if (depth >= deepest) {
    errors.add(ErrorCode::E607, spec.origin, fmt::format("more than {} calls within each other", deepest));
    return {};
  }
  ++depth;
  struct Leave {
    int& depth;
    ~Leave() { --depth; }
  } leave{depth};
  if (spec.text == "col") return col(spec);
  if (spec.text == "concat") return concat(spec);
  if (spec.text == "reshape") return reshape(spec);
  if (spec.text == "+") return arithmetic(spec, StepKind::add, StepKind::add);
  if (spec.text == "-") return arithmetic(spec, StepKind::subtract, StepKind::reverse_subtract);
  if (spec.text == "*") return arithmetic(spec, StepKind::multiply, StepKind::multiply);
  if (spec.text == "/") return arithmetic(spec, StepKind::divide, StepKind::reverse_divide);
  if (spec.text == "**") return arithmetic(spec, StepKind::power, StepKind::reverse_power);
  if (spec.text == "windows") return windows(spec);
  if (spec.text == "chars" || spec.text == "bytes") return symbols(spec);
  for (const Transform& known : transforms()) {
    if (spec.text == known.name) return transform(spec, known);
  }
  unknown_call(spec, errors);
  return {};
}

void mark_pipe(const Pipe& pipe, const Table& table, std::vector<bool>& wanted) {
  if (const auto found = column_of(pipe, table)) wanted[*found] = true;
  for (const PipeStep& step : pipe.steps) {
    for (const Pipe& other : step.other) mark_pipe(other, table, wanted);
  }
}

}  // namespace

FieldPlan plan_field(const FieldSpec& field, const Table& table, ErrorList& errors) {
  FieldPlan plan = Planner{table, errors}.value(field.value);
  plan.name = field.name;
  plan.origin = field.origin;
  const int64_t results = plan.windows && (plan.windows->shift > 0 || plan.windows->after > 0) ? 2 : 1;
  if (plan.windows) plan.windows->result = field.result;
  if (field.results != results && !plan.pipes.empty()) {
    errors.add(ErrorCode::E633, field.value.origin,
               fmt::format("{} name{} for a value with {} result{}", field.results, field.results == 1 ? "" : "s",
                           results, results == 1 ? "" : "s"),
               results == 2 ? "name both the windows and what comes after them: `x, y = …`"
                            : "windows(length = …, shift = …) and windows(length = …, after = …) have two results");
  }
  return plan;
}

std::optional<size_t> column_of(const Pipe& pipe, const Table& table) {
  if (pipe.position < table.columns.size() && table.columns[pipe.position].name == pipe.column) return pipe.position;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].name == pipe.column) return i;
  }
  return {};
}

void mark_columns(const FieldPlan& plan, const Table& table, std::vector<bool>& wanted) {
  for (const Pipe& pipe : plan.pipes) mark_pipe(pipe, table, wanted);
}

}  // namespace nnc
