// nnc explain: what a diagnostic's code means.
#include <string>
#include <vector>

#include "driver/commands.h"
#include "driver/console.h"
#include "frontend/diagnostics.h"

namespace nnc {

int explain_code(const std::string& code) {
  if (const auto text = explain(code)) {
    fmt::print("{}", *text);
    return kOk;
  }
  std::vector<std::string> codes;
  for (const DiagnosticInfo& kind : all_diagnostic_kinds()) codes.emplace_back(kind.code);
  check_name("diagnostic", code, codes);
  return kUsage;
}

}  // namespace nnc
