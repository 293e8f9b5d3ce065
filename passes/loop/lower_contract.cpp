// Products: a tile's accumulators stay in registers while the summed indices run; what follows the product is computed
// at once, or a tile late.
#include <algorithm>

#include "ir/check.h"
#include "ir/ops/contract.h"
#include "passes/loop/region_lowering.h"

namespace nnc {
namespace {

constexpr int64_t kUnroll = 4;
constexpr int64_t kWovenSteps = 6;  // of a product, with what follows the product before between them

}  // namespace

// The copy of an operand in pairs along the summed index, if this product reads one.
StorageId RegionLowering::pairs_of(size_t operand) const {
  const Node& node = graph_[region_.anchor];
  const IndexMap& map = node.as<ContractAttr>().map;
  for (const Region::Read& read : region_.reads) {
    const Storage& storage = plan_[read.storage];
    if (storage.pair_axis < 0 || storage.value != node.operands[operand]) continue;
    const int paired = map.operands[operand][storage.pair_axis].terms[0].first;
    if (std::find(map.result.begin(), map.result.end(), paired) == map.result.end()) return read.storage;
  }
  return {};
}

// One step of the sum, with the value of every index known. Where lanes run along the sum, those that are not `valid`
// add a zero.
void RegionLowering::multiply_add(ValueId sum, const std::vector<AxisIndex>& index, ValueId valid) {
  const Node& node = graph_[region_.anchor];
  const IndexMap& map = node.as<ContractAttr>().map;
  std::vector<LoopOperand> operands;
  const bool in_pairs = static_cast<bool>(pairs_of(0));
  for (size_t k = 0; k < 2; ++k) {
    Indices there;
    ValueId mask = valid;
    const StorageId pairs = in_pairs ? pairs_of(k) : StorageId();
    for (size_t axis = 0; axis < map.operands[k].size(); ++axis) {
      const IndexTerm& term = map.operands[k][axis];
      NNC_CHECK(term.divisor == 1, "a contract with divided indices reached the loops");
      AxisIndex sum_of_terms;
      sum_of_terms.affine.constant = term.offset;
      for (const auto& [i, coefficient] : term.terms) sum_of_terms = sum_of_terms + index[i] * coefficient;
      const int64_t extent = graph_.type(node.operands[k]).dims[axis];
      if (!term.is_plain()) mask = both(mask, within(sum_of_terms, 0, extent).value);
      there.push_back(sum_of_terms);
    }
    LoopOperand value = pairs ? load_from(pairs, plan_[pairs].layout, plan_[pairs].type, there, mask)
                              : evaluate(node.operands[k], there, mask);
    // bf16 is multiplied and added up in f32.
    const bool widen = !pairs && value.value && writer_.kernel()[value.value].dtype == DType::bf16;
    if (widen) value = writer_.define(LoopOp::cast, node.type.dtype, writer_.is_vector(value), {value});
    if (valid)
      value = writer_.define(LoopOp::select, node.type.dtype, true, {{valid, 0}, value, KernelWriter::literal(0)});
    operands.push_back(value);
  }
  writer_.set_locations(node.locations);
  operands.push_back({sum, 0});
  writer_.assign(sum, in_pairs ? LoopOp::dot2 : LoopOp::fma, std::move(operands));
}

// The same, left out where the scalars of the operand that is known for its zeros are all zero.
void RegionLowering::multiply_add_unless_zero(ValueId sum, const std::vector<AxisIndex>& index) {
  const Node& node = graph_[region_.anchor];
  Indices there;
  for (const IndexTerm& term : node.as<ContractAttr>().map.operands[region_.tiling.zeros])
    there.push_back(index[term.terms[0].first]);
  const LoopOperand scalar = evaluate(node.operands[region_.tiling.zeros], there);
  const std::vector<VarId>& family = writer_.kernel()[scalar.value].family;
  LoopStmt patch;
  LoopOperand needed;
  if (family.empty()) {
    patch.comparison = Comparison::ne;
    needed = writer_.define(LoopOp::compare, DType::boolean, false, {scalar, KernelWriter::literal(0)}, patch);
  } else {
    patch.over = family.front();
    needed = writer_.define(LoopOp::any, DType::boolean, false, {scalar}, patch);
  }
  // The product reads its scalars once more: as operands in memory they cost nothing, kept for long they would.
  writer_.forget();
  writer_.open_when(needed);
  multiply_add(sum, index);
  writer_.close();
}

// The unrolled variables of a point: a tile has an accumulator for each combination.
std::vector<VarId> RegionLowering::family_of(const Indices& point) {
  std::vector<VarId> family;
  for (const AxisIndex& index : point) {
    for (const auto& term : index.affine.terms) {
      if (writer_.kernel()[term.first].kind == LoopVar::unroll) family.push_back(term.first);
    }
  }
  return family;
}

// Order::lanes: vectors run along the sum.
ValueId RegionLowering::sum_in_lanes(const Indices& point) {
  const Node& node = graph_[region_.anchor];
  const IndexMap& map = node.as<ContractAttr>().map;
  const int summed = summed_indices(map).front();
  std::vector<AxisIndex> index(map.names.size());
  for (size_t axis = 0; axis < map.result.size(); ++axis) index[map.result[axis]] = point[axis];
  index[summed].lane = 1;
  writer_.set_locations(node.locations);
  const ValueId sum = writer_.define_var(node.type.dtype, true, family_of(point), KernelWriter::literal(0));
  const int64_t extent = map.extents[summed], whole = extent / writer_.lanes();
  const VarId vector = writer_.add_var(LoopVar::loop, map.names[summed], 0, whole);
  writer_.open_loop(vector, std::min(kUnroll, whole));
  index[summed].affine = Affine::of(vector, writer_.lanes());
  multiply_add(sum, index);
  writer_.close();
  if (extent % writer_.lanes() != 0) {
    index[summed].affine = Affine::of(whole * writer_.lanes());
    multiply_add(sum, index, within(index[summed], 0, extent).value);
  }
  LoopStmt patch;
  patch.reduction = Reduction::sum;
  writer_.set_locations(node.locations);
  return writer_.define(LoopOp::lanes, node.type.dtype, false, {{sum, 0}}, patch).value;
}

// All steps of a sum, in as many shares as there are pieces to interleave: vectors of rows where the steps suffice for
// that, else rows.
void RegionLowering::interleave(Sum& sum, const Interleaved& pieces) {
  const int64_t steps = steps_of(sum.summed.back());
  const bool weaves = can_weave(plan_.target) && region_.tiling.zeros < 0;
  const int64_t vectors = weaves && pieces.rows * pieces.vectors <= steps ? pieces.vectors : 1;
  const int64_t share = steps / (pieces.rows * vectors);
  const VarId row = writer_.add_var(LoopVar::loop, "p", 0, pieces.rows);
  writer_.open_loop(row);
  Affine first = Affine::of(row, share * vectors);
  VarId vector;
  if (vectors > 1) {
    vector = writer_.add_var(LoopVar::loop, "v", 0, vectors);
    writer_.open_loop(vector);
    first = first + Affine::of(vector, share);
  }
  const int64_t woven = weaves ? std::min(share, kWovenSteps) : 0;
  if (share > woven) add_steps(sum, first, share - woven, copies());
  if (woven > 0) {
    writer_.open_weave();
    add_steps(sum, first + Affine::of(share - woven), woven, woven);
  }
  pieces.between(row, vector);
  if (woven > 0) writer_.close();
  if (vector) writer_.close();
  writer_.close();
  // The last steps stay a loop: their loads, if they were written out, would leave the loop over tiles and be spilled.
  const int64_t done = share * pieces.rows * vectors;
  if (steps > done) add_steps(sum, Affine::of(done), steps - done, 1);
}

RegionLowering::Sum RegionLowering::sum_at(const Indices& point, LoopOperand initial) {
  const Node& node = graph_[region_.anchor];
  const IndexMap& map = node.as<ContractAttr>().map;
  writer_.set_locations(node.locations);
  Sum sum;
  sum.value = writer_.define_var(node.type.dtype, region_.tiling.lane_axis >= 0, family_of(point), initial);
  sum.index.resize(map.names.size());
  for (size_t k = 0; k < map.names.size(); ++k) {
    const auto in_result = std::find(map.result.begin(), map.result.end(), static_cast<int>(k));
    if (in_result == map.result.end()) {
      sum.summed.push_back(static_cast<int>(k));
    } else {
      sum.index[k] = point[in_result - map.result.begin()];
    }
  }
  return sum;
}

int64_t RegionLowering::steps_of(int summed) const {
  const int64_t extent = graph_[region_.anchor].as<ContractAttr>().map.extents[summed];
  return pairs_of(0) ? extent / 2 : extent;
}

// Steps written out a turn: two of a tile of many sums hide the loop as well as four of a small one.
int64_t RegionLowering::copies() const { return region_.tiling.rows * region_.tiling.vectors >= 16 ? 2 : kUnroll; }

// Steps [first, first + count) of the innermost summed index, `copies` a turn.
void RegionLowering::add_steps(Sum& sum, const Affine& first, int64_t count, int64_t copies) {
  const int k = sum.summed.back();
  const std::string& name = graph_[region_.anchor].as<ContractAttr>().map.names[k];
  const VarId var = writer_.add_var(LoopVar::loop, name, 0, count);
  writer_.open_loop(var, std::min(copies, count));
  sum.index[k].affine = first + Affine::of(var);
  region_.tiling.zeros >= 0 ? multiply_add_unless_zero(sum.value, sum.index) : multiply_add(sum.value, sum.index);
  if (sum.columns) {
    const int lanes = graph_[region_.anchor].as<ContractAttr>().map.result[region_.tiling.lane_axis];
    add_columns(sum.columns, sum.index[k], sum.index[lanes]);
  }
  writer_.close();
}

ValueId RegionLowering::columns_at(const AxisIndex& lanes) {
  const Node& node = graph_[region_.column_sum];
  writer_.set_locations(node.locations);
  return writer_.define_var(node.type.dtype, true, family_of({lanes}), KernelWriter::literal(0));
}

void RegionLowering::add_columns(ValueId columns, const AxisIndex& row, const AxisIndex& lanes) {
  const Node& node = graph_[region_.column_sum];
  const LoopOperand value = evaluate(node.operands[0], {row, lanes});
  writer_.set_locations(node.locations);
  writer_.assign(columns, LoopOp::add, {{columns, 0}, splat(value, node.type.dtype)});
}

// What follows from the column sums of a panel.
void RegionLowering::compute_columns(ValueId columns, const AxisIndex& lanes) {
  set(region_.column_sum, {lanes}, {columns, 0});
  for (NodeId member : region_.members) {
    if (at_row(plan_, region_, member)) evaluate(member, {lanes});
  }
  store_outputs(true, {lanes});
}

// The column sums of a panel by themselves.
void RegionLowering::sum_columns(const AxisIndex& lanes) {
  const ValueId columns = columns_at(lanes);
  const int64_t rows = graph_.type(graph_[region_.column_sum].operands[0]).dims[0];
  const VarId row = writer_.add_var(LoopVar::loop, "k", 0, rows);
  writer_.open_loop(row, std::min(kUnroll, rows));
  add_columns(columns, {Affine::of(row)}, lanes);
  writer_.close();
  compute_columns(columns, lanes);
}

// The accumulators of a tile, all summed.
ValueId RegionLowering::product(const Indices& point, const Interleaved& interleaved, ValueId columns) {
  const auto& [map, order] = graph_[region_.anchor].as<ContractAttr>();
  if (order.kind == Order::tiles) return sum_as_tiles(point);
  if (order.kind == Order::lanes) return sum_in_lanes(point);
  Sum sum = sum_at(point, KernelWriter::literal(0));
  sum.columns = columns;
  const std::vector<int>& summed = sum.summed;
  for (int k : summed) {
    if (k == summed.back()) continue;
    const VarId var = writer_.add_var(LoopVar::loop, map.names[k], 0, steps_of(k));
    writer_.open_loop(var);
    sum.index[k].affine = Affine::of(var);
  }
  if (summed.empty()) {
    multiply_add(sum.value, sum.index);
  } else if (interleaved.rows == 0) {
    add_steps(sum, {}, steps_of(summed.back()), copies());
  } else {
    interleave(sum, interleaved);
  }
  for (size_t k = 1; k < summed.size(); ++k) writer_.close();
  return sum.value;
}

void RegionLowering::lower_contract() {
  walk({.panels_outside = true, .unroll_rows = true}, [&](Indices at) {
    for_lanes(at, [&](Indices point) {
      set(region_.anchor, point, {product(point, {}), 0});
      compute_members(point, [&](const Indices&, const Body& body) { body(point); });
    });
  });
}

// Memory of the thread's own for the sums of `rows` rows of a panel.
BufferId RegionLowering::park(int64_t rows) {
  LoopBuffer memory;
  memory.name = "parked";
  memory.dtype = graph_[region_.anchor].type.dtype;
  memory.dims = {rows, region_.tiling.vectors * writer_.lanes()};
  scratch_bytes_ = (memory.dims[0] * memory.dims[1] * size_of(memory.dtype) + 63) / 64 * 64;
  bindings_.push_back({BufferBinding::scratch, 0});
  used_.emplace_back(true, true);
  return writer_.add_buffer(std::move(memory));
}

// The vectors of a parked row: all of them, or the one that `vector` numbers.
Access RegionLowering::parked_at(BufferId parked, const Affine& row, VarId vector) const {
  Access access;
  access.buffer = parked;
  access.indices = {{row, {}}, {Affine{}, {}}};
  if (region_.tiling.vectors > 1)
    access.indices[1].affine = Affine::of(vector ? vector : vectors_var_, writer_.lanes());
  return access;
}

// A tile's sums are parked in the thread's own memory; what follows them is computed piece by piece among the steps of
// the next tile's product, where its square roots, divisions and cache misses cost little.
void RegionLowering::lower_deferred() {
  const Tiling& tiling = region_.tiling;
  const bool strips_outside = region_.grid.axes[0].axis == tiling.row_axis;
  const Grid::Axis& strips = region_.grid.axes[strips_outside ? 0 : 1];
  const int64_t width = tiling.vectors * writer_.lanes();
  const DType dtype = graph_[region_.anchor].type.dtype;
  const BufferId parked = park(tiling.rows);

  struct Tile {
    Affine first;
    int64_t rows = 0;
  };
  Indices at(2);
  Affine panel;
  // Where row `row` of a tile is: all of its vectors, or one.
  const auto point_of = [&](const Tile& tile, VarId row, VarId vector) {
    Indices point = at;
    point[tiling.row_axis].affine = tile.first + Affine::of(row);
    if (vector) point[tiling.lane_axis].affine = panel + Affine::of(vector, writer_.lanes());
    return point;
  };
  const auto follow_up = [&](const Tile& tile, VarId row, VarId vector) {
    const Indices point = point_of(tile, row, vector);
    set(region_.anchor, point, writer_.load(parked_at(parked, Affine::of(row), vector), dtype, true));
    compute_members(point, [&](const Indices&, const Body& body) { body(point); });
  };
  // The states that the tile's own update will touch, a tile from now; few are in a near cache anyway.
  int64_t state_bytes = 0;
  for (const Region::Output& output : region_.outputs) {
    if (plan_[output.storage].kind == Storage::state) state_bytes += plan_[output.storage].bytes;
  }
  const auto fetch = [&](const Indices& point) {
    for (const Region::Output& output : region_.outputs) {
      const bool beside = region_.column_sum && at_row(plan_, region_, output.value);
      if (plan_[output.storage].kind == Storage::state && !beside) prefetch(output.storage, point);
    }
  };
  const auto compute = [&](const Tile& tile, const Tile* pending) {
    Indices point = at;
    point[tiling.row_axis].affine = tile.first;
    Affine row;
    if (tile.rows > 1) row = Affine::of(writer_.add_var(LoopVar::unroll, "i", 0, tile.rows));
    point[tiling.row_axis].affine = tile.first + row;
    Interleaved interleaved;
    const bool fetches = state_bytes > plan_.target.near_cache / 4 && pending != nullptr && tile.rows >= pending->rows;
    if (pending != nullptr) {
      interleaved = {pending->rows, tiling.vectors, [&](VarId row, VarId vector) {
                       if (fetches) fetch(point_of(tile, row, vector));
                       follow_up(*pending, row, vector);
                     }};
    }
    // The first tile of the only strip takes the column sums along.
    const bool with_columns = pending == nullptr && region_.column_sum && strips.count == 1;
    const AxisIndex& lanes = at[tiling.lane_axis];
    const ValueId columns = with_columns ? columns_at(lanes) : ValueId();
    const ValueId sum = product(point, interleaved, columns);
    writer_.store(parked_at(parked, row), {sum, 0});
    if (with_columns) compute_columns(columns, lanes);
  };
  const auto strip = [&](const Affine& first, int64_t extent) {
    Tile pending;
    for (const TileClass& tiles : tile_classes(extent, (extent + tiling.rows - 1) / tiling.rows)) {
      const auto tile_at = [&](const Affine& tile) {
        return Tile{first + tile * tiles.size + Affine::of(tiles.offset), tiles.size};
      };
      const Tile peeled = tile_at(Affine::of(tiles.first));
      compute(peeled, pending.rows > 0 ? &pending : nullptr);
      if (tiles.last - tiles.first > 1) {
        const VarId tile = writer_.add_var(LoopVar::loop, "y", tiles.first + 1, tiles.last);
        writer_.open_loop(tile);
        const Tile before = tile_at(Affine::of(tile) + Affine::of(-1));
        compute(tile_at(Affine::of(tile)), &before);
        writer_.close();
      }
      pending = tile_at(Affine::of(tiles.last - 1));
    }
    const VarId row = writer_.add_var(LoopVar::loop, "i", 0, pending.rows);
    writer_.open_loop(row);
    follow_up(pending, row, {});
    writer_.close();
  };
  for (const TileClass& lengths : tile_classes(strips.extent, strips.count)) {
    const VarId n = writer_.add_var(LoopVar::item, "n", 0, tiling.panels);
    const VarId s = writer_.add_var(LoopVar::item, "s", lengths.first, lengths.last);
    strips_outside ? writer_.open_items({s, n}, tiling.panels) : writer_.open_items({n, s}, strips.count);
    panel = Affine::of(n, width);
    at[tiling.lane_axis] = lanes_of_panel(panel);
    if (region_.column_sum && strips.count > 1 && lengths.first == 0) {
      writer_.open_when(within({Affine::of(s)}, 0, 1));
      sum_columns(at[tiling.lane_axis]);
      writer_.close();
    }
    strip(Affine::of(s, lengths.size) + Affine::of(lengths.offset), lengths.size);
    writer_.close();
  }
}

}  // namespace nnc
