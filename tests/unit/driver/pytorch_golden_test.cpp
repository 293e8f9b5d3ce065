// 100 steps of Adam against PyTorch (tests/goldens/pytorch/mlp_adam.py, whose formulas are repeated here).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "codegen/codegen.h"
#include "tests/unit/driver/native_harness.h"

namespace nnc::testing {
namespace {

constexpr int64_t kSizes[] = {30, 64, 32, 10};
constexpr int64_t kBatch = 32;
constexpr int kSteps = 100;

// Both sides compute in f32 and sum in different orders, so they part by some 2^-24 a sum, and a little more each step.
// Adam divides gradients by their size: how far a small parameter has moved follows the learning rate (1e-2 is a tenth
// of lr * steps) and not its value.
constexpr double kLossBound = 1e-5;       // relative
constexpr double kParameterBound = 5e-5;  // relative to max(|value|, kParameterScale)
constexpr double kParameterScale = 1e-2;

constexpr const char* kModel = R"(
model Golden {
  input  x: [batch, 30]
  target y: i32<10>[batch]
  fc1 = Linear(64)
  fc2 = Linear(32)
  fc3 = Linear(10)
  h1 = relu(fc1(x))
  h2 = relu(fc2(h1))
  loss ce = cross_entropy(fc3(h2), y)
}
train {
  optimizer = Adam(lr = 1e-3)
  batch = mini(32)
}
)";

Bytes weight(int64_t count, int64_t fan_in, int64_t salt) {
  Bytes values(count * 4);
  for (int64_t k = 0; k < count; ++k) {
    const double number = static_cast<double>((k * 7919 + salt * 104729) % 2003) / 2003 - 0.5;
    write_element(DType::f32, values.data() + k * 4, number * (2 / std::sqrt(static_cast<double>(fan_in))));
  }
  return values;
}

Bytes inputs(int64_t step) {
  Bytes values(kBatch * kSizes[0] * 4);
  for (int64_t k = 0; k < kBatch * kSizes[0]; ++k) {
    write_element(DType::f32, values.data() + k * 4,
                  static_cast<double>((k * 3571 + step * 7727) % 1009) / 1009 * 2 - 1);
  }
  return values;
}

Bytes labels(int64_t step) {
  Bytes values(kBatch * 4);
  for (int64_t k = 0; k < kBatch; ++k) {
    write_element(DType::i32, values.data() + k * 4, static_cast<double>((k * 3 + step * 5) % 7 % kSizes[3]));
  }
  return values;
}

void set_weights(Runner& runner) {
  for (int64_t n = 0; n < 3; ++n) {
    const int64_t fan_in = kSizes[n], fan_out = kSizes[n + 1];
    runner.set_state(fmt::format("fc{}.weight", n + 1), weight(fan_in * fan_out, fan_in, 2 * n));
    runner.set_state(fmt::format("fc{}.bias", n + 1), weight(fan_out, fan_in, 2 * n + 1));
  }
  LoopRunner::Io none;
  if (runner.has("refresh", 0)) runner.run("refresh", 0, none);
}

TEST(PyTorch, adam_takes_the_same_hundred_steps) {
  std::ifstream file(NNC_SOURCE_DIR "/tests/goldens/pytorch/mlp_adam.json");
  const nlohmann::json golden = nlohmann::json::parse(file);
  ASSERT_EQ(golden.at("losses").size(), static_cast<size_t>(kSteps));
  ASSERT_EQ(golden.at("parameters").size(), 6u);
  const Program program = program_of(kModel, {{"x", {DType::f32, 0, {30}}}, {"y", {DType::i32, 10, {}}}}, {kBatch});
  ASSERT_FALSE(program.functions.empty());
  for (const Target& target : detect_host().targets) {
    SCOPED_TRACE(target.name);
    PipelineOptions options;
    options.target = target;
    Runner runner(native(lower_program(program, options).module), 2);
    runner.start(0);
    set_weights(runner);
    double worst_loss = 0, worst_parameter = 0;
    for (int step = 0; step < kSteps; ++step) {
      LoopRunner::Io io;
      io["x"] = inputs(step);
      io["y"] = labels(step);
      runner.run("step", kBatch, io);
      const double loss = read_element(DType::f32, io.at("ce").data()),
                   expected = golden.at("losses")[static_cast<size_t>(step)];
      worst_loss = std::max(worst_loss, std::abs(loss - expected) / expected);
      ASSERT_NEAR(loss, expected, kLossBound * expected) << "step " << step;
    }
    for (const auto& [name, values] : golden.at("parameters").items()) {
      const Bytes got = runner.state(name);
      ASSERT_EQ(static_cast<size_t>(got.size()), values.size() * 4) << name;
      for (size_t k = 0; k < values.size(); ++k) {
        const double expected = values[k], value = read_element(DType::f32, got.data() + k * 4);
        const double scale = std::max(std::abs(expected), kParameterScale);
        worst_parameter = std::max(worst_parameter, std::abs(value - expected) / scale);
        ASSERT_NEAR(value, expected, kParameterBound * scale) << name << " element " << k;
      }
    }
    RecordProperty(target.name + "_worst_relative_loss_error", fmt::format("{:.2g}", worst_loss));
    RecordProperty(target.name + "_worst_relative_parameter_error", fmt::format("{:.2g}", worst_parameter));
  }
}

}  // namespace
}  // namespace nnc::testing
