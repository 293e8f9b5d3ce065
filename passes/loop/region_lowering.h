// The lowering of one region: its walk over the domain (nest.cpp), the expressions it evaluates at a point
// (evaluate.cpp), and one file a kind of anchor.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "passes/loop/kernel_writer.h"
#include "passes/plan/choose_layouts.h"
#include "passes/plan/form_regions.h"

namespace nnc {

// `count` equal tiles of `extent` elements: the first extent % count have one more. Each class is a run of tiles of one
// size.
struct TileClass {
  int64_t first, last, size, offset;  // tiles [first, last) start at size * tile + offset
};
std::vector<TileClass> tile_classes(int64_t extent, int64_t count);

// What a region becomes: usually one kernel, called with these buffers.
struct LoweredKernel {
  Kernel kernel;
  std::vector<BufferBinding> bindings;
  int64_t scratch_bytes = 0;  // that it needs of each thread
};

class RegionLowering {
 public:
  // `needs` gets the states whose layout does not allow an access of this region; its kernels are then of no use.
  RegionLowering(const Plan& plan, const Region& region, const std::vector<Role>& roles, LayoutNeeds& needs);

  std::vector<LoweredKernel> run();

 private:
  using Body = std::function<void(Indices)>;

  // nest.cpp: calls `body` at each point of the domain, once in the text for each class of tiles. The lane axis is left
  // open (index 0) unless `panels_outside`; `unroll_rows`: the rows of a tile are an unrolled family, else a loop.
  // `skip`: an axis that the body walks itself.
  struct Walk {
    bool panels_outside = false, unroll_rows = false;
    int64_t skip = -1;
  };
  void walk(const Walk& how, const Body& body);
  void walk_items(const Walk& how, Indices at, const Body& body);
  void walk_rows(const Walk& how, Indices at, const Body& body);
  void walk_others(const Walk& how, Indices at, size_t axis, const Body& body);
  void tile_rows(const Walk& how, Indices at, const Affine& first, int64_t rows, const Body& body);
  // Calls `body` with the lane axis set: all panels, each as an unrolled family of vectors.
  void for_lanes(const Indices& at, const Body& body);
  AxisIndex lanes_of_panel(const Affine& panel);

  // evaluate.cpp
  LoopOperand evaluate(NodeId node, const Indices& at, ValueId mask = {});
  LoopOperand compute(NodeId node, const Indices& at, ValueId mask);
  LoopOperand compute_map(NodeId node, const Indices& at, ValueId mask);
  LoopOperand compute_choice(NodeId node, const Indices& at, ValueId mask);  // pad, concat
  LoopOperand compute_gather(NodeId node, const Indices& at, ValueId mask);
  LoopOperand compute_random(NodeId node, const Indices& at);
  LoopOperand load(NodeId node, const Indices& at, ValueId mask);
  StorageId find_stored(NodeId node, const Indices& at) const;
  void prefetch(StorageId storage, const Indices& at);
  LoopOperand load_from(StorageId storage, const Layout& layout, const TensorType& type, const Indices& at,
                        ValueId mask);
  void store(StorageId storage, const Indices& at, LoopOperand value);
  void add_in_place(StorageId storage, const Indices& at, LoopOperand value);
  LoopOperand within(const AxisIndex& index, int64_t low, int64_t high);
  ValueId both(ValueId a, ValueId b);
  LoopOperand splat(LoopOperand value, DType dtype);
  LoopOperand index_value(const AxisIndex& index, DType dtype);
  BufferId buffer(StorageId storage, const Layout& layout);
  bool is_member(NodeId node) const;
  KernelWriter::Key key(NodeId node, const Indices& at, ValueId mask) const;
  void set(NodeId node, const Indices& at, LoopOperand value) { writer_.remember(key(node, at, {}), value); }

  // members.cpp: row members, then full members and stores, at a point whose lane axis `lanes` opens.
  void compute_members(const Indices& at, const std::function<void(const Indices&, const Body&)>& lanes);
  void reduce_row(NodeId node, const Indices& row, const Indices& at,
                  const std::function<void(const Indices&, const Body&)>& lanes);
  void evaluate_members(const std::vector<NodeId>& members, const Indices& at);
  std::vector<NodeId> ancestors(NodeId node) const;
  void store_outputs(bool row, const Indices& at);

  // One a kind.
  void lower_map();
  void lower_contract();
  void lower_blocked();
  void lower_deferred();
  void lower_tiles();
  void lower_pack();
  void lower_reduce();
  void lower_argmax();
  void lower_cumsum();
  std::vector<LoweredKernel> lower_scatter();

  // lower_contract.cpp: the product at a point, and what the region sums of columns. `between`, if given, is called in
  // a loop of `rows` turns, or of `rows` times `vectors`, each turn after its share of the products or woven into it;
  // it gets the row and the vector.
  struct Interleaved {
    int64_t rows = 0;
    int64_t vectors = 1;
    std::function<void(VarId, VarId)> between;  // an invalid vector: all of the row
  };
  ValueId product(const Indices& point, const Interleaved& interleaved, ValueId columns = {});
  // What a product adds up: the value of every index but the summed ones, and which those are.
  struct Sum {
    ValueId value;
    std::vector<AxisIndex> index;
    std::vector<int> summed;
    ValueId columns;  // Region::column_sum, if it is taken at once
  };
  Sum sum_at(const Indices& point, LoopOperand initial);
  // Steps of one summed index.
  int64_t steps_of(int summed) const;
  int64_t copies() const;
  void add_steps(Sum& sum, const Affine& first, int64_t count, int64_t copies);
  void interleave(Sum& sum, const Interleaved& pieces);
  ValueId sum_in_lanes(const Indices& point);
  std::vector<VarId> family_of(const Indices& point);
  void multiply_add(ValueId sum, const std::vector<AxisIndex>& index, ValueId valid = {});
  void multiply_add_unless_zero(ValueId sum, const std::vector<AxisIndex>& index);
  StorageId pairs_of(size_t operand) const;
  // Region::column_sum of the panel at `lanes`: its sums, from zero; a row more; what follows; all of it.
  ValueId columns_at(const AxisIndex& lanes);
  void add_columns(ValueId columns, const AxisIndex& row, const AxisIndex& lanes);
  void compute_columns(ValueId columns, const AxisIndex& lanes);
  void sum_columns(const AxisIndex& lanes);
  BufferId park(int64_t rows);
  Access parked_at(BufferId parked, const Affine& row, VarId vector = {}) const;

  // lower_blocked.cpp
  void add_block(Sum& sum, const Affine& block, int64_t steps, const Affine& tile, int64_t tiles);
  void prefetch_vectors(const Sum& sum);

  // lower_tiles.cpp
  ValueId sum_as_tiles(const Indices& point);
  void multiply_tiles(BufferId parked, const Affine& row, int64_t rows, const Affine& panel);
  StorageId packed_operand(size_t operand, DType dtype) const;

  // lower_pack.cpp
  void pack_rows(NodeId source, int64_t lanes);
  void pack_tile_rows(NodeId source, int64_t lanes, const Layout& lies);
  void store_zeros(const Indices& to, int64_t lanes);
  void pack_columns(NodeId source, int64_t lanes, const Layout& lies);
  void store_packed(const Indices& to, LoopOperand even, LoopOperand odd, ValueId mask);

  LoweredKernel finish(const std::string& suffix = "");
  void restart();

  const Plan& plan_;
  const Graph& graph_;
  const Region& region_;
  const std::vector<Role>& roles_;
  LayoutNeeds& needs_;
  std::vector<bool> members_;
  std::map<NodeId, std::vector<NodeId>> reads_;  // member -> members it reads
  KernelWriter writer_;
  VarId vectors_var_;
  std::map<std::pair<StorageId, Dims>, BufferId> buffers_;
  std::vector<BufferBinding> bindings_;
  std::vector<std::pair<bool, bool>> used_;  // per buffer: loaded, stored
  int64_t scratch_bytes_ = 0;
};

// The neutral element of a reduction in `dtype`.
double identity_of(Reduction reduction, DType dtype);
LoopOp combine_op(Reduction reduction);

}  // namespace nnc
