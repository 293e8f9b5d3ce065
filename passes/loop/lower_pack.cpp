// Copies of operands in the arrangement of their product: panels along other lanes, pairs of bf16.
#include "ir/check.h"
#include "passes/loop/region_lowering.h"
#include "passes/plan/pack_operands.h"

namespace nnc {

// A vector of the copy at `to`: of pairs, the bits of `even` and `odd` rounded to bf16.
void RegionLowering::store_packed(const Indices& to, LoopOperand even, LoopOperand odd, ValueId mask) {
  const Region::Output& output = region_.outputs[0];
  const Storage& storage = plan_[output.storage];
  const auto physical = physical_indices(storage.layout, to, writer_.lanes(), writer_.range());
  NNC_CHECK(physical, "{} is packed across its layout", storage.name);
  Access access;
  access.buffer = buffer(output.storage, storage.layout);
  for (const AxisIndex& index : physical->indices) access.indices.push_back({index.affine, index.dynamic});
  access.mask = mask;
  LoopOperand value = even;
  if (storage.pair_axis >= 0) {
    even = writer_.define(LoopOp::cast, DType::bf16, true, {even});
    odd = writer_.define(LoopOp::cast, DType::bf16, true, {odd});
    value = writer_.define(LoopOp::pair, DType::i32, true, {even, odd});
  }
  used_[access.buffer.value].second = true;
  writer_.store(std::move(access), value);
}

// Rows stay rows: two of them make a row of pairs.
void RegionLowering::pack_rows(NodeId source, int64_t lanes) {
  const int64_t rows = 1 - lanes;
  const bool pairs = plan_[region_.outputs[0].storage].pair_axis >= 0;
  const VarId row = writer_.add_var(LoopVar::item, "r", 0, region_.grid.items());
  writer_.open_items({row}, region_.grid.items());
  const int64_t vectors = (region_.domain[lanes] + writer_.lanes() - 1) / writer_.lanes();
  // Whole panels, so that zeros lie behind the last element.
  const VarId panel = writer_.add_var(LoopVar::loop, "n", 0, region_.tiling.panels);
  const int64_t inside = std::min(region_.tiling.vectors, vectors);
  const VarId vector = writer_.add_var(LoopVar::loop, "j", 0, inside);
  writer_.open_loop(panel);
  writer_.open_loop(vector, std::min<int64_t>(4, inside));
  Indices at(2), to(2);
  at[lanes].affine = Affine::of(panel, region_.tiling.vectors * writer_.lanes()) + Affine::of(vector, writer_.lanes());
  at[lanes].lane = 1;
  to = at;
  at[rows].affine = Affine::of(row, pairs ? 2 : 1);
  to[rows].affine = Affine::of(row);
  const LoopOperand even = splat(evaluate(source, at), DType::f32);
  LoopOperand odd = even;
  if (pairs) {
    at[rows].affine.constant = 1;
    odd = splat(evaluate(source, at), DType::f32);
  }
  store_packed(to, even, odd, {});
  writer_.close();
  writer_.close();
  writer_.close();
}

// Squares of as many rows as a vector has lanes, transposed in registers.
void RegionLowering::pack_columns(NodeId source, int64_t lanes, const Layout& lies) {
  const int64_t columns = 1 - lanes, size = writer_.lanes();
  const Storage& storage = plan_[region_.outputs[0].storage];
  const bool pairs = storage.pair_axis >= 0, by_panel = region_.grid.axes[0].axis == lanes;
  const int64_t width = region_.tiling.vectors * size;
  const VarId item = writer_.add_var(LoopVar::item, "r", 0, region_.grid.items());
  writer_.open_items({item}, region_.grid.items());
  int open = 1;
  const auto loop = [&](const char* name, int64_t count) {
    const VarId var = writer_.add_var(LoopVar::loop, name, 0, count);
    writer_.open_loop(var);
    ++open;
    return var;
  };
  Indices at(2);
  // Where the square starts along the columns: in the panels of what lies there, or simply every so many elements.
  if (by_panel) {
    const int64_t source_width = lies.physical.back();
    at[columns].affine = Affine::of(loop("n", lies.physical.front()), source_width);
    at[columns].affine = at[columns].affine + Affine::of(loop("c", source_width / size), size);
  } else {
    at[columns].affine = Affine::of(item, size);
  }
  const Affine panel = by_panel ? Affine::of(item, width) : Affine::of(loop("p", region_.tiling.panels), width);
  const Affine block = panel + Affine::of(loop("j", region_.tiling.vectors), size);
  Indices to = at;
  const VarId row = writer_.add_var(LoopVar::unroll, "e", 0, size);
  at[columns].lane = 1;
  at[lanes].affine = block + Affine::of(row);
  ValueId mask;
  if (region_.domain[lanes] % width != 0) mask = within(at[lanes], 0, region_.domain[lanes]).value;
  const LoopOperand rows = splat(evaluate(source, at, mask), DType::f32);
  const VarId turned = writer_.add_var(LoopVar::unroll, "t", 0, pairs ? size / 2 : size);
  const auto column = [&](int64_t step, int64_t first) {
    LoopStmt patch;
    patch.over = row;
    patch.affine = Affine::of(turned, step) + Affine::of(first);
    return writer_.define(LoopOp::column, DType::f32, true, {rows}, patch);
  };
  const LoopOperand even = column(pairs ? 2 : 1, 0), odd = pairs ? column(2, 1) : even;
  to[lanes].affine = block;
  to[lanes].lane = 1;
  if (pairs) {
    for (auto& term : to[columns].affine.terms) term.second /= 2;
  }
  to[columns].affine = to[columns].affine + Affine::of(turned);
  ValueId inside;
  const int64_t covered = by_panel ? lies.physical.front() * lies.physical.back() : region_.grid.items() * size;
  if (covered > region_.domain[columns]) inside = within(to[columns], 0, storage.type.dims[columns]).value;
  store_packed(to, even, odd, inside);
  for (; open > 0; --open) writer_.close();
}

void RegionLowering::lower_pack() {
  const Region::Output& output = region_.outputs[0];
  const NodeId source = packed_source(graph_, roles_, output.value);
  const Layout& lies = plan_[region_.reads[0].storage].layout;
  const int64_t lanes = region_.tiling.lane_axis;
  writer_.set_locations(region_.locations);
  if (lies.lane_axis() == lanes) {
    pack_rows(source, lanes);
  } else {
    pack_columns(source, lanes, lies);
  }
}

}  // namespace nnc
