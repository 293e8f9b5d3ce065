// The pipeline: from a Program as the frontend builds it to Loop IR, pass by pass.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph/graph.h"
#include "ir/loop/loop.h"
#include "ir/plan/plan.h"
#include "ir/target.h"

namespace nnc {

// A row of the pass table. A mandatory pass that is switched off takes its trivial form.
struct PassInfo {
  std::string_view name;
  std::string_view form;         // "graph", "plan", "loop"
  std::string_view description;  // one line
  bool mandatory = false;
};
std::span<const PassInfo> pass_table();
bool is_pass(std::string_view name);

struct PipelineOptions {
  Target target;
  DType precision = DType::f32;    // in which products read their operands: f32 or bf16
  std::set<std::string> disabled;  // names of passes
  std::string dump_after;          // hands the form to `dump` after each run of this pass
  std::string stop_after;          // the last pass that runs; what is made later is left empty
  int64_t pass_limit = -1;         // at most so many runs of passes, later ones are as if disabled; -1: all
  bool cut = false;                // also forward, backward and update, as cuts of step
  bool verify = true;              // after each pass: a broken rule aborts with pass, rule and form
  std::function<void(std::string_view pass, const std::string& text)> dump;
};

struct PassTiming {
  std::string_view pass;
  double milliseconds = 0;
  int64_t runs = 0;
};

struct Lowered {
  std::unique_ptr<Program> program;  // joint graphs, orders fixed
  std::vector<Plan> plans;           // one per function, then "refresh" if any state has a mirror
  LoopModule module;
  std::vector<PassTiming> timings;
};

// Requires: the program verifies and holds no op without a lowering (scan, window, divided indices).
// Ensures: verify(module) is empty; the same program, target and options give the same module.
Lowered lower_program(Program program, const PipelineOptions& options);

}  // namespace nnc
