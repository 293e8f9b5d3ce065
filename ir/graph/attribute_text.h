// Attributes as text: the words before and the settings behind a node's operands, written and read.
//
//   reduce max "a b -> a" %x order=lanes        words: max    strings: "a b -> a"    settings: order
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/graph/graph.h"

namespace nnc {

struct AttributeWords {
  std::string before, after;  // each with a leading space if not empty
};

AttributeWords write_attributes(const Node& node, const Graph& graph, const Program& program);

// The value of `name=value`: a list of integers, a number, or a word with an optional count, "ways(4)".
struct AttributeSetting {
  enum Kind : uint8_t { list, number, word };
  Kind kind = number;
  std::vector<int64_t> values;
  double value = 0;
  std::string text;
  int64_t count = 0;
};

// What stood on a node's line. Reading takes out what it understands; the rest is unknown to the op.
struct AttributeText {
  std::vector<std::string> words, strings;
  std::vector<double> numbers;
  std::map<std::string, AttributeSetting> settings;
};

struct AttributeContext {
  const std::vector<TensorType>& operands;
  const TensorType* declared;  // null if the type was left out
  Program& program;            // states that it lacks are added
};

// Fills `attributes`, whose alternative is the op's. Returns "" or what is wrong.
std::string read_attributes(AttributeText& text, const AttributeContext& context, Attributes& attributes);

// The state called `name`; declared with `type` if the program has none. "p:m" becomes a slot of "p".
StateId find_or_declare_state(Program& program, const std::string& name, const TensorType& type);

}  // namespace nnc
