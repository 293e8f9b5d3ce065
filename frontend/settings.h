// The `data` and `train` blocks as trees of settings.
#pragma once

#include <set>
#include <string>

#include "frontend/evaluator.h"

namespace nnc {

// An expression of the current frame as a setting. `names`: what may be referred to besides options and constants
// (fields, words such as bf16). Errors: poison becomes Setting::none, reported.
Setting setting_of(Evaluator& e, ast::ExprId id, const std::set<std::string>& names);

// A static value as a setting; none if it is of no such kind.
Setting setting_of(const Value& value, Span span);

}  // namespace nnc
