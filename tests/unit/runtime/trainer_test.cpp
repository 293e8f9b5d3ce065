#include "runtime/trainer.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "files.h"
#include "runtime/logs/progress.h"
#include "runtime/signals.h"

namespace nnc {
namespace {

using test::all_text;

// A stand-in for compiled code: the state is [seed i64 | step i64 | w f32]; `loss` is the mean of x over the batch,
// `odd` the share of odd rows.
struct Fake {
  std::vector<float> seen;  // x of each row trained on, in order
  std::vector<int64_t> batches;
  int64_t evaluations = 0;
  int64_t break_at = -1;          // step whose loss is NaN
  std::vector<float> val_losses;  // of successive evaluations; empty: the mean of x
};

struct FakeState {
  int64_t seed, step;
  float w;
};

struct FakeEntry {
  Fake* fake;
  int64_t batch;
};

float mean(const float* x, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += x[i];
  return static_cast<float>(sum / static_cast<double>(count));
}

void fake_initialize(const nnc_context* context) {
  if (context->thread == 0) static_cast<FakeState*>(context->state)->w = 0.5f;
}

void fake_step(const nnc_context* context) {
  if (context->thread != 0) return;
  const auto& entry = *static_cast<FakeEntry*>(context->closure);
  auto* state = static_cast<FakeState*>(context->state);
  const auto* x = static_cast<const float*>(context->io[0]);
  const auto* y = static_cast<const int32_t*>(context->io[1]);
  int64_t odd = 0;
  for (int64_t i = 0; i < entry.batch; ++i) odd += y[i] % 2;
  *static_cast<float*>(context->io[2]) =
      state->step == entry.fake->break_at ? std::numeric_limits<float>::quiet_NaN() : mean(x, entry.batch);
  *static_cast<float*>(context->io[3]) = static_cast<float>(odd) / static_cast<float>(entry.batch);
  entry.fake->seen.insert(entry.fake->seen.end(), x, x + entry.batch);
  entry.fake->batches.push_back(entry.batch);
  ++state->step;
  state->w = static_cast<float>(state->step);
}

void fake_evaluate(const nnc_context* context) {
  if (context->thread != 0) return;
  const auto& entry = *static_cast<FakeEntry*>(context->closure);
  const auto* x = static_cast<const float*>(context->io[0]);
  const auto& planned = entry.fake->val_losses;
  const auto count = static_cast<size_t>(entry.fake->evaluations++);
  *static_cast<float*>(context->io[2]) =
      planned.empty() ? mean(x, entry.batch) : planned[std::min(count, planned.size() - 1)];
  *static_cast<float*>(context->io[3]) = 0;
}

struct Workbench {
  Fake fake;
  Dataset dataset;
  TrainConfig config;
  Executable executable;
  std::vector<std::unique_ptr<FakeEntry>> closures;

  Workbench(int64_t train_rows, int64_t val_rows) {
    dataset.rows = train_rows + val_rows;
    for (int64_t row = 0; row < dataset.rows; ++row)
      (row < train_rows ? dataset.train : dataset.val).push_back(static_cast<uint32_t>(row));
    for (const char* name : {"x", "y"}) {
      DataField field;
      field.name = name;
      field.type = *name == 'x' ? ElementType::f32 : ElementType::i32;
      field.row_bytes = 4;
      field.values = std::move(*allocate(dataset.rows * 4, "test"));
      for (int64_t row = 0; row < dataset.rows; ++row) {
        const float x = static_cast<float>(row);
        const auto y = static_cast<int32_t>(row);
        if (*name == 'x') {
          std::memcpy(field.values.data() + row * 4, &x, 4);
        } else {
          std::memcpy(field.values.data() + row * 4, &y, 4);
        }
      }
      dataset.fields.push_back(std::move(field));
    }
  }

  void compile() {
    executable.state_bytes = 64;
    executable.arena_bytes = 128;
    executable.scratch_bytes = 10;
    executable.states = {{"seed", ElementType::i64, {}, 0, 8, {}},
                         {"step", ElementType::i64, {}, 8, 8, {}},
                         {"w", ElementType::f32, {}, 16, 4, {}, true}};
    executable.entries.clear();
    for (const EntryNeed& need : needed_entries(dataset, config)) {
      Entry entry;
      entry.name = need.name;
      entry.batch = need.batch;
      entry.call = need.name == "step" ? fake_step : need.name == "evaluate" ? fake_evaluate : fake_initialize;
      if (need.batch > 0) {
        entry.io = {{IoTensor::input, "x", ElementType::f32, {need.batch}},
                    {IoTensor::target, "y", ElementType::i32, {need.batch}},
                    {IoTensor::loss, "mse", ElementType::f32, {}, true},
                    {IoTensor::metric, "odd", ElementType::f32, {}, true}};
      }
      closures.push_back(std::make_unique<FakeEntry>(FakeEntry{&fake, need.batch}));
      entry.closure = closures.back().get();
      executable.entries.push_back(std::move(entry));
    }
  }

  struct Outcome {
    TrainResult result;
    FakeState state;
  };
  Outcome run(const TrainHooks& hooks = {}, int64_t threads = 1) {
    compile();
    auto session = open_session(executable, threads);
    EXPECT_TRUE(session);
    initialize(*session, config.seed);
    auto result = train(*session, dataset, config, hooks);
    EXPECT_TRUE(result) << (result ? "" : all_text(result.error()));
    Outcome outcome{result ? *result : TrainResult{}, {}};
    std::memcpy(&outcome.state, session->state.data(), sizeof(FakeState));
    return outcome;
  }
};

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
    EXPECT_EQ(outcome.state.w, restore ? 12.0f : 24.0f);
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
  EXPECT_EQ(outcome.state.step, 7);
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

struct Capture {
  std::FILE* file = std::tmpfile();
  ~Capture() { std::fclose(file); }
  std::string text() {
    std::string out;
    std::rewind(file);
    for (int c; (c = std::fgetc(file)) != EOF;) out += static_cast<char>(c);
    return out;
  }
};

TEST(Progress, PlainLinesAndTable) {
  Workbench setup(40, 10);
  setup.config.epochs = 2;
  Capture progress, results;
  Progress shown({ProgressStyle::plain, false, 80, progress.file, results.file});
  shown.finish(setup.run(shown.hooks()).result);
  const std::string lines = progress.text();
  EXPECT_EQ(lines.find('\r'), std::string::npos);
  EXPECT_EQ(lines.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  EXPECT_NE(lines.find("epoch 1/2  train.mse 19.500  train.odd 0.5000  val.mse 44.500"), std::string::npos) << lines;
  const std::string table = results.text();
  EXPECT_NE(table.find("mse       19.500      44.500\n"), std::string::npos) << table;
  EXPECT_NE(table.find("2 epochs, 4 steps in "), std::string::npos) << table;
}

TEST(Progress, JsonLinesParse) {
  Workbench setup(40, 0);
  setup.config.epochs = 3;
  setup.fake.break_at = 5;
  Capture progress, results;
  Progress shown({ProgressStyle::json, false, 80, progress.file, results.file});
  shown.finish(setup.run(shown.hooks()).result);
  EXPECT_EQ(progress.text(), "");
  std::istringstream lines(results.text());
  std::vector<nlohmann::json> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(objects.size(), 3u);
  EXPECT_EQ(objects[0]["schema"], json_schema);
  EXPECT_EQ(objects[0]["event"], "epoch");
  EXPECT_NEAR(objects[0]["train"]["mse"].get<double>(), 19.5, 1e-5);
  EXPECT_EQ(objects[2]["status"], "diverged");
  EXPECT_EQ(objects[2]["diverged"]["loss"], "mse");
}

TEST(Progress, TerminalRedrawsAtMostTwentyTimesASecond) {
  Capture progress;
  Progress shown({ProgressStyle::terminal, false, 60, progress.file, progress.file});
  const auto start = std::chrono::steady_clock::now();
  StepReport report{1, 1, 0, 1000000, 0.5};
  while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(400)) {
    if (++report.step > report.steps) report.step = 1;
    shown.step(report);
  }
  EXPECT_GE(shown.redraws(), 2);
  EXPECT_LE(shown.redraws(), 9);
  const std::string text = progress.text();
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Progress, Numbers) {
  EXPECT_EQ(format_seconds(1.234), "1.23 s");
  EXPECT_EQ(format_seconds(245), "4 min 05 s");
  EXPECT_EQ(format_seconds(3 * 3600 + 120), "3 h 02 min");
  EXPECT_EQ(format_measure(0.12345), "0.1235");
  EXPECT_EQ(format_measure(1e-6), "1.000e-06");
  EXPECT_EQ(format_measure(0), "0.0000");
}

}  // namespace
}  // namespace nnc
