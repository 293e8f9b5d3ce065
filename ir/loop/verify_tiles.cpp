#include <fmt/format.h>

#include "ir/loop/verifier.h"

namespace nnc {
namespace {

struct TilesChecker {
  LoopChecker& checker;
  const LoopStmt& stmt;

  void require(bool condition, std::string_view rule, std::string_view what) {
    if (!condition) checker.report(checker.who(stmt), rule, what);
  }

  // Rows [0, rows) along the last but one axis, columns [0, columns) along the last.
  void block(const Access& access, DType dtype, int64_t rows, int64_t columns, bool read) {
    const LoopBuffer& buffer = checker.kernel[access.buffer];
    const size_t rank = buffer.dims.size();
    require(buffer.dtype == dtype, "L0",
            fmt::format("{} holds {}, not {}", buffer.name, name_of(buffer.dtype), name_of(dtype)));
    require(read ? buffer.mode != LoopBuffer::out : buffer.mode != LoopBuffer::in, "L5",
            fmt::format("{} {}", read ? "tiles of the `out`" : "tiles into the `in`", buffer.name));
    const bool plain = rank >= 2 && !access.mask && access.lane_axis == -1 && access.lane_step == 1;
    require(plain, "L0", fmt::format("{} is not accessed in rows", buffer.name));
    if (!plain) return;
    for (size_t axis = 0; axis < rank; ++axis) {
      require(!access.indices[axis].dynamic, "L0", fmt::format("{} is indexed by the program", buffer.name));
      const auto [low, first] = interval_of(checker.kernel, access.indices[axis].affine);
      const __int128 high = first + (axis + 1 == rank ? columns - 1 : axis + 2 == rank ? rows - 1 : 0);
      if (checker.never_runs) continue;
      require(low >= 0 && high < buffer.dims[axis], "L2",
              fmt::format("index {} of {} reaches {} of {}", axis, buffer.name,
                          static_cast<int64_t>(low < 0 ? low : high), buffer.dims[axis]));
      require(!read || buffer.zero || buffer.valid.empty() || high < buffer.valid[axis], "L3",
              fmt::format("index {} of {} reads {}, valid are {}", axis, buffer.name, static_cast<int64_t>(high),
                          buffer.valid.empty() ? 0 : buffer.valid[axis]));
    }
  }

  void check() {
    const bool sized = stmt.rows >= 1 && stmt.rows <= 32 && (stmt.columns == 16 || stmt.columns == 32) &&
                       stmt.pairs >= 16 && stmt.pairs % 16 == 0 && stmt.pairs <= INT32_MAX;
    require(sized, "L0", fmt::format("tiles of {} rows, {} columns, {} pairs", stmt.rows, stmt.columns, stmt.pairs));
    require(checker.kernel.target.tiles, "L0", fmt::format("{} has no tiles", checker.kernel.target.name));
    const Access &left = stmt.factors[0], &right = stmt.factors[1];
    require(stmt.access.buffer != left.buffer && stmt.access.buffer != right.buffer, "L5",
            "tiles over their own factors");
    if (!sized) return;
    block(stmt.access, DType::f32, stmt.rows, stmt.columns, false);
    block(left, DType::bf16, stmt.rows, 2 * stmt.pairs, true);
    block(right, DType::i32, stmt.pairs, stmt.columns, true);
    checker.stores.push_back(&stmt);
  }
};

}  // namespace

void check_tiles(LoopChecker& checker, const LoopStmt& stmt) { TilesChecker{checker, stmt}.check(); }

}  // namespace nnc
