#include "ir/graph/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "ir/ops/inference.h"
#include "ir/ops/op.h"

namespace nnc {
namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The label as a name: "" if it has none; one that starts with a digit would be taken for a number.
std::string name_from(std::string_view label) {
  std::string name;
  for (char c : label) name += is_name_char(c) ? c : '_';
  if (!name.empty() && is_digit(name[0])) name.insert(name.begin(), '_');
  return name;
}

// The type that a literal at any position of `user` has; false if nothing tells it.
bool type_beside(const Graph& graph, const Node& user, TensorType& beside) {
  for (size_t k = 0; k < user.operands.size(); ++k) {
    NodeId operand = user.operands[k];
    if (!may_be_literal(user.op, k) || operand.value >= graph.nodes.size()) continue;
    if (graph[operand].op == Op::constant) continue;
    beside = graph.type(operand);
    return true;
  }
  beside = user.type;
  return user.op != Op::compare;
}

}  // namespace

bool may_be_literal(Op op, size_t position) {
  const OpDefinition& found = definition(op);
  return found.kind == OpKind::map && found.arity >= 2 && !(op == Op::select && position == 0);
}

TensorType literal_type(const TensorType& beside, double value) {
  TensorType type = beside;
  if (!can_hold(type, value)) type.bound = 0;
  return type;
}

std::vector<bool> find_literals(const Graph& graph) {
  size_t count = graph.nodes.size();
  std::vector<bool> used(count), named(count);
  auto name = [&](NodeId id) {
    if (id.value < count) named[id.value] = true;
  };
  for (const Node& user : graph.nodes) {
    name(user.clone_of);
    TensorType beside;
    bool told = type_beside(graph, user, beside);
    for (size_t k = 0; k < user.operands.size(); ++k) {
      NodeId operand = user.operands[k];
      if (operand.value >= count || graph[operand].op != Op::constant) continue;
      used[operand.value] = true;
      const auto* constant = std::get_if<ConstantAttr>(&graph[operand].attributes);
      bool suits = constant && told && may_be_literal(user.op, k) &&
                   graph.type(operand) == literal_type(beside, constant->value);
      if (!suits) name(operand);
    }
  }
  for (const Root& root : graph.roots) name(root.node);
  for (const CustomGradient& custom : graph.custom_gradients) {
    for (const auto* list : {&custom.outputs, &custom.cotangents, &custom.inputs, &custom.gradients}) {
      for (NodeId id : *list) name(id);
    }
  }
  std::vector<bool> literals(count);
  for (size_t n = 0; n < count; ++n) {
    literals[n] = graph.nodes[n].op == Op::constant && used[n] && !named[n] && !graph.nodes[n].clone_of;
  }
  return literals;
}

std::vector<std::string> node_names(const Graph& graph, const std::vector<bool>& literals) {
  std::vector<std::string> names(graph.nodes.size());
  std::unordered_set<std::string> taken;
  std::unordered_map<std::string, size_t> repeats;
  size_t unnamed = 0;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (literals[n]) {
      names[n] = number_text(node.as<ConstantAttr>().value);
      continue;
    }
    if (node.op == Op::assign) {
      names[n] = "assign";
      continue;
    }
    std::string base = name_from(node.label), name = base;
    if (base.empty()) {
      name = fmt::format("{}", unnamed++);
    } else {
      size_t& repeat = repeats[base];
      while (!taken.insert(name).second) name = fmt::format("{}_{}", base, ++repeat);
    }
    names[n] = "%" + name;
  }
  return names;
}

std::string axis_name(size_t axis) {
  char letter = static_cast<char>('a' + axis % 26);
  return axis < 26 ? std::string(1, letter) : fmt::format("{}{}", letter, axis / 26);
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string word_or_quoted(std::string_view text) {
  bool word = !text.empty() && !is_digit(text[0]) && text[0] != '.' && text != "inf" && text != "nan";
  return word && std::all_of(text.begin(), text.end(), is_name_char) ? std::string(text) : quoted(text);
}

std::string number_text(double value) { return fmt::format("{}", value); }

}  // namespace nnc
