#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <new>

#include "codegen/codegen.h"
#include "driver/commands.h"
#include "driver/console.h"

namespace nnc {
namespace {

constexpr const char* examples = R"(
examples:
  nnc check net.nn                      is it right? says what is wrong and where
  nnc train net.nn                      compiles it and trains it
  nnc train net.nn hidden=32 train.epochs=9 train.optimizer.lr=1e-3
  nnc ir net.nn --stage=joint           forward, backward and update, with source lines
  nnc ir net.nn --stage=asm             the machine code of a step
  nnc bench net.nn                      how long does a step take?
  nnc explain E301                      what does this code mean?
results go to stdout, progress and errors to stderr; exit codes: 0 ok, 1 internal, 2 usage or model, 3 data,
4 diverged, 6 resources, 128 + n by signal n)";

struct CommandLine {
  ModelArguments check;
  IrArguments ir;
  TrainArguments train;
  BenchArguments bench;
  bool doctor_json = false, passes_json = false;
  std::string code;
  std::function<int()> chosen;
};

void add_model(CLI::App& command, ModelArguments& arguments) {
  command.add_option("file", arguments.file, "the model file")->required()->type_name("FILE");
  command.add_option("settings", arguments.settings, "hidden=32, train.epochs=9: override what the file says")
      ->type_name("NAME=VALUE");
  command.add_flag("--json", arguments.json, "one JSON object a line on stdout");
}

void add_compile(CLI::App& command, CompileArguments& arguments) {
  command.add_option("--cpu", arguments.cpu, "native, avx512, avx2 or sse2")->type_name("NAME");
  command.add_option("--interpret", arguments.interpret, "graph (in double precision) or loop, instead of native code")
      ->type_name("FORM");
  command.add_option("--disable-pass", arguments.disabled_passes, "switch a pass off; may be repeated")
      ->type_name("PASS")
      ->allow_extra_args(false);
  command.add_option("--pass-limit", arguments.pass_limit, "run at most so many passes: to bisect")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
}

void add_threads(CLI::App& command, int64_t& threads) {
  command.add_option("--threads", threads, "threads (by default as many as pay)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
}

void add_ir(CLI::App& app, CommandLine& line) {
  CLI::App& command = *app.add_subcommand("ir", "Print any form of the program");
  IrArguments& arguments = line.ir;
  add_model(command, arguments.model);
  add_compile(command, arguments.compile);
  command.add_option("--stage", arguments.stage, "ast, graph, joint (default), plan, loop, llvm or asm")
      ->type_name("STAGE");
  command
      .add_option("--function", arguments.function,
                  "step (default), initialize, evaluate, predict, forward, backward, update, all")
      ->type_name("NAME");
  command.add_option("--dump-after", arguments.dump_after, "print the form after each run of a pass")
      ->type_name("PASS");
  command.add_option("--stop-after", arguments.stop_after, "the last pass to run")->type_name("PASS");
  command.add_flag("--time-passes", arguments.time_passes, "how long each pass took, on stderr");
  command.callback([&line] { line.chosen = [&line] { return show_ir(line.ir); }; });
}

void add_running(CLI::App& app, CommandLine& line) {
  CLI::App& check_command = *app.add_subcommand("check", "Check a file, its data and its shapes");
  add_model(check_command, line.check);
  check_command.callback([&line] { line.chosen = [&line] { return check(line.check); }; });

  CLI::App& train_command = *app.add_subcommand("train", "Compile a model and train it");
  add_model(train_command, line.train.model);
  add_compile(train_command, line.train.compile);
  add_threads(train_command, line.train.threads);
  train_command.add_flag("--quiet", line.train.quiet, "only the table at the end");
  train_command.callback([&line] { line.chosen = [&line] { return train(line.train); }; });

  CLI::App& bench_command = *app.add_subcommand("bench", "Time the compiled step on the model's own data");
  add_model(bench_command, line.bench.model);
  add_compile(bench_command, line.bench.compile);
  add_threads(bench_command, line.bench.threads);
  bench_command.add_option("--seconds", line.bench.seconds, "how long to measure (2)")
      ->type_name("S")
      ->check(CLI::Range(0.01, 3600.0));
  bench_command.callback([&line] { line.chosen = [&line] { return bench(line.bench); }; });
}

void add_help(CLI::App& app, CommandLine& line) {
  CLI::App& doctor_command = *app.add_subcommand("doctor", "What this machine offers");
  doctor_command.add_flag("--json", line.doctor_json, "as JSON");
  doctor_command.callback([&line] { line.chosen = [&line] { return doctor(line.doctor_json); }; });

  CLI::App& explain_command = *app.add_subcommand("explain", "What a diagnostic's code means");
  explain_command.add_option("code", line.code, "E301")->required()->type_name("CODE");
  explain_command.callback([&line] { line.chosen = [&line] { return explain_code(line.code); }; });

  CLI::App& passes_command = *app.add_subcommand("passes", "The passes of the compiler, in order");
  passes_command.add_flag("--json", line.passes_json, "as JSON");
  passes_command.callback([&line] { line.chosen = [&line] { return list_passes(line.passes_json); }; });
}

bool check_settings(const std::vector<std::string>& settings) {
  for (const std::string& setting : settings) {
    const size_t equals = setting.find('=');
    if (equals != std::string::npos && equals > 0) continue;
    fail(0, fmt::format("`{}` is no setting", setting), "a setting is written name=value: train.epochs=9");
    return false;
  }
  return true;
}

int run(CommandLine& line) {
  for (const auto* settings :
       {&line.check.settings, &line.ir.model.settings, &line.train.model.settings, &line.bench.model.settings}) {
    if (!check_settings(*settings)) return kUsage;
  }
  try {
    return line.chosen();
  } catch (const std::bad_alloc&) {
    return fail(kResources, "out of memory");
  } catch (const std::exception& error) {
    return fail(kInternal, fmt::format("internal error: {}", error.what()));
  }
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

}  // namespace

int run_nnc(int argc, char** argv) {
  CLI::App app("nnc: compiles neural networks, described in a text file, to native code and trains them", "nnc");
  app.set_version_flag("--version", fmt::format("nnc {} (LLVM {})", NNC_VERSION, llvm_version()));
  app.footer(examples);
  app.require_subcommand(1);
  CommandLine line;
  add_running(app, line);
  add_ir(app, line);
  add_help(app, line);
  if (argc > 1 && argv[1][0] != '-' && !check_name("command", argv[1], command_names(app))) return kUsage;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    const bool none = argc <= 1;
    if (none) fmt::print(stderr, "{}", app.help());
    return none ? kUsage
                : fail(kUsage, error.what(),
                       fmt::format("nnc {}--help", argv[1][0] == '-' ? "" : std::string(argv[1]) + " "));
  }
  return run(line);
}

}  // namespace nnc
