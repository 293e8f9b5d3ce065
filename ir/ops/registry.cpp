#include <fmt/format.h>

#include <array>

#include "ir/check.h"
#include "ir/ops/definitions.h"

namespace nnc {
namespace {

OpDefinition listed(OpDefinition definition, Op op, std::string_view name, OpKind kind, int arity) {
  definition.op = op;
  definition.name = name;
  definition.kind = kind;
  definition.arity = arity;
  return definition;
}

const auto& table() {
  static const std::array definitions = {
#define OP(name, kind, arity) listed(op_##name, Op::name, #name, OpKind::kind, arity),
#include "ir/ops/ops.def"
  };
  return definitions;
}

}  // namespace

const OpDefinition& definition(Op op) {
  auto index = static_cast<size_t>(op);
  NNC_CHECK(index < table().size(), "op {} is not in ops.def", index);
  return table()[index];
}

std::span<const OpDefinition> all_definitions() { return table(); }

bool parse_op(std::string_view name, Op& op) {
  for (const OpDefinition& definition : table()) {
    if (definition.name == name) {
      op = definition.op;
      return true;
    }
  }
  return false;
}

std::string_view name_of(Op op) { return definition(op).name; }

TensorType infer_type(Op op, std::span<const TensorType> operands, const Attributes& attributes,
                      const TensorType& given, std::string& error) {
  error.clear();
  const OpDefinition& found = definition(op);
  TensorType scalar{DType::f32, 0, {}};
  if (found.arity >= 0 && operands.size() != static_cast<size_t>(found.arity)) {
    error = fmt::format("{} takes {} operands, not {}", found.name, found.arity, operands.size());
  } else if (attributes.index() != found.attributes) {
    error = fmt::format("{} carries the attributes of another op", found.name);
  } else if (found.typed) {
    error = why_invalid(given);
  }
  for (size_t k = 0; k < operands.size() && error.empty(); ++k) {
    error = why_invalid(operands[k]);
  }
  if (!error.empty()) return scalar;
  TensorType result = found.infer(operands, attributes, given, error);
  if (error.empty()) error = why_invalid(result);
  return error.empty() ? result : scalar;
}

}  // namespace nnc
