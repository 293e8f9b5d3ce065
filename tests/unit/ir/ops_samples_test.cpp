// Tests made from the registry: every op's samples against its own inference, gradient and text.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "ir/graph/interpreter.h"
#include "ir/graph/text.h"
#include "ir/ops/op.h"

namespace nnc {
namespace {

using Inputs = std::map<std::string, ReferenceTensor>;

Inputs random_inputs(const OpSample& sample, uint32_t seed) {
  std::mt19937 random(seed);
  Inputs inputs;
  size_t next = 0;
  for (const Node& node : sample.graph.nodes) {
    if (node.op != Op::input) continue;
    auto [low, high] = sample.ranges.at(next++);
    std::uniform_real_distribution<double> values(low, high);
    ReferenceTensor tensor{node.type, std::vector<double>(static_cast<size_t>(node.type.elements()))};
    for (double& value : tensor.values) value = is_float(node.type.dtype) ? values(random) : std::floor(values(random));
    inputs[node.as<InputAttr>().name] = std::move(tensor);
  }
  return inputs;
}

double weighted_sum(const Graph& graph, NodeId y, const Inputs& inputs, const ReferenceTensor& weights) {
  Evaluation evaluation = interpret(graph, inputs, {});
  double sum = 0;
  for (size_t i = 0; i < weights.values.size(); ++i) sum += evaluation.values[y.value].values[i] * weights.values[i];
  return sum;
}

template <class Visit>
void for_each_sample(Visit visit) {
  for (const OpDefinition& definition : all_definitions()) {
    uint32_t seed = 1;
    for (const OpSample& sample : definition.samples()) {
      SCOPED_TRACE(std::string(definition.name) + " " + sample.name);
      visit(definition, sample, random_inputs(sample, seed++));
    }
  }
}

TEST(OpSamples, EveryOpThatCanBeRunAloneHasSome) {
  const std::set<std::string_view> needs_more = {"state", "cotangent", "assign", "scan"};
  std::set<OpKind> kinds;
  for (const OpDefinition& definition : all_definitions()) {
    auto samples = definition.samples();
    EXPECT_EQ(samples.empty(), needs_more.count(definition.name) == 1) << definition.name;
    std::set<std::string> names;
    for (const OpSample& sample : samples) {
      EXPECT_TRUE(names.insert(sample.name).second) << definition.name << " has two samples " << sample.name;
      ASSERT_EQ(sample.graph.roots.size(), 1u);
      EXPECT_EQ(sample.graph.roots[0].name, "y");
      EXPECT_EQ(sample.graph[sample.graph.roots[0].node].op, definition.op);
      kinds.insert(definition.kind);
    }
  }
  for (OpKind kind : {OpKind::leaf, OpKind::map, OpKind::movement, OpKind::reduce, OpKind::contract, OpKind::window,
                      OpKind::random}) {
    EXPECT_EQ(kinds.count(kind), 1u) << static_cast<int>(kind);
  }
}

TEST(OpSamples, RegistryAgreesWithTheList) {
  for (const OpDefinition& definition : all_definitions()) {
    Op op{};
    ASSERT_TRUE(parse_op(definition.name, op));
    EXPECT_EQ(op, definition.op);
    EXPECT_EQ(name_of(op), definition.name);
    EXPECT_NE(definition.infer, nullptr);
    EXPECT_NE(definition.samples, nullptr);
  }
  Op op{};
  EXPECT_FALSE(parse_op("adds", op));
}

TEST(OpSamples, EvaluationHasTheInferredShapeAndRespectsBounds) {
  for_each_sample([](const OpDefinition&, const OpSample& sample, const Inputs& inputs) {
    Evaluation evaluation = interpret(sample.graph, inputs, {});
    for (size_t n = 0; n < sample.graph.nodes.size(); ++n) {
      const TensorType& type = sample.graph.nodes[n].type;
      ASSERT_EQ(static_cast<int64_t>(evaluation.values[n].values.size()), type.elements());
      for (double value : evaluation.values[n].values) {
        ASSERT_FALSE(std::isnan(value));
        if (type.bound != 0) {
          ASSERT_GE(value, 0);
          ASSERT_LT(value, static_cast<double>(type.bound));
        }
        if (!is_float(type.dtype)) {
          ASSERT_EQ(value, std::floor(value));
        }
      }
    }
  });
}

TEST(OpSamples, VerifyPrintAndParse) {
  for_each_sample([](const OpDefinition&, const OpSample& sample, const Inputs&) {
    Program program, fresh;
    for (const std::string& message : verify(sample.graph, program)) ADD_FAILURE() << message;
    std::string text = print(sample.graph, program);
    Graph parsed;
    ASSERT_EQ(parse_graph(text, fresh, parsed), "") << text;
    EXPECT_EQ(print(parsed, fresh), text);
    ASSERT_EQ(parsed.nodes.size(), sample.graph.nodes.size());
    for (size_t n = 0; n < parsed.nodes.size(); ++n) {
      EXPECT_EQ(parsed.nodes[n].attributes, sample.graph.nodes[n].attributes) << text;
      EXPECT_EQ(parsed.nodes[n].type, sample.graph.nodes[n].type);
      EXPECT_EQ(parsed.nodes[n].operands, sample.graph.nodes[n].operands);
    }
  });
}

struct Differentiated {
  Graph graph;
  NodeId y;
  std::vector<NodeId> operands, gradients;  // gradients: invalid is zero
};

Differentiated differentiated(const OpSample& sample) {
  Differentiated result{sample.graph, sample.graph.roots[0].node, {}, {}};
  GraphBuilder build(result.graph, Part::backward);
  NodeId cotangent = build.input("cotangent", result.graph.type(result.y));
  result.operands = result.graph[result.y].operands;
  auto wanted = std::make_unique<bool[]>(result.operands.size());
  for (size_t k = 0; k < result.operands.size(); ++k) wanted[k] = is_float(result.graph.type(result.operands[k]).dtype);
  GradientContext context{build, result.y, cotangent, {wanted.get(), result.operands.size()}};
  const OpDefinition& rule = definition(result.graph[result.y].op);
  result.gradients = rule.gradient ? rule.gradient(context) : std::vector<NodeId>(result.operands.size());
  return result;
}

TEST(OpSamples, GradientsMatchCentralDifferences) {
  size_t compared = 0;
  for_each_sample([&](const OpDefinition&, const OpSample& sample, const Inputs& inputs) {
    NodeId y = sample.graph.roots[0].node;
    if (!sample.differentiable || sample.graph[y].operands.empty()) return;
    Differentiated all = differentiated(sample);
    ASSERT_EQ(all.gradients.size(), all.operands.size());
    for (const std::string& message : verify(all.graph, Program())) ADD_FAILURE() << message;

    std::mt19937 random(99);
    std::uniform_real_distribution<double> weight(-1, 1);
    ReferenceTensor cotangent{all.graph.type(all.y), {}};
    for (int64_t i = 0; i < cotangent.type.elements(); ++i) cotangent.values.push_back(weight(random));
    Inputs with_cotangent = inputs;
    with_cotangent["cotangent"] = cotangent;
    Evaluation evaluation = interpret(all.graph, with_cotangent, {});

    for (size_t k = 0; k < all.operands.size(); ++k) {
      NodeId operand = all.operands[k];
      if (!is_float(all.graph.type(operand).dtype)) continue;
      std::string name = all.graph[operand].as<InputAttr>().name;
      size_t count = inputs.at(name).values.size();
      if (all.gradients[k]) {
        ASSERT_EQ(all.graph.type(all.gradients[k]), all.graph.type(operand));
      }
      size_t stride = std::max<size_t>(1, count / 23);
      for (size_t i = 0; i < count; i += stride) {
        const double h = 1e-5;
        Inputs moved = inputs;
        moved[name].values[i] = inputs.at(name).values[i] + h;
        double above = weighted_sum(sample.graph, all.y, moved, cotangent);
        moved[name].values[i] = inputs.at(name).values[i] - h;
        double below = weighted_sum(sample.graph, all.y, moved, cotangent);
        double numeric = (above - below) / (2 * h);
        double symbolic = all.gradients[k] ? evaluation.values[all.gradients[k].value].values[i] : 0;
        ASSERT_NEAR(symbolic, numeric, 1e-5 * std::max(1.0, std::abs(numeric))) << "operand " << k << " element " << i;
        ++compared;
      }
    }
  });
  EXPECT_GT(compared, 2000u);
}

TEST(OpSamples, GradientsOfContractAreContracts) {
  for (const OpSample& sample : definition(Op::contract).samples()) {
    SCOPED_TRACE(sample.name);
    Differentiated all = differentiated(sample);
    const IndexMap& forward = sample.graph[all.y].as<ContractAttr>().map;
    auto is_plain = [](const IndexMap& map) {
      for (const auto& axes : map.operands) {
        for (const IndexTerm& term : axes) {
          if (!term.is_plain()) return false;
        }
      }
      return true;
    };
    for (NodeId gradient : all.gradients) {
      const Node* node = &all.graph[gradient];
      if (sample.name == "summed_alone" || sample.name == "window_diagonal")
        continue;  // a broadcast or a mask behind it
      ASSERT_EQ(node->op, Op::contract);
      EXPECT_TRUE(!is_plain(forward) || is_plain(node->as<ContractAttr>().map));
    }
  }
}

}  // namespace
}  // namespace nnc
