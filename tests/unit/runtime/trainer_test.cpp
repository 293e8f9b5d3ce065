#include "runtime/trainer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "runtime/early_stop.h"
#include "runtime/logs/progress.h"
#include "runtime/signals.h"
#include "trainer_workbench.h"

namespace nnc {
namespace {

using test::all_text;
using test::FakeState;
using test::Workbench;

TEST(Trainer, EachRowOnceAnEpochAndRaggedBatchExact) {
  Workbench setup(103, 0);
  setup.config.epochs = 3;
  setup.config.batch.size = 20;
  const auto outcome = setup.run({}, 2);
  EXPECT_EQ(outcome.result.status, TrainStatus::finished);
  EXPECT_EQ(setup.fake.batches.size(), 18u);
  EXPECT_EQ(setup.fake.batches[5], 3);
  ASSERT_EQ(setup.fake.seen.size(), 309u);
  for (size_t epoch = 0; epoch < 3; ++epoch) {
    const std::set<float> rows(setup.fake.seen.begin() + static_cast<int64_t>(epoch * 103),
                               setup.fake.seen.begin() + static_cast<int64_t>(epoch * 103 + 103));
    EXPECT_EQ(rows.size(), 103u);
  }
  EXPECT_FALSE(std::equal(setup.fake.seen.begin(), setup.fake.seen.begin() + 103, setup.fake.seen.begin() + 103));
  EXPECT_EQ(outcome.state.step, 18);
}

TEST(Trainer, EpochLossIsTheMeanOverRowsWhateverTheBatch) {
  for (int64_t size : {1, 7, 20, 64, 103, 500}) {
    Workbench setup(103, 75);
    setup.config.epochs = 1;
    setup.config.batch.size = size;
    const auto outcome = setup.run();
    const EpochReport& report = outcome.result.epochs.at(0);
    EXPECT_EQ(report.train[0].name, "loss");
    EXPECT_EQ(report.train[1].name, "mse");
    EXPECT_NEAR(report.train[0].value, 51, 1e-4) << size;  // mean of 0 … 102
    EXPECT_NEAR(report.train[1].value, 51, 1e-4) << size;
    EXPECT_NEAR(report.train[2].value, 51.0 / 103, 1e-6) << size;
    EXPECT_NEAR(report.val[0].value, 140, 1e-4) << size;  // mean of 103 … 177
    EXPECT_EQ(report.rows, 103);
  }
}

TEST(Trainer, DropLastAndStrategies) {
  Workbench dropped(103, 0);
  dropped.config.epochs = 1;
  dropped.config.batch = {BatchStrategy::Kind::mini, 20, true};
  dropped.run();
  EXPECT_EQ(dropped.fake.seen.size(), 100u);
  Workbench full(103, 0);
  full.config.epochs = 2;
  full.config.batch.kind = BatchStrategy::Kind::full;
  full.run();
  EXPECT_EQ(full.fake.batches, (std::vector<int64_t>{103, 103}));
  Workbench single(5, 0);
  single.config.epochs = 1;
  single.config.batch.kind = BatchStrategy::Kind::stochastic;
  single.run();
  EXPECT_EQ(single.fake.batches, (std::vector<int64_t>{1, 1, 1, 1, 1}));
}

TEST(Trainer, InitializesSeedAndStep) {
  Workbench setup(4, 0);
  setup.config.seed = 77;
  setup.config.epochs = 1;
  const auto outcome = setup.run();
  EXPECT_EQ(outcome.state.seed, 77);
  EXPECT_EQ(outcome.state.step, 1);
}

TEST(Trainer, EarlyStopRestoresTheBestState) {
  for (bool restore : {false, true}) {
    Workbench setup(40, 10);
    setup.config.epochs = 50;
    setup.config.batch.size = 10;
    setup.fake.val_losses = {5, 4, 3, 3.5f, 3.2f, 3, 9, 1};
    setup.config.stop = EarlyStop{"val.mse", 3, false, restore, 0};
    const auto outcome = setup.run();
    EXPECT_EQ(outcome.result.status, TrainStatus::stopped_early);
    EXPECT_EQ(outcome.result.epochs.size(), 6u);
    EXPECT_EQ(outcome.result.best_epoch, 3);
    EXPECT_EQ(outcome.result.restored, restore);
    EXPECT_EQ(outcome.state.step, restore ? 12 : 24);
    EXPECT_TRUE(outcome.result.epochs[2].best);
    EXPECT_FALSE(outcome.result.epochs[5].best);
  }
}

TEST(Trainer, EarlyStopCanMaximise) {
  Workbench setup(40, 10);
  setup.config.epochs = 5;
  setup.fake.val_losses = {1, 2, 3, 2, 2};
  setup.config.stop = EarlyStop{"val.loss", 9, true, true, 0};
  const auto outcome = setup.run();
  EXPECT_EQ(outcome.result.status, TrainStatus::finished);
  EXPECT_EQ(outcome.result.best_epoch, 3);
  EXPECT_TRUE(outcome.result.restored);
  EXPECT_EQ(outcome.state.step, 6);
}

TEST(Trainer, NanStopsAtItsStep) {
  Workbench setup(40, 0);
  setup.config.epochs = 5;
  setup.config.batch.size = 10;
  setup.fake.break_at = 6;
  const auto outcome = setup.run();
  EXPECT_EQ(outcome.result.status, TrainStatus::diverged);
  EXPECT_EQ(outcome.result.diverged_loss, "mse");
  EXPECT_EQ(outcome.result.diverged_epoch, 2);
  EXPECT_EQ(outcome.result.diverged_step, 3);
  EXPECT_EQ(outcome.result.diverged_rows.size(), 10u);
  EXPECT_EQ(outcome.result.diverged_entry, "step");
  EXPECT_EQ(outcome.state.step, 6);  // as it was before the step that broke
}

TEST(Trainer, SignalFinishesTheStep) {
  Workbench setup(40, 0);
  setup.config.epochs = 5;
  setup.config.batch.size = 10;
  SignalWatch watch;
  TrainHooks hooks;
  hooks.step = [](const StepReport& report) {
    if (report.epoch == 2 && report.step == 1) raise(SIGTERM);
  };
  hooks.interrupted = pending_signal;
  const auto outcome = setup.run(hooks);
  EXPECT_EQ(outcome.result.status, TrainStatus::interrupted);
  EXPECT_EQ(outcome.result.signal, SIGTERM);
  EXPECT_EQ(outcome.state.step, 5);
}

// All but the seconds.
std::string history(const TrainResult& result) {
  std::string text =
      fmt::format("{} {} {} {}\n", static_cast<int>(result.status), result.best_epoch, result.steps, result.restored);
  for (const EpochReport& report : result.epochs) {
    text += fmt::format("{} {} {} {} {}", report.epoch, report.rows, report.steps, report.best, report.lr);
    for (const auto* measures : {&report.train, &report.val}) {
      for (const Measure& measure : *measures) text += fmt::format(" {}={}", measure.name, measure.value);
    }
    text += "\n";
  }
  return text;
}

Workbench resumable() {
  Workbench setup(43, 10);
  setup.config.epochs = 4;
  setup.config.batch.size = 10;
  setup.config.stop = EarlyStop{"val.mse", 2, false, true, 0};
  setup.config.plateau = PlateauSetting{};
  setup.config.plateau->lr = 1;
  setup.config.plateau->patience = 0;
  setup.fake.val_losses = {5, 4, 6, 7};
  return setup;
}

TEST(Trainer, InterruptedAnywhereAndResumedIsTheSame) {
  Workbench whole = resumable();
  const auto uninterrupted = whole.run();
  ASSERT_EQ(uninterrupted.result.epochs.size(), 4u);
  ASSERT_TRUE(uninterrupted.result.restored);
  for (int64_t at = 1; at <= 20; ++at) {
    Workbench first = resumable();
    TrainStart start;
    FakeState best = {};
    TrainHooks hooks;
    int64_t steps = 0;
    hooks.step = [&](const StepReport&) { ++steps; };
    hooks.interrupted = [&] { return steps == at ? SIGINT : 0; };
    hooks.save = [&](const TrainProgress& progress, bool) {
      start.progress = progress;
      return true;
    };
    // The best state as a checkpoint would have kept it.
    hooks.epoch = [&](const EpochReport& report) {
      if (!report.best) return;
      Workbench again = resumable();
      again.config.epochs = report.epoch;
      again.config.stop->restore = false;
      best = again.run().state;
    };
    const auto stopped = first.run(hooks);
    ASSERT_EQ(stopped.result.status, TrainStatus::interrupted) << at;
    EXPECT_EQ(stopped.result.signal, SIGINT);
    EXPECT_EQ(start.progress.steps, at);
    EXPECT_EQ((start.progress.epoch - 1) * 5 + start.progress.step, at);
    if (start.progress.best_epoch > 0) {
      const auto* bytes = reinterpret_cast<const std::byte*>(&best);
      start.best_state.assign(bytes, bytes + sizeof best);
      start.best_state.resize(64);
    }
    Workbench second = resumable();
    second.fake.evaluations = first.fake.evaluations;
    const auto resumed = second.run({}, 1, &stopped.state, &start);
    EXPECT_EQ(history(resumed.result), history(uninterrupted.result)) << at;
    EXPECT_EQ(std::memcmp(&resumed.state, &uninterrupted.state, sizeof(FakeState)), 0) << at;
  }
}

TEST(Trainer, ResumesOnlyWhereItCanHaveBeen) {
  TrainStart good;
  TrainHooks hooks;
  hooks.save = [&](const TrainProgress& progress, bool) {
    good.progress = progress;
    return progress.epoch < 3;
  };
  const FakeState state = resumable().run(hooks).state;
  const auto refused = [&](auto change) {
    Workbench bench = resumable();
    bench.compile();
    TrainStart start = good;
    change(start.progress);
    auto session = open_session(bench.executable, 1);
    std::memcpy(session->state.data(), &state, sizeof state);
    const auto result = train(*session, bench.dataset, bench.config, {}, &start);
    return !result && result.error().at(0).code == ErrorCode::E802;
  };
  EXPECT_FALSE(refused([](TrainProgress&) {}));
  EXPECT_TRUE(refused([](TrainProgress& progress) { progress.steps = INT64_MAX; }));
  EXPECT_TRUE(refused([](TrainProgress& progress) { progress.plateau_bad_epochs = INT64_MAX; }));
  EXPECT_TRUE(refused([](TrainProgress& progress) { progress.step = INT64_MAX; }));
  EXPECT_TRUE(refused([](TrainProgress& progress) { progress.best_epoch = progress.epoch; }));
  EXPECT_TRUE(refused([](TrainProgress& progress) { ++progress.epoch; }));
}

TEST(Trainer, SavesAfterEachEpochAndEndsWhereThatFails) {
  Workbench setup(40, 10);
  setup.config.epochs = 5;
  setup.fake.val_losses = {3, 2, 4};
  std::vector<std::pair<int64_t, bool>> saves;
  TrainHooks hooks;
  hooks.save = [&](const TrainProgress& progress, bool best) {
    EXPECT_EQ(progress.step, 0);
    EXPECT_EQ(progress.epochs.size(), static_cast<size_t>(progress.epoch - 1));
    saves.emplace_back(progress.epoch, best);
    return saves.size() < 3;
  };
  const auto outcome = setup.run(hooks);
  EXPECT_EQ(outcome.result.status, TrainStatus::save_failed);
  EXPECT_EQ(saves, (std::vector<std::pair<int64_t, bool>>{{2, true}, {3, true}, {4, false}}));
  EXPECT_EQ(outcome.result.epochs.size(), 3u);
}

TEST(Trainer, ReportsTheLearningRateOfTheLastUpdate) {
  Workbench setup(40, 0);
  setup.config.epochs = 2;
  setup.config.batch.size = 10;
  std::vector<double> rates;
  TrainHooks hooks;
  hooks.step = [&](const StepReport& report) { rates.push_back(report.lr); };
  const auto outcome = setup.run(hooks);
  ASSERT_EQ(rates.size(), 8u);
  for (size_t k = 0; k < 8; ++k) EXPECT_EQ(rates[k], 1.0 / static_cast<double>(k + 1));
  EXPECT_EQ(outcome.result.epochs[0].lr, 0.25);
  EXPECT_EQ(outcome.result.epochs[1].lr, 0.125);
}

TEST(Trainer, AnInfiniteParameterIsFoundAtTheEndOfItsEpochAtLatest) {
  Workbench setup(40, 0);
  setup.config.epochs = 5;
  setup.config.batch.size = 10;
  setup.fake.break_weight_at = 5;
  bool located = false;
  TrainHooks hooks;
  hooks.diverged = [&](const TrainResult&, bool found) { located = found; };
  const auto outcome = setup.run(hooks);
  EXPECT_EQ(outcome.result.status, TrainStatus::diverged);
  EXPECT_EQ(outcome.result.diverged_loss, "");
  EXPECT_EQ(outcome.result.diverged_epoch, 2);
  EXPECT_EQ(outcome.result.diverged_step, 2);
  EXPECT_EQ(outcome.state.step, 5);
  EXPECT_TRUE(std::isfinite(outcome.state.w));
  EXPECT_TRUE(located);
  // The rows are those of that step.
  const std::vector<float> given(setup.fake.seen.begin() + 50, setup.fake.seen.begin() + 60);
  EXPECT_EQ(std::vector<float>(outcome.result.diverged_rows.begin(), outcome.result.diverged_rows.end()), given);
}

// tests/goldens/pytorch/training.py
TEST(Trainer, PlateauFollowsPyTorch) {
  std::ifstream file(NNC_SOURCE_DIR "/tests/goldens/pytorch/training.json");
  const nlohmann::json golden = nlohmann::json::parse(file);
  ASSERT_EQ(golden.at("plateaus").size(), 5u);
  for (const nlohmann::json& expected : golden.at("plateaus")) {
    const nlohmann::json& arguments = expected.at("arguments");
    SCOPED_TRACE(arguments.dump());
    PlateauSetting plateau;
    plateau.lr = 0.1;
    plateau.factor = arguments.at("factor");
    plateau.patience = arguments.at("patience");
    plateau.threshold = arguments.value("threshold", plateau.threshold);
    plateau.cooldown = arguments.value("cooldown", plateau.cooldown);
    plateau.min_lr = arguments.value("min_lr", plateau.min_lr);
    plateau.maximize = arguments.value("mode", "min") == "max";
    TrainProgress progress;
    for (size_t k = 0; k < golden.at("watched").size(); ++k) {
      const nlohmann::json& watched = golden.at("watched")[k];
      EpochReport report;
      report.val = {{"loss", watched.is_null() ? std::nan("") : watched.get<double>()}};
      observe_plateau(report, plateau, progress);
      EXPECT_NEAR(plateau.lr * progress.lr_factor, expected.at("rates")[k].get<double>(), 1e-15) << "epoch " << k + 1;
    }
  }
}

TEST(Trainer, WrongSettingsAreErrorsBeforeTheFirstStep) {
  Workbench setup(40, 0);
  setup.config.stop = EarlyStop{"val.mse"};
  setup.compile();
  auto session = open_session(setup.executable, 1);
  ASSERT_TRUE(session);
  auto result = train(*session, setup.dataset, setup.config, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error()[0].message, "early stop watches \"val.mse\", but there are no validation rows");
  setup.config.stop->measure = "train.mes";
  result = train(*session, setup.dataset, setup.config, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error()[0].help, "a similar name exists: \"train.mse\"");
  setup.dataset.fields[0].dims = {3};
  result = train(*session, setup.dataset, setup.config, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error()[0].message, "field `x` has rows of f32[3], but the model wants f32[]");
  setup.dataset.fields.erase(setup.dataset.fields.begin());
  EXPECT_FALSE(train(*session, setup.dataset, setup.config, {}));
  EXPECT_TRUE(setup.fake.seen.empty());
}

TEST(TrainConfig, ReadsItsSettings) {
  using test::call, test::named, test::num, test::text;
  ErrorList errors;
  const TrainConfig config = read_train_config(
      {named("batch", call("mini", {num(16)}, {named("drop_last", spec_bool(true))})), named("epochs", num(7)),
       named("seed", num(3)), named("optimizer", call("Adam")),
       named("stop", call("early", {text("val.bce")},
                          {named("patience", num(4)), named("mode", text("max")), named("restore", spec_bool(true))}))},
      errors);
  EXPECT_TRUE(errors.empty()) << all_text(errors.errors);
  EXPECT_EQ(config.batch.size, 16);
  EXPECT_TRUE(config.batch.drop_last);
  EXPECT_EQ(config.epochs, 7);
  EXPECT_EQ(config.seed, 3u);
  EXPECT_TRUE(config.stop && config.stop->maximize && config.stop->restore && config.stop->patience == 4);
  read_train_config({named("batch", call("min", {num(16)})), named("epochs", num(0.5)),
                     named("stop", call("early", {}, {named("patince", num(1))}))},
                    errors);
  EXPECT_EQ(all_text(errors.errors),
            "error[E608]: `batch` must be full(), stochastic() or mini(n), found `min(…)`\nhelp: a strategy with a "
            "similar name exists: `mini`\n"
            "error[E607]: `epochs` of `train` must be a whole number from 1 to 2147483647, found 0.5\n"
            "error[E607]: `early` has no argument `patince`\nhelp: a similar argument exists: `patience`\n"
            "error[E607]: `early` needs `name = …`\n");
}

}  // namespace
}  // namespace nnc
