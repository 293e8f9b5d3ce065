// What shares a kernel, a phase and bytes: counts on training steps, not dumps.
#include <fmt/format.h>

#include <algorithm>

#include "passes/pipeline.h"
#include "tests/unit/passes/lowering_harness.h"
#include "tests/unit/passes/lowering_training.h"

namespace nnc::testing {
namespace {

Lowered lower(const MlpShape& shape, std::set<std::string> disabled = {}, const Target& target = target_avx512()) {
  PipelineOptions options;
  options.target = target;
  options.disabled = std::move(disabled);
  return lower_program(mlp_program(shape), options);
}

NodeId find(const Plan& plan, std::string_view label) {
  for (size_t n = 0; n < plan.graph.nodes.size(); ++n) {
    if (plan.graph.nodes[n].label == label) return NodeId(n);
  }
  ADD_FAILURE() << "no node " << label;
  return NodeId(size_t{0});
}

bool computes(const Region& region, NodeId node) {
  return std::find(region.members.begin(), region.members.end(), node) != region.members.end();
}

const Region& region_of(const Plan& plan, std::string_view label) {
  const NodeId id = find(plan, label);
  for (const Region& region : plan.regions) {
    if (computes(region, id)) return region;
  }
  ADD_FAILURE() << "no region computes " << label;
  return plan.regions[0];
}

bool stores(const Region& region, NodeId node) {
  return std::any_of(region.outputs.begin(), region.outputs.end(),
                     [&](const Region::Output& output) { return output.value == node; });
}

// Names of the states that the region overwrites, mirrors apart.
std::set<std::string> states_of(const Plan& plan, const Region& region) {
  std::set<std::string> names;
  for (const Region::Output& output : region.outputs) {
    const Storage& storage = plan[output.storage];
    if (storage.kind == Storage::state) names.insert(storage.name + (storage.mirror ? " mirror" : ""));
  }
  return names;
}

int64_t calls(const Lowered& lowered, size_t entry) {
  int64_t count = 0;
  for (const LoopPhase& phase : lowered.module.entries[entry].phases) count += static_cast<int64_t>(phase.calls.size());
  return count;
}

constexpr MlpShape kMnist{128, 784, 512, 256, 10, false};

TEST(PlanStructure, bias_and_relu_stand_in_the_region_of_the_product) {
  const Lowered lowered = lower(kMnist);
  const Plan& plan = lowered.plans[0];
  for (const char* k : {"1", "2"}) {
    const Region& region = region_of(plan, fmt::format("z{}", k));
    EXPECT_EQ(region.kind, Region::contract);
    EXPECT_TRUE(stores(region, find(plan, fmt::format("h{}", k))));
    EXPECT_FALSE(stores(region, find(plan, fmt::format("z{}", k))));
  }
}

TEST(PlanStructure, softmax_and_its_gradient_stand_behind_a_product_of_one_panel) {
  for (int64_t classes : {10, 64}) {
    MlpShape shape = kMnist;
    shape.classes = classes;
    const Lowered lowered = lower(shape);
    const Plan& plan = lowered.plans[0];
    const Region& region = region_of(plan, "z3");
    for (const char* label : {"mx", "su", "pk"})
      EXPECT_TRUE(computes(region, find(plan, label))) << classes << " " << label;
    EXPECT_FALSE(stores(region, find(plan, "l3")));
  }
  MlpShape shape = kMnist;
  shape.classes = 65;
  const Lowered lowered = lower(shape);
  EXPECT_FALSE(computes(region_of(lowered.plans[0], "z3"), find(lowered.plans[0], "mx")));
}

TEST(PlanStructure, an_update_stands_in_the_region_of_its_gradient) {
  const Lowered lowered = lower(kMnist);
  const Plan& plan = lowered.plans[0];
  int updates = 0;
  for (const Region& region : plan.regions) {
    const std::set<std::string> states = states_of(plan, region);
    if (states.empty() || states.contains("step")) continue;
    ++updates;
    const std::string layer = states.begin()->substr(0, states.begin()->find('.'));
    std::set<std::string> expected;
    for (const char* name : {".weight", ".bias"}) {
      for (const char* kind : {"", ":m", ":v"}) expected.insert(layer + name + kind);
    }
    EXPECT_EQ(states, expected) << "the bias's beside the weight's";
    EXPECT_EQ(region.kind, Region::contract) << layer;
    EXPECT_TRUE(region.tiling.deferred && region.column_sum) << layer;
    for (const Region::Output& output : region.outputs) EXPECT_EQ(plan[output.storage].kind, Storage::state) << layer;
  }
  EXPECT_EQ(updates, 3);
}

TEST(PlanStructure, a_step_is_five_phases) {
  const Lowered fused = lower(kMnist), plain = lower(kMnist, plan_passes());
  // Two layers forward, panel by panel; the rest of forward and the loss, row by row; two gradients of activations; the
  // sums over the batch, with their updates, beside the last of them. Before it is read, the weight is turned of each
  // layer whose input wants a gradient, and so are the inputs of the two wide layers, which their weights' gradients
  // read.
  EXPECT_EQ(fused.plans[0].phases.size(), 5u);
  EXPECT_EQ(fused.plans[0].regions.size(), 14u);
  int copies = 0;
  for (const Storage& storage : fused.plans[0].storages) copies += storage.packed ? 1 : 0;
  EXPECT_EQ(copies, 4);
  EXPECT_EQ(plain.plans[0].phases.size(), plain.plans[0].regions.size());
  EXPECT_GT(plain.plans[0].phases.size(), 90u);
  for (const Lowered* lowered : {&fused, &plain}) {
    for (size_t p = 0; p < lowered->plans.size(); ++p) {
      EXPECT_EQ(lowered->module.entries[p].phases.size(), lowered->plans[p].phases.size());
      EXPECT_EQ(calls(*lowered, p), static_cast<int64_t>(lowered->plans[p].regions.size()));
    }
  }
  EXPECT_EQ(fused.plans.back().graph.name, "predict");  // there are no mirrors to refresh
  EXPECT_EQ(plain.plans.back().graph.name, "predict");
}

TEST(PlanStructure, each_pass_alone_merges_what_it_can) {
  const size_t all = lower(kMnist).plans[0].phases.size();
  const Plan no_schedule = std::move(lower(kMnist, {"schedule"}).plans[0]);
  EXPECT_EQ(no_schedule.phases.size(), no_schedule.regions.size());
  EXPECT_GT(no_schedule.phases.size(), all);
  const Plan no_regions = std::move(lower(kMnist, {"form_regions"}).plans[0]);
  EXPECT_LT(no_regions.phases.size(), no_regions.regions.size());
}

TEST(PlanStructure, values_that_never_meet_share_bytes) {
  // A node a region: more phases, so that there is something to share.
  const Lowered shared = lower(kMnist, {"form_regions"}), apart = lower(kMnist, {"form_regions", "plan_buffers"});
  EXPECT_LT(3 * shared.plans[0].arena_bytes, 2 * apart.plans[0].arena_bytes);
  int64_t bytes = 0;
  for (const Storage& storage : apart.plans[0].storages) bytes += storage.kind == Storage::arena ? storage.bytes : 0;
  EXPECT_EQ(apart.plans[0].arena_bytes, bytes);
  EXPECT_EQ(shared.module.arena_bytes, std::max(shared.plans[0].arena_bytes, shared.plans[1].arena_bytes));
}

TEST(PlanStructure, the_arena_is_close_to_what_is_alive) {
  MlpShape rich = kMnist, wide = kMnist;
  rich.rich = true;
  wide.classes = 100;
  for (const MlpShape& shape : {kMnist, rich, wide}) {
    for (const std::set<std::string>& disabled : {std::set<std::string>{}, {"form_regions"}, {"schedule"}}) {
      const Lowered lowered = lower(shape, disabled);
      for (const Plan& plan : lowered.plans) {
        EXPECT_LE(plan.live_bytes, plan.arena_bytes);
        EXPECT_LE(static_cast<double>(plan.arena_bytes), 1.05 * static_cast<double>(plan.live_bytes))
            << plan.graph.name;
      }
    }
  }
}

TEST(PlanStructure, weights_lie_in_panels_unless_layouts_are_off) {
  const Lowered packed = lower(kMnist), plain = lower(kMnist, {"choose_layouts"});
  const auto home = [](const Lowered& lowered, std::string_view name) {
    for (const Storage& storage : lowered.plans[0].storages) {
      if (storage.kind == Storage::state && storage.name == name && !storage.mirror) return storage.layout;
    }
    ADD_FAILURE() << "no state " << name;
    return Layout();
  };
  EXPECT_EQ(home(packed, "fc1.weight"), panel_layout({512, 784}, 0, 64));
  EXPECT_EQ(home(packed, "fc1.weight:v"), panel_layout({512, 784}, 0, 64));
  EXPECT_EQ(home(packed, "fc3.weight"), panel_layout({10, 256}, 0, 16));
  EXPECT_EQ(home(plain, "fc1.weight"), row_major_layout({512, 784}, 16));
  for (const Plan& plan : plain.plans) {
    for (const Storage& storage : plan.storages) EXPECT_FALSE(storage.mirror);
  }
}

// Regions of a plan that have a property.
template <class Property>
int64_t count(const Lowered& lowered, const Property& property) {
  const std::vector<Region>& regions = lowered.plans[0].regions;
  return std::count_if(regions.begin(), regions.end(), property);
}

TEST(PlanStructure, what_outgrows_a_near_cache_is_cut) {
  const auto in_blocks = [](const Region& region) { return region.tiling.blocks > 1; };
  const auto by_strips = [](const Region& region) {
    return region.tiling.deferred && region.grid.axes[0].axis == region.tiling.row_axis;
  };
  const Lowered mnist = lower(kMnist), wide = lower({128, 2048, 2048, 2048, 10, false});
  EXPECT_EQ(count(mnist, in_blocks), 0);
  EXPECT_EQ(count(mnist, by_strips), 0);
  EXPECT_EQ(count(wide, in_blocks), 3) << "two layers and the gradient between them";
  EXPECT_EQ(count(wide, by_strips), 2) << "the updates of two layers";
  for (const Region& region : wide.plans[0].regions) {
    if (in_blocks(region)) {
      EXPECT_EQ(region.tiling.blocks, 4) << region.name;
    }
  }
}

TEST(PlanStructure, gradients_lie_in_panels_where_columns_are_summed) {
  const auto panels = [](const Lowered& lowered) {
    std::vector<Dims> physical;
    for (const Storage& storage : lowered.plans[0].storages) {
      if (storage.kind == Storage::arena && !storage.packed && storage.layout.factors.size() == 3)
        physical.push_back(storage.layout.physical);
    }
    return physical;
  };
  EXPECT_EQ(panels(lower(kMnist)), (std::vector<Dims>{{8, 128, 64}})) << "of the first layer";
  MlpShape many = kMnist;
  many.batch = 500;
  EXPECT_EQ(panels(lower(many)), (std::vector<Dims>{{4, 500, 64}, {8, 500, 64}})) << "of the second in rows as well";
}

// The pipeline's options.

PipelineOptions small_options() {
  PipelineOptions options;
  options.target = target_avx2();
  return options;
}

TEST(Pipeline, stops_after_any_pass) {
  const Program program = mlp_program({});
  for (const PassInfo& pass : pass_table()) {
    PipelineOptions options = small_options();
    options.stop_after = pass.name;
    const Lowered lowered = lower_program(program, options);
    EXPECT_EQ(lowered.plans.empty(), pass.form == "graph") << pass.name;
    EXPECT_EQ(lowered.module.entries.empty(), pass.form != "loop") << pass.name;
    bool after = false;
    for (const PassTiming& timing : lowered.timings) {
      EXPECT_EQ(timing.runs > 0, !after) << timing.pass << " after " << pass.name;
      after = after || timing.pass == pass.name;
    }
  }
}

TEST(Pipeline, hands_out_the_form_after_a_pass) {
  const Program program = mlp_program({});
  for (const PassInfo& pass : pass_table()) {
    PipelineOptions options = small_options();
    options.dump_after = pass.name;
    std::vector<std::string> texts;
    options.dump = [&](std::string_view name, const std::string& text) {
      EXPECT_EQ(name, pass.name);
      texts.push_back(text);
    };
    const Lowered lowered = lower_program(program, options);
    const std::string_view start = pass.form == "graph" ? "graph " : pass.form == "plan" ? "plan " : "";
    EXPECT_FALSE(texts.empty()) << pass.name;
    for (const std::string& text : texts) EXPECT_EQ(text.find(start), 0u) << pass.name << "\n" << text;
    if (pass.form == "graph") {
      const bool of_training = pass.name == "differentiate" || pass.name == "append_update";
      EXPECT_EQ(texts.size(), of_training ? 1u : 2u) << pass.name;
    }
    if (pass.name == "append_update") {
      EXPECT_NE(texts[0].find("assign \"fc1.weight:m\""), std::string::npos);
    }
  }
}

TEST(Pipeline, a_limit_makes_later_runs_trivial) {
  const Program program = mlp_program({});
  PipelineOptions options = small_options();
  int64_t runs = 0;
  const Lowered all = lower_program(program, options);
  for (const PassTiming& timing : all.timings) runs += timing.runs;
  options.pass_limit = runs;
  EXPECT_EQ(print(lower_program(program, options).plans[0]), print(all.plans[0]));
  options.pass_limit = 0;
  const Lowered none = lower_program(program, options);
  EXPECT_EQ(none.plans[0].phases.size(), none.plans[0].regions.size());
  EXPECT_GT(none.plans[0].regions.size(), all.plans[0].regions.size());
  options.pass_limit = -1;
  for (const PassInfo& pass : pass_table()) options.disabled.insert(std::string(pass.name));
  EXPECT_EQ(print(lower_program(program, options).plans[0]), print(none.plans[0]));
}

TEST(Pipeline, every_limit_gives_a_plan_that_verifies) {
  const Program program = mlp_program({4, 5, 7, 3, 2, true});
  size_t regions = SIZE_MAX;
  for (int64_t limit = 0; limit <= 40; ++limit) {
    PipelineOptions options = small_options();
    options.pass_limit = limit;
    const Lowered lowered = lower_program(program, options);
    for (const Plan& plan : lowered.plans) EXPECT_TRUE(verify(plan).empty()) << limit << ": " << verify(plan)[0];
    regions = lowered.plans[0].regions.size();
  }
  EXPECT_EQ(regions, lower_program(program, small_options()).plans[0].regions.size());
}

TEST(Pipeline, knows_its_passes) {
  for (const PassInfo& pass : pass_table()) EXPECT_TRUE(is_pass(pass.name));
  EXPECT_FALSE(is_pass("fuse"));
  EXPECT_FALSE(is_pass(""));
}

TEST(Pipeline, cuts_give_three_functions_more) {
  PipelineOptions options = small_options();
  options.cut = true;
  const Lowered lowered = lower_program(mlp_program({}), options);
  std::vector<std::string> names;
  for (const LoopEntry& entry : lowered.module.entries) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"step", "predict", "forward", "backward", "update"}));
}

}  // namespace
}  // namespace nnc::testing
