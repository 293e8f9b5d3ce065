#include "runtime/data/windows.h"

#include <fmt/format.h>

#include <algorithm>

namespace nnc {
namespace {

// Rows a window takes from the table, with those its second result needs.
int64_t reach(const WindowPlan& windows) { return windows.length + windows.shift + windows.after; }

void cut_part(std::vector<uint32_t>& part, int64_t span, int64_t stride, std::vector<int64_t>& first) {
  std::vector<uint32_t> windows;
  for (size_t begin = 0; begin < part.size();) {
    size_t end = begin + 1;
    while (end < part.size() && part[end] == part[end - 1] + 1) ++end;
    const auto rows = static_cast<int64_t>(end - begin);
    for (int64_t at = 0; at + span <= rows; at += stride) {
      windows.push_back(static_cast<uint32_t>(first.size()));
      first.push_back(part[begin] + at);
    }
    begin = end;
  }
  part = std::move(windows);
}

}  // namespace

bool check_windows(std::span<const FieldPlan> plans, const SplitRequest& request, ErrorList& errors) {
  const auto with = std::find_if(plans.begin(), plans.end(), [](const FieldPlan& plan) { return plan.windows; });
  if (with == plans.end()) return false;
  const WindowPlan& windows = *with->windows;
  for (const FieldPlan& plan : plans) {
    if (!plan.windows) {
      errors.add(
          ErrorCode::E630, plan.origin,
          fmt::format("`{}` has a row for each row of the table, but `{}` has windows", plan.name, with->name),
          fmt::format("cut the same windows: `|> windows(length = {}, stride = {})`", windows.length, windows.stride));
    } else if (plan.windows->length != windows.length || plan.windows->stride != windows.stride) {
      errors.add(ErrorCode::E630, plan.windows->origin,
                 fmt::format("the windows of `{}` have length {} and stride {}, those of `{}` {} and {}", plan.name,
                             plan.windows->length, plan.windows->stride, with->name, windows.length, windows.stride));
    }
  }
  using Kind = SplitRequest::Kind;
  const bool together = request.kind == Kind::none || request.kind == Kind::sequential ||
                        (request.kind == Kind::kfold && !request.shuffle && !request.stratify && !request.by);
  if (!together) {
    errors.add(ErrorCode::E631, request.origin,
               "this split scatters the rows, but windows are runs of consecutive rows of one part",
               "`split = sequential(val = 0.1)`, or `kfold(shuffle = false)`");
  }
  return true;
}

std::vector<int64_t> cut_windows(std::span<const FieldPlan> plans, SplitRows& parts, Origin origin, ErrorList& errors) {
  int64_t span = 1, stride = 1;
  for (const FieldPlan& plan : plans) {
    if (!plan.windows) continue;
    span = std::max(span, reach(*plan.windows));
    stride = plan.windows->stride;
    origin = plan.windows->origin;
  }
  std::vector<int64_t> first;
  const auto cut = [&](std::vector<uint32_t>& part, const char* name) {
    const size_t rows = part.size();
    cut_part(part, span, stride, first);
    if (rows == 0 || !part.empty()) return;
    errors.add(ErrorCode::E610, origin,
               fmt::format("the {} {} row{} have no {} in a row, which one window takes", rows, name,
                           rows == 1 ? "" : "s", span));
  };
  cut(parts.train, "training");
  cut(parts.val, "validation");
  cut(parts.test, "test");
  return first;
}

int64_t window_offset(const WindowPlan& windows) {
  if (windows.result == 0) return 0;
  return windows.after > 0 ? windows.length : windows.shift;
}

}  // namespace nnc
