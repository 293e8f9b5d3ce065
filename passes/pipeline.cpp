#include "passes/pipeline.h"

#include <algorithm>
#include <chrono>

#include "ir/check.h"
#include "ir/graph/text.h"
#include "ir/loop/text.h"
#include "passes/graph/choose_precision.h"
#include "passes/graph/cut_functions.h"
#include "passes/graph/expand_pads.h"
#include "passes/graph/fix_orders.h"
#include "passes/graph/fold_constants.h"
#include "passes/graph/fold_movement.h"
#include "passes/graph/form_fma.h"
#include "passes/graph/merge_duplicates.h"
#include "passes/graph/remove_dead.h"
#include "passes/graph/simplify.h"
#include "passes/loop/lower_regions.h"
#include "passes/plan/place_values.h"
#include "passes/plan/plan_buffers.h"
#include "passes/plan/schedule.h"
#include "passes/plan/skip_zeros.h"
#include "passes/training/append_update.h"
#include "passes/training/differentiate.h"

namespace nnc {
namespace {

constexpr PassInfo kPasses[] = {
    {"differentiate", "graph", "append the gradients of the losses, in reverse", true},
    {"append_update", "graph", "append the optimizer's equations behind the gradients", true},
    {"expand_pads", "graph", "write pads with a step as pads without", true},
    {"simplify", "graph", "drop what changes no bit"},
    {"fold_constants", "graph", "evaluate what is known"},
    {"fold_movement", "graph", "fold transposes into the index maps of products"},
    {"choose_precision", "graph", "round the operands of products to bf16, where that is asked for", true},
    {"merge_duplicates", "graph", "compute equal values once", true},
    {"form_fma", "graph", "round a product and the sum that reads it once", true},
    {"remove_dead", "graph", "drop what nothing needs", true},
    {"fix_orders", "graph", "choose the order of every reduction", true},
    {"choose_layouts", "plan", "lay out the states as their products read them", true},
    {"form_regions", "plan", "group nodes that share a kernel", true},
    {"skip_zeros", "plan", "let products skip the zeros of sparse inputs"},
    {"schedule", "plan", "order regions, and place barriers at true dependences", true},
    {"plan_buffers", "plan", "give every value its bytes in one arena", true},
    {"lower_regions", "loop", "write each region as loops over its tiles", true},
};

class Pipeline {
 public:
  Pipeline(Program program, const PipelineOptions& options) : options_(options) {
    lowered_.program = std::make_unique<Program>(std::move(program));
    for (const PassInfo& pass : kPasses) lowered_.timings.push_back({pass.name, 0, 0});
  }

  Lowered run() {
    Program& program = *lowered_.program;
    for (Graph& graph : program.functions) {
      if (graph.name == "step" || graph.name == "accumulate") {
        on_graph("differentiate", graph, [&] { differentiate(graph, program); });
        on_graph("append_update", graph, [&] { append_update(graph, program, options_.cut); });
      }
      graph.custom_gradients.clear();  // whatever is not trained needs none
      on_graph("expand_pads", graph, [&] { expand_pads(graph); });
      on_graph("simplify", graph, [&] { simplify(graph); });
      on_graph("fold_constants", graph, [&] { fold_constants(graph); });
      on_graph("fold_movement", graph, [&] { fold_movement(graph); });
      on_graph("choose_precision", graph, [&] { choose_precision(graph, options_.precision); });
      on_graph("merge_duplicates", graph, [&] { merge_duplicates(graph); });
      on_graph("form_fma", graph, [&] { form_fma(graph); });
      on_graph("remove_dead", graph, [&] { remove_dead(graph); });
      on_graph("fix_orders", graph, [&] { fix_orders(graph, options_.target); });
    }
    if (options_.cut && reached("fix_orders")) add_cuts(program);
    if (!reached("choose_layouts")) return std::move(lowered_);
    LayoutNeeds needs;
    while (!plan_and_lower(needs)) {
    }
    return std::move(lowered_);
  }

 private:
  // The cuts keep the joint graph's gradient roots; step itself drops them.
  void add_cuts(Program& program) {
    std::vector<Graph> cuts;
    for (Graph& graph : program.functions) {
      if (graph.name != "step") continue;
      Cut cut = cut_functions(graph);
      std::erase_if(graph.roots, [](const Root& root) { return root.kind == Root::gradient; });
      for (Graph* part : {&cut.forward, &cut.backward, &cut.update}) cuts.push_back(std::move(*part));
    }
    std::move(cuts.begin(), cuts.end(), std::back_inserter(program.functions));
  }

  // False: some layout does not suit some reader; `needs` tells which, and all is planned again.
  bool plan_and_lower(LayoutNeeds& needs) {
    const Program& program = *lowered_.program;
    lowered_.plans.clear();
    lowered_.module = {};
    StateLayouts layouts;
    time("choose_layouts",
         [&] { layouts = choose_layouts(program, options_.target, enabled("choose_layouts"), needs); });
    if (options_.dump && options_.dump_after == "choose_layouts")
      options_.dump("choose_layouts", print(states_alone(layouts)));
    start_module(layouts);
    const LayoutNeeds before = needs;
    std::vector<std::vector<Role>> roles;
    for (const Graph& graph : program.functions) {
      Plan& plan = lowered_.plans.emplace_back();
      plan.program = &program;
      plan.graph = graph;
      plan.target = options_.target;
      std::vector<Role>& role = roles.emplace_back();
      on_plan("form_regions", plan, [&] {
        const bool fuse = enabled("form_regions");
        role = node_roles(plan.graph, fuse);
        form_regions(plan, layouts, role, fuse);
        place_values(plan, layouts, role);
      });
      on_plan("skip_zeros", plan, [&] {
        if (enabled("skip_zeros")) skip_zeros(plan, options_.zeros);
      });
      finish_plan(plan);
    }
    const bool mirrors = std::any_of(layouts.entries.begin(), layouts.entries.end(),
                                     [](const auto& entry) { return !entry.mirrors.empty(); });
    if (mirrors) {
      Plan& plan = lowered_.plans.emplace_back(states_alone(layouts));
      roles.push_back(node_roles(plan.graph, true));
      finish_plan(plan);
    }
    if (!reached("lower_regions")) return true;
    LayoutNeeds found = before;
    bool suited = true;
    KernelTable kernels;
    time("lower_regions", [&] {
      for (size_t p = 0; p < lowered_.plans.size(); ++p) {
        LayoutNeeds now;
        lower_regions(lowered_.plans[p], roles[p], lowered_.module, kernels, now);
        suited = suited && now.empty();
        found.plain_mirror.merge(now.plain_mirror);
        found.plain_home.merge(now.plain_home);
      }
    });
    if (found.plain_mirror.size() + found.plain_home.size() > before.plain_mirror.size() + before.plain_home.size()) {
      needs = found;
      return false;
    }
    NNC_CHECK(suited, "a state of {} has no layout that all its readers can use", program.name);
    after_lowering();
    return true;
  }

  // What choose_layouts made, as a plan: the states, and how their mirrors are rebuilt.
  Plan states_alone(const StateLayouts& layouts) const {
    Plan plan;
    plan.program = lowered_.program.get();
    plan.graph.name = "refresh";
    plan.target = options_.target;
    plan_refresh(plan, layouts);
    return plan;
  }

  void finish_plan(Plan& plan) {
    on_plan("schedule", plan, [&] { schedule(plan, enabled("schedule")); });
    on_plan("plan_buffers", plan, [&] { plan_buffers(plan, enabled("plan_buffers")); });
  }

  void start_module(const StateLayouts& layouts) {
    LoopModule& module = lowered_.module;
    const Program& program = *lowered_.program;
    module.name = program.name;
    module.target = options_.target;
    module.files = program.files;
    module.states = program.states;
    module.state_bytes = layouts.bytes;
    for (size_t s = 0; s < layouts.entries.size(); ++s) {
      const StateLayouts::Entry& entry = layouts.entries[s];
      StatePlacement placement{
          StateId(s), entry.home_offset, entry.home.elements() * size_of(program.states[s].type.dtype), {}};
      Dims strides = row_major_strides(entry.home.physical);
      for (size_t f = 0; f < entry.home.factors.size(); ++f) {
        const Layout::Factor& factor = entry.home.factors[f];
        placement.factors.push_back({factor.axis, factor.divisor, factor.extent, strides[f]});
      }
      module.placements.push_back(std::move(placement));
    }
  }

  bool enabled(std::string_view pass) const { return !options_.disabled.contains(std::string(pass)) && !limited_; }

  static size_t position(std::string_view pass) {
    const auto at =
        std::find_if(std::begin(kPasses), std::end(kPasses), [&](const PassInfo& info) { return info.name == pass; });
    NNC_CHECK(at != std::end(kPasses), "no pass {}", pass);
    return at - std::begin(kPasses);
  }

  bool reached(std::string_view pass) const {
    return options_.stop_after.empty() || position(pass) <= position(options_.stop_after);
  }

  template <class Work>
  void time(std::string_view pass, const Work& work) {
    if (!reached(pass)) return;
    limited_ = options_.pass_limit >= 0 && runs_ >= options_.pass_limit;
    ++runs_;
    const auto start = std::chrono::steady_clock::now();
    work();
    PassTiming& timing = lowered_.timings[position(pass)];
    timing.milliseconds += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    ++timing.runs;
  }

  template <class Work>
  void on_graph(std::string_view pass, Graph& graph, const Work& work) {
    if (!reached(pass)) return;
    time(pass, [&] {
      if (enabled(pass) || kPasses[position(pass)].mandatory) work();
    });
    if (options_.verify)
      report(pass, nnc::verify(graph, *lowered_.program, pass == "fix_orders"),
             [&] { return print(graph, *lowered_.program); });
    if (options_.dump && options_.dump_after == pass) options_.dump(pass, print(graph, *lowered_.program));
  }

  template <class Work>
  void on_plan(std::string_view pass, Plan& plan, const Work& work) {
    if (!reached(pass)) return;
    time(pass, work);
    if (options_.verify && pass == "plan_buffers") report(pass, nnc::verify(plan), [&] { return print(plan); });
    if (options_.dump && options_.dump_after == pass) options_.dump(pass, print(plan));
  }

  void after_lowering() {
    if (options_.verify) report("lower_regions", nnc::verify(lowered_.module), [&] { return print(lowered_.module); });
    if (options_.dump && options_.dump_after == "lower_regions") options_.dump("lower_regions", print(lowered_.module));
  }

  template <class Text>
  static void report(std::string_view pass, const std::vector<std::string>& broken, const Text& text) {
    if (!broken.empty()) NNC_CHECK(false, "after {}: {}\n{}", pass, broken[0], text());
  }

  const PipelineOptions& options_;
  Lowered lowered_;
  bool limited_ = false;  // the current run of a pass lies beyond the limit
  int64_t runs_ = 0;
};

}  // namespace

std::span<const PassInfo> pass_table() { return kPasses; }

bool is_pass(std::string_view name) {
  return std::any_of(std::begin(kPasses), std::end(kPasses), [&](const PassInfo& pass) { return pass.name == name; });
}

Lowered lower_program(Program program, const PipelineOptions& options) {
  return Pipeline(std::move(program), options).run();
}

}  // namespace nnc
