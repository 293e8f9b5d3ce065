#include "passes/loop/kernel_writer.h"

#include <algorithm>
#include <set>

#include "ir/check.h"

namespace nnc {

void KernelWriter::add_var_to(std::vector<VarId>& family, VarId var) const {
  const auto outside = [this](VarId a, VarId b) {
    return a == innermost_ || b == innermost_ ? a != b && b == innermost_ : a < b;
  };
  const auto at = std::lower_bound(family.begin(), family.end(), var, outside);
  if (at == family.end() || *at != var) family.insert(at, var);
}

VarId KernelWriter::add_var(LoopVar::Kind kind, std::string name, int64_t begin, int64_t end) {
  const int repeat = names_[name]++;
  if (repeat > 0) name += std::to_string(repeat);
  kernel_.vars.push_back({std::move(name), kind, begin, end});
  return VarId(kernel_.vars.size() - 1);
}

BufferId KernelWriter::add_buffer(LoopBuffer buffer) {
  buffer.name = "b" + std::to_string(kernel_.buffers.size()) + (buffer.name.empty() ? "" : "_" + buffer.name);
  for (char& c : buffer.name) {
    c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
  }
  kernel_.buffers.push_back(std::move(buffer));
  return BufferId(kernel_.buffers.size() - 1);
}

VarRange KernelWriter::range() const {
  return [this](VarId var) { return std::pair{kernel_[var].begin, kernel_[var].end - 1}; };
}

void KernelWriter::open_loop(VarId var, int64_t unroll) {
  Block block;
  block.header.kind = LoopStmt::loop;
  block.header.vars = {var};
  block.header.copies = unroll;
  block.header.locations = locations_;
  blocks_.push_back(std::move(block));
}

void KernelWriter::open_items(std::vector<VarId> vars, int64_t inner_count) {
  Block block;
  block.header.kind = LoopStmt::items;
  block.header.vars = std::move(vars);
  block.header.inner_count = inner_count;
  block.header.locations = locations_;
  blocks_.push_back(std::move(block));
}

void KernelWriter::open_when(LoopOperand condition) {
  Block block;
  block.header.kind = LoopStmt::when;
  block.header.operands = {condition};
  block.header.locations = locations_;
  blocks_.push_back(std::move(block));
}

void KernelWriter::open_weave() {
  Block block;
  block.header.kind = LoopStmt::weave;
  block.header.locations = locations_;
  blocks_.push_back(std::move(block));
}

void KernelWriter::close() {
  gather_families(blocks_.back());
  LoopStmt stmt = std::move(blocks_.back().header);
  stmt.body = std::move(blocks_.back().done);
  blocks_.pop_back();
  gather_families(blocks_.back());
  blocks_.back().done.push_back(std::move(stmt));
}

Kernel KernelWriter::finish() {
  NNC_CHECK(blocks_.size() == 1, "an open block at the end of a kernel");
  gather_families(blocks_.back());
  kernel_.body = std::move(blocks_.back().done);
  return std::move(kernel_);
}

void KernelWriter::collect_family(const LoopOperand& operand, std::vector<VarId>& family) const {
  if (!operand.value) return;
  for (VarId var : kernel_[operand.value].family) add_var_to(family, var);
}

void KernelWriter::collect_family(const Affine& affine, std::vector<VarId>& family) const {
  for (const auto& term : affine.terms) {
    if (kernel_[term.first].kind == LoopVar::unroll) add_var_to(family, term.first);
  }
}

void KernelWriter::collect_family(const Access& access, std::vector<VarId>& family) const {
  for (const Access::Index& index : access.indices) {
    collect_family(index.affine, family);
    collect_family(LoopOperand{index.dynamic, 0}, family);
  }
  collect_family(LoopOperand{access.mask, 0}, family);
}

ValueId KernelWriter::add_value(DType dtype, bool vector, bool is_var, std::vector<VarId> family) {
  kernel_.values.push_back({"v" + std::to_string(kernel_.values.size()), dtype, vector, is_var, std::move(family)});
  return ValueId(kernel_.values.size() - 1);
}

void KernelWriter::append(LoopStmt stmt, std::vector<VarId> family) {
  stmt.locations = locations_;
  blocks_.back().pending.push_back({std::move(stmt), std::move(family)});
}

LoopOperand KernelWriter::define(LoopOp op, DType dtype, bool vector, std::vector<LoopOperand> operands,
                                 LoopStmt patch) {
  std::vector<VarId> family;
  for (const LoopOperand& operand : operands) collect_family(operand, family);
  if (op == LoopOp::fold || op == LoopOp::column || op == LoopOp::any) std::erase(family, patch.over);
  collect_family(patch.affine, family);
  patch.kind = LoopStmt::define;
  patch.op = op;
  patch.operands = std::move(operands);
  patch.value = add_value(dtype, vector, false, family);
  const ValueId value = patch.value;
  append(std::move(patch), std::move(family));
  return {value, 0};
}

ValueId KernelWriter::define_var(DType dtype, bool vector, const std::vector<VarId>& vars, LoopOperand initial) {
  std::vector<VarId> family;
  for (VarId var : vars) add_var_to(family, var);
  LoopStmt stmt;
  stmt.kind = LoopStmt::define;
  stmt.op = LoopOp::splat;
  stmt.operands = {initial};
  stmt.value = add_value(dtype, vector, true, family);
  const ValueId value = stmt.value;
  append(std::move(stmt), std::move(family));
  return value;
}

void KernelWriter::assign(ValueId var, LoopOp op, std::vector<LoopOperand> operands, LoopStmt patch) {
  std::vector<VarId> family;
  collect_family(LoopOperand{var, 0}, family);
  for (const LoopOperand& operand : operands) collect_family(operand, family);
  patch.kind = LoopStmt::assign;
  patch.op = op;
  patch.value = var;
  patch.operands = std::move(operands);
  append(std::move(patch), std::move(family));
}

LoopOperand KernelWriter::load(Access access, DType dtype, bool vector) {
  std::vector<VarId> family;
  collect_family(access, family);
  LoopStmt stmt;
  stmt.kind = LoopStmt::load;
  stmt.access = std::move(access);
  stmt.value = add_value(dtype, vector, false, family);
  const ValueId value = stmt.value;
  append(std::move(stmt), std::move(family));
  return {value, 0};
}

void KernelWriter::store(Access access, LoopOperand value) {
  std::vector<VarId> family;
  collect_family(access, family);
  collect_family(value, family);
  LoopStmt stmt;
  stmt.kind = LoopStmt::store;
  stmt.access = std::move(access);
  stmt.operands = {value};
  append(std::move(stmt), std::move(family));
}

void KernelWriter::prefetch(Access access) {
  std::vector<VarId> family;
  collect_family(access, family);
  LoopStmt stmt;
  stmt.kind = LoopStmt::prefetch;
  stmt.access = std::move(access);
  append(std::move(stmt), std::move(family));
}

void KernelWriter::tiles(Access to, Access left, Access right, int64_t rows, int64_t columns, int64_t pairs) {
  LoopStmt stmt;
  stmt.kind = LoopStmt::tiles;
  stmt.locations = locations_;
  stmt.access = std::move(to);
  stmt.factors = {std::move(left), std::move(right)};
  stmt.rows = rows;
  stmt.columns = columns;
  stmt.pairs = pairs;
  gather_families(blocks_.back());
  blocks_.back().done.push_back(std::move(stmt));
}

const LoopOperand* KernelWriter::find(const Key& key) const {
  for (size_t b = blocks_.size(); b-- > 0;) {
    const auto at = blocks_[b].known.find(key);
    if (at != blocks_[b].known.end()) return &at->second;
  }
  return nullptr;
}

// Orders the pending statements so that those repeated over the same unrolled variables stand together: one instance
// then runs to its end before the next begins, and its temporaries stay in registers.
void KernelWriter::gather_families(Block& block) {
  std::vector<Pending>& pending = block.pending;
  std::vector<std::vector<size_t>> next(pending.size());
  std::vector<size_t> open(pending.size(), 0);
  std::map<ValueId, std::vector<size_t>> touched;    // of variables: every statement so far; of others: the definition
  std::map<BufferId, std::vector<size_t>> accessed;  // statements so far
  const auto depends = [&](size_t later, size_t earlier) {
    next[earlier].push_back(later);
    ++open[later];
  };
  for (size_t s = 0; s < pending.size(); ++s) {
    const LoopStmt& stmt = pending[s].stmt;
    std::set<ValueId> read;
    for (const LoopOperand& operand : stmt.operands) {
      if (operand.value) read.insert(operand.value);
    }
    const bool has_access = stmt.kind == LoopStmt::load || stmt.kind == LoopStmt::store;
    if (has_access) {
      if (stmt.access.mask) read.insert(stmt.access.mask);
      for (const Access::Index& index : stmt.access.indices) {
        if (index.dynamic) read.insert(index.dynamic);
      }
    }
    if (stmt.value) read.insert(stmt.value);
    for (ValueId value : read) {
      const bool is_var = kernel_[value].is_var;
      auto& earlier = touched[value];
      for (size_t e : earlier) depends(s, e);
      if (is_var || value == stmt.value) earlier.push_back(s);
    }
    if (has_access) {
      auto& earlier = accessed[stmt.access.buffer];
      for (size_t e : earlier) {
        if (stmt.kind == LoopStmt::store || pending[e].stmt.kind == LoopStmt::store) depends(s, e);
      }
      earlier.push_back(s);
    }
  }
  std::set<size_t> ready;
  for (size_t s = 0; s < pending.size(); ++s) {
    if (open[s] == 0) ready.insert(s);
  }
  while (!ready.empty()) {
    size_t first = *ready.begin();
    for (size_t s : ready) {
      if (pending[s].family.size() < pending[first].family.size()) first = s;
    }
    const std::vector<VarId> family = pending[first].family;
    LoopStmt group;
    group.kind = LoopStmt::unroll;
    group.vars = family;
    for (auto at = ready.begin(); at != ready.end();) {
      if (pending[*at].family != family) {
        ++at;
        continue;
      }
      const size_t s = *at;
      ready.erase(at);
      for (size_t later : next[s]) {
        if (--open[later] == 0) ready.insert(later);
      }
      group.body.push_back(std::move(pending[s].stmt));
      at = ready.begin();
    }
    if (family.empty()) {
      std::move(group.body.begin(), group.body.end(), std::back_inserter(block.done));
    } else {
      block.done.push_back(std::move(group));
    }
  }
  pending.clear();
}

}  // namespace nnc
