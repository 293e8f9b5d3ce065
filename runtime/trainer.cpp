#include "runtime/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "runtime/error.h"
#include "runtime/pass.h"

namespace nnc {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

const double* find_measure(const std::vector<Measure>& measures, std::string_view name) {
  for (const Measure& measure : measures) {
    if (measure.name == name) return &measure.value;
  }
  return nullptr;
}

// Watches one measure and keeps the state of its best epoch.
struct Watcher {
  EarlyStop stop;
  AlignedBuffer best_state;
  double best = 0;
  int64_t best_epoch = 0;

  const double* value(const EpochReport& report) const {
    const bool train = stop.measure.starts_with("train.");
    return find_measure(train ? report.train : report.val, std::string_view(stop.measure).substr(train ? 6 : 4));
  }

  // True when training should end.
  bool observe(EpochReport& report, const Session& session) {
    const double* now = value(report);
    if (now != nullptr && !std::isnan(*now) && (best_epoch == 0 || (stop.maximize ? *now > best : *now < best))) {
      best = *now;
      best_epoch = report.epoch;
      report.best = true;
      if (stop.restore)
        std::memcpy(best_state.data(), session.state.data(), static_cast<size_t>(session.state.bytes()));
    }
    return report.epoch - best_epoch >= stop.patience;
  }
};

// What early stop may watch, given the passes there are.
RuntimeErrors check_measure(const EarlyStop& stop, const Pass& train, const Pass* val) {
  std::vector<std::string> names;
  auto collect = [&](const char* part, const Pass& pass) {
    names.push_back(fmt::format("{}.loss", part));
    for (const BoundEntry::Scalar& scalar : pass.full->scalars)
      names.push_back(fmt::format("{}.{}", part, scalar.name));
  };
  collect("train", train);
  if (val != nullptr) collect("val", *val);
  if (std::find(names.begin(), names.end(), stop.measure) != names.end()) return {};
  ErrorList errors;
  const std::string_view similar = nearest(stop.measure, names);
  if (val == nullptr && stop.measure.starts_with("val.")) {
    errors.add(ErrorCode::E607, stop.origin,
               fmt::format("early stop watches \"{}\", but there are no validation rows", printable(stop.measure)),
               "split = random(val = 0.2)");
  } else {
    errors.add(ErrorCode::E607, stop.origin,
               fmt::format("early stop watches \"{}\", which is not measured", printable(stop.measure)),
               similar.empty() ? fmt::format("measured: {}", fmt::join(names, ", "))
                               : fmt::format("a similar name exists: \"{}\"", similar));
  }
  return errors.errors;
}

struct Trainer {
  Session& session;
  const Dataset& dataset;
  const TrainConfig& config;
  const TrainHooks& hooks;
  Pass pass;
  std::optional<Pass> val, test;
  std::optional<Watcher> watcher;
  std::vector<uint32_t> order;
  Sums sums;
  TrainResult result;

  // False when training must end within the epoch.
  bool run_epoch(EpochReport& report) {
    const Clock::time_point start = Clock::now();
    epoch_order(dataset.train, config.batch, config.seed, static_cast<uint64_t>(report.epoch - 1), order);
    sums.reset(*pass.full);
    StepReport step_report{report.epoch, report.epochs, 0, pass.lengths.steps(), 0};
    int64_t at = 0;
    bool going = true;
    for (int64_t step = 0; step < pass.lengths.steps() && going; ++step) {
      const BoundEntry& bound = pass.at(step);
      const auto side = static_cast<size_t>(step % 2);
      fill_batch(
          bound,
          std::span<const uint32_t>(order).subspan(static_cast<size_t>(at), static_cast<size_t>(bound.entry->batch)),
          side);
      run_entry(session, *bound.entry, bound.io[side].data());
      at += bound.entry->batch;
      ++result.steps;
      if (const std::string* broken = sums.add(bound)) {
        result.status = TrainStatus::diverged;
        result.diverged_loss = *broken;
        result.diverged_epoch = report.epoch;
        result.diverged_step = step + 1;
        going = false;
      }
      if (hooks.step) {
        step_report.step = step + 1;
        step_report.loss = sums.mean_loss();
        hooks.step(step_report);
      }
      if (going && hooks.interrupted && (result.signal = hooks.interrupted()) != 0) {
        result.status = TrainStatus::interrupted;
        going = false;
      }
    }
    report.rows = sums.rows;
    report.train_seconds = seconds_since(start);
    return going;
  }

  void run() {
    const Clock::time_point start = Clock::now();
    for (int64_t epoch = 1; epoch <= config.epochs; ++epoch) {
      EpochReport report;
      report.epoch = epoch;
      report.epochs = config.epochs;
      report.steps = pass.lengths.steps();
      if (!run_epoch(report)) break;
      report.train = sums.measures(*pass.full);
      const Clock::time_point measured = Clock::now();
      if (val) report.val = run_evaluation(session, *val, dataset.val);
      report.val_seconds = seconds_since(measured);
      const bool stop = watcher && watcher->observe(report, session);
      result.epochs.push_back(report);
      if (hooks.epoch) hooks.epoch(report);
      if (stop && epoch < config.epochs) {
        result.status = TrainStatus::stopped_early;
        break;
      }
    }
    finish();
    result.seconds = seconds_since(start);
  }

  void finish() {
    if (watcher) {
      result.best_epoch = watcher->best_epoch;
      const bool moved = result.best_epoch > 0 &&
                         (result.status == TrainStatus::diverged || result.status == TrainStatus::interrupted ||
                          result.best_epoch < static_cast<int64_t>(result.epochs.size()));
      // An interrupted run goes on later from where it was.
      if (watcher->stop.restore && moved && result.status != TrainStatus::interrupted) {
        std::memcpy(session.state.data(), watcher->best_state.data(), static_cast<size_t>(session.state.bytes()));
        result.restored = true;
      }
    }
    const bool done = result.status == TrainStatus::finished || result.status == TrainStatus::stopped_early;
    if (test && done) result.test = run_evaluation(session, *test, dataset.test);
  }
};

}  // namespace

std::vector<EntryNeed> needed_entries(const Dataset& dataset, const TrainConfig& config) {
  std::vector<EntryNeed> needs = {{"initialize", 0}};
  auto add = [&](const char* name, const BatchLengths& lengths) {
    for (int64_t batch : {lengths.length, lengths.last}) {
      const EntryNeed need{name, batch};
      if (batch > 0 && std::find(needs.begin(), needs.end(), need) == needs.end()) needs.push_back(need);
    }
  };
  add("step", batch_lengths(static_cast<int64_t>(dataset.train.size()), config.batch));
  for (const auto* rows : {&dataset.val, &dataset.test}) {
    if (!rows->empty()) add("evaluate", evaluation_lengths(static_cast<int64_t>(rows->size()), config.batch));
  }
  return needs;
}

tl::expected<TrainResult, RuntimeErrors> train(Session& session, const Dataset& dataset, const TrainConfig& config,
                                               const TrainHooks& hooks) {
  auto pass =
      open_pass(session, dataset, "step", batch_lengths(static_cast<int64_t>(dataset.train.size()), config.batch));
  if (!pass) return tl::unexpected(pass.error());
  Trainer trainer{session, dataset, config, hooks, std::move(*pass)};
  for (const DataPart part : {DataPart::val, DataPart::test}) {
    const auto rows = static_cast<int64_t>(dataset.part(part).size());
    if (rows == 0) continue;
    auto opened = open_pass(session, dataset, "evaluate", evaluation_lengths(rows, config.batch));
    if (!opened) return tl::unexpected(opened.error());
    (part == DataPart::val ? trainer.val : trainer.test) = std::move(*opened);
  }
  if (config.stop) {
    RuntimeErrors errors = check_measure(*config.stop, trainer.pass, trainer.val ? &*trainer.val : nullptr);
    if (!errors.empty()) return tl::unexpected(std::move(errors));
    trainer.watcher.emplace();
    trainer.watcher->stop = *config.stop;
    if (config.stop->restore) {
      auto buffer = allocate(session.state.bytes(), "the best epoch's state");
      if (!buffer) return tl::unexpected(RuntimeErrors{buffer.error()});
      trainer.watcher->best_state = std::move(*buffer);
    }
  }
  trainer.order.reserve(dataset.train.size());
  trainer.run();
  return std::move(trainer.result);
}

tl::expected<std::vector<Measure>, RuntimeErrors> evaluate(Session& session, const Dataset& dataset, DataPart part,
                                                           const TrainConfig& config) {
  const std::span<const uint32_t> rows = dataset.part(part);
  if (rows.empty()) return std::vector<Measure>{};
  auto pass =
      open_pass(session, dataset, "evaluate", evaluation_lengths(static_cast<int64_t>(rows.size()), config.batch));
  if (!pass) return tl::unexpected(pass.error());
  return run_evaluation(session, *pass, rows);
}

}  // namespace nnc
