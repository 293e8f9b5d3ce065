// Loop IR: exactly what the machine does inside one region. Constant-bound loops, one `items` loop over the thread's
// share, unrolled families, vector loads and stores with masks, fma, lane reductions. LLVM IR is a 1:1 transcription.
//
//   kernel r1 target=avx512 v=16 {
//     buf x : f32[128,784] in ; buf w : f32[8,784,64] in zero ; buf h : f32[128,528] out valid(d1<500)
//     for n in 0..8 {
//       [j<4] q[j] = within 64*n + 16*j step 1 in 0..500
//       items r in 0..2 of 22 {
//         [i<6 j<4] var a[i,j] = splat 0.0
//         for k in 0..784 unroll 4 {
//           [j<4] b[j] = load w[n, k, 16*j]
//           [i<6] e[i] = load x[6*r + i, k]        # a scalar; used by a vector op it is broadcast
//           [i<6 j<4] a[i,j] := fma e[i] b[j] a[i,j] }
//         [i<6 j<4] store h[6*r + i, 64*n + 16*j] a[i,j] mask q[j] } } }
//
// Values: scalars or vectors of `Target::lanes` elements. A scalar operand of a vector op is broadcast. A value defined
// inside unrolled indices is a family: one value for each combination. Single assignment, except `var`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ir/graph/attributes.h"
#include "ir/graph/graph.h"
#include "ir/ids.h"
#include "ir/location.h"
#include "ir/target.h"

namespace nnc {

enum class LoopOp : uint8_t {
#define OP(name, kind, arity)
#define MAP_OP(name, arity) name,
#include "ir/ops/ops.def"
#define LOOP_OP(name, arity) name,
#include "ir/loop/ops.def"
};
std::string_view name_of(LoopOp op);
bool parse_loop_op(std::string_view name, LoopOp& op);
int arity_of(LoopOp op);
bool is_map(LoopOp op);
// The Loop op of a map op of the Graph (same name).
LoopOp loop_op_of(Op map_op);

struct LoopVar {
  enum Kind : uint8_t { loop, item, unroll };
  std::string name;
  Kind kind = loop;
  int64_t begin = 0, end = 0;  // values taken: [begin, end); of an item index: over the whole grid class
};
using VarId = Id<LoopVar>;

// constant + sum of coefficient * variable.
struct Affine {
  int64_t constant = 0;
  std::vector<std::pair<VarId, int64_t>> terms;  // ascending by variable, coefficients non-zero

  static Affine of(int64_t constant) { return {constant, {}}; }
  static Affine of(VarId var, int64_t coefficient = 1) {
    return coefficient == 0 ? Affine{} : Affine{0, {{var, coefficient}}};
  }
  bool is_constant() const { return terms.empty(); }
  bool operator==(const Affine&) const = default;
};
Affine operator+(const Affine& a, const Affine& b);
Affine operator*(const Affine& a, int64_t factor);

struct LoopValue {
  std::string name;
  DType dtype = DType::f32;
  bool vector = false;  // else scalar. A vector bool is a mask
  bool is_var = false;  // may be assigned again; lives from its definition to the end of the block that defines it
  std::vector<VarId>
      family;  // the unrolled indices it is defined under, outermost first; used only where these are bound (or folded)
};
using ValueId = Id<LoopValue>;

struct LoopBuffer {
  enum Mode : uint8_t { in, out, inout };
  std::string name;
  DType dtype = DType::f32;
  Dims dims;  // physical extents, row-major, pitch included
  Mode mode = in;
  bool zero = false;  // lanes beyond `valid` hold zeros and may be read
  Dims valid;         // per axis, extent that holds data (== dims where all does); empty: all
};
using BufferId = Id<LoopBuffer>;

// Element(s) of a buffer. One index per physical axis: affine + (optionally) the value of an integer scalar.
// A vector access touches lanes l = 0, 1, …: index of `lane_axis` + l * lane_step. Contiguous when lane_axis is the
// last and lane_step 1.
struct Access {
  struct Index {
    Affine affine;
    ValueId dynamic;  // scalar i32 or i64 added to it, if valid. A vector i32 here makes the access a gather
    bool operator==(const Index&) const = default;
  };
  BufferId buffer;
  std::vector<Index> indices;
  int64_t lane_axis = -1;  // -1: the last
  int64_t lane_step = 1;   // may be 0 (all lanes alike, under a mask) or negative
  ValueId mask;            // bool; lanes (or the scalar) that are off read as 0 and are not written
  bool operator==(const Access&) const = default;
};

struct LoopOperand {
  ValueId value;       // invalid: the literal
  double literal = 0;  // takes the dtype of the op's other operands, or of the result
  bool operator==(const LoopOperand&) const = default;
};

struct LoopStmt {
  enum Kind : uint8_t {
    define,    // value = op operands        (`var` if the value is one)
    assign,    // value := op operands
    load,      // value = load access
    store,     // store access operands[0]
    prefetch,  // a line: of what is written, close and for writing soon; else into a near cache, for a while from now
    tiles,     // access := factors[0] times factors[1]
    loop,      // for var in begin..end unroll n { body }
    items,     // items (outer inner) in begin..end of count { body }
    unroll,    // [vars] { body }
    when,      // when operands[0] { body }: the body if the scalar bool is true
    weave,     // weave { body }: the body; its first statement's instructions and the others' take turns
  };
  Kind kind = define;
  Locations locations;

  ValueId value;                      // define, assign, load
  LoopOp op = LoopOp::add;            // define, assign
  std::vector<LoopOperand> operands;  // define, assign, store, when

  Comparison comparison = Comparison::eq;  // compare
  Reduction reduction = Reduction::sum;    // fold, lanes: sum, prod, max, min
  VarId over;                              // fold, column, any: an unrolled index of the operand, not of the result
  Affine affine;                           // index, within, column
  int64_t lane_step = 1;                   // index, within
  int64_t low = 0, high = 0;               // within, integer
  uint32_t site = 0;                       // philox

  Access access;  // load, store, prefetch, tiles

  // tiles: a block of a matrix product in bf16. Rows run along the last but one axis of an access, columns along the
  // last, both from the element it names. The left factor holds bf16, 2 * pairs of them a row; the right one i32 that
  // are pairs of bf16, the element of the even row in the lower half, in `pairs` rows; the result is f32.
  // An element of the result is the sum from +0, ascending, of a term for each 16 pairs: two chains of fma from +0, of
  // even and of odd elements, ascending, then their sum. Denormals are zero; always fused.
  std::vector<Access> factors;
  int64_t rows = 0, columns = 0, pairs = 0;  // rows 1..32, columns 16 or 32, pairs a multiple of 16

  std::vector<VarId> vars;  // loop: one; unroll: one or more; items: inner, or outer and inner
  int64_t copies = 1;       // loop: of the body per turn ("unroll" in text)
  // items: item number = outer * inner_count + inner; runs, ascending, those of the thread's share [lo, hi) whose
  // indices lie in the variables' ranges.
  int64_t inner_count = 0;
  // weave: the first is a loop that is written out; the others touch nothing that it writes, nor the other way round.
  std::vector<LoopStmt> body;  // loop, items, unroll, when, weave
};

// One function: void kernel(buffers…, i64 lo, i64 hi). lo and hi are item numbers of its grid.
struct Kernel {
  std::string name;  // a symbol visible to debuggers: "step_r1_fc1"
  Target target;
  std::vector<LoopVar> vars;
  std::vector<LoopValue> values;
  std::vector<LoopBuffer> buffers;
  std::vector<LoopStmt> body;
  int64_t items = 1;  // of its grid

  LoopVar& operator[](VarId id) { return vars[id.value]; }
  const LoopVar& operator[](VarId id) const { return vars[id.value]; }
  LoopValue& operator[](ValueId id) { return values[id.value]; }
  const LoopValue& operator[](ValueId id) const { return values[id.value]; }
  LoopBuffer& operator[](BufferId id) { return buffers[id.value]; }
  const LoopBuffer& operator[](BufferId id) const { return buffers[id.value]; }
};
using KernelId = Id<Kernel>;

// Where a kernel's buffer lies in a call.
struct BufferBinding {
  enum Space : uint8_t { state, arena, scratch, io };
  Space space = arena;
  int64_t offset = 0;  // bytes; of io: the position in the entry's io list
  bool operator==(const BufferBinding&) const = default;
};

struct KernelCall {
  KernelId kernel;
  std::vector<BufferBinding> buffers;
  Locations locations;
  double flops = 0;  // as LoopEntry::flops
};

// Calls between two barriers. Thread t of T runs items [items*t/T, items*(t+1)/T) of each, in this order.
struct LoopPhase {
  std::vector<KernelCall> calls;
};

// An entry point: phases in order, a barrier between neighbours and one at the end.
struct LoopEntry {
  struct Io {
    Root::Kind kind = Root::output;  // of what is written
    bool read = true;                // an input or target, else written
    bool is_target = false;
    std::string name;
    TensorType type;
  };
  std::string name;
  int64_t batch = 0;
  std::vector<Io> io;
  std::vector<LoopPhase> phases;
  double flops = 0;
};

// Where a state lies: element = sum over factors of ((index[axis] / divisor) % extent) * stride.
struct StatePlacement {
  struct Factor {
    int64_t axis, divisor, extent, stride;
  };
  StateId state;
  int64_t offset = 0, bytes = 0;
  std::vector<Factor> factors;
};

// All that codegen needs of a program.
struct LoopModule {
  std::string name;
  Target target;
  std::vector<std::string> files;  // of Locations
  std::vector<StateDecl> states;
  std::vector<StatePlacement> placements;  // one per state, in order
  std::vector<Kernel> kernels;             // no two alike
  std::vector<LoopEntry> entries;
  int64_t state_bytes = 0, arena_bytes = 0, scratch_bytes = 0;
};

}  // namespace nnc
