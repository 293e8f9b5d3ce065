#include "frontend/builtins/tables.h"

#include <vector>

namespace nnc {

std::span<const Builtin> builtins() {
  static const std::vector<Builtin> all = [] {
    std::vector<Builtin> table;
    for (auto family : {elementwise_functions(), extremum_functions(), reduction_functions(), shape_functions(),
                        joining_functions(), pattern_functions(), creation_functions(), window_functions()}) {
      table.insert(table.end(), family.begin(), family.end());
    }
    return table;
  }();
  return all;
}

}  // namespace nnc
