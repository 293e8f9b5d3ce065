// nnc ir: any form of a program as text, or the values an interpreter computes.
#include <algorithm>
#include <map>

#include "codegen/codegen.h"
#include "driver/commands.h"
#include "driver/compile.h"
#include "driver/console.h"
#include "driver/experiment.h"
#include "driver/values.h"
#include "frontend/parser.h"
#include "frontend/unit.h"
#include "ir/graph/text.h"
#include "ir/loop/text.h"

namespace nnc {
namespace {

const std::vector<std::string>& stages() {
  static const std::vector<std::string> names = {"ast", "graph", "joint", "plan", "loop", "llvm", "asm"};
  return names;
}

bool is_cut(const std::string& function) {
  return function == "forward" || function == "backward" || function == "update";
}

std::vector<std::string> function_names(const Program& program) {
  std::vector<std::string> names = {"all", "forward", "backward", "update", "refresh"};
  for (const Graph& graph : program.functions) {
    if (std::find(names.begin(), names.end(), graph.name) == names.end()) names.push_back(graph.name);
  }
  return names;
}

// The functions asked for: all, or the first of the name, which is the one at the full batch length.
struct Chosen {
  std::string name;
  int64_t batch = -1;

  bool operator()(const std::string& function, int64_t length) {
    if (name == "all") return true;
    if (function != name || (batch >= 0 && batch != length)) return false;
    batch = length;
    return true;
  }
};

void print_graphs(const Program& program, const std::string& function) {
  if (function == "all") {
    fmt::print("{}", print(program));
    return;
  }
  Chosen chosen{function};
  for (const Graph& graph : program.functions) {
    if (chosen(graph.name, graph.batch)) fmt::print("{}", print(graph, program));
  }
}

void print_plans(const Lowered& lowered, const std::string& function) {
  Chosen chosen{function};
  for (const Plan& plan : lowered.plans) {
    if (chosen(plan.graph.name, plan.graph.batch)) fmt::print("{}", print(plan));
  }
}

// The module with only the entries asked for, and the kernels these call.
LoopModule select_entries(const LoopModule& module, const std::string& function) {
  LoopModule selected = module;
  selected.entries.clear();
  selected.kernels.clear();
  Chosen chosen{function};
  std::map<uint32_t, KernelId> kept;
  for (LoopEntry entry : module.entries) {
    if (!chosen(entry.name, entry.batch)) continue;
    for (LoopPhase& phase : entry.phases) {
      for (KernelCall& call : phase.calls) {
        const auto [found, fresh] = kept.emplace(call.kernel.value, KernelId(selected.kernels.size()));
        if (fresh) selected.kernels.push_back(module.kernels[call.kernel.value]);
        call.kernel = found->second;
      }
    }
    selected.entries.push_back(std::move(entry));
  }
  return selected;
}

void print_timings(const Lowered& lowered) {
  double all = 0;
  for (const PassTiming& timing : lowered.timings) {
    fmt::print(stderr, "{:<18} {:>9.3f} ms  {:>4} run{}\n", timing.pass, timing.milliseconds, timing.runs,
               timing.runs == 1 ? "" : "s");
    all += timing.milliseconds;
  }
  fmt::print(stderr, "{:<18} {:>9.3f} ms\n", "all passes", all);
}

std::string_view form_of(const std::string& pass) {
  for (const PassInfo& info : pass_table()) {
    if (info.name == pass) return info.form;
  }
  return "";
}

// The stage to print: as asked for, else what the last pass leaves.
std::string stage_of(const IrArguments& arguments) {
  if (!arguments.stage.empty()) return arguments.stage;
  const std::string_view form = form_of(arguments.stop_after);
  return form == "plan" || form == "loop" ? std::string(form) : "joint";
}

// A dump starts with "graph NAME of …" or "plan NAME of …"; a module's holds all functions.
bool is_dump_of(const std::string& text, const std::string& function) {
  return function == "all" || text.starts_with("program") ||
         text.find(fmt::format(" {} of ", function)) < text.find('\n') ||
         !(text.starts_with("graph ") || text.starts_with("plan "));
}

int show_lowered(const IrArguments& arguments, const std::string& stage, const Lowered& lowered) {
  if (arguments.time_passes) print_timings(lowered);
  if (!arguments.dump_after.empty() && arguments.stage.empty()) return kOk;
  if (stage == "joint") {
    print_graphs(*lowered.program, arguments.function);
    return kOk;
  }
  if (stage == "plan") {
    print_plans(lowered, arguments.function);
    return kOk;
  }
  const LoopModule module = select_entries(lowered.module, arguments.function);
  if (stage == "loop") fmt::print("{}", print(module));
  if (stage == "llvm") fmt::print("{}", emit_llvm(module));
  if (stage == "asm") fmt::print("{}", emit_assembly(module));
  return kOk;
}

bool check_names(const IrArguments& arguments) {
  if (!arguments.stage.empty() && !check_name("stage", arguments.stage, stages())) return false;
  const bool graph_pass = form_of(arguments.stop_after) == "graph";
  const std::string stage = stage_of(arguments);
  const bool behind = (graph_pass && (stage == "plan" || stage == "loop")) ||
                      (!arguments.stop_after.empty() && arguments.stop_after != "lower_regions" && stage == "loop");
  if (behind || (!arguments.stop_after.empty() && (stage == "llvm" || stage == "asm"))) {
    fail(0, fmt::format("the stage `{}` is made behind `{}`, where passes are to stop", stage, arguments.stop_after));
    return false;
  }
  return true;
}

int show_ast(const Experiment& experiment) {
  if (experiment.unit->asts.empty()) return kOk;
  fmt::print("{}", print_ast(experiment.unit->asts.front()));
  return kOk;
}

}  // namespace

int show_ir(const IrArguments& arguments) {
  const std::string stage = stage_of(arguments);
  PipelineOptions options;
  options.dump_after = arguments.dump_after;
  options.stop_after = arguments.stop_after;
  options.cut = is_cut(arguments.function);
  // Code is printed and not run: it may be another machine's.
  if (!check_names(arguments) || !read_compile_arguments(arguments.compile, false, options)) return kUsage;
  options.dump = [&](std::string_view, const std::string& text) {
    if (is_dump_of(text, arguments.function)) fmt::print("{}", text);
  };
  Experiment experiment = load_experiment(arguments.model.file, arguments.model.settings);
  if (stage == "ast") {
    show_ast(experiment);
    return report(experiment, arguments.model.json);
  }
  const bool built = open_and_build(experiment);
  const int code = report(experiment, arguments.model.json);
  if (!built) return code;
  set_options(experiment, options);
  const std::string& function = arguments.function;
  if (!check_name("function", function, function_names(*experiment.program))) return kUsage;
  if (function != "all") keep_training_functions(experiment, {function});
  if (!arguments.compile.interpret.empty() && (function == "backward" || function == "update")) {
    return fail(kUsage, fmt::format("`{}` continues what `forward` has begun and cannot run alone", function),
                "step computes the same bits");
  }
  if (!arguments.compile.interpret.empty()) return show_values(experiment, arguments.compile, options, function);
  if (stage == "graph") {
    if (is_cut(function) || function == "refresh")
      return fail(kUsage, fmt::format("`{}` is made by the passes: --stage=joint or later shows it", function));
    print_graphs(*experiment.program, function);
    return kOk;
  }
  return show_lowered(arguments, stage, lower_program(std::move(*experiment.program), options));
}

}  // namespace nnc
