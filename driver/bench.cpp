// nnc bench: times the compiled step on the model's own batches.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "driver/commands.h"
#include "driver/compile.h"
#include "driver/console.h"
#include "driver/experiment.h"
#include "driver/limits.h"
#include "driver/profile.h"
#include "runtime/data/batches.h"
#include "runtime/logs/progress.h"
#include "runtime/memory.h"
#include "runtime/session.h"

namespace nnc {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t most_samples = size_t{1} << 22;  // of them the latest are kept

// Milliseconds since the kernel started this process; it counts the start in ticks of some 10 ms, so this may be up to
// one too many.
double process_ms() {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  // The second field is the program's name in parentheses; the start is the 22nd.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int k = 3; k <= 22; ++k) fields >> field;
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  const double start = std::strtod(field.c_str(), nullptr) / static_cast<double>(sysconf(_SC_CLK_TCK));
  return (static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec) - start) * 1e3;
}

struct Samples {
  std::vector<float> microseconds;
  int64_t steps = 0;
  double first_step_ms = 0;

  void add(double us) {
    if (microseconds.size() < most_samples) {
      microseconds.push_back(static_cast<float>(us));
    } else {
      microseconds[static_cast<size_t>(steps) % most_samples] = static_cast<float>(us);
    }
    ++steps;
  }

  double median() {
    const auto middle = microseconds.begin() + static_cast<ptrdiff_t>(microseconds.size() / 2);
    std::nth_element(microseconds.begin(), middle, microseconds.end());
    return *middle;
  }
  int64_t bytes() const { return static_cast<int64_t>(microseconds.capacity() * sizeof(float)); }
  double least() const { return *std::min_element(microseconds.begin(), microseconds.end()); }
};

// Steps over full batches, epoch after epoch, each timed alone; filling the next batch is not counted.
Samples time_steps(Session& session, const BoundEntry& step, const Experiment& experiment, double seconds) {
  Samples samples;
  samples.microseconds.reserve(1 << 16);
  const auto batch = static_cast<size_t>(step.entry->batch);
  const double warm = std::min(0.2, seconds / 5);
  std::vector<uint32_t> order;
  const auto begin = Clock::now();
  double elapsed = 0;
  for (uint64_t epoch = 0; elapsed < warm + seconds; ++epoch) {
    epoch_order(experiment.dataset.train, experiment.config.batch, experiment.config.seed, epoch, order);
    for (size_t at = 0; at + batch <= order.size() && elapsed < warm + seconds; at += batch) {
      fill_batch(step, std::span<const uint32_t>(order).subspan(at, batch), 0);
      const auto start = Clock::now();
      run_entry(session, *step.entry, step.io[0].data());
      const auto end = Clock::now();
      if (samples.first_step_ms == 0) samples.first_step_ms = process_ms();
      elapsed = std::chrono::duration<double>(end - begin).count();
      if (elapsed >= warm || samples.steps == 0)
        samples.add(std::chrono::duration<double, std::micro>(end - start).count());
    }
  }
  return samples;
}

// Resident memory of this process, in bytes.
int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

struct Measured {
  Samples samples;
  MachineLimits limits;  // zeros where they could not be measured
  int64_t grown_bytes = 0, planned_bytes = 0;
  int64_t threads = 1;
  std::optional<StepProfile> profile;
};

void print_result(const Experiment& experiment, const Runnable& runnable, const Entry& step, Measured& measured,
                  bool json) {
  Samples& samples = measured.samples;
  const int64_t threads = measured.threads;
  const double median = samples.median(), least = samples.least();
  const int64_t parameters = parameter_count(runnable.lowered->program->states);
  const int64_t arena = runnable.executable.arena_bytes;
  const MachineLimits& limits = measured.limits;
  const double rate = step.flops / median * 1e-3;
  const SkippingProducts products = count_skipping(*runnable.lowered, "step", step.batch);
  if (json) {
    nlohmann::ordered_json line = {{"schema", json_schema},
                                   {"model", runnable.executable.model},
                                   {"batch", step.batch},
                                   {"step_us", median},
                                   {"min_us", least},
                                   {"steps", samples.steps},
                                   {"compile_ms", runnable.compile_ms},
                                   {"cached", runnable.cached},
                                   {"emit_ms", runnable.emit_ms},
                                   {"backend_ms", runnable.backend_ms},
                                   {"link_ms", runnable.link_ms},
                                   {"first_step_ms", samples.first_step_ms},
                                   {"data_ms", experiment.data_ms},
                                   {"arena_bytes", arena},
                                   {"parameters", parameters},
                                   {"flops_per_step", step.flops},
                                   {"threads", threads},
                                   {"code", runnable.how},
                                   {"products", products.all},
                                   {"products_skipping_zeros", products.skipping},
                                   {"limit_gflops", limits.gflops},
                                   {"limit_gbytes", limits.gbytes},
                                   {"of_limit", limits.gflops > 0 ? rate / limits.gflops : 0},
                                   {"barrier_us", limits.barrier_us},
                                   {"planned_bytes", measured.planned_bytes},
                                   {"grown_bytes", measured.grown_bytes}};
    if (measured.profile) line["profile"] = profile_json(*measured.profile, limits);
    print_json(line);
    return;
  }
  fmt::print("{}, batches of {}, {}, {} thread{}\n", runnable.executable.model, step.batch, runnable.how, threads,
             threads == 1 ? "" : "s");
  fmt::print("step        {:.2f} µs (median of {} steps), {:.2f} µs at best\n", median, group_digits(samples.steps),
             least);
  fmt::print("rate        {:.0f} steps/s, {:.3g} GFLOP/s of {} a step\n", 1e6 / median, step.flops / median * 1e-3,
             format_flops(step.flops));
  if (products.skipping > 0) {
    fmt::print("zeros       {} of {} products skip the zeros of their inputs; the rate counts what they skip as done\n",
               products.skipping, products.all);
  }
  fmt::print("first step  {:.0f} ms after the start; data {:.1f} ms, compilation {:.1f} ms\n", samples.first_step_ms,
             experiment.data_ms, runnable.compile_ms);
  if (limits.gflops > 0) {
    fmt::print("limit       {:.1f} GFLOP/s of multiply-adds here and now: the step runs at {:.0f} % of it{}\n",
               limits.gflops, 100 * rate / limits.gflops, products.skipping > 0 ? ", zeros counted" : "");
  }
  if (limits.barrier_us > 0) fmt::print("barrier     {:.2f} µs for its threads to meet\n", limits.barrier_us);
  fmt::print("size        {} parameters, arena {}\n", group_digits(parameters), format_bytes(arena));
  if (measured.profile) fmt::print("\n{}", print_profile(*measured.profile, limits));
}

}  // namespace

int bench(const BenchArguments& arguments) {
  PipelineOptions options;
  if (!read_compile_arguments(arguments.compile, arguments.compile.interpret.empty(), options)) return kUsage;
  const bool json = arguments.model.json;
  Experiment experiment = load_experiment(arguments.model.file, arguments.model.settings);
  const auto fail_with = [&](const RuntimeErrors& errors) {
    add_errors(*experiment.unit, errors, experiment.origins);
    return report(experiment, json);
  };
  const bool built = open_and_build(experiment);
  if (!built) return report(experiment, json);
  const auto rows = static_cast<int64_t>(experiment.dataset.train.size());
  const int64_t batch = batch_lengths(rows, experiment.config.batch).length;
  std::erase_if(experiment.program->functions, [&](const Graph& graph) {
    return graph.name != "initialize" && !(graph.name == "step" && graph.batch == batch);
  });
  set_options(experiment, options);
  auto runnable = make_runnable(std::move(*experiment.program), arguments.compile, options);
  if (!runnable) return fail(kResources, runnable.error(), {}, json);
  const Entry* step = runnable->executable.find("step", batch);
  if (step == nullptr) return fail(kInternal, "the program has no step", {}, json);
  const int64_t threads = choose_threads(arguments.threads, step->flops);
  Measured measured;
  measured.threads = threads;
  const int64_t before = resident_bytes();
  auto session = open_session(runnable->executable, threads);
  if (!session) return fail_with(session.error());
  initialize(*session, experiment.config.seed);
  auto bound = bind_entry(*step, experiment.dataset);
  if (!bound) return fail_with(bound.error());
  measured.samples = time_steps(*session, *bound, experiment, arguments.seconds);
  const Executable& executable = runnable->executable;
  measured.planned_bytes =
      executable.state_bytes + executable.arena_bytes + threads * executable.scratch_bytes + bound->memory.bytes();
  measured.grown_bytes = resident_bytes() - before - measured.samples.bytes();
  if (arguments.compile.interpret.empty()) {
    if (arguments.compile.profile) measured.profile = read_profile(*session, *step);
    session->team.reset();  // its threads would share the cores with those that measure
    if (const auto limits = measure_limits(options.target, threads)) measured.limits = *limits;
  }
  print_result(experiment, *runnable, *step, measured, json);
  return kOk;
}

}  // namespace nnc
