// nnc passes: the pass table, in the order of the pipeline.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "driver/commands.h"
#include "driver/console.h"
#include "passes/pipeline.h"
#include "runtime/logs/progress.h"

namespace nnc {

int list_passes(bool json) {
  size_t width = 0;
  for (const PassInfo& pass : pass_table()) width = std::max(width, pass.name.size());
  for (const PassInfo& pass : pass_table()) {
    if (json) {
      print_json({{"schema", json_schema},
                  {"pass", pass.name},
                  {"form", pass.form},
                  {"description", pass.description},
                  {"mandatory", pass.mandatory}});
    } else {
      fmt::print("{:<{}}  {:<5}  {}{}\n", pass.name, width, pass.form, pass.description, pass.mandatory ? " *" : "");
    }
  }
  if (!json) fmt::print("\n* mandatory: switched off, it takes its trivial form\n");
  return kOk;
}

}  // namespace nnc
