// Products with a long sum: the sums of a strip of rows are parked in the thread's own memory and taken on block by
// block, so that the rows' and the panel's part of a block stay in a near cache while all tiles of the strip use them.
#include <algorithm>

#include "ir/check.h"
#include "ir/ops/contract.h"
#include "passes/loop/region_lowering.h"

namespace nnc {

// Asks for what the step reads in vectors: the line of each. An operand that is computed as it is read has none.
void RegionLowering::prefetch_vectors(const Sum& sum) {
  const Node& node = graph_[region_.anchor];
  const IndexMap& map = node.as<ContractAttr>().map;
  const int across = map.result[region_.tiling.lane_axis];
  const size_t k = std::count(map.operands[0].begin(), map.operands[0].end(), IndexTerm::plain(across)) > 0 ? 0 : 1;
  Indices there;
  for (const IndexTerm& term : map.operands[k]) {
    if (!term.is_plain()) return;
    there.push_back(sum.index[term.terms[0].first]);
  }
  if (const StorageId pairs = pairs_of(k)) return prefetch(pairs, there);
  follow(graph_, roles_, node.operands[k], there, [&](NodeId read, const Indices& at) {
    if (const StorageId stored = find_stored(read, at)) prefetch(stored, at);
  });
}

// The steps of one block for the tile with number `tile` of `tiles`. Its share of the block behind this one, or of the
// next panel's first, is asked for meanwhile: they lie one behind the other.
void RegionLowering::add_block(Sum& sum, const Affine& block, int64_t steps, const Affine& tile, int64_t tiles) {
  const int64_t fetched = (steps + tiles - 1) / tiles, copies = this->copies();
  const int64_t chunk = std::max(copies, steps / fetched / copies * copies);
  const int64_t turns = std::min(fetched, steps / chunk);
  const Affine first = block * steps;
  if (turns > 0) {
    const VarId turn = writer_.add_var(LoopVar::loop, "f", 0, turns);
    writer_.open_loop(turn);
    sum.index[sum.summed.back()].affine = first + Affine::of(steps) + tile * turns + Affine::of(turn);
    prefetch_vectors(sum);
    add_steps(sum, first + Affine::of(turn, chunk), chunk, copies);
    writer_.close();
  }
  const int64_t done = turns * chunk;
  if (steps > done) add_steps(sum, first + Affine::of(done), steps - done, 1);
}

void RegionLowering::lower_blocked() {
  const Tiling& tiling = region_.tiling;
  const Grid::Axis& strips = region_.grid.axes[0];
  const Grid::Axis& panels = region_.grid.axes[1];
  NNC_CHECK(strips.axis == tiling.row_axis && panels.axis == tiling.lane_axis, "region {} is not cut into strips",
            region_.name);
  const Node& node = graph_[region_.anchor];
  const int64_t all = steps_of(summed_indices(node.as<ContractAttr>().map).front()), steps = all / tiling.blocks;
  const BufferId parked = park((strips.extent + strips.count - 1) / strips.count);
  for (const TileClass& lengths : tile_classes(strips.extent, strips.count)) {
    Indices at(2);
    const VarId s = writer_.add_var(LoopVar::item, "s", lengths.first, lengths.last);
    const VarId n = writer_.add_var(LoopVar::item, "n", 0, panels.count);
    writer_.open_items({s, n}, panels.count);
    at[tiling.lane_axis] = lanes_of_panel(Affine::of(n, tiling.vectors * writer_.lanes()));
    const Affine strip = Affine::of(s, lengths.size) + Affine::of(lengths.offset);
    const int64_t tiles = (lengths.size + tiling.rows - 1) / tiling.rows;
    // `body` gets a tile's number, its rows in the strip, and what is parked of them.
    const auto for_tiles = [&](const std::function<void(const Affine&, const Affine&, Sum&)>& body) {
      for (const TileClass& rows : tile_classes(lengths.size, tiles)) {
        const VarId y = writer_.add_var(LoopVar::loop, "y", rows.first, rows.last);
        writer_.open_loop(y);
        Affine row = Affine::of(y, rows.size) + Affine::of(rows.offset);
        if (rows.size > 1) row = row + Affine::of(writer_.add_var(LoopVar::unroll, "i", 0, rows.size));
        at[tiling.row_axis].affine = strip + row;
        Sum sum = sum_at(at, writer_.load(parked_at(parked, row), node.type.dtype, true));
        body(Affine::of(y), row, sum);
        writer_.close();
      }
    };
    const VarId cleared = writer_.add_var(LoopVar::loop, "i", 0, lengths.size);
    writer_.open_loop(cleared);
    writer_.set_locations(node.locations);
    writer_.store(parked_at(parked, Affine::of(cleared)),
                  writer_.define(LoopOp::splat, node.type.dtype, true, {KernelWriter::literal(0)}));
    writer_.close();
    const VarId block = writer_.add_var(LoopVar::loop, "b", 0, tiling.blocks);
    writer_.open_loop(block);
    for_tiles([&](const Affine& tile, const Affine& row, Sum& sum) {
      add_block(sum, Affine::of(block), steps, tile, tiles);
      writer_.store(parked_at(parked, row), {sum.value, 0});
    });
    writer_.close();
    for_tiles([&](const Affine&, const Affine&, Sum& sum) {
      const int64_t done = steps * tiling.blocks;
      if (all > done) add_steps(sum, Affine::of(done), all - done, 1);
      set(region_.anchor, at, {sum.value, 0});
      compute_members(at, [&](const Indices&, const Body& body) { body(at); });
    });
    writer_.close();
  }
}

}  // namespace nnc
