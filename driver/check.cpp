// nnc check: everything that can be said about a file without compiling it.
#include "driver/commands.h"
#include "driver/console.h"
#include "driver/experiment.h"
#include "runtime/data/summary.h"
#include "runtime/logs/progress.h"

#include <nlohmann/json.hpp>

namespace nnc {

int check(const ModelArguments& arguments) {
  Experiment experiment = load_experiment(arguments.file, arguments.settings);
  open_and_build(experiment, false);
  const int code = report(experiment, arguments.json);
  if (code != kOk) return code;
  const int64_t parameters = parameter_count(experiment.program->states);
  if (arguments.json) {
    nlohmann::json columns = nlohmann::json::array();
    for (const ColumnSummary& column : experiment.dataset.columns) {
      columns.push_back({{"name", column.name},
                         {"kind", name_of(column.kind)},
                         {"missing", column.missing},
                         {"categories", column.categories}});
    }
    print_json({{"schema", json_schema},
                {"event", "checked"},
                {"file", arguments.file},
                {"model", experiment.program->name},
                {"parameters", parameters},
                {"columns", columns}});
  } else {
    fmt::print("{}: ok, {} parameter{}\n", arguments.file, group_digits(parameters), parameters == 1 ? "" : "s");
    const std::string columns = describe_columns(experiment.dataset.columns);
    if (!columns.empty())
      fmt::print("{}: {} rows; columns: {}\n", experiment.dataset.source, group_digits(experiment.dataset.rows),
                 columns);
  }
  return kOk;
}

}  // namespace nnc
