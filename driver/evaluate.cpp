// nnc eval: losses and metrics of a run's best weights.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "driver/commands.h"
#include "driver/console.h"
#include "driver/run_directory.h"
#include "runtime/data/batches.h"
#include "runtime/logs/measure_tables.h"
#include "runtime/logs/progress.h"
#include "runtime/trainer.h"

namespace nnc {
namespace {

struct PartMeasures {
  const char* name;
  int64_t rows;
  std::vector<Measure> measures;
};

void print_parts(const Run& run, const std::vector<PartMeasures>& parts) {
  fmt::print("{} with the weights of {}\n", run.runnable->executable.model, run.weights);
  for (const PartMeasures& part : parts) {
    fmt::print("{:<6} {:>9} rows", part.name, group_digits(part.rows));
    for (const Measure& measure : part.measures) {
      if (measure.is_scalar()) fmt::print("  {} {}", measure.name, format_measure(measure.value));
    }
    fmt::print("\n");
  }
  for (const PartMeasures& part : parts) fmt::print("{}", measure_tables(part.name, part.measures));
}

void print_parts_json(const Run& run, const std::vector<PartMeasures>& parts) {
  nlohmann::ordered_json line = {{"schema", json_schema},
                                 {"event", "evaluated"},
                                 {"run", run.directory},
                                 {"weights", run.weights},
                                 {"model", run.runnable->executable.model}};
  for (const PartMeasures& part : parts) {
    nlohmann::ordered_json measures = nlohmann::ordered_json::object();
    for (const Measure& measure : part.measures) measures[measure.name] = measure_json(measure);
    line[part.name] = {{"rows", part.rows}, {"measures", std::move(measures)}};
  }
  print_json(line);
}

}  // namespace

int evaluate(const EvaluateArguments& arguments) {
  const bool json = arguments.json;
  RunRequest request;
  request.compile = arguments.compile;
  request.threads = arguments.threads;
  request.files = arguments.data;
  Run run;
  if (const int code = open_run(arguments.run, request, json, run); code != kOk) return code;
  std::vector<PartMeasures> parts;
  for (const DataPart part : {DataPart::train, DataPart::val, DataPart::test}) {
    const auto rows = static_cast<int64_t>(run.experiment.dataset.part(part).size());
    if (rows == 0) continue;
    auto measures = evaluate(*run.session, run.experiment.dataset, part, run.experiment.config);
    if (!measures) {
      add_errors(*run.experiment.unit, measures.error(), run.experiment.origins);
      return report(run.experiment, json);
    }
    const char* name = !arguments.data.empty()   ? "data"
                       : part == DataPart::train ? "train"
                       : part == DataPart::val   ? "val"
                                                 : "test";
    parts.push_back({name, rows, std::move(*measures)});
  }
  if (json) {
    print_parts_json(run, parts);
  } else {
    print_parts(run, parts);
  }
  return kOk;
}

}  // namespace nnc
