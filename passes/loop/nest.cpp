// How a region walks its domain.
#include "ir/check.h"
#include "passes/loop/region_lowering.h"

namespace nnc {
std::vector<TileClass> tile_classes(int64_t extent, int64_t count) {
  const int64_t base = extent / count, extra = extent % count;
  std::vector<TileClass> classes;
  if (extra > 0) classes.push_back({0, extra, base + 1, 0});
  if (base > 0 && extra < count) classes.push_back({extra, count, base, extra});
  return classes;
}

AxisIndex RegionLowering::lanes_of_panel(const Affine& panel) {
  AxisIndex index;
  index.affine = panel;
  index.lane = 1;
  if (region_.tiling.vectors > 1) {
    // One variable for all panels: what was computed at a point is found again by its indices.
    if (!vectors_var_) {
      vectors_var_ = writer_.add_var(LoopVar::unroll, "j", 0, region_.tiling.vectors);
      writer_.set_innermost(vectors_var_);
    }
    index.affine = index.affine + Affine::of(vectors_var_, writer_.lanes());
  }
  return index;
}

void RegionLowering::for_lanes(const Indices& at, const Body& body) {
  const Tiling& tiling = region_.tiling;
  if (tiling.lane_axis < 0 || at[tiling.lane_axis].lane != 0) return body(at);
  Indices inside = at;
  if (tiling.panels == 1) {
    inside[tiling.lane_axis] = lanes_of_panel({});
    return body(inside);
  }
  const VarId n = writer_.add_var(LoopVar::loop, "n", 0, tiling.panels);
  writer_.open_loop(n);
  inside[tiling.lane_axis] = lanes_of_panel(Affine::of(n, tiling.vectors * writer_.lanes()));
  body(inside);
  writer_.close();
}

void RegionLowering::walk(const Walk& how, const Body& body) {
  Indices at(region_.domain.size());
  const Tiling& tiling = region_.tiling;
  bool lanes_in_grid = false;
  for (const Grid::Axis& axis : region_.grid.axes) lanes_in_grid = lanes_in_grid || axis.axis == tiling.lane_axis;
  if (how.panels_outside && tiling.lane_axis >= 0 && !lanes_in_grid) {
    // A panel of the vector-side operand stays in cache for all rows of the thread.
    for_lanes(at, [&](Indices inside) { walk_items(how, inside, body); });
  } else {
    walk_items(how, at, body);
  }
}

void RegionLowering::walk_items(const Walk& how, Indices at, const Body& body) {
  const std::vector<Grid::Axis>& axes = region_.grid.axes;
  if (axes.empty()) {
    const VarId item = writer_.add_var(LoopVar::item, "r", 0, 1);
    writer_.open_items({item}, 1);
    walk_rows(how, at, body);
    return writer_.close();
  }
  const Grid::Axis& inner = axes.back();
  const int64_t width = region_.tiling.vectors * writer_.lanes();
  const auto with_outer = [&](const TileClass& tiles, const auto& inside) {
    std::vector<VarId> vars;
    if (axes.size() == 2) {
      NNC_CHECK(axes[0].axis == region_.tiling.lane_axis, "the outer axis of a grid is the lane axis");
      vars.push_back(writer_.add_var(LoopVar::item, "n", 0, axes[0].count));
    }
    vars.push_back(writer_.add_var(LoopVar::item, "r", tiles.first, tiles.last));
    writer_.open_items(vars, inner.count);
    if (axes.size() == 2) at[axes[0].axis] = lanes_of_panel(Affine::of(vars[0], width));
    inside(vars.back());
    writer_.close();
  };
  if (inner.axis == region_.tiling.lane_axis) {
    return with_outer({0, inner.count, 1, 0}, [&](VarId r) {
      at[inner.axis] = lanes_of_panel(Affine::of(r, width));
      walk_rows(how, at, body);
    });
  }
  for (const TileClass& tiles : tile_classes(inner.extent, inner.count)) {
    with_outer(tiles, [&](VarId r) {
      Affine first = Affine::of(r, tiles.size) + Affine::of(tiles.offset);
      if (inner.axis == region_.tiling.row_axis) {
        tile_rows(how, at, first, tiles.size, [&](Indices inside) { walk_others(how, inside, 0, body); });
      } else {
        NNC_CHECK(tiles.size == 1, "a grid tile of several rows off the row axis");
        at[inner.axis].affine = first;
        walk_rows(how, at, body);
      }
    });
  }
}

void RegionLowering::tile_rows(const Walk& how, Indices at, const Affine& first, int64_t rows, const Body& body) {
  const int64_t axis = region_.tiling.row_axis;
  at[axis].affine = first;
  if (rows == 1) return body(at);
  if (how.unroll_rows) {
    at[axis].affine = first + Affine::of(writer_.add_var(LoopVar::unroll, "i", 0, rows));
    return body(at);
  }
  const VarId i = writer_.add_var(LoopVar::loop, "i", 0, rows);
  writer_.open_loop(i);
  at[axis].affine = first + Affine::of(i);
  body(at);
  writer_.close();
}

// The row axis, where it is not the grid's: in tiles if they are unrolled, else plainly (by walk_others).
void RegionLowering::walk_rows(const Walk& how, Indices at, const Body& body) {
  const Tiling& tiling = region_.tiling;
  const int64_t axis = tiling.row_axis;
  const bool of_grid = axis >= 0 && std::any_of(region_.grid.axes.begin(), region_.grid.axes.end(),
                                                [&](const Grid::Axis& grid) { return grid.axis == axis; });
  if (axis < 0 || of_grid || !how.unroll_rows || axis == how.skip) return walk_others(how, at, 0, body);
  walk_others(how, at, 0, [&](Indices outside) {
    const int64_t extent = region_.domain[axis];
    for (const TileClass& tiles : tile_classes(extent, (extent + tiling.rows - 1) / tiling.rows)) {
      const VarId tile = writer_.add_var(LoopVar::loop, "y", tiles.first, tiles.last);
      writer_.open_loop(tile);
      tile_rows(how, outside, Affine::of(tile, tiles.size) + Affine::of(tiles.offset), tiles.size, body);
      writer_.close();
    }
  });
}

void RegionLowering::walk_others(const Walk& how, Indices at, size_t axis, const Body& body) {
  if (axis == region_.domain.size()) return body(at);
  const int64_t a = static_cast<int64_t>(axis);
  const bool open = a == region_.tiling.lane_axis || a == how.skip ||
                    (a == region_.tiling.row_axis && how.unroll_rows) ||
                    std::any_of(region_.grid.axes.begin(), region_.grid.axes.end(),
                                [&](const Grid::Axis& grid) { return grid.axis == a; });
  if (open || region_.domain[axis] == 1) return walk_others(how, at, axis + 1, body);
  const VarId var = writer_.add_var(LoopVar::loop, "d" + std::to_string(axis) + "_", 0, region_.domain[axis]);
  writer_.open_loop(var);
  at[a].affine = Affine::of(var);
  walk_others(how, at, axis + 1, body);
  writer_.close();
}

}  // namespace nnc
