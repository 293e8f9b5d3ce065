// nnc check: everything that can be said about a file without compiling it.
#include "driver/commands.h"
#include "driver/console.h"
#include "driver/experiment.h"
#include "runtime/logs/progress.h"

#include <nlohmann/json.hpp>

namespace nnc {

int check(const ModelArguments& arguments) {
  Experiment experiment = load_experiment(arguments.file, arguments.settings);
  const bool good = open_data(experiment) && build(experiment);
  if (good && train_settings(*experiment.unit).present) check_trainable(experiment);
  const int code = report(experiment, arguments.json);
  if (code != kOk) return code;
  const int64_t parameters = parameter_count(experiment.program->states);
  if (arguments.json) {
    print_json({{"schema", json_schema},
                {"event", "checked"},
                {"file", arguments.file},
                {"model", experiment.program->name},
                {"parameters", parameters}});
  } else {
    fmt::print("{}: ok, {} parameter{}\n", arguments.file, group_digits(parameters), parameters == 1 ? "" : "s");
  }
  return kOk;
}

}  // namespace nnc
