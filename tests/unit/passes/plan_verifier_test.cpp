// Good plans, broken by hand: the verifier names the rule and the region or buffer.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "passes/pipeline.h"
#include "tests/unit/passes/lowering_training.h"

namespace nnc::testing {
namespace {

class PlanVerifier : public ::testing::Test {
 protected:
  static const Lowered& lowered() {
    static const Lowered result = [] {
      PipelineOptions options;
      options.target = target_avx512();
      MlpShape shape;
      shape.hidden = 130;
      shape.rich = false;
      return lower_program(mlp_program(shape), options);
    }();
    return result;
  }

  void SetUp() override {
    plan = lowered().plans[0];
    ASSERT_EQ(plan.graph.name, "step");
    ASSERT_TRUE(verify(plan).empty()) << verify(plan)[0];
  }

  NodeId node(std::string_view label) const {
    for (size_t n = 0; n < plan.graph.nodes.size(); ++n) {
      if (plan.graph.nodes[n].label == label) return NodeId(n);
    }
    ADD_FAILURE() << "no node " << label;
    return NodeId(size_t{0});
  }
  // The region that computes the value.
  Region& region(std::string_view label) {
    const NodeId id = node(label);
    for (Region& region : plan.regions) {
      if (std::find(region.members.begin(), region.members.end(), id) != region.members.end()) return region;
    }
    ADD_FAILURE() << "no region computes " << label;
    return plan.regions[0];
  }
  // The region that writes the state.
  Region& writer(std::string_view state) {
    for (Region& region : plan.regions) {
      for (const Region::Output& output : region.outputs) {
        if (plan[output.storage].kind == Storage::state && plan[output.storage].name == state) return region;
      }
    }
    ADD_FAILURE() << "no region writes " << state;
    return plan.regions[0];
  }
  Storage& storage(std::string_view name, Storage::Kind kind, bool mirror = false) {
    for (Storage& storage : plan.storages) {
      if (storage.name == name && storage.kind == kind && storage.mirror == mirror) return storage;
    }
    ADD_FAILURE() << "no storage " << name;
    return plan.storages[0];
  }
  StorageId id_of(const Storage& storage) const {
    return StorageId(static_cast<size_t>(&storage - plan.storages.data()));
  }
  void drop_outputs(Region& region, std::string_view name) {
    const size_t before = region.outputs.size();
    std::erase_if(region.outputs, [&](const Region::Output& output) { return plan[output.storage].name == name; });
    EXPECT_LT(region.outputs.size(), before);
  }

  // Some message is about `name` and cites the rule.
  void expect_broken(std::string_view rule, std::string_view name) const {
    const std::vector<std::string> messages = verify(plan);
    const bool found = std::any_of(messages.begin(), messages.end(), [&](const std::string& message) {
      const size_t at = message.find(fmt::format(": {}: ", rule));
      return at != std::string::npos && message.find(name) < at;
    });
    EXPECT_TRUE(found) << rule << " of " << name << " is not among:\n" << fmt::format("{}", fmt::join(messages, "\n"));
  }

  Plan plan;
};

TEST_F(PlanVerifier, a_member_of_two_regions) {
  region("z2").members.push_back(region("z1").members[0]);
  expect_broken("P1", region("z2").name);
}

TEST_F(PlanVerifier, a_value_stored_by_a_stranger) {
  region("z1").outputs.push_back({node("ml"), plan.io.back()});
  expect_broken("P1", region("z1").name);
}

TEST_F(PlanVerifier, a_value_stored_in_another_shape) {
  storage("h1", Storage::arena).type.dims[1] -= 1;
  expect_broken("P1", region("z1").name);
}

TEST_F(PlanVerifier, a_read_before_the_write) {
  region("z1").phase = static_cast<int64_t>(plan.phases.size()) - 1;
  expect_broken("P1", region("z2").name);
}

TEST_F(PlanVerifier, a_buffer_nobody_writes) {
  drop_outputs(region("z1"), "h1");
  expect_broken("P1", "\"h1\"");
}

TEST_F(PlanVerifier, two_writers_of_a_buffer) {
  region("z2").outputs.push_back({node("h1"), id_of(storage("h1", Storage::arena))});
  expect_broken("P1", region("z2").name);
}

TEST_F(PlanVerifier, a_layout_of_an_axis_that_is_not) {
  storage("h1", Storage::arena).layout.factors[0].axis = 7;
  expect_broken("P2", "\"h1\"");
}

TEST_F(PlanVerifier, a_pitch_below_the_extent) {
  Layout& layout = storage("h1", Storage::arena).layout;
  layout.physical[1] = layout.factors[1].extent - 1;
  expect_broken("P2", "\"h1\"");
}

TEST_F(PlanVerifier, a_layout_too_small_for_its_axis) {
  storage("fc1.weight", Storage::state).layout.factors[1].extent -= 1;
  expect_broken("P2", "\"fc1.weight\"");
}

TEST_F(PlanVerifier, more_extents_than_factors) {
  storage("fc1.weight", Storage::state).layout.physical.push_back(1);
  expect_broken("P2", "\"fc1.weight\"");
}

TEST_F(PlanVerifier, a_buffer_off_its_line) {
  storage("h1", Storage::arena).offset += 4;
  expect_broken("P2", "\"h1\"");
}

TEST_F(PlanVerifier, a_mirror_left_behind) {
  Storage mirror = storage("fc2.weight", Storage::state);
  mirror.mirror = true;
  mirror.offset = plan.state_bytes;
  plan.state_bytes += mirror.bytes;
  plan.storages.push_back(mirror);
  expect_broken("P3", "\"fc2.weight\"");
}

TEST_F(PlanVerifier, bytes_shared_at_the_same_time) {
  Storage& h1 = storage("h1", Storage::arena);
  h1.offset = storage("h2", Storage::arena).offset;
  EXPECT_NE(h1.offset, lowered().plans[0][id_of(h1)].offset);
  expect_broken("P4", "storage");
}

TEST_F(PlanVerifier, a_life_beyond_the_last_phase) {
  storage("h1", Storage::arena).last_phase = static_cast<int64_t>(plan.phases.size());
  expect_broken("P4", "\"h1\"");
}

TEST_F(PlanVerifier, a_read_across_items_in_the_phase_of_the_write) {
  const StorageId h1 = id_of(storage("h1", Storage::arena));
  for (Region::Read& read : region("z2").reads) {
    if (read.storage == h1) read.item_local = false;
  }
  expect_broken("P5", region("z2").name);
}

TEST_F(PlanVerifier, an_item_local_read_over_another_grid) {
  region("z2").grid.axes[0].count -= 1;
  expect_broken("P5", region("z2").name);
}

TEST_F(PlanVerifier, a_region_in_no_phase) {
  region("z3").phase = -1;
  expect_broken("P5", region("z3").name);
}

TEST_F(PlanVerifier, a_state_overwritten_before_it_is_read) {
  Region& update = writer("fc2.weight");
  ASSERT_GT(update.phase, region("z2").phase);
  update.phase = region("z2").phase;
  expect_broken("P6", region("z2").name);
}

TEST_F(PlanVerifier, two_writers_of_a_state) {
  Region& other = writer("fc3.weight");
  other.outputs.push_back({other.members.back(), id_of(storage("fc2.weight", Storage::state))});
  expect_broken("P6", other.name);
}

TEST_F(PlanVerifier, row_values_in_a_region_whose_vectors_run_across) {
  region("z3").tiling.lane_axis = 0;
  expect_broken("P7", region("z3").name);
}

TEST_F(PlanVerifier, row_values_in_a_region_of_several_panels) {
  region("z3").tiling.panels = 2;
  expect_broken("P7", region("z3").name);
}

TEST_F(PlanVerifier, a_sum_over_rows_that_items_share) {
  Region& mean = region("ms");
  ASSERT_EQ(mean.domain.size(), 1u);
  mean.grid.axes.push_back({0, 2, 2});
  expect_broken("P7", mean.name);
}

TEST_F(PlanVerifier, a_grid_over_no_axis) {
  region("z1").grid.axes[0].axis = 2;
  expect_broken("P8", region("z1").name);
}

TEST_F(PlanVerifier, a_grid_of_no_tiles) {
  region("z1").grid.axes[0].count = 0;
  expect_broken("P8", region("z1").name);
}

TEST_F(PlanVerifier, more_tiles_than_elements) {
  region("z1").grid.axes[0].count = region("z1").domain[0] + 1;
  expect_broken("P8", region("z1").name);
}

TEST_F(PlanVerifier, a_grid_of_another_extent) {
  region("z1").grid.axes[0].extent -= 1;
  expect_broken("P8", region("z1").name);
}

TEST_F(PlanVerifier, a_sum_in_no_blocks_or_in_blocks_whose_items_hold_no_strip) {
  for (const int64_t blocks : {0, 2}) {
    region("z1").tiling.blocks = blocks;
    expect_broken("P12", region("z1").name);
  }
}

class ColumnSums : public PlanVerifier {
 protected:
  // Enough rows for updates to be deferred, and so for the bias to stand beside the weight.
  void SetUp() override {
    PipelineOptions options;
    options.target = target_avx512();
    const MlpShape many{20, 21, 130, 37, 10, false};
    lowered_ = lower_program(mlp_program(many), options);
    plan = lowered_.plans[0];
    ASSERT_TRUE(verify(plan).empty()) << verify(plan)[0];
    ASSERT_TRUE(writer("fc1.weight").column_sum);
  }

  Lowered lowered_;
};

TEST_F(ColumnSums, that_are_none) {
  Region& update = writer("fc1.weight");
  update.column_sum = node("z1");
  expect_broken("P13", update.name);
}

TEST_F(ColumnSums, that_nobody_takes) {
  Region& update = writer("fc1.weight");
  update.column_sum = {};
  expect_broken("P7", update.name);
}

TEST_F(PlanVerifier, a_root_nobody_stores) {
  drop_outputs(region("ml"), "ce");
  expect_broken("P9", "\"ce\"");
}

TEST_F(PlanVerifier, an_assign_nobody_stores) {
  drop_outputs(writer("fc1.weight:m"), "fc1.weight:m");
  expect_broken("P9", "\"fc1.weight:m\"");
}

TEST_F(PlanVerifier, fewer_bytes_than_elements) {
  storage("h1", Storage::arena).bytes -= 64;
  expect_broken("P10", "\"h1\"");
}

TEST_F(PlanVerifier, a_segment_too_short_for_its_states) {
  plan.state_bytes -= 64;
  expect_broken("P10", fmt::format("\"{}\"", plan.program->states.back().name));
}

TEST_F(PlanVerifier, an_arena_too_small_for_what_is_alive) {
  plan.arena_bytes = plan.live_bytes - 64;
  expect_broken("P10", "arena");
}

}  // namespace
}  // namespace nnc::testing
