#include "driver/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "codegen/codegen.h"
#include "driver/console.h"
#include "driver/input_zeros.h"
#include "driver/interpret.h"
#include "driver/measure.h"
#include "runtime/threads.h"

namespace nnc {
namespace {

// At some 50 GFLOP/s a core: 0.4 ms of work.
constexpr double serial_flops = 2e7;

bool verifies() {
#ifndef NDEBUG
  return true;
#else
  const char* wanted = std::getenv("NNC_VERIFY");
  return wanted != nullptr && std::string_view(wanted) == "1";
#endif
}

bool read_target(const std::string& cpu, bool runs, Target& target) {
  const std::vector<std::string> known = {"native", "amx", "avx512", "avx2", "sse2"};
  if (!check_name("cpu", cpu, known)) return false;
  const Host host = detect_host();
  if (cpu == "native") {
    target = host.targets.front();
    return true;
  }
  parse_target(cpu, target);
  if (!runs || std::find(host.targets.begin(), host.targets.end(), target) != host.targets.end()) return true;
  fail(0, fmt::format("this machine ({}) cannot run {} code", host.cpu, cpu),
       fmt::format("--cpu={} is the best it can", host.targets.front().name));
  return false;
}

// To compile what runs once takes longer than to interpret it where there is little of it. Loop IR gives the same bits.
bool is_small(const Program& program) {
  constexpr int64_t most_elements = 1 << 14;
  return parameter_count(program.states) <= most_elements;
}

void add_interpreted(Executable& executable, const std::shared_ptr<const Lowered>& lowered, const std::string& name) {
  Executable loops = interpret_loops(lowered);
  for (Entry& entry : loops.entries) {
    if (entry.name == name) executable.entries.push_back(std::move(entry));
  }
  executable.code =
      std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(executable.code, loops.code);
}

// What the first step needs; without a step, all is needed at once.
std::vector<std::pair<std::string, int64_t>> first_entries(const Program& program) {
  for (const Graph& function : program.functions) {
    if (function.name == "step") return {{"initialize", 0}, {"step", function.batch}};
  }
  return {};
}

}  // namespace

bool read_compile_arguments(const CompileArguments& arguments, bool runs, PipelineOptions& options) {
  std::vector<std::string> passes;
  for (const PassInfo& pass : pass_table()) passes.emplace_back(pass.name);
  bool good = read_target(arguments.cpu, runs, options.target);
  for (const std::string& pass : arguments.disabled_passes) {
    good = check_name("pass", pass, passes) && good;
    options.disabled.insert(pass);
  }
  for (const std::string* pass : {&options.dump_after, &options.stop_after}) {
    if (!pass->empty()) good = check_name("pass", *pass, passes) && good;
  }
  const std::vector<std::string> interpreters = {"graph", "loop"};
  if (!arguments.interpret.empty()) good = check_name("interpreter", arguments.interpret, interpreters) && good;
  options.pass_limit = arguments.pass_limit;
  options.verify = verifies();
  return good;
}

void set_options(const Experiment& experiment, PipelineOptions& options) {
  options.precision = train_settings(*experiment.unit).precision;
  // Only products of bf16 use tiles: without any, the code is any AVX-512 machine's, and so are runs trained with it.
  if (options.target.tiles && options.precision != DType::bf16) options.target = target_avx512();
  options.zeros = measure_zeros(experiment.dataset);
}

SkippingProducts count_skipping(const Lowered& lowered, const std::string& function, int64_t batch) {
  SkippingProducts count;
  for (const Plan& plan : lowered.plans) {
    if (plan.graph.name != function || plan.graph.batch != batch) continue;
    for (const Region& region : plan.regions) {
      count.all += region.kind == Region::contract;
      count.skipping += region.tiling.zeros >= 0;
    }
  }
  return count;
}

tl::expected<Runnable, std::string> make_runnable(Program program, const CompileArguments& arguments,
                                                  PipelineOptions options) {
  const auto start = std::chrono::steady_clock::now();
  Runnable runnable;
  if (arguments.interpret == "graph") options.stop_after = "fix_orders";
  auto lowered = std::make_shared<Lowered>(lower_program(std::move(program), options));
  runnable.lowered = lowered;
  if (arguments.interpret == "graph") {
    runnable.executable = interpret_graphs(lowered);
    runnable.how = "graph interpreted in double precision";
  } else if (arguments.interpret == "loop") {
    runnable.executable = interpret_loops(lowered);
    runnable.how = fmt::format("loops for {} interpreted", options.target.name);
  } else {
    CompileOptions compiling;
    if (arguments.cache) compiling.cache = default_cache();
    compiling.profile = arguments.profile;
    compiling.awaited = first_entries(*lowered->program);
    if (is_small(*lowered->program)) compiling.omitted = "initialize";
    CompileTimings timings;
    auto compiled = compile(std::shared_ptr<const LoopModule>(lowered, &lowered->module), compiling, &timings);
    runnable.emit_ms = timings.emit_ms;
    runnable.backend_ms = timings.optimise_ms;
    runnable.link_ms = timings.link_ms;
    runnable.cached = timings.objects > 0 && timings.cached == timings.objects;
    if (!compiled) return tl::unexpected(compiled.error());
    runnable.executable = std::move(*compiled);
    if (!compiling.omitted.empty()) add_interpreted(runnable.executable, lowered, compiling.omitted);
    runnable.how = options.target.name;
  }
  runnable.executable.measuring = make_measuring(lowered);
  runnable.compile_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return runnable;
}

int64_t choose_threads(int64_t asked, double flops_per_step) {
  if (asked > 0) return asked;
  return flops_per_step < serial_flops ? 1 : available_cores();
}

}  // namespace nnc
