// Field pipelines as JSON: what was fitted on the training rows, kept beside the weights.
//
//   {"name": "x", "shape": "vector", "dims": [1], "pipes": [
//     {"column": "age", "position": 3, "steps": [{"kind": "standard", "a": [35.5], "b": [11.4]}]}]}
//
// Members that have their default value are left out. Numbers come back bit for bit: those that JSON lacks are the
// strings "inf", "-inf", "nan" (or "nan:" and the bits in hexadecimal). Text that is no UTF-8 is {"hex": "…"}. Places
// in the model file are not kept.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <tl/expected.hpp>

#include "runtime/data/pipeline.h"

namespace nnc {

// Requires a fitted plan.
nlohmann::json to_json(const FieldPlan& plan);

// From a file that may hold anything: unknown members, wrong types, and plans that no fitting yields (a scaler without
// its numbers, widths that do not agree, nesting deeper than a model file can ask for) are refused. What is returned
// can be applied to any table. The error says where in the JSON and what: "pipes[3].steps[0].a: …".
tl::expected<FieldPlan, std::string> plan_from_json(const nlohmann::json& json);

// The word for a kind of step, as in the JSON; null for a number that is no kind.
const char* name_of(StepKind kind);

// How many members of each type the format covers, those it leaves out on purpose included.
struct MembersCovered {
  size_t field_plan = 0, windows = 0, pipe = 0, step = 0;
};
MembersCovered members_covered();

}  // namespace nnc
