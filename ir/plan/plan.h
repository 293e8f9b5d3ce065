// The Plan: how a Graph's nodes are grouped into regions, where every value lives, and what runs between which
// barriers. It moves work and never changes a bit: orders and roundings are the Graph's.
//
//   plan step of mnist_mlp at B=128 {
//     A0 %h1 f32 [b, o] ld 528 @0 270336 phases 0..1
//     phase 0
//       r1 contract %z1 6x64 grid (0:128/6) tile{%a1 %h1} reads x S0 S3 writes A0
//     barrier … }
#pragma once

#include <string>
#include <vector>

#include "ir/graph/graph.h"
#include "ir/target.h"

namespace nnc {

// How a tensor lies in memory. Physical axis k holds (index[axis] / divisor) % extent; physical axes are row-major.
struct Layout {
  struct Factor {
    int64_t axis = 0, divisor = 1, extent = 1;
    bool operator==(const Factor&) const = default;
  };
  std::vector<Factor> factors;  // outermost first
  Dims physical;                // allocated extent of each factor, >= its extent (a pitch)

  int64_t elements() const;  // product of `physical`
  // The logical axis along which neighbouring elements lie; -1 for a scalar.
  int64_t lane_axis() const { return factors.empty() ? -1 : factors.back().axis; }
  bool operator==(const Layout&) const = default;
};

// [d0, …, dn], the last extent rounded up to a multiple of `pitch_multiple` (1: dense).
Layout row_major_layout(const Dims& dims, int64_t pitch_multiple);
// [d/width, other axes…, d%width] with d = dims[lane_axis], padded to whole panels.
Layout panel_layout(const Dims& dims, int64_t lane_axis, int64_t width);

// Where a value lies. A state has a home and perhaps mirrors, a computed value an arena buffer, an io buffer, or both.
struct Storage {
  enum Kind : uint8_t { io, state, arena };
  Kind kind = arena;
  std::string name;
  NodeId value;         // io, arena
  StateId held;         // state
  bool mirror = false;  // state: a copy in another layout, written with its home
  TensorType type;
  Layout layout;
  bool zero = false;  // what the layout pads holds zeros
  // A copy of `value` made for products alone (see Region::pack). With a pair axis, elements 2k and 2k + 1 along it
  // share the 32 bits of element k as bf16, the even one in the upper half (as dot2 reads them), or in the lower one
  // (as tiles do).
  bool packed = false;
  int64_t pair_axis = -1;
  bool even_low = false;
  int64_t offset = 0;  // state, arena: bytes into the segment; io: position in Plan::io
  int64_t bytes = 0;
  int64_t first_phase = 0, last_phase = 0;  // arena: the phases in which it is alive
};
using StorageId = Id<Storage>;

// The items of a region: tiles of one or two axes of its domain. `count` tiles an axis, equalised: the first
// extent % count have one more element than the others.
struct Grid {
  struct Axis {
    int64_t axis = 0, extent = 1, count = 1;
    bool operator==(const Axis&) const = default;
  };
  std::vector<Axis> axes;  // outer, inner; empty: one item
  int64_t items() const;
  bool operator==(const Grid&) const = default;
};

// How a region walks its domain: vectors along `lane_axis`, `vectors` of them at a time (a panel), `rows` tile rows.
struct Tiling {
  int64_t lane_axis = -1;  // -1: scalars only
  int64_t vectors = 1;     // per panel
  int64_t panels = 1;
  int64_t row_axis = -1;  // -1: none
  int64_t rows = 1;       // most rows of a tile
  // What follows a product is computed a tile late, between the steps of the next tile's product; an item of the grid
  // is then a strip of tiles.
  bool deferred = false;
  // Of a product: its sum is taken in so many blocks, each by all tiles of a strip of rows before the next; an item of
  // the grid is then a strip by a panel.
  int64_t blocks = 1;
  // Of a product: the operand (0 or 1) whose zeros are skipped. A step of the sum whose scalars of that operand are all
  // zero in a tile adds nothing and is not computed; -1: every step is.
  int zeros = -1;
};

struct Region;
using RegionId = Id<Region>;

// Nodes that one kernel computes. Members stand at one of two positions: `full` (shape = domain) or `row`
// (shape = domain without its last axis: results of reductions along it and what follows from them).
struct Region {
  enum Kind : uint8_t { map, reduce, contract, scatter, cumsum, pack };
  Kind kind = map;
  std::string name;
  NodeId anchor;  // reduce (over other than the last axis), contract, scatter, cumsum
  Dims domain;
  Tiling tiling;
  Grid grid;
  // Of a deferred product: the sum over the rows of the operand that it reads in vectors, taken beside the
  // product. It and what follows from it (the bias beside the weight) stand at the row position.
  NodeId column_sum;
  std::vector<NodeId> members;  // ascending; expressions inlined into several regions are not members
  struct Output {
    NodeId value;
    StorageId storage;
  };
  std::vector<Output> outputs;  // stored values; one value may be stored several times
  struct Read {
    StorageId storage;
    bool item_local = false;  // item k reads only what item k of the same grid wrote
  };
  std::vector<Read> reads;
  Locations locations;
  int64_t phase = -1;
};

// Whether `sum` may be the column sum of the region (see there): a reduction of rows, in the order in which the product
// sums them.
bool takes_column_sum(const Graph& graph, const Region& region, NodeId sum);

struct Phase {
  std::vector<RegionId> regions;  // in order of execution
};

// States lie alike in all plans of a program: layouts follow from shape, dtype and target.
struct StateLayouts {
  struct Entry {
    Layout home;
    std::vector<Layout> mirrors;
    int64_t home_offset = 0;
    std::vector<int64_t> mirror_offsets;
  };
  std::vector<Entry> entries;  // one per state of the program
  int64_t bytes = 0;
};

struct Plan {
  const Program* program = nullptr;
  Graph graph;  // the joint graph, orders fixed
  Target target;
  std::vector<Storage> storages;
  std::vector<StorageId> io;    // inputs in graph order, then roots
  std::vector<Region> regions;  // producers before consumers
  std::vector<Phase> phases;
  int64_t state_bytes = 0, arena_bytes = 0;
  int64_t live_bytes = 0;  // the largest set of arena values alive in one phase: the lower bound of arena_bytes

  Storage& operator[](StorageId id) { return storages[id.value]; }
  const Storage& operator[](StorageId id) const { return storages[id.value]; }
  Region& operator[](RegionId id) { return regions[id.value]; }
  const Region& operator[](RegionId id) const { return regions[id.value]; }
};

std::string print(const Plan& plan);
// Every broken rule, one line each, naming region or buffer and rule (P1 … P13 as documented in verifier.cpp).
std::vector<std::string> verify(const Plan& plan);

}  // namespace nnc
