#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <new>

#include "codegen/codegen.h"
#include "driver/commands.h"
#include "driver/console.h"
#include "driver/init_csv.h"

namespace nnc {
namespace {

constexpr const char* examples = R"(
examples:
  nnc check net.nn                      is it right? says what is wrong and where
  nnc train net.nn                      compiles it and trains it
  nnc train net.nn hidden=32 train.epochs=9 train.optimizer.lr=1e-3
  nnc resume runs/net-1                 goes on after an interruption; train.epochs=200: for longer
  nnc eval runs/net-1                   losses and metrics of the best weights
  nnc predict runs/net-1 --input new.csv --output p.csv
  nnc ir net.nn --stage=joint           forward, backward and update, with source lines
  nnc ir net.nn --stage=asm             the machine code of a step
  nnc bench net.nn                      how long does a step take?
  nnc explain E301                      what does this code mean?
  nnc report runs/net-1                 curves, confusion matrix, weights: one page for the browser
  nnc init csv table.csv --target price > price.nn
results go to stdout, progress and errors to stderr; exit codes: 0 ok, 1 internal, 2 usage or model, 3 data,
4 diverged, 5 checkpoint, 6 resources, 128 + n by signal n)";

struct CommandLine {
  ModelArguments check;
  IrArguments ir;
  TrainArguments train;
  ResumeArguments resume;
  EvaluateArguments evaluate;
  PredictArguments predict;
  ReportArguments report;
  BenchArguments bench;
  InitCsvArguments init_csv;
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
  command.add_option("--cpu", arguments.cpu, "native, amx, avx512, avx2 or sse2")->type_name("NAME");
  command.add_flag("--cache,!--no-cache", arguments.cache, "keep compiled code for the next run (NNC_CACHE_DIR)");
  command.add_option("--interpret", arguments.interpret, "graph (in double precision) or loop, instead of native code")
      ->type_name("FORM");
  command.add_option("--disable-pass", arguments.disabled_passes, "switch a pass off; may be repeated")
      ->type_name("PASS")
      ->allow_extra_args(false);
  command.add_option("--pass-limit", arguments.pass_limit, "run at most so many passes: to bisect")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
}

void add_profile(CLI::App& command, CompileArguments& arguments) {
  command.add_flag("--profile", arguments.profile,
                   "say where the time goes, kernel by kernel, against this machine's limits");
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

void add_saving(CLI::App& command, TrainArguments& arguments) {
  command.add_option("--run-dir", arguments.run_dir, "where the run's folder NAME-K is made (./runs)")
      ->type_name("FOLDER");
  command.add_flag("!--no-save", arguments.save, "keep nothing: no folder, no checkpoints, no logs");
  command.add_option("--save-every", arguments.save_every, "seconds between two checkpoints (2)")
      ->type_name("S")
      ->check(CLI::Range(0.0, 1e9));
  command.add_option("--fold", arguments.fold, "2/5: validate on the second of five parts; all/5: each in turn")
      ->type_name("K/N");
}

void add_runs(CLI::App& app, CommandLine& line) {
  CLI::App& resume_command = *app.add_subcommand("resume", "Go on with a run from its newest checkpoint");
  ResumeArguments& resumed = line.resume;
  resume_command.add_option("run", resumed.run, "the run's folder: runs/net-1")->required()->type_name("RUN");
  resume_command.add_option("settings", resumed.settings, "train.epochs=200: settings of `train` that change")
      ->type_name("NAME=VALUE");
  resume_command.add_option("--cpu", resumed.cpu, "as the run's, unless given; others round differently")
      ->type_name("NAME");
  add_threads(resume_command, resumed.threads);
  resume_command.add_option("--save-every", resumed.save_every, "seconds between two checkpoints (2)")
      ->type_name("S")
      ->check(CLI::Range(0.0, 1e9));
  resume_command.add_flag("--quiet", resumed.quiet, "only the table at the end");
  resume_command.add_flag("--json", resumed.json, "one JSON object a line on stdout");
  resume_command.callback([&line] { line.chosen = [&line] { return resume(line.resume); }; });

  CLI::App& eval_command = *app.add_subcommand("eval", "Losses and metrics of a run's best weights");
  EvaluateArguments& evaluated = line.evaluate;
  eval_command.add_option("run", evaluated.run, "the run's folder: runs/net-1")->required()->type_name("RUN");
  eval_command.add_option("--data", evaluated.data, "another file, or NAME=FILE; by default the run's own data")
      ->type_name("FILE")
      ->allow_extra_args(false);
  add_compile(eval_command, evaluated.compile);
  add_threads(eval_command, evaluated.threads);
  eval_command.add_flag("--json", evaluated.json, "one JSON object on stdout");
  eval_command.callback([&line] { line.chosen = [&line] { return evaluate(line.evaluate); }; });

  CLI::App& predict_command = *app.add_subcommand("predict", "A run's outputs for the rows of a file");
  PredictArguments& predicted = line.predict;
  predict_command.add_option("run", predicted.run, "the run's folder: runs/net-1")->required()->type_name("RUN");
  predict_command.add_option("--input", predicted.input, "a file like the one trained on, or NAME=FILE")
      ->required()
      ->type_name("FILE")
      ->allow_extra_args(false);
  predict_command.add_option("--output", predicted.output, "where the csv goes; - is stdout (default)")
      ->type_name("FILE");
  add_compile(predict_command, predicted.compile);
  add_threads(predict_command, predicted.threads);
  predict_command.add_flag("--json", predicted.json, "one JSON object a row in place of csv");
  predict_command.callback([&line] { line.chosen = [&line] { return predict(line.predict); }; });

  CLI::App& report_command = *app.add_subcommand("report", "A run as one HTML page: curves, charts, weights, data");
  ReportArguments& reported = line.report;
  report_command.add_option("run", reported.run, "the run's folder: runs/net-1")->required()->type_name("RUN");
  report_command.add_option("--output", reported.output, "where the page goes (RUN/report.html)")->type_name("FILE");
  add_compile(report_command, reported.compile);
  add_threads(report_command, reported.threads);
  report_command.add_flag("--json", reported.json, "the page's name and its figures as one JSON object on stdout");
  report_command.callback([&line] { line.chosen = [&line] { return make_report(line.report); }; });
}

void add_running(CLI::App& app, CommandLine& line) {
  CLI::App& check_command = *app.add_subcommand("check", "Check a file, its data and its shapes");
  add_model(check_command, line.check);
  check_command.callback([&line] { line.chosen = [&line] { return check(line.check); }; });

  CLI::App& train_command = *app.add_subcommand("train", "Compile a model and train it");
  add_model(train_command, line.train.model);
  add_compile(train_command, line.train.compile);
  add_profile(train_command, line.train.compile);
  add_threads(train_command, line.train.threads);
  train_command.add_flag("--quiet", line.train.quiet, "only the table at the end");
  add_saving(train_command, line.train);
  train_command.callback([&line] { line.chosen = [&line] { return train(line.train); }; });

  CLI::App& bench_command = *app.add_subcommand("bench", "Time the compiled step on the model's own data");
  add_model(bench_command, line.bench.model);
  add_compile(bench_command, line.bench.compile);
  add_profile(bench_command, line.bench.compile);
  add_threads(bench_command, line.bench.threads);
  bench_command.add_option("--seconds", line.bench.seconds, "how long to measure (2)")
      ->type_name("S")
      ->check(CLI::Range(0.01, 3600.0));
  bench_command.callback([&line] { line.chosen = [&line] { return bench(line.bench); }; });
}

void add_init(CLI::App& app, CommandLine& line) {
  CLI::App& command = *app.add_subcommand("init", "Write a model file for your data");
  command.require_subcommand(1);
  CLI::App& csv = *command.add_subcommand("csv", "For a table: nnc init csv FILE --target COLUMN > net.nn");
  InitCsvArguments& arguments = line.init_csv;
  csv.add_option("file", arguments.file, "the table")->required()->type_name("FILE");
  csv.add_option("--target", arguments.target, "what to predict: a column's name, or its number from 1")
      ->required()
      ->type_name("COLUMN");
  csv.add_option("--delimiter", arguments.delimiter, "between cells (found out by default)")
      ->type_name("C")
      ->check([](const std::string& text) { return text.size() == 1 ? "" : "a single character is needed"; });
  csv.add_option("--header", arguments.header, "true or false: is the first line one? (found out by default)")
      ->type_name("B")
      ->check(CLI::IsMember({"true", "false"}));
  csv.callback([&line] { line.chosen = [&line] { return init_csv(line.init_csv); }; });
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
  for (const auto* settings : {&line.resume.settings, &line.check.settings, &line.ir.model.settings,
                               &line.train.model.settings, &line.bench.model.settings}) {
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
  add_runs(app, line);
  add_ir(app, line);
  add_init(app, line);
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
