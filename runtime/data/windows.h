// Windows: rows made of runs of consecutive rows of a table. The split comes first, so no window reaches from one part
// into another.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/data/pipeline.h"
#include "runtime/data/split.h"

namespace nnc {

// Where some fields have windows all must, of one length and stride (E630), over a split that leaves rows together
// (E631). True: there are windows to cut.
bool check_windows(std::span<const FieldPlan> plans, const SplitRequest& request, ErrorList& errors);

// `parts` are rows of the tables, one behind the other; afterwards they are windows, numbered train, val, test. Returns
// the first row of each window. A window, with what its fields want after it, lies in one run of consecutive rows of
// its part; the rest of a run that is too short for one is left out. Errors: E610 where a part has rows but no window.
std::vector<int64_t> cut_windows(std::span<const FieldPlan> plans, SplitRows& parts, Origin origin, ErrorList& errors);

// How many rows after the first of a window the field's result starts.
int64_t window_offset(const WindowPlan& windows);

}  // namespace nnc
