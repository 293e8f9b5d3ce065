// What the tests of Graph passes share: graphs from text, comparison, random values, one evaluation.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "ir/graph/graph.h"
#include "ir/graph/interpreter.h"
#include "ir/graph/text.h"

namespace nnc::testing {

// A graph with the program its states belong to.
struct Case {
  Program program;
  Graph graph;
};

// Reads "graph step { BODY }". States are declared where they are read; "step" and "seed" always exist.
Case read_case(std::string_view body);

// The text without labels, locations and the distinction of literals: what two equal graphs share.
std::string plain_text(const Graph& graph, const Program& program);

// Expects `graph` to be what BODY says, and to be valid.
void expect_graph(const Graph& graph, const Program& program, std::string_view body);
void expect_valid(const Graph& graph, const Program& program, bool orders_fixed = false);

// Reads `before`, runs the pass, expects `after`.
void expect_pass(const std::function<void(Graph&)>& pass, std::string_view before, std::string_view after);

using Inputs = std::map<std::string, ReferenceTensor>;
using States = std::map<uint32_t, ReferenceTensor>;

// Floats in [-1, 1), integers below their bound, "step" and "seed" small, slots ":v" positive; the same values for the
// same seed and names.
Inputs random_inputs(const Graph& graph, uint64_t seed = 1);
States random_states(const Program& program, uint64_t seed = 1);

// The values of the roots of a kind by name.
std::map<std::string, std::vector<double>> roots_of(const Graph& graph, Root::Kind kind, const Inputs& inputs,
                                                    const States& states);

// Expects both graphs to give the same roots and assigned states, exactly.
void expect_same_values(const Graph& a, const Graph& b, const Program& program);

}  // namespace nnc::testing
