// From the settings the frontend evaluated to what the runtime reads, and back: errors of the runtime as diagnostics at
// the place in the model file they belong to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "frontend/frontend.h"
#include "runtime/spec.h"
#include "runtime/train_config.h"

namespace nnc {

// Spans behind the runtime's opaque origins: origin k is spans[k - 1], 0 is nowhere.
struct Origins {
  std::vector<Span> spans;

  Origin add(Span span);
  Span find(Origin origin) const;  // without a file where there is none
};

// The fields in `wanted` (all where it is empty), with the names of other fields replaced by what they stand for.
// Strings know the folder of the file that says them; the command line's are relative to the current one. Errors, in
// diagnostics(unit): E104 a field that needs itself, E210 fields that grow without measure. `fold`: as the command line
// asks.
DataSpec data_spec(Unit& unit, const std::vector<std::string>& wanted, Origins& origins,
                   const std::optional<FoldSpec>& fold = {});

TrainConfig train_config(const TrainSettings& settings, Origins& origins);

// Adds the runtime's errors to diagnostics(unit). Those without a place get the model file's name.
void add_errors(Unit& unit, const RuntimeErrors& errors, const Origins& origins);

// The exit code for what diagnostics(unit) holds: 0, or that of the first kind of trouble a user should mend.
int exit_code(const Diagnostics& diagnostics);

}  // namespace nnc
