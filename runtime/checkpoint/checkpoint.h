// Checkpoints: folders `step-N` that are complete or do not count.
//
//   last/step-640/model.safetensors       parameters and states of layers, row-major, by the model's names
//                 optimizer.safetensors   slots of optimizers, step counter, seed
//                 progress.json           where training stands, and fingerprints of model and data
//                 MANIFEST.json           size and XXH3 of each of them; written last
//
// A checkpoint is written as `step-N.tmp`, each file flushed to the device, the manifest last; then renamed. A crash at
// any moment leaves those that were there. The newest is found by looking at all and verifying.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "runtime/executable.h"
#include "runtime/trainer.h"

namespace nnc {

struct CheckpointContent {
  const Executable* executable = nullptr;
  const std::byte* segment = nullptr;  // the state segment
  const TrainProgress* progress = nullptr;
  int64_t steps = 0;  // names the folder
  int64_t epoch = 0;  // finished epochs that the state has seen
  nlohmann::json fingerprints;
};

// Writes folder/step-N, in place of one of that name, and removes all but the `keep` newest.
// Errors: E650, E651, E652; then the checkpoints that were there are still there.
tl::expected<void, RuntimeError> save_checkpoint(const std::string& folder, const CheckpointContent& content,
                                                 int64_t keep = 2);

// A checkpoint whose files are those of its manifest.
struct FoundCheckpoint {
  std::string path;
  int64_t steps = 0, epoch = 0;
  TrainProgress progress;
  nlohmann::json fingerprints;
};

// The sound checkpoints in `folder`, newest first, and what is wrong with the others. No folder: none.
struct FoundCheckpoints {
  std::vector<FoundCheckpoint> sound;
  std::vector<RuntimeError> damaged;       // E801
  std::vector<std::string> damaged_paths;  // parallel
};
FoundCheckpoints find_checkpoints(const std::string& folder);

// Renames damaged checkpoints, so that they are not taken for newer ones than those written from now on.
void set_aside(const FoundCheckpoints& found);

// Removes the checkpoints of epochs after `epoch`: training that goes on from there makes them again, and with them in
// `folder` it would drop the one of `epoch` too early.
void remove_later_epochs(const std::string& folder, int64_t epoch);

// Which states a file has to give.
enum class StateKind : uint8_t {
  weights,  // parameters and states of layers
  all,      // also slots, step and seed
};

// Reads a checkpoint's states into the segment; then "refresh" is up to the caller. Errors: E604, E801; E802 for each
// state that the checkpoint lacks or has in another shape or type.
RuntimeErrors load_states(const std::string& path, const Executable& executable, StateKind kind, std::byte* segment);

// Reads parameters by name from one safetensors file, floats of any width converted. Errors as above; what the file
// holds besides is passed over. `origin`: of the setting that names the file.
RuntimeErrors load_parameters(const std::string& file, const Executable& executable, Origin origin, std::byte* segment);

}  // namespace nnc
