// From a Program to something that can be called: native code, or a form with its interpreter.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "driver/commands.h"
#include "driver/experiment.h"
#include "ir/graph/graph.h"
#include "passes/pipeline.h"
#include "runtime/executable.h"

namespace nnc {

// Checks the names in `arguments` (cpu, passes, interpreter); says on stderr what is wrong with them. With `runs`, the
// machine has to be able to run code for the cpu. Fills `options`: target, disabled passes, limit, verification.
bool read_compile_arguments(const CompileArguments& arguments, bool runs, PipelineOptions& options);

// What the model file and its data say to the passes: the precision, and how sparse the inputs are. Wherever data is
// open, it is asked before anything is compiled.
void set_options(const Experiment& experiment, PipelineOptions& options);

struct Runnable {
  std::shared_ptr<const Lowered> lowered;
  Executable executable;
  std::string how;        // "native avx512", "interpreted graph", …
  double compile_ms = 0;  // passes, emission, optimisation, linking, until the first step can run
  bool cached = false;    // the objects that step needs were in the cache
  double emit_ms = 0, backend_ms = 0, link_ms = 0;  // parts of it, of all threads together
};

// Errors: what LLVM or the loader said (exit code 6).
tl::expected<Runnable, std::string> make_runnable(Program program, const CompileArguments& arguments,
                                                  PipelineOptions options);

// The function's products that skip zeros of their inputs; and how many products it has.
struct SkippingProducts {
  int64_t skipping = 0, all = 0;
};
SkippingProducts count_skipping(const Lowered& lowered, const std::string& function, int64_t batch);

// Threads for a step of so many operations, when the user names no number: cores are worth their barriers only from
// some tens of microseconds of work on.
int64_t choose_threads(int64_t asked, double flops_per_step);

}  // namespace nnc
