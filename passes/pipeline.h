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

// What is known of a float input: how often 6 elements that a product's tile reads together are all zero, and how often
// that is otherwise one step of the product's sum later, which is what makes a branch on it costly.
struct InputZeros {
  struct Steps {
    double share = 0;    // of steps whose elements are all zero
    double changes = 0;  // share of steps that differ in it from the step before
  };
  std::string name;
  Steps across_rows;  // 6 rows of a batch, a tile of many, at one place; the next step is the next place
  Steps along_row;    // 6 neighbours in one row; the next step is another row
};

struct PipelineOptions {
  Target target;
  DType precision = DType::f32;    // in which products read their operands: f32 or bf16
  std::set<std::string> disabled;  // names of passes
  std::vector<InputZeros> zeros;   // of the data that the program will see; bits do not depend on it
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
