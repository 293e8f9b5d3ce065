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
    if (storage.even_low) std::swap(even, odd);
    value = writer_.define(LoopOp::pair, DType::i32, true, {even, odd});
  } else if (storage.type.dtype == DType::bf16) {
    value = writer_.define(LoopOp::cast, DType::bf16, true, {even});
  }
  used_[access.buffer.value].second = true;
  writer_.store(std::move(access), value);
}

// Zeros for all vectors of a row of pairs at `to`, panel by panel.
void RegionLowering::store_zeros(const Indices& to, int64_t lanes) {
  const Region::Output& output = region_.outputs[0];
  Access access;
  access.buffer = buffer(output.storage, plan_[output.storage].layout);
  used_[access.buffer.value].second = true;
  const VarId panel = writer_.add_var(LoopVar::loop, "n", 0, region_.tiling.panels);
  const VarId vector = writer_.add_var(LoopVar::loop, "j", 0, region_.tiling.vectors);
  writer_.open_loop(panel);
  writer_.open_loop(vector);
  access.indices = {{Affine::of(panel), {}}, {to[1 - lanes].affine, {}}, {Affine::of(vector, writer_.lanes()), {}}};
  writer_.store(std::move(access), writer_.define(LoopOp::splat, DType::i32, true, {KernelWriter::literal(0)}));
  writer_.close();
  writer_.close();
}

// Rows stay rows, rounded to bf16.
void RegionLowering::pack_tile_rows(NodeId source, int64_t lanes, const Layout& lies) {
  constexpr int64_t tile = 32;
  const int64_t size = writer_.lanes(), extent = region_.domain[lanes];
  const bool panels = lies.factors.size() > region_.domain.size();
  const int64_t width = panels ? lies.physical.back() : (extent + size - 1) / size * size;
  const int64_t covered = panels ? lies.physical.front() * width : width;
  const VarId row = writer_.add_var(LoopVar::item, "r", 0, region_.grid.items());
  writer_.open_items({row}, region_.grid.items());
  Indices to(2);
  to[1 - lanes].affine = Affine::of(row);
  to[lanes].lane = 1;
  const VarId panel = writer_.add_var(LoopVar::loop, "n", 0, covered / width);
  const VarId vector = writer_.add_var(LoopVar::loop, "j", 0, width / size);
  writer_.open_loop(panel);
  writer_.open_loop(vector, std::min<int64_t>(4, width / size));
  to[lanes].affine = Affine::of(panel, width) + Affine::of(vector, size);
  const LoopOperand value = splat(evaluate(source, to), DType::f32);
  store_packed(to, value, value, {});
  writer_.close();
  writer_.close();
  for (int64_t at = covered; at < (extent + tile - 1) / tile * tile; at += size) {
    to[lanes].affine = Affine::of(at);
    const LoopOperand zero = writer_.define(LoopOp::splat, DType::f32, true, {KernelWriter::literal(0)});
    store_packed(to, zero, zero, {});
  }
  writer_.close();
}

// Rows stay rows: two of them make a row of pairs.
void RegionLowering::pack_rows(NodeId source, int64_t lanes) {
  const int64_t rows = 1 - lanes;
  const Storage& storage = plan_[region_.outputs[0].storage];
  const bool pairs = storage.pair_axis >= 0;
  if (storage.type.dims[rows] < region_.grid.items()) {
    const VarId filled = writer_.add_var(LoopVar::item, "f", storage.type.dims[rows], region_.grid.items());
    writer_.open_items({filled}, region_.grid.items());
    Indices behind(2);
    behind[rows].affine = Affine::of(filled);
    store_zeros(behind, lanes);
    writer_.close();
  }
  const VarId row = writer_.add_var(LoopVar::item, "r", 0, std::min(storage.type.dims[rows], region_.grid.items()));
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
  const int64_t width = region_.tiling.vectors * size, step = pairs ? 2 : 1;
  const int64_t room = storage.layout.factors.size() > 2 ? storage.layout.physical[1] : storage.layout.physical[0];
  const int64_t squares =
      by_panel ? lies.physical.front() * lies.physical.back() / size : (region_.domain[columns] + size - 1) / size;
  const int64_t covered = squares * size / step;  // of the copy's rows
  const VarId item = writer_.add_var(LoopVar::item, "r", 0, by_panel ? region_.grid.items() : squares);
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
    at[columns].affine = Affine::of(loop("n", lies.physical.front()), lies.physical.back());
  } else {
    at[columns].affine = Affine::of(item, size);
  }
  const Affine panel = by_panel ? Affine::of(item, width) : Affine::of(loop("p", region_.tiling.panels), width);
  const Affine block = panel + Affine::of(loop("j", region_.tiling.vectors), size);
  // Squares side by side are read one after the other.
  if (by_panel) at[columns].affine = at[columns].affine + Affine::of(loop("c", lies.physical.back() / size), size);
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
  if (covered > room) inside = within(to[columns], 0, room).value;
  store_packed(to, even, odd, inside);
  for (; open > 0; --open) writer_.close();
  if (covered >= room) return;
  const VarId rest = writer_.add_var(LoopVar::item, "f", by_panel ? 0 : squares, by_panel ? 1 : region_.grid.items());
  writer_.open_items({rest}, region_.grid.items());
  const VarId filled = writer_.add_var(LoopVar::loop, "z", 0, by_panel ? room - covered : size / step);
  writer_.open_loop(filled);
  Indices behind(2);
  behind[columns].affine = Affine::of(filled) + (by_panel ? Affine::of(covered) : Affine::of(rest, size / step));
  store_zeros(behind, lanes);
  writer_.close();
  writer_.close();
}

void RegionLowering::lower_pack() {
  const Region::Output& output = region_.outputs[0];
  const NodeId source = packed_source(graph_, roles_, output.value);
  const Layout& lies = plan_[region_.reads[0].storage].layout;
  const int64_t lanes = region_.tiling.lane_axis;
  writer_.set_locations(region_.locations);
  const Storage& to = plan_[output.storage];
  if (lies.lane_axis() == lanes && to.type.dtype == DType::bf16) {
    pack_tile_rows(source, lanes, lies);
  } else if (lies.lane_axis() == lanes) {
    pack_rows(source, lanes);
  } else {
    pack_columns(source, lanes, lies);
  }
}

}  // namespace nnc
