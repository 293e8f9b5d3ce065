// Builds the body of a kernel statement by statement, and gathers statements that are unrolled alike.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/loop/loop.h"
#include "passes/plan/access.h"

namespace nnc {

class KernelWriter {
 public:
  explicit KernelWriter(const Target& target) {
    kernel_.target = target;
    blocks_.emplace_back();
  }

  Kernel& kernel() { return kernel_; }
  int64_t lanes() const { return kernel_.target.lanes; }
  void set_locations(const Locations& locations) { locations_ = locations; }

  VarId add_var(LoopVar::Kind kind, std::string name, int64_t begin, int64_t end);
  BufferId add_buffer(LoopBuffer buffer);
  VarRange range() const;
  // The unrolled variable that runs fastest, whatever else statements are unrolled over; else those made first are
  // outermost. A scalar is then broadcast once for all vectors of its row, and no register holds it any longer.
  void set_innermost(VarId var) { innermost_ = var; }

  // Blocks. Statements go into the innermost open one.
  void open_loop(VarId var, int64_t unroll = 1);
  void open_items(std::vector<VarId> vars, int64_t inner_count);
  void open_when(LoopOperand condition);
  void open_weave();
  void close();

  // `patch` holds what the op needs besides operands (comparison, affine, …). The family of the new value follows from
  // the operands and from the unrolled variables in `patch.affine`.
  LoopOperand define(LoopOp op, DType dtype, bool vector, std::vector<LoopOperand> operands, LoopStmt patch = {});
  // A variable repeated over the unrolled `vars`, holding `initial`.
  ValueId define_var(DType dtype, bool vector, const std::vector<VarId>& vars, LoopOperand initial);
  void assign(ValueId var, LoopOp op, std::vector<LoopOperand> operands, LoopStmt patch = {});
  LoopOperand load(Access access, DType dtype, bool vector);
  void store(Access access, LoopOperand value);
  void prefetch(Access access);
  // Block of a product, in the order in which it is written: it is never repeated over unrolled variables.
  void tiles(Access to, Access left, Access right, int64_t rows, int64_t columns, int64_t pairs);

  bool is_vector(const LoopOperand& operand) const { return operand.value && kernel_[operand.value].vector; }
  static LoopOperand literal(double value) { return {{}, value}; }

  // Values already computed, by key; forgotten when the block they were computed in closes.
  using Key = std::vector<int64_t>;
  const LoopOperand* find(const Key& key) const;
  void remember(const Key& key, LoopOperand value) { blocks_.back().known[key] = value; }
  // Of the innermost open block: what is asked for again is computed again.
  void forget() { blocks_.back().known.clear(); }

  Kernel finish();

 private:
  struct Pending {
    LoopStmt stmt;
    std::vector<VarId> family;  // unrolled variables the statement is repeated over
  };
  struct Block {
    LoopStmt header;
    std::vector<Pending> pending;
    std::vector<LoopStmt> done;
    std::map<Key, LoopOperand> known;
  };

  void add_var_to(std::vector<VarId>& family, VarId var) const;
  void collect_family(const LoopOperand& operand, std::vector<VarId>& family) const;
  void collect_family(const Affine& affine, std::vector<VarId>& family) const;
  void collect_family(const Access& access, std::vector<VarId>& family) const;
  void append(LoopStmt stmt, std::vector<VarId> family);
  ValueId add_value(DType dtype, bool vector, bool is_var, std::vector<VarId> family);
  void gather_families(Block& block);

  Kernel kernel_;
  std::vector<Block> blocks_;
  Locations locations_;
  VarId innermost_;
  std::map<std::string, int> names_;
};

}  // namespace nnc
