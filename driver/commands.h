// The nnc program: one function a subcommand, one file each.
#pragma once

namespace nnc {

// Exit codes, by kind of trouble.
enum ExitCode : int { kOk = 0, kInternal = 1, kUsage = 2, kData = 3, kDiverged = 4, kCheckpoint = 5, kResources = 6 };

// The whole program: parses the command line, runs the subcommand, returns its exit code.
int run_nnc(int argc, char** argv);

}  // namespace nnc
