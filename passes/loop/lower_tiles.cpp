// Products in tiles: the sums of a block are parked in the thread's own memory, and what follows them is computed from
// there row by row. And the same sums in vectors, where the operands do not lie as tiles need them.
#include <algorithm>

#include "ir/check.h"
#include "passes/loop/region_lowering.h"

namespace nnc {
namespace {

constexpr int64_t kWidest = 32;  // columns of a `tiles`

}  // namespace

// The copy of an operand that a product in tiles reads: pairs in i32, or bf16.
StorageId RegionLowering::packed_operand(size_t operand, DType dtype) const {
  const NodeId value = graph_[region_.anchor].operands[operand];
  for (const Region::Read& read : region_.reads) {
    const Storage& storage = plan_[read.storage];
    const bool arranged = dtype == DType::i32 ? storage.even_low : storage.pair_axis < 0;
    if (storage.packed && arranged && storage.value == value && storage.type.dtype == dtype) return read.storage;
  }
  NNC_CHECK(false, "region {} multiplies tiles of what is not packed", region_.name);
}

// Rows [row, row + rows) of a panel.
void RegionLowering::multiply_tiles(BufferId parked, const Affine& row, int64_t rows, const Affine& panel) {
  const Node& node = graph_[region_.anchor];
  const IndexMap& map = node.as<ContractAttr>().map;
  const int across = map.result[region_.tiling.lane_axis];
  const auto& first = map.operands[0];
  const size_t right = std::count(first.begin(), first.end(), IndexTerm::plain(across)) > 0 ? 0 : 1;
  const StorageId a = packed_operand(1 - right, DType::bf16), b = packed_operand(right, DType::i32);
  const BufferId left_buffer = buffer(a, plan_[a].layout), right_buffer = buffer(b, plan_[b].layout);
  used_[left_buffer.value].first = used_[right_buffer.value].first = true;
  const int64_t pairs = plan_[b].layout.physical[1], width = region_.tiling.vectors * writer_.lanes();
  const auto access = [](BufferId buffer, std::vector<Affine> indices) {
    Access made;
    made.buffer = buffer;
    for (Affine& index : indices) made.indices.push_back({std::move(index), {}});
    return made;
  };
  writer_.set_locations(node.locations);
  for (int64_t column = 0; column < width; column += kWidest) {
    writer_.tiles(access(parked, {Affine{}, Affine::of(column)}), access(left_buffer, {row, Affine{}}),
                  access(right_buffer, {panel, Affine{}, Affine::of(column)}), rows, std::min(kWidest, width - column),
                  pairs);
  }
}

void RegionLowering::lower_tiles() {
  const Tiling& tiling = region_.tiling;
  const std::vector<Grid::Axis>& axes = region_.grid.axes;
  NNC_CHECK(axes.back().axis == tiling.row_axis && (axes.size() == 2 || tiling.panels == 1),
            "region {} is not cut into tiles", region_.name);
  const int64_t width = tiling.vectors * writer_.lanes();
  const BufferId parked = park(tiling.rows);
  for (const TileClass& tiles : tile_classes(axes.back().extent, axes.back().count)) {
    Indices point(2);
    std::vector<VarId> vars;
    if (axes.size() == 2) vars.push_back(writer_.add_var(LoopVar::item, "n", 0, axes[0].count));
    vars.push_back(writer_.add_var(LoopVar::item, "r", tiles.first, tiles.last));
    writer_.open_items(vars, axes.back().count);
    const Affine panel = axes.size() == 2 ? Affine::of(vars[0]) : Affine{};
    const Affine first = Affine::of(vars.back(), tiles.size) + Affine::of(tiles.offset);
    multiply_tiles(parked, first, tiles.size, panel);
    const VarId row = writer_.add_var(LoopVar::loop, "i", 0, tiles.size);
    writer_.open_loop(row);
    point[tiling.row_axis].affine = first + Affine::of(row);
    point[tiling.lane_axis] = lanes_of_panel(panel * width);
    set(region_.anchor, point, writer_.load(parked_at(parked, Affine::of(row)), DType::f32, true));
    compute_members(point, [&](const Indices&, const Body& body) { body(point); });
    writer_.close();
    writer_.close();
  }
}

// Order::tiles in plain steps: two chains a block, of even and of odd elements.
ValueId RegionLowering::sum_as_tiles(const Indices& point) {
  const Node& node = graph_[region_.anchor];
  const auto& [map, order] = node.as<ContractAttr>();
  const bool vector = region_.tiling.lane_axis >= 0;
  const std::vector<VarId> family = family_of(point);
  std::vector<AxisIndex> index(map.names.size());
  size_t summed = 0;
  for (size_t k = 0; k < map.names.size(); ++k) {
    const auto kept = std::find(map.result.begin(), map.result.end(), static_cast<int>(k));
    if (kept == map.result.end()) summed = k;
    if (kept != map.result.end()) index[k] = point[kept - map.result.begin()];
  }
  const auto zero = [&] {
    writer_.set_locations(node.locations);
    return writer_.define_var(DType::f32, vector, family, KernelWriter::literal(0));
  };
  const ValueId sum = zero();
  const auto add_block = [&](const Affine& first, int64_t elements) {
    const ValueId chains[2] = {zero(), zero()};
    const VarId pair = writer_.add_var(LoopVar::loop, "p", 0, elements / 2);
    writer_.open_loop(pair);
    for (int64_t odd : {0, 1}) {
      index[summed].affine = first + Affine::of(pair, 2) + Affine::of(odd);
      multiply_add(chains[odd], index);
    }
    writer_.close();
    if (elements % 2 != 0) {
      index[summed].affine = first + Affine::of(elements - 1);
      multiply_add(chains[0], index);
    }
    writer_.set_locations(node.locations);
    // To add the zeros that fill up a block is to add one: it makes +0 of -0.
    for (int64_t odd : {0, 1}) {
      if ((elements + 1 - odd) / 2 < order.count / 2)
        writer_.assign(chains[odd], LoopOp::add, {{chains[odd], 0}, KernelWriter::literal(0)});
    }
    const LoopOperand both = writer_.define(LoopOp::add, DType::f32, vector, {{chains[0], 0}, {chains[1], 0}});
    writer_.assign(sum, LoopOp::add, {{sum, 0}, both});
  };
  const int64_t blocks = map.extents[summed] / order.count, rest = map.extents[summed] % order.count;
  if (blocks > 0) {
    const VarId block = writer_.add_var(LoopVar::loop, map.names[summed], 0, blocks);
    writer_.open_loop(block);
    add_block(Affine::of(block, order.count), order.count);
    writer_.close();
  }
  if (rest > 0) add_block(Affine::of(blocks * order.count), rest);
  return sum;
}

}  // namespace nnc
