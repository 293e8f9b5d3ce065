#include "driver/profile.h"

#include <fmt/format.h>
#include <x86intrin.h>

#include <algorithm>
#include <chrono>

namespace nnc {
namespace {

double microseconds_per_tick() {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const uint64_t first = __rdtsc();
  while (Clock::now() - start < std::chrono::milliseconds(5)) _mm_pause();
  const uint64_t last = __rdtsc();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / static_cast<double>(last - first);
}

// Of the limit this region runs into first, how much it reaches. What it reads faster than memory could give lies in a
// cache; then only the multiply-adds say something.
struct Bound {
  const char* name;
  double share;
};
Bound bound_of(const ProfiledRegion& region, const MachineLimits& limits) {
  if (limits.gflops <= 0) return {"-", 0};
  const double compute = region.gflops / limits.gflops, memory = region.gbytes / limits.gbytes;
  return compute >= memory || memory > 1 ? Bound{"fma", compute} : Bound{"memory", memory};
}

}  // namespace

StepProfile read_profile(const Session& session, const Entry& entry) {
  const EntryTicks& ticks = session.ticks[static_cast<size_t>(&entry - session.executable->entries.data())];
  const double us_per_tick = microseconds_per_tick();
  const auto per_call = [&](size_t counter) {
    uint64_t sum = 0;
    for (const auto& thread : ticks.threads) sum += thread[counter];
    return static_cast<double>(sum) * us_per_tick / static_cast<double>(ticks.calls * ticks.threads.size());
  };
  StepProfile profile{entry.name, entry.batch, ticks.calls, static_cast<int64_t>(ticks.threads.size()), 0, {}};
  for (size_t k = 0; k < entry.calls.size(); ++k) {
    const EntryCall& call = entry.calls[k];
    ProfiledRegion region{call.kernel, call.source, per_call(k)};
    if (k + 1 == entry.calls.size() || entry.calls[k + 1].phase != call.phase)
      region.wait_us = per_call(entry.calls.size() + static_cast<size_t>(call.phase));
    if (region.us > 0) {
      region.gflops = call.flops / region.us * 1e-3;
      region.gbytes = call.bytes / region.us * 1e-3;
    }
    profile.us += region.us + region.wait_us;
    profile.regions.push_back(std::move(region));
  }
  std::stable_sort(
      profile.regions.begin(), profile.regions.end(),
      [](const ProfiledRegion& a, const ProfiledRegion& b) { return a.us + a.wait_us > b.us + b.wait_us; });
  return profile;
}

std::string print_profile(const StepProfile& profile, const MachineLimits& limits) {
  std::string text =
      fmt::format("{} of {} rows, {} calls, {} thread{}: {:.2f} µs a call; this machine: {:.1f} GFLOP/s, {:.1f} GB/s\n",
                  profile.entry, profile.batch, profile.calls, profile.threads, profile.threads == 1 ? "" : "s",
                  profile.us, limits.gflops, limits.gbytes);
  size_t width = 6;
  for (const ProfiledRegion& region : profile.regions) width = std::max(width, region.kernel.size());
  text += fmt::format("{:{}}  {:>9}  {:>6}  {:>8}  {:>7}  {:>13}  {:>7}  {}\n", "kernel", width, "µs", "share",
                      "GFLOP/s", "GB/s", "of the limit", "wait µs", "source");
  for (const ProfiledRegion& region : profile.regions) {
    const Bound bound = bound_of(region, limits);
    text += fmt::format("{:{}}  {:9.2f}  {:5.1f}%  {:8.1f}  {:7.1f}  {:>6} {:5.1f}%  {:7.2f}  {}\n", region.kernel,
                        width, region.us, 100 * (region.us + region.wait_us) / profile.us, region.gflops, region.gbytes,
                        bound.name, 100 * bound.share, region.wait_us, region.source);
  }
  return text;
}

nlohmann::json profile_json(const StepProfile& profile, const MachineLimits& limits) {
  nlohmann::json regions = nlohmann::json::array();
  for (const ProfiledRegion& region : profile.regions) {
    const Bound bound = bound_of(region, limits);
    regions.push_back({{"kernel", region.kernel},
                       {"source", region.source},
                       {"us", region.us},
                       {"wait_us", region.wait_us},
                       {"gflops", region.gflops},
                       {"gbytes", region.gbytes},
                       {"bound", bound.name},
                       {"of_limit", bound.share}});
  }
  return {{"entry", profile.entry},        {"batch", profile.batch}, {"calls", profile.calls},
          {"threads", profile.threads},    {"us", profile.us},       {"limit_gflops", limits.gflops},
          {"limit_gbytes", limits.gbytes}, {"regions", regions}};
}

}  // namespace nnc
