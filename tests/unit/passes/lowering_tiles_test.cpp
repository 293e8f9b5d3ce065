// Training steps with products in tiles: what is copied for them, and that threads do not meet.
#include <algorithm>

#include "ir/loop/text.h"
#include "tests/unit/passes/lowering_harness.h"
#include "tests/unit/passes/lowering_training.h"

namespace nnc::testing {
namespace {

constexpr MlpShape kShape{34, 70, 100, 48, 16};

Lowered lower(const Program& program, std::set<std::string> disabled = {}) {
  PipelineOptions options;
  options.target = target_amx();
  options.precision = DType::bf16;
  options.disabled = std::move(disabled);
  return lower_program(program, options);
}

const Plan& step_of(const Lowered& lowered) {
  return *std::find_if(lowered.plans.begin(), lowered.plans.end(),
                       [](const Plan& plan) { return plan.graph.name == "step"; });
}

// Wherever the sum of two matrices in bf16 is long enough, in blocks of at most two tiles of rows; its factors are
// filled up with zeros to whole tiles.
TEST(LoweredTiles, read_copies_in_whole_tiles) {
  const Lowered lowered = lower(mlp_program(kShape));
  const Plan& plan = step_of(lowered);
  int tiled = 0, chained = 0;
  for (const Region& region : plan.regions) {
    if (region.kind != Region::contract) continue;
    if (plan.graph[region.anchor].as<ContractAttr>().order.kind != Order::tiles) {
      ++chained;
      continue;
    }
    ++tiled;
    EXPECT_LE(region.tiling.rows, 32);
    EXPECT_FALSE(region.tiling.deferred);
    int left = 0, right = 0;
    for (const Region::Read& read : region.reads) {
      const Storage& storage = plan[read.storage];
      if (!storage.packed) continue;
      (storage.even_low ? right : left) += 1;
      const int64_t length = storage.layout.physical[1];
      EXPECT_EQ(length % (storage.even_low ? 16 : 32), 0) << storage.name;
      EXPECT_EQ(storage.type.dtype, storage.even_low ? DType::i32 : DType::bf16);
      EXPECT_EQ(storage.pair_axis >= 0, storage.even_low);
    }
    EXPECT_EQ(left, 1);
    EXPECT_EQ(right, 1);
  }
  // fc1: 70 and, for its weights, 34 rows; fc2: 100, 48 and 34; fc3: 48 and 34, but 16 outputs are too few to sum.
  EXPECT_EQ(tiled, 7);
  EXPECT_EQ(chained, 1);
}

TEST(LoweredTiles, are_not_where_nothing_is_rounded) {
  PipelineOptions options;
  options.target = target_amx();
  const std::string amx = print(lower_program(mlp_program(kShape), options).module);
  EXPECT_EQ(amx.find("tiles"), std::string::npos);
  options.target = target_avx512();
  std::string avx512 = print(lower_program(mlp_program(kShape), options).module);
  for (size_t at; (at = avx512.find("target=avx512")) != std::string::npos;) avx512.replace(at, 13, "target=amx");
  EXPECT_EQ(amx, avx512);
}

// What one thread writes, tiles and the zeros behind them, no other touches in the same phase.
TEST(LoweredTiles, have_no_races) {
  const Program program = mlp_program(kShape);
  const Lowered lowered = lower(program);
  EXPECT_NE(print(lowered.module).find(" tiles "), std::string::npos);
  LoopRunner runner(lowered.module);
  runner.set_states(random_states(program));
  LoopRunner::Io io;
  for (const auto& [name, tensor] : random_inputs(function(program, "step"))) io[name] = to_bytes(tensor);
  for (const int64_t threads : {2, 7}) {
    const std::vector<std::string> races = runner.races("step", io, threads);
    EXPECT_TRUE(races.empty()) << races.size() << " races, the first " << races[0];
  }
}

}  // namespace
}  // namespace nnc::testing
