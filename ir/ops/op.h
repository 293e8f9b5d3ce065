// The registry: everything the compiler knows of an op, in one definition per op.
// Passes ask a definition for its traits; none switches over the op list.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph/graph.h"

namespace nnc {

// Values of the reference evaluation: row-major doubles, whatever the dtype. Booleans are 0 and 1.
// After every op the interpreter rounds to the node's dtype only where the op is a cast (to bf16, integer or bool);
// f32 arithmetic stays in double: this is the oracle.
struct ReferenceTensor {
  TensorType type;
  std::vector<double> values;
};

// What the gradient rule of an op sees. A rule appends ordinary nodes through `build` (part backward, the node's
// locations).
struct GradientContext {
  GraphBuilder& build;
  NodeId node;                   // the node whose operands want cotangents; build.graph()[node]
  NodeId cotangent;              // of the node's result, same type
  std::span<const bool> wanted;  // per operand: whether anyone needs its cotangent
};

// A small use of an op, from which its tests are made: inference, print and parse, gradient against finite
// differences, reference against compiled code.
struct OpSample {
  std::string name;  // unique among the op's samples: "prime", "unit_axis", …
  Graph graph;       // inputs, the op, one output root named "y"
  std::vector<std::pair<double, double>>
      ranges;                  // per input: uniform random values are drawn from [low, high); integers floored
  bool differentiable = true;  // compare gradients of sum(y * random) with finite differences
  double max_ulp = 4;          // compiled f32 against the oracle: |error| <= max_ulp * 2^-24 * max(|exact|, scale)
  double scale = 1e-30;        // for sums: the size of the largest partial result
  bool native = true;          // can be compiled; false for windows and scans, which are only interpreted
};

struct OpDefinition {
  // From the op's line in ops.def; the registry fills these in.
  Op op = Op::constant;
  std::string_view name;
  OpKind kind = OpKind::map;
  int arity = 0;  // -1: any

  // Which alternative of Attributes the op's nodes carry: attributes_of<CompareAttr>.
  size_t attributes = 0;
  // Whether `infer` needs a `given` type: leaves, and results whose shape the operands do not tell.
  bool typed = false;

  // Result type, or in `error` what is wrong in the words of a verifier ("operands differ: f32[2] and f32[3]").
  // `given` is the type passed to append, for ops that need one.
  TensorType (*infer)(std::span<const TensorType> operands, const Attributes& attributes, const TensorType& given,
                      std::string& error);

  // Cotangents of the operands; an invalid id is zero. Null where the op has no gradient (integers, comparisons, …:
  // zero).
  std::vector<NodeId> (*gradient)(GradientContext&);

  // Null for leaves with storage (input, state, cotangent), assign and scan.
  void (*evaluate)(const Node& node, std::span<const ReferenceTensor* const> operands, ReferenceTensor& result);

  std::vector<OpSample> (*samples)();

  bool commutative = false;  // simplify and merge_duplicates may swap the two operands without changing a bit
  bool cheap = false;        // a map worth recomputing rather than storing: no division, root or series
};

template <class T>
inline constexpr size_t attributes_of = Attributes(std::in_place_type<T>).index();

const OpDefinition& definition(Op op);
std::span<const OpDefinition> all_definitions();
// False when no op has this name.
bool parse_op(std::string_view name, Op& op);
std::string_view name_of(Op op);

// The type of a node: checks the number of operands, that the attributes are the op's, that all types may exist, and
// asks the definition. On an error says what is wrong in `error` and returns a scalar.
TensorType infer_type(Op op, std::span<const TensorType> operands, const Attributes& attributes,
                      const TensorType& given, std::string& error);

}  // namespace nnc
