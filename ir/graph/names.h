// How nodes are called in text: shared by the printer and the verifier.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/graph/graph.h"

namespace nnc {

// Whether each node is a constant that the printer writes as a number in its users' operand lists: all its uses are
// operands of maps beside an operand, or in a result, from which its type follows.
std::vector<bool> find_literals(const Graph& graph);

// Per node "%z1" from its label, "%z1_1" where that is taken, "%0" … without one. A literal is called by its value,
// an assign by "assign". Robust against graphs that break every rule.
std::vector<std::string> node_names(const Graph& graph, const std::vector<bool>& literals);

// Whether operand `position` of `op` may be a literal.
bool may_be_literal(Op op, size_t position);

// The type a literal of `value` takes beside an operand (or for a result) of type `beside`.
TensorType literal_type(const TensorType& beside, double value);

// "a", "b", … "z", "a1", …
std::string axis_name(size_t axis);

// `text` in quotes, with \" \\ \n \t and \xHH for other control characters.
std::string quoted(std::string_view text);

// A name as it is if it reads as one word, else in quotes.
std::string word_or_quoted(std::string_view text);

// The shortest text that reads back as the same double.
std::string number_text(double value);

}  // namespace nnc
