// Products of bf16 in AMX tiles. Tiles are numbered here, and nothing is called while they hold anything: LLVM is not
// asked to allocate them.
//
//   tmm0 tmm1   tmm4      tmm6 tmm7
//   tmm2 tmm3   tmm5
//   the result  the left  the right factor
#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <array>

#include "codegen/emit.h"
#include "ir/check.h"

namespace nnc {
namespace {

constexpr int64_t kTileRows = 16, kTileBytes = 64, kTilePairs = 16, kTileColumns = 16;
constexpr int kLeft = 4, kRight = 6;

void collect_rows(const std::vector<LoopStmt>& block, std::set<int64_t>& rows) {
  for (const LoopStmt& stmt : block) {
    if (stmt.kind == LoopStmt::tiles) rows.insert(stmt.rows);
    collect_rows(stmt.body, rows);
  }
}

// What ldtilecfg loads: palette 1, and for each tile the bytes of a row (from byte 16) and the rows (from byte 48).
llvm::GlobalVariable* configuration(KernelEmitter& e, int64_t rows) {
  const std::string name = "nnc_tiles_" + std::to_string(rows);
  if (llvm::GlobalVariable* known = e.module.getNamedGlobal(name)) return known;
  std::array<uint8_t, 64> bytes = {1};
  const auto configure = [&](int tile, int64_t of_rows) {
    if (of_rows <= 0) return;
    bytes[static_cast<size_t>(16 + 2 * tile)] = kTileBytes;
    bytes[static_cast<size_t>(48 + tile)] = static_cast<uint8_t>(std::min(of_rows, kTileRows));
  };
  for (const int tile : {0, 1, kLeft}) configure(tile, rows);
  for (const int tile : {2, 3, kLeft + 1}) configure(tile, rows - kTileRows);
  for (const int tile : {kRight, kRight + 1}) configure(tile, kTilePairs);
  llvm::Constant* value = llvm::ConstantDataArray::get(e.b.getContext(), bytes);
  auto* global = new llvm::GlobalVariable(e.module, value->getType(), /*isConstant=*/true,
                                          llvm::GlobalValue::PrivateLinkage, value, name);
  global->setAlignment(llvm::Align(64));
  return global;
}

void configure(KernelEmitter& e, int64_t rows) {
  e.b.CreateIntrinsic(llvm::Intrinsic::x86_ldtilecfg, {}, {configuration(e, rows)});
}

// A matrix in memory: a pointer to its first element, bytes from row to row.
struct Matrix {
  llvm::Value* first;
  int64_t pitch;
};

Matrix matrix_of(KernelEmitter& e, const Access& access) {
  const LoopBuffer& buffer = e.kernel[access.buffer];
  const Dims strides = row_major_strides(buffer.dims);
  return {emit_address(e, access), strides[strides.size() - 2] * size_of(buffer.dtype)};
}

void move_tile(KernelEmitter& e, llvm::Intrinsic::ID direction, int tile, const Matrix& matrix, int64_t row,
               int64_t byte) {
  llvm::Value* place = e.b.CreatePtrAdd(matrix.first, e.b.getInt64(static_cast<uint64_t>(row * matrix.pitch + byte)));
  e.b.CreateIntrinsic(
      direction, {},
      {e.b.getInt8(static_cast<uint8_t>(tile)), place, e.b.getInt64(static_cast<uint64_t>(matrix.pitch))});
}

// One tile's depth of the sum.
void multiply(KernelEmitter& e, const Matrix& left, const Matrix& right, int across, int down) {
  const auto load = [&](int tile, const Matrix& matrix, int64_t row, int64_t byte) {
    move_tile(e, llvm::Intrinsic::x86_tileloadd64, tile, matrix, row, byte);
  };
  for (int i = 0; i < down; ++i) {
    load(kLeft + i, left, i * kTileRows, 0);
    for (int j = 0; j < across; ++j) {
      if (i == 0) load(kRight + j, right, 0, j * kTileBytes);
      const auto tile = [&](int number) { return e.b.getInt8(static_cast<uint8_t>(number)); };
      e.b.CreateIntrinsic(llvm::Intrinsic::x86_tdpbf16ps, {}, {tile(2 * i + j), tile(kLeft + i), tile(kRight + j)});
    }
  }
}

}  // namespace

void begin_tiles(KernelEmitter& e) {
  collect_rows(e.kernel.body, e.tile_rows);
  if (e.tile_rows.size() == 1) configure(e, *e.tile_rows.begin());
}

void end_tiles(KernelEmitter& e) {
  if (!e.tile_rows.empty()) e.b.CreateIntrinsic(llvm::Intrinsic::x86_tilerelease, {}, {});
}

void emit_tiles(KernelEmitter& e, const LoopStmt& stmt) {
  const int across = static_cast<int>(stmt.columns / kTileColumns), down = stmt.rows > kTileRows ? 2 : 1;
  const int64_t turns = stmt.pairs / kTilePairs;
  Matrix left = matrix_of(e, stmt.factors[0]), right = matrix_of(e, stmt.factors[1]);
  const Matrix result = matrix_of(e, stmt.access);
  if (e.tile_rows.size() > 1) configure(e, stmt.rows);
  const auto each_result = [&](auto act) {
    for (int i = 0; i < down; ++i) {
      for (int j = 0; j < across; ++j) act(i, j);
    }
  };
  each_result([&](int i, int j) {
    e.b.CreateIntrinsic(llvm::Intrinsic::x86_tilezero, {}, {e.b.getInt8(static_cast<uint8_t>(2 * i + j))});
  });
  if (turns == 1) {
    multiply(e, left, right, across, down);
  } else {
    llvm::BasicBlock* before = e.b.GetInsertBlock();
    llvm::BasicBlock* body = llvm::BasicBlock::Create(e.b.getContext(), "tiles", e.function);
    llvm::BasicBlock* after = llvm::BasicBlock::Create(e.b.getContext(), "after", e.function);
    e.b.CreateBr(body);
    e.b.SetInsertPoint(body);
    llvm::PHINode* turn = e.b.CreatePHI(e.b.getInt64Ty(), 2);
    turn->addIncoming(e.b.getInt64(static_cast<uint64_t>(turns)), before);
    const auto advance = [&](Matrix& matrix, int64_t bytes) {
      llvm::PHINode* place = e.b.CreatePHI(e.b.getPtrTy(), 2);
      place->addIncoming(matrix.first, before);
      matrix.first = place;
      return std::pair(place, bytes);
    };
    const auto places = {advance(left, kTileBytes), advance(right, kTilePairs * right.pitch)};
    multiply(e, left, right, across, down);
    for (const auto& [place, bytes] : places)
      place->addIncoming(e.b.CreatePtrAdd(place, e.b.getInt64(static_cast<uint64_t>(bytes))), body);
    llvm::Value* rest = e.b.CreateSub(turn, e.b.getInt64(1));
    turn->addIncoming(rest, body);
    e.b.CreateCondBr(e.b.CreateICmpNE(rest, e.b.getInt64(0)), body, after);
    e.b.SetInsertPoint(after);
  }
  each_result([&](int i, int j) {
    move_tile(e, llvm::Intrinsic::x86_tilestored64, 2 * i + j, result, i * kTileRows, j * kTileBytes);
  });
}

}  // namespace nnc
