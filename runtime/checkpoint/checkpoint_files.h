// Names within a checkpoint's folder, known to those who write and those who read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "runtime/executable.h"

namespace nnc {

constexpr const char* weights_file = "model.safetensors";
constexpr const char* optimizer_file = "optimizer.safetensors";
constexpr const char* progress_file = "progress.json";
constexpr const char* manifest_file = "MANIFEST.json";

// A parameter or a layer's own state: what PyTorch's state_dict would hold. Others belong to training.
bool is_weight(const StateTensor& state);

// N of "step-N"; none of any other name.
std::optional<int64_t> step_of(std::string_view name);

}  // namespace nnc
