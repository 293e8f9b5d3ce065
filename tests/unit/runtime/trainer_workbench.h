// A trainer without a compiler: a stand-in for native code, and a dataset to run it on.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "files.h"
#include "runtime/trainer.h"

namespace nnc::test {

// A stand-in for compiled code: the state is [seed i64 | step i64 | w f32 | lr f64 | lr_factor f64]; `loss` is the mean
// of x over the batch, `odd` the share of odd rows.
struct Fake {
  std::vector<float> seen;  // x of each row trained on, in order
  std::vector<int64_t> batches;
  int64_t evaluations = 0;
  int64_t break_at = -1;          // step whose loss is NaN
  int64_t break_weight_at = -1;   // step that makes the parameter infinite
  std::vector<float> val_losses;  // of successive evaluations; empty: the mean of x
};

struct FakeState {
  int64_t seed, step;
  float w;
  double lr, lr_factor;
};

struct FakeEntry {
  Fake* fake;
  int64_t batch;
};

inline float mean(const float* x, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += x[i];
  return static_cast<float>(sum / static_cast<double>(count));
}

inline void fake_initialize(const nnc_context* context) {
  if (context->thread == 0) static_cast<FakeState*>(context->state)->w = 0.5f;
}

inline void fake_step(const nnc_context* context) {
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
  // Depends on all rows seen so far and their order.
  state->w = 0.75f * state->w + mean(x, entry.batch) * static_cast<float>(state->step % 7 + 1);
  if (state->step == entry.fake->break_weight_at) state->w = std::numeric_limits<float>::infinity();
  ++state->step;
  state->lr = 1.0 / static_cast<double>(state->step);
}

inline void fake_evaluate(const nnc_context* context) {
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
                         {"w", ElementType::f32, {}, 16, 4, {}, true},
                         {":lr", ElementType::f64, {}, 24, 8, {}},
                         {":lr_factor", ElementType::f64, {}, 32, 8, {}}};
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
  // `state` and `start`: of the run that is resumed.
  Outcome run(const TrainHooks& hooks = {}, int64_t threads = 1, const FakeState* state = nullptr,
              const TrainStart* start = nullptr) {
    compile();
    auto session = open_session(executable, threads);
    EXPECT_TRUE(session);
    initialize(*session, config.seed);
    if (state != nullptr) std::memcpy(session->state.data(), state, sizeof *state);
    auto result = train(*session, dataset, config, hooks, start);
    EXPECT_TRUE(result) << (result ? "" : all_text(result.error()));
    Outcome outcome{result ? *result : TrainResult{}, {}};
    std::memcpy(&outcome.state, session->state.data(), sizeof(FakeState));
    return outcome;
  }
};

}  // namespace nnc::test
