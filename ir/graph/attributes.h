// What an op node carries besides its operands and its type.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "ir/graph/type.h"
#include "ir/ids.h"

namespace nnc {

struct Graph;
struct StateDecl;
using StateId = Id<StateDecl>;

enum class Comparison : uint8_t { eq, ne, lt, le, gt, ge };
enum class Reduction : uint8_t { sum, prod, max, min, argmax };  // max and min pass NaN on; argmax takes the first
enum class Distribution : uint8_t { uniform, normal, integer };

// How a reduction adds up. The order fixes every bit, so it is part of the Graph; fix_orders chooses it.
struct Order {
  enum Kind : uint8_t {
    unset,   // before fix_orders
    chain,   // one ascending chain from the identity
    ways,    // `count` chains, element k in chain k mod count, added pairwise (0+1)+(2+3)
    lanes,   // a partial per vector lane over the last reduced axis (lane = index mod `count`), then a halving tree
    chunks,  // chains of `count` elements, partials added ascending
    tiles,   // of a contract: per block of `count` elements (the last one filled up with zeros) a chain of fma from +0
             // for the even and one for the odd ones, added together, then to the sum of the blocks before
  };
  Kind kind = unset;
  int64_t count = 0;
  bool operator==(const Order&) const = default;
};

// One axis of an operand as an affine term of the contraction's indices:
// (sum of coefficient * index + offset) / divisor. A value outside the axis, or one that does not divide, reads as
// zero.
struct IndexTerm {
  std::vector<std::pair<int, int64_t>> terms;  // (index, coefficient), ascending by index, coefficients non-zero
  int64_t offset = 0;
  int64_t divisor = 1;

  static IndexTerm plain(int index) { return {{{index, 1}}, 0, 1}; }
  bool is_plain() const { return terms.size() == 1 && terms[0].second == 1 && offset == 0 && divisor == 1; }
  bool operator==(const IndexTerm&) const = default;
};

// "b i, o i -> b o": the result's axes are plain indices; whatever is not in the result is summed,
// in ascending order of `names` (the last summed index is the innermost).
struct IndexMap {
  std::vector<std::string> names;                // one per index
  Dims extents;                                  // one per index
  std::vector<std::vector<IndexTerm>> operands;  // per operand, per axis
  std::vector<int> result;                       // per result axis, an index
  bool operator==(const IndexMap&) const = default;
};

struct InputAttr {
  std::string name;
  bool is_target = false;
  bool operator==(const InputAttr&) const = default;
};
struct StateAttr {
  StateId state;
  bool operator==(const StateAttr&) const = default;
};  // state, assign
struct ConstantAttr {
  double value = 0;
  bool operator==(const ConstantAttr&) const = default;
};  // a splat of any type
struct IotaAttr {
  int64_t axis = 0;
  bool operator==(const IotaAttr&) const = default;
};  // element = its index along axis
struct CompareAttr {
  Comparison comparison = Comparison::eq;
  bool operator==(const CompareAttr&) const = default;
};
struct TransposeAttr {
  std::vector<int64_t> permutation;
  bool operator==(const TransposeAttr&) const = default;
};  // result axis k is operand axis permutation[k]
struct BroadcastAttr {
  std::vector<int64_t> axes;
  bool operator==(const BroadcastAttr&) const = default;
};  // operand axis k is result axis axes[k], ascending
struct SliceAttr {
  Dims start, step;
  bool operator==(const SliceAttr&) const = default;
};  // steps >= 1; sizes are the result's
struct PadAttr {
  Dims before, after, step;
  double value = 0;
  bool operator==(const PadAttr&) const = default;
};  // step - 1 values between neighbours
struct AxisAttr {
  int64_t axis = 0;
  bool operator==(const AxisAttr&) const = default;
};  // concat, gather, scatter_add, sum_below
struct ReverseAttr {
  std::vector<int64_t> axes;
  bool operator==(const ReverseAttr&) const = default;
};
struct ReduceAttr {
  Reduction reduction = Reduction::sum;
  std::vector<int64_t> axes;
  Order order;
  bool operator==(const ReduceAttr&) const = default;
};  // axes ascending, removed from the result
struct CumsumAttr {
  int64_t axis = 0;
  bool exclusive = false;
  bool reverse = false;
  bool operator==(const CumsumAttr&) const = default;
};
struct ContractAttr {
  IndexMap map;
  Order order;
  bool operator==(const ContractAttr&) const = default;
};
struct WindowAttr {
  Reduction reduction = Reduction::max;
  Dims size, stride, dilation, before, after;
  bool operator==(const WindowAttr&) const = default;
};
// Operands: seed i64[], step i64[]. Philox 4x32-10, counter (16*(e/64)+e%16, site, step low, step high), word (e/16)%4,
// e the element number, row-major with the last axis rounded up to 64. uniform: (word>>8) * 2^-24 in [0,1).
// normal: sqrt(2) * erfinv of 2*(((word>>8)+0.5) * 2^-24) - 1. integer: (word * bound) >> 32, with the type's bound.
struct RandomAttr {
  Distribution distribution = Distribution::uniform;
  uint32_t site = 0;
  bool operator==(const RandomAttr&) const = default;
};
struct ScanAttr {
  uint32_t body = 0;
  int64_t axis = 0;
  int64_t carried = 0;
  bool reverse = false;
  bool operator==(const ScanAttr&) const = default;
};

using Attributes = std::variant<std::monostate, InputAttr, StateAttr, ConstantAttr, IotaAttr, CompareAttr,
                                TransposeAttr, BroadcastAttr, SliceAttr, PadAttr, AxisAttr, ReverseAttr, ReduceAttr,
                                CumsumAttr, ContractAttr, WindowAttr, RandomAttr, ScanAttr>;

// Parses "b i, o i -> b o" (affine terms as in worked examples: "(2*p+r-1)", "((h-r+1)/2)") and finds each index's
// extent from `operands` (an index that occurs plain somewhere). Empty string on success, else what is wrong.
std::string parse_index_map(std::string_view text, const std::vector<TensorType>& operands, IndexMap& map);
// An index of the result that is plain in no operand (a window's) gets extent 0: the caller sets it from the result's
// type. Indices are numbered as they first appear in the text.
std::string to_string(const IndexMap& map);

// The same map with its indices numbered in the order in which they first appear in the operands, then the result.
// Every contract holds such a map, so that its text says all of it.
IndexMap numbered_by_appearance(const IndexMap& map);

std::string to_string(const Order& order);
std::string_view name_of(Comparison comparison);
std::string_view name_of(Reduction reduction);
std::string_view name_of(Distribution distribution);

}  // namespace nnc
