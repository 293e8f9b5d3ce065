#include "runtime/trainer.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <optional>

#include "runtime/divergence.h"
#include "runtime/early_stop.h"
#include "runtime/error.h"
#include "runtime/pass.h"

namespace nnc {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Where a scalar state lies in the segment; null if the program has none of that name and type.
template <class T>
T* scalar_state(Session& session, std::string_view name, ElementType type) {
  for (const StateTensor& tensor : session.executable->states) {
    if (tensor.name == name && tensor.type == type && tensor.dims.empty())
      return reinterpret_cast<T*>(session.state.data() + tensor.offset);
  }
  return nullptr;
}

struct Trainer {
  Session& session;
  const Dataset& dataset;
  const TrainConfig& config;
  const TrainHooks& hooks;
  Pass pass;
  std::optional<BoundEntry> gather;  // "accumulate"
  std::optional<Pass> val, test;
  std::string best_by;        // the measure that decides which epoch is the best
  AlignedBuffer best_state;   // where early stop restores
  bool holds_best = false;    // best_state is that of best_epoch
  AlignedBuffer epoch_state;  // before step `epoch_from` of the epoch under way; empty where memory is short
  int64_t epoch_from = 0;
  std::vector<uint32_t> order;
  TrainProgress now;
  TrainResult result;

  bool restores() const { return config.stop && config.stop->restore; }

  // Updates make groups of `accumulate` batches; the last group of an epoch may be smaller.
  int64_t group_start(int64_t step) const { return step - step % config.accumulate; }
  int64_t group_end(int64_t step) const {
    return std::min(group_start(step) + config.accumulate, pass.lengths.steps());
  }
  int64_t rows_before(int64_t step) const {
    return std::min(step, pass.lengths.count) * pass.lengths.length +
           (step > pass.lengths.count ? pass.lengths.last : 0);
  }

  const BoundEntry& entry_of(int64_t step) const { return step + 1 < group_end(step) ? *gather : pass.at(step); }

  std::span<const uint32_t> rows_of(int64_t step) const {
    return std::span(order).subspan(static_cast<size_t>(rows_before(step)),
                                    static_cast<size_t>(pass.at(step).entry->batch));
  }

  const BoundEntry& run_step(int64_t step) {
    const BoundEntry& bound = entry_of(step);
    const auto side = static_cast<size_t>(step % 2);
    if (config.accumulate > 1) {
      const double rows = static_cast<double>(rows_before(group_end(step)) - rows_before(group_start(step)));
      set_scalar_state(session, ":share", static_cast<double>(bound.entry->batch) / rows);
    }
    const bool last = step + 1 == pass.lengths.steps();
    fill_batch(bound, rows_of(step), side, last ? std::span<const uint32_t>() : rows_of(step + 1));
    run_entry(session, *bound.entry, bound.io[side].data());
    return bound;
  }

  double lr() {
    const double* rate = scalar_state<double>(session, ":lr", ElementType::f64);
    return rate != nullptr ? *rate : std::numeric_limits<double>::quiet_NaN();
  }

  void begin_epoch() {
    epoch_order(dataset.train, config.batch, config.seed, static_cast<uint64_t>(now.epoch - 1), order);
    if (now.step == 0) now.sums.reset(*pass.full);
    set_scalar_state(session, ":lr_factor", now.lr_factor);
    epoch_from = now.step;
    if (epoch_state.data() != nullptr)
      std::memcpy(epoch_state.data(), session.state.data(), static_cast<size_t>(session.state.bytes()));
  }

  // False when training must end within the epoch.
  bool run_epoch(EpochReport& report) {
    const Clock::time_point start = Clock::now();
    begin_epoch();
    StepReport step_report{report.epoch, report.epochs, 0, pass.lengths.steps(), 0, report.lr};
    const double* rate = scalar_state<double>(session, ":lr", ElementType::f64);
    bool going = true;
    while (going && now.step < pass.lengths.steps()) {
      const BoundEntry& bound = run_step(now.step);
      ++now.step;
      ++now.steps;
      if (const std::string* broken = now.sums.add(bound)) {
        result.status = TrainStatus::diverged;
        result.diverged_loss = *broken;
        going = false;
      }
      if (hooks.step) {
        step_report.step = now.step;
        step_report.loss = now.sums.mean_loss();
        if (rate != nullptr) step_report.lr = *rate;
        hooks.step(step_report);
      }
      if (going && hooks.interrupted && (result.signal = hooks.interrupted()) != 0) {
        result.status = TrainStatus::interrupted;
        going = false;
      }
      if (going && hooks.save_due && hooks.save_due()) going = save(false);
    }
    // Losses are of the state before each step: what the last one made of it is seen here.
    if (going && !parameters_finite(session)) {
      result.status = TrainStatus::diverged;
      going = false;
    }
    report.rows = now.sums.rows;
    report.lr = lr();
    report.train_seconds = seconds_since(start);
    return going;
  }

  // What follows a finished epoch, before the next.
  void end_epoch(EpochReport& report) {
    report.train = now.sums.measures(*pass.full);
    const Clock::time_point measured = Clock::now();
    if (val) report.val = run_evaluation(session, *val, dataset.val);
    report.val_seconds = seconds_since(measured);
    report.best = observe_best(report, best_by, config.stop && config.stop->maximize, now);
    if (report.best && restores()) {
      std::memcpy(best_state.data(), session.state.data(), static_cast<size_t>(session.state.bytes()));
      holds_best = true;
    }
    if (config.plateau) observe_plateau(report, *config.plateau, now);
    now.epochs.push_back(report);
    ++now.epoch;
    now.step = 0;
    now.sums.reset(*pass.full);
    if (hooks.epoch) hooks.epoch(report);
  }

  bool stops_early() const { return config.stop && now.epoch - 1 - now.best_epoch >= config.stop->patience; }

  bool save(bool best) {
    if (!hooks.save || hooks.save(now, best)) return true;
    result.status = TrainStatus::save_failed;
    return false;
  }

  void run() {
    const Clock::time_point start = Clock::now();
    while (now.epoch <= config.epochs) {
      if (now.epoch > 1 && now.step == 0 && stops_early()) {
        result.status = TrainStatus::stopped_early;
        break;
      }
      EpochReport report;
      report.epoch = now.epoch;
      report.epochs = config.epochs;
      report.steps = pass.lengths.steps();
      report.lr = lr();
      if (!run_epoch(report)) break;
      end_epoch(report);
      if (!save(report.best)) break;
    }
    if (result.status == TrainStatus::interrupted) save(false);
    if (result.status == TrainStatus::diverged) find_break();
    result.epochs = now.epochs;
    result.best_epoch = now.best_epoch;
    result.steps = now.steps;
    finish();
    result.seconds = seconds_since(start);
  }

  // Leaves the session in the state before the broken step, and says which it was.
  void find_break() {
    BrokenStep broken;
    const int64_t last = now.step - 1;
    auto before = allocate(session.state.bytes(), "the state before the broken step");
    if (epoch_state.data() != nullptr && before) {
      std::memcpy(session.state.data(), epoch_state.data(), static_cast<size_t>(session.state.bytes()));
      Sums sums;
      auto again = [&](int64_t step) {
        const BoundEntry& bound = run_step(step);
        sums.reset(bound);
        return sums.add(bound) == nullptr;
      };
      auto stop = [&] { return hooks.interrupted && hooks.interrupted() != 0; };
      broken = replay_to_break(session, *before, epoch_from, last, again, stop);
    }
    if (!broken.found) broken.step = last;
    if (broken.found && broken.loss_finite) result.diverged_loss.clear();
    result.diverged_epoch = now.epoch;
    result.diverged_step = broken.step + 1;
    const std::span<const uint32_t> rows = rows_of(broken.step);
    result.diverged_rows.assign(rows.begin(), rows.end());
    result.diverged_entry = entry_of(broken.step).entry->name;
    if (hooks.diverged) hooks.diverged(result, broken.found);
  }

  void finish() {
    const bool done = result.status == TrainStatus::finished || result.status == TrainStatus::stopped_early;
    const bool moved = now.best_epoch > 0 && (!done || now.best_epoch < static_cast<int64_t>(now.epochs.size()));
    // An interrupted run goes on later from where it was, and so may one that could not be saved.
    if (restores() && moved && holds_best && (done || result.status == TrainStatus::diverged)) {
      std::memcpy(session.state.data(), best_state.data(), static_cast<size_t>(session.state.bytes()));
      result.restored = true;
    }
    if (test && done) result.test = run_evaluation(session, *test, dataset.test);
  }
};

// Checks what is watched against what is measured, and gets the memory for the states kept.
RuntimeErrors prepare(Trainer& trainer) {
  const TrainConfig& config = trainer.config;
  const std::vector<std::string> names = measure_names(trainer.pass, trainer.val ? &*trainer.val : nullptr);
  trainer.best_by = config.stop ? config.stop->measure : trainer.val ? "val.loss" : "train.loss";
  RuntimeErrors errors;
  if (config.stop) errors = check_measure("early stop", config.stop->measure, config.stop->origin, names);
  if (config.plateau) {
    const RuntimeErrors more =
        check_measure("reduce_on_plateau", config.plateau->monitor, config.plateau->origin, names);
    errors.insert(errors.end(), more.begin(), more.end());
  }
  if (!errors.empty()) return errors;
  if (trainer.restores()) {
    auto buffer = allocate(trainer.session.state.bytes(), "the best epoch's state");
    if (!buffer) return {buffer.error()};
    trainer.best_state = std::move(*buffer);
  }
  if (auto buffer = allocate(trainer.session.state.bytes(), "the state at the start of an epoch"))
    trainer.epoch_state = std::move(*buffer);
  trainer.order.reserve(trainer.dataset.train.size());
  trainer.now.sums.reset(*trainer.pass.full);
  trainer.now.epochs.reserve(static_cast<size_t>(std::min<int64_t>(config.epochs, 1 << 16)));
  return {};
}

// True if the progress can be that of this program over these rows: a file may claim anything.
bool fits(const Trainer& trainer, const TrainProgress& progress) {
  if (progress.epoch < 1 || progress.step < 0 || progress.step > trainer.pass.lengths.steps()) return false;
  if (progress.epochs.size() != static_cast<size_t>(progress.epoch - 1)) return false;
  if (progress.steps != (progress.epoch - 1) * trainer.pass.lengths.steps() + progress.step) return false;
  if (progress.plateau_bad_epochs >= progress.epoch) return false;
  if (progress.best_epoch < 0 || progress.best_epoch >= progress.epoch) return false;
  if (progress.step == 0) return true;
  const Sums& own = trainer.now.sums;
  const Sums& sums = progress.sums;
  bool good = sums.sums.size() == own.sums.size() && sums.collected.size() == own.collected.size() &&
              sums.rows == trainer.rows_before(progress.step);
  for (size_t k = 0; good && k < own.collected.size(); ++k) {
    good = sums.collected[k].rows.size() == own.collected[k].rows.size() &&
           sums.collected[k].sums.size() == own.collected[k].sums.size();
  }
  return good;
}

void resume_at(Trainer& trainer, const TrainStart& start) {
  trainer.now = start.progress;
  if (trainer.now.step == 0) trainer.now.sums.reset(*trainer.pass.full);
  // Without its state the best epoch cannot be restored, only compared with.
  const bool whole = static_cast<int64_t>(start.best_state.size()) == trainer.session.state.bytes();
  trainer.holds_best = trainer.restores() && whole;
  if (trainer.holds_best) std::memcpy(trainer.best_state.data(), start.best_state.data(), start.best_state.size());
}

}  // namespace

const char* name_of(TrainStatus status) {
  switch (status) {
    case TrainStatus::finished:
      return "finished";
    case TrainStatus::stopped_early:
      return "stopped_early";
    case TrainStatus::diverged:
      return "diverged";
    case TrainStatus::interrupted:
      return "interrupted";
    case TrainStatus::save_failed:
      return "save_failed";
  }
  return "";
}

std::vector<EntryNeed> needed_entries(const Dataset& dataset, const TrainConfig& config) {
  std::vector<EntryNeed> needs = {{"initialize", 0}};
  auto add = [&](const char* name, const BatchLengths& lengths) {
    for (int64_t batch : {lengths.length, lengths.last}) {
      const EntryNeed need{name, batch};
      if (batch > 0 && std::find(needs.begin(), needs.end(), need) == needs.end()) needs.push_back(need);
    }
  };
  const BatchLengths lengths = batch_lengths(static_cast<int64_t>(dataset.train.size()), config.batch);
  add("step", lengths);
  if (config.accumulate > 1 && lengths.steps() > 1) needs.push_back({"accumulate", lengths.length});
  for (const auto* rows : {&dataset.val, &dataset.test}) {
    if (!rows->empty()) add("evaluate", evaluation_lengths(static_cast<int64_t>(rows->size()), config.batch));
  }
  return needs;
}

tl::expected<TrainResult, RuntimeErrors> train(Session& session, const Dataset& dataset, const TrainConfig& config,
                                               const TrainHooks& hooks, const TrainStart* resume) {
  const BatchLengths lengths = batch_lengths(static_cast<int64_t>(dataset.train.size()), config.batch);
  auto pass = open_pass(session, dataset, "step", lengths);
  if (!pass) return tl::unexpected(pass.error());
  Trainer trainer{session, dataset, config, hooks, std::move(*pass)};
  if (config.accumulate > 1 && lengths.steps() > 1) {
    const Entry* entry = session.executable->find("accumulate", lengths.length);
    if (entry == nullptr) {
      ErrorList errors;
      errors.add(ErrorCode::E608, 0, "the program has no entry `accumulate`");
      return tl::unexpected(std::move(errors.errors));
    }
    auto bound = bind_entry(*entry, dataset);
    if (!bound) return tl::unexpected(bound.error());
    trainer.gather = std::move(*bound);
    trainer.gather->measuring = trainer.pass.full->measuring;  // both measure the same pass
  }
  for (const DataPart part : {DataPart::val, DataPart::test}) {
    const auto rows = static_cast<int64_t>(dataset.part(part).size());
    if (rows == 0) continue;
    auto opened = open_pass(session, dataset, "evaluate", evaluation_lengths(rows, config.batch));
    if (!opened) return tl::unexpected(opened.error());
    (part == DataPart::val ? trainer.val : trainer.test) = std::move(*opened);
  }
  if (RuntimeErrors errors = prepare(trainer); !errors.empty()) return tl::unexpected(std::move(errors));
  if (resume != nullptr) {
    if (!fits(trainer, resume->progress)) {
      ErrorList errors;
      errors.add(ErrorCode::E802, 0, "the place where training should go on is not one of this program and its data");
      return tl::unexpected(errors.errors);
    }
    resume_at(trainer, *resume);
  }
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
