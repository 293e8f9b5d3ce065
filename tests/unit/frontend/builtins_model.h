// Models in a few lines of text, built and run by the Graph interpreter: what the tests of core functions and prelude
// share.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "frontend/frontend.h"
#include "frontend/unit.h"
#include "ir/graph/interpreter.h"

namespace nnc::testing {

using Doubles = std::vector<double>;

// A model that has been built, or its diagnostics.
struct Built {
  UnitPointer unit;
  std::optional<Program> program;

  // "E302 message; help: …" of every diagnostic, one a line.
  std::string complaints() const {
    std::string text;
    for (const Diagnostic& diagnostic : unit->diagnostics.list) {
      text += std::string(info(diagnostic.kind).code) + " " + diagnostic.message;
      for (const std::string& help : diagnostic.helps) text += "; help: " + help;
      text += "\n";
    }
    return text;
  }
  const Graph& function(std::string_view name) const {
    for (const Graph& graph : program->functions) {
      if (graph.name == name) return graph;
    }
    ADD_FAILURE() << "no function " << name;
    return program->functions.front();
  }
};

inline Built build(std::string text, const std::vector<FieldType>& fields, int64_t batch) {
  Built built{load_text("test.nn", text), {}};
  BuildRequest request;
  request.batches = {batch};
  if (!has_errors(built.unit->diagnostics)) built.program = build_program(*built.unit, fields, request);
  Built unread{load_text("test.nn", std::move(text)), {}};
  std::vector<FieldType> unknown = fields;
  for (FieldType& field : unknown) field.known = false;
  if (!has_errors(unread.unit->diagnostics)) build_program(*unread.unit, unknown, request);
  for (const Diagnostic& diagnostic : unread.unit->diagnostics.list) {
    const bool same = std::any_of(
        built.unit->diagnostics.list.begin(), built.unit->diagnostics.list.end(),
        [&](const Diagnostic& other) { return other.kind == diagnostic.kind && other.span == diagnostic.span; });
    EXPECT_TRUE(same) << "without the data also: " << diagnostic.message;
  }
  return built;
}

inline ReferenceTensor tensor(DType dtype, Dims dims, Doubles values, int64_t bound = 0) {
  return {{dtype, bound, std::move(dims)}, std::move(values)};
}

// Every state with the values that `initialize` gives it at seed 0.
inline std::map<uint32_t, ReferenceTensor> initial_states(const Built& built) {
  std::map<uint32_t, ReferenceTensor> states;
  for (size_t k = 0; k < built.program->states.size(); ++k) {
    const TensorType& type = built.program->states[k].type;
    states[static_cast<uint32_t>(k)] = {type, Doubles(static_cast<size_t>(type.elements()), 0.0)};
  }
  for (auto& [state, value] : interpret(built.function("initialize"), {}, states).assigned) states[state] = value;
  return states;
}

struct Ran {
  std::map<std::string, ReferenceTensor> roots;
  std::map<std::string, ReferenceTensor> assigned;  // by state name
};

inline Ran run(const Built& built, std::string_view function, const std::map<std::string, ReferenceTensor>& inputs,
               std::map<uint32_t, ReferenceTensor> states) {
  const Graph& graph = built.function(function);
  std::map<std::string, ReferenceTensor> wanted;
  for (const Node& node : graph.nodes) {
    if (node.op == Op::input) wanted[node.as<InputAttr>().name] = inputs.at(node.as<InputAttr>().name);
  }
  Evaluation evaluation = interpret(graph, wanted, states);
  Ran ran;
  for (const Root& root : graph.roots) ran.roots[root.name] = evaluation.values[root.node.value];
  for (auto& [state, value] : evaluation.assigned) ran.assigned[built.program->states[state].name] = value;
  return ran;
}

// The value of `expression` over x (a matrix of `rows`), as an output of a model.
inline ReferenceTensor value_of(const std::string& expression, const std::vector<Doubles>& rows,
                                const std::string& before = "") {
  Doubles flat;
  for (const Doubles& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  auto batch = static_cast<int64_t>(rows.size()), width = static_cast<int64_t>(rows[0].size());
  Built built =
      build("model M { input x: [batch, " + std::to_string(width) + "]\n target t: [batch]\n" + before +
                "\n output o = " + expression + "\n loss l = mean(t) }\ntrain { optimizer = SGD(lr = 0.1) }\n",
            {{"x", {DType::f32, 0, {width}}}, {"t", {DType::f32, 0, {}}}}, batch);
  if (!built.program) {
    ADD_FAILURE() << expression << "\n" << built.complaints();
    return {};
  }
  return run(built, "predict", {{"x", tensor(DType::f32, {batch, width}, flat)}}, initial_states(built)).roots.at("o");
}

// The complaint about `expression` over x: f32[batch, 4] and y: i32<10>[batch].
inline std::string complaint_of(const std::string& expression) {
  Built built = build("model M { input x: [batch, 4]\n target y: i32<10>[batch]\n r = " + expression +
                          "\n loss l = mean(x) }\ntrain { optimizer = SGD(lr = 0.1) }\n",
                      {{"x", {DType::f32, 0, {4}}}, {"y", {DType::i32, 10, {}}}}, 3);
  return built.complaints();
}

inline void expect_near(const ReferenceTensor& actual, const Doubles& expected, double tolerance = 1e-12) {
  ASSERT_EQ(actual.values.size(), expected.size());
  for (size_t k = 0; k < expected.size(); ++k) {
    if (std::isinf(expected[k])) {
      EXPECT_EQ(actual.values[k], expected[k]) << "element " << k;
      continue;
    }
    EXPECT_NEAR(actual.values[k], expected[k], tolerance * std::max(1.0, std::abs(expected[k]))) << "element " << k;
  }
}

}  // namespace nnc::testing
