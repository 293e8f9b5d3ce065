#include "runtime/logs/run_logs.h"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace nnc {
namespace {

// A model may call one of its losses `loss`, too: the sum comes first and keeps the name.
template <typename Visit>
void each_measure(const EpochReport& report, Visit&& visit) {
  for (const auto& [part, measures] : {std::pair{"train", &report.train}, std::pair{"val", &report.val}}) {
    std::set<std::string_view> seen;
    for (const Measure& measure : *measures) {
      if (measure.is_scalar() && seen.insert(measure.name).second) visit(part, measure, &measure == measures->data());
    }
  }
}

}  // namespace

std::vector<std::string> metric_names(const EpochReport& report) {
  std::vector<std::string> names;
  each_measure(report, [&](const char* part, const Measure& measure, bool) {
    names.push_back(fmt::format("{}.{}", part, measure.name));
  });
  return names;
}

std::vector<double> metric_values(const EpochReport& report) {
  std::vector<double> values;
  each_measure(report, [&](const char*, const Measure& measure, bool) { values.push_back(measure.value); });
  return values;
}

std::vector<TaggedScalar> tagged_scalars(const EpochReport& report) {
  std::vector<TaggedScalar> scalars;
  each_measure(report, [&](const char* part, const Measure& measure, bool total) {
    scalars.push_back({fmt::format("{}/{}", total ? "Loss" : measure.name, part), static_cast<float>(measure.value)});
  });
  if (report.lr == report.lr) scalars.push_back({"LearningRate", static_cast<float>(report.lr)});
  return scalars;
}

void RunLogs::open(std::string run_directory, int64_t resume_epoch, std::span<const EpochReport> finished) {
  directory = std::move(run_directory);
  resumed = resume_epoch;
  earlier.assign(finished.begin(), finished.end());
}

void RunLogs::trouble(const std::string& message) {
  if (std::exchange(warned, true)) return;
  if (warn)
    warn(message);
  else
    fmt::print(stderr, "nnc: warning: {}; training goes on without it\n", message);
}

// The columns are known with the first epoch.
bool RunLogs::open_csv(const EpochReport& report) {
  if (csv_failed) return false;
  auto opened = MetricsCsv::open(directory, metric_names(report), resumed);
  if (!opened) {
    csv_failed = true;
    trouble(opened.error());
    return false;
  }
  csv = std::move(*opened);
  for (const EpochReport& old : earlier) {
    if (old.epoch > csv.last_epoch() && old.epoch <= resumed) write_row(old);
  }
  earlier.clear();
  return true;
}

bool RunLogs::open_events() {
  if (events_failed) return false;
  auto opened = EventWriter::open(directory, clock());
  if (opened) {
    events = std::move(*opened);
    if (resumed == 0) return true;
    const auto started = events.session_start(resumed + 1, clock());
    if (started) return true;
    opened = tl::unexpected(started.error());
  }
  events_failed = true;
  trouble(opened.error());
  return false;
}

void RunLogs::write_row(const EpochReport& report) {
  MetricsRow row{report.epoch, report.steps, report.train_seconds + report.val_seconds, report.lr,
                 metric_values(report)};
  if (auto written = csv.append(std::move(row)); !written) trouble(written.error());
}

void RunLogs::epoch(const EpochReport& report) {
  if (directory.empty()) return;
  if (csv.is_open() || open_csv(report)) write_row(report);
  if (!events.is_open() && !open_events()) return;
  if (auto written = events.scalars(tagged_scalars(report), report.epoch, clock()); !written) trouble(written.error());
}

void RunLogs::close() {
  csv.close();
  events.close();
}

}  // namespace nnc
