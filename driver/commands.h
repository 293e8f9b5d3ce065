// The nnc program: one function a subcommand, one file each. Results go to stdout, progress and diagnostics to stderr.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nnc {

// Exit codes, by kind of trouble; 128 + signal where one ended the run.
enum ExitCode : int { kOk = 0, kInternal = 1, kUsage = 2, kData = 3, kDiverged = 4, kCheckpoint = 5, kResources = 6 };

// What most subcommands are given: a model file and settings `name=value` that override what it says.
struct ModelArguments {
  std::string file;
  std::vector<std::string> settings;
  bool json = false;  // one JSON object a line on stdout, with a schema version
};

// How the program is made.
struct CompileArguments {
  std::string cpu = "native";  // native, amx, avx512, avx2, sse2
  std::string interpret;       // "": native code; graph, loop
  std::vector<std::string> disabled_passes;
  int64_t pass_limit = -1;
  bool profile = false;  // count the time of each kernel
  bool cache = true;     // keep compiled objects for the next run
};

struct IrArguments {
  ModelArguments model;
  CompileArguments compile;
  std::string stage;              // ast, graph, joint, plan, loop, llvm, asm; "": joint, or what stop_after leaves
  std::string function = "step";  // "all": every function at every batch length
  std::string dump_after, stop_after;
  bool time_passes = false;
};

struct TrainArguments {
  ModelArguments model;
  CompileArguments compile;
  int64_t threads = 0;  // 0: chosen by the size of a step
  bool quiet = false;
  std::string run_dir;    // where runs are made; "": ./runs
  bool save = true;       // make a run's folder
  double save_every = 2;  // seconds between two checkpoints
  std::string fold;       // "2/5", "all/5"
};

struct ResumeArguments {
  std::string run;
  std::vector<std::string> settings;  // of `train`
  std::string cpu;                    // "": the run's
  int64_t threads = 0;
  bool quiet = false, json = false;
  double save_every = 2;
};

struct EvaluateArguments {
  std::string run;
  std::vector<std::string> data;  // FILE, or NAME=FILE; none: the run's own
  CompileArguments compile;
  int64_t threads = 0;
  bool json = false;
};

struct PredictArguments {
  std::string run;
  std::vector<std::string> input;  // FILE, or NAME=FILE
  std::string output = "-";
  CompileArguments compile;
  int64_t threads = 0;
  bool json = false;  // one object a row in place of csv
};

struct ReportArguments {
  std::string run;
  std::string output;  // "": report.html in the run's folder
  CompileArguments compile;
  int64_t threads = 0;
  bool json = false;
};

struct BenchArguments {
  ModelArguments model;
  CompileArguments compile;
  int64_t threads = 0;
  double seconds = 2;
};

int check(const ModelArguments& arguments);
int show_ir(const IrArguments& arguments);
int train(const TrainArguments& arguments);
int resume(const ResumeArguments& arguments);
int evaluate(const EvaluateArguments& arguments);
int predict(const PredictArguments& arguments);
int make_report(const ReportArguments& arguments);
int bench(const BenchArguments& arguments);
int doctor(bool json);
int explain_code(const std::string& code);
int list_passes(bool json);

// The whole program: parses the command line, runs the subcommand, returns its exit code. Requires argc ≥ 1.
int run_nnc(int argc, char** argv);

}  // namespace nnc
