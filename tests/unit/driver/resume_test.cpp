// Every part of training that keeps something from step to step: interrupted in mid-epoch, resumed, and compared bit
// for bit with a run that was not.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "run.h"
#include "run_folders.h"

namespace {

using namespace nnc::test;

const std::string model = R"(model Net {
  input  x: [batch, features]
  target y: [batch]
  h = x |> Linear(16) |> relu |> Dropout(0.2)
  logit = h |> Linear(1) |> squeeze(-1)
  output p = sigmoid(logit)
  loss   bce = bce_with_logits(logit, y)
  metric hits = mean((p > 0.5) == (y > 0.5))
  metric auc = roc_auc(p, y)
}
data {
  source = csv("data.csv")
  split  = random(val = 0.2, seed = 3)
  x = col("a", "b") |> standard()
  y = col("kind") |> binary(positive = "good")
}
train {
  optimizer = SGD(lr = 0.05)
  batch  = mini(4)
  epochs = 400
  stop   = early("val.auc", mode = "max", patience = 1000, restore = true)
}
)";

// The steps of the epoch under way that the newest checkpoint of the run stands at.
int64_t step_in_epoch(const std::string& run) {
  const std::string text = read_text(newest_checkpoint(run, "last") + "/progress.json");
  return nlohmann::json::parse(text).at("progress").at("step").get<int64_t>();
}

void expect_resumed_the_same(const std::vector<std::string>& settings) {
  const ModelFile file(model, two_class_table(500));
  const auto train = [&](const std::string& folder) {
    std::vector<std::string> words = {"train", file.path, "--save-every=0", "--run-dir=" + file.folder + "/" + folder};
    words.insert(words.end(), settings.begin(), settings.end());
    return words;
  };
  const Ran once = run(train("whole"));
  ASSERT_EQ(once.code, 0) << once.err;
  const std::string whole = file.folder + "/whole/net-1", broken = file.folder + "/broken/net-1";
  int code = run_and_signal(train("broken"), broken, SIGINT, 4);
  ASSERT_EQ(code, 130) << "the run was over too soon to be interrupted";
  int in_mid_epoch = step_in_epoch(broken) > 0;
  code = run_and_signal({"resume", broken, "--save-every=0"}, broken, SIGKILL, 7);
  EXPECT_TRUE(code == -SIGKILL || code == 0) << code;
  in_mid_epoch += step_in_epoch(broken) > 0;
  const Ran last = run({"resume", broken});
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_GE(in_mid_epoch, 1);
  EXPECT_TRUE(final_states(broken) == final_states(whole)) << "the states differ";
  EXPECT_EQ(metrics_without_seconds(broken), metrics_without_seconds(whole));
}

TEST(Resume, AccumulationClippingAndMomentum) {
  expect_resumed_the_same({"train.accumulate=3", "train.clip=norm(0.5)",
                           "train.optimizer=SGD(lr = 0.05, momentum = 0.9, nesterov = true)"});
}

TEST(Resume, PlateauAndAverage) {
  expect_resumed_the_same(
      {"train.average=ema(0.99)",
       "train.optimizer=Adam(lr = reduce_on_plateau(2e-2, factor = 0.7, patience = 1, cooldown = 1))"});
}

TEST(Resume, ScheduleDampeningAndDecay) {
  expect_resumed_the_same({"train.clip=value(0.05)", "train.batch=mini(7, drop_last = true)",
                           "train.optimizer=SGD(lr = warmup_cosine(0.1, warmup = 40), momentum = 0.8, dampening = 0.1, "
                           "weight_decay = 1e-3)"});
}

}  // namespace
