#include "driver/commands.h"

namespace nnc {
int run_nnc(int, char**) { return kUsage; }
}  // namespace nnc
