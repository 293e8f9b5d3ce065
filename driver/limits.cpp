#include "driver/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "codegen/codegen.h"
#include "ir/check.h"
#include "ir/loop/text.h"
#include "runtime/session.h"

namespace nnc {
namespace {

constexpr int64_t probe_turns = 20'000;     // of each item
constexpr int64_t stream_bytes = 32 << 20;  // of each of the three
constexpr int64_t shares = 64;              // items of a grid, cut among the threads
constexpr int meetings = 1'000;

// Independent chains enough to cover an fma's latency, and nothing else that competes.
std::string probe_text(const Target& target) {
  return fmt::format(R"(kernel probe target={name} v={v} items={shares} {{
  buf x : f32[{v}] in
  buf h : f32[{shares},{chains},{v}] out
  items r in 0..{shares} of {shares} {{
    y = load x[0] : f32x{v}
    [i<{chains}] var a[i] = splat 0 : f32x{v}
    for t in 0..{turns} {{
      [i<{chains}] a[i] := fma y y a[i]
    }}
    [i<{chains}] store h[r, i, 0] a[i]
  }}
}}
)",
                     fmt::arg("name", target.name), fmt::arg("v", target.lanes),
                     fmt::arg("turns", probe_turns / shares), fmt::arg("shares", shares),
                     fmt::arg("chains", target.registers - 4));
}

std::string triad_text(const Target& target) {
  const int64_t floats = stream_bytes / 4 / shares;
  return fmt::format(R"(kernel triad target={name} v={v} items={shares} {{
  buf x : f32[{shares},{floats}] in
  buf y : f32[{shares},{floats}] in
  buf h : f32[{shares},{floats}] out
  items r in 0..{shares} of {shares} {{
    for t in 0..{vectors} unroll 4 {{
      a = load x[r, {v}*t] : f32x{v}
      b = load y[r, {v}*t] : f32x{v}
      c = fma a 0.5 b
      store h[r, {v}*t] c
    }}
  }}
}}
)",
                     fmt::arg("name", target.name), fmt::arg("v", target.lanes), fmt::arg("shares", shares),
                     fmt::arg("floats", floats), fmt::arg("vectors", floats / target.lanes));
}

LoopModule probes(const Target& target) {
  LoopModule module;
  module.name = "limits";
  module.target = target;
  for (const std::string& text : {probe_text(target), triad_text(target)}) {
    Kernel kernel;
    const std::string wrong = parse_kernel(text, kernel);
    NNC_CHECK(wrong.empty(), "{}", wrong);
    KernelCall call{KernelId(module.kernels.size()), {}, {}};
    int64_t bytes = 0;
    for (const LoopBuffer& buffer : kernel.buffers) {
      call.buffers.push_back({BufferBinding::arena, bytes});
      int64_t size = size_of(buffer.dtype);
      for (int64_t extent : buffer.dims) size *= extent;
      bytes += (size + 4095) / 4096 * 4096;
    }
    module.arena_bytes = std::max(module.arena_bytes, bytes);
    LoopEntry entry;
    entry.name = kernel.name;
    entry.phases = {{{call}}};
    module.kernels.push_back(std::move(kernel));
    module.entries.push_back(std::move(entry));
  }
  return module;
}

void meet(const nnc_context* context) {
  for (int i = 0; i < meetings; ++i) context->barrier(context->team, context->thread);
}

// The median of several rounds: the best one may be luck, the worst an interruption.
double barrier_seconds(Session& session) {
  std::array<double, 5> rounds;
  for (double& round : rounds) {
    const auto start = std::chrono::steady_clock::now();
    session.team->run(meet, session.contexts);
    round = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / meetings;
  }
  std::nth_element(rounds.begin(), rounds.begin() + 2, rounds.end());
  return rounds[2];
}

double best_seconds(Session& session, const Entry& entry, int repeats) {
  double best = 1e9;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    run_entry(session, entry, nullptr);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

}  // namespace

tl::expected<MachineLimits, std::string> measure_limits(const Target& target, int64_t threads) {
  auto executable = compile(probes(target));
  if (!executable) return tl::unexpected(executable.error());
  auto session = open_session(*executable, threads);
  if (!session) return tl::unexpected(session.error().front().message);
  const double chains = target.registers - 4;
  const double operations = 2.0 * chains * target.lanes * (probe_turns / shares) * shares;
  MachineLimits limits;
  limits.gflops = operations / best_seconds(*session, executable->entries[0], 20) * 1e-9;
  limits.gbytes = 3.0 * stream_bytes / best_seconds(*session, executable->entries[1], 4) * 1e-9;
  if (threads > 1) limits.barrier_us = barrier_seconds(*session) * 1e6;
  return limits;
}

}  // namespace nnc
