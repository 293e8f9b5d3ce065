// Loop IR to LLVM IR, one statement at a time. Internal to codegen.
//
// LLVM is not asked to discover anything: vectors, unrolled copies, register families and address arithmetic are laid
// out here, and every address is computed at the head of the innermost loop it depends on.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "codegen/target.h"
#include "ir/loop/loop.h"

namespace llvm {
class AllocaInst;
class BasicBlock;
class Constant;
class DIBuilder;
class DICompileUnit;
class DIFile;
class DIScope;
class DISubprogram;
class Function;
class IRBuilderBase;
class Instruction;
class LLVMContext;
class Module;
class PHINode;
class Type;
class Value;
}  // namespace llvm

namespace nnc {

// Debug information of one LLVM module: line tables that point at the user's source.
struct DebugInfo {
  llvm::DIBuilder* builder = nullptr;
  llvm::DICompileUnit* unit = nullptr;
  std::vector<llvm::DIFile*> files;  // by Location::file
};

// What a loop variable stands for while its body is being emitted: `base` + `constant`.
struct VarBinding {
  llvm::Value* base = nullptr;  // i64; null: the constant alone
  int64_t constant = 0;
  size_t scope = 0;  // the scope that defines `base`
};

// A loop being emitted (or the function: scope 0). Invariants are inserted before `anchor`, in its head.
struct Scope {
  llvm::Instruction* anchor = nullptr;
  std::map<std::tuple<llvm::Value*, llvm::Value*, int64_t>, llvm::Value*> offsets;  // pointer + value * bytes
};

// A sum of run-time values known at compile time up to those values.
struct LinearForm {
  struct Term {
    llvm::Value* base;
    int64_t coefficient;
    size_t scope;
  };
  int64_t constant = 0;
  std::vector<Term> terms;  // outermost scope first
};

struct KernelEmitter {
  const Kernel& kernel;
  llvm::Module& module;
  llvm::IRBuilderBase& b;
  DebugInfo* debug = nullptr;  // null: none
  llvm::Function* function = nullptr;
  llvm::DISubprogram* subprogram = nullptr;
  llvm::Value* lo = nullptr;
  llvm::Value* hi = nullptr;
  std::vector<llvm::Value*> buffers = {};
  std::vector<VarBinding> bindings = {};  // per variable
  std::vector<std::vector<llvm::Value*>> values =
      {};  // per value, per member of its family; of a var: its slot on the stack
  std::vector<Scope> scopes = {};
  bool bf16_dot = false;                                                        // the machine multiplies pairs of bf16
  std::set<int64_t> tile_rows = {};                                             // of all `tiles` of the kernel
  std::map<std::vector<llvm::Value*>, std::vector<llvm::Value*>> columns = {};  // of rows that were transposed
};

// emit_kernel.cpp
// Declares or finds the function of a kernel: void(ptr × buffers, i64 lo, i64 hi).
llvm::Function* declare_kernel(llvm::Module& module, const Kernel& kernel);
void emit_kernel(llvm::Module& module, const Kernel& kernel, const MachineDescription& machine, DebugInfo* debug);

// emit_values.cpp
llvm::Type* element_type(llvm::LLVMContext& context, DType dtype);
llvm::Type* value_type(const KernelEmitter& e, DType dtype, bool vector);
llvm::Type* value_type(const KernelEmitter& e, const LoopValue& value);
llvm::Constant* literal(const KernelEmitter& e, double number, DType dtype);
// The value of a family's member under the current bindings; a var is read.
llvm::Value* read_value(KernelEmitter& e, ValueId id);
void write_value(KernelEmitter& e, ValueId id, llvm::Value* value);
// Reserves the slots on the stack of a var, which optimisation turns into registers.
void declare_variables(KernelEmitter& e);
llvm::Value* splat_to(const KernelEmitter& e, llvm::Value* value);
LinearForm evaluate(const KernelEmitter& e, const Affine& affine, int64_t factor = 1);
void add_to(LinearForm& form, const LinearForm& other);
llvm::Value* materialise(KernelEmitter& e, const LinearForm& form);
// Least and greatest value of an affine under the current bindings.
std::pair<int64_t, int64_t> bounds(const KernelEmitter& e, const Affine& affine);
// The lanes' offsets 0, step, 2*step, … in `type` (a vector of integers).
llvm::Constant* lane_offsets(const KernelEmitter& e, int64_t step, llvm::Type* type);

// emit_access.cpp
// The address of the element that a scalar access without a mask names.
llvm::Value* emit_address(KernelEmitter& e, const Access& access);
void emit_load(KernelEmitter& e, const LoopStmt& stmt);
void emit_store(KernelEmitter& e, const LoopStmt& stmt);
void emit_prefetch(KernelEmitter& e, const LoopStmt& stmt);

// emit_tiles.cpp
// A kernel with products in tiles is framed by their configuration and their release.
void begin_tiles(KernelEmitter& e);
void end_tiles(KernelEmitter& e);
void emit_tiles(KernelEmitter& e, const LoopStmt& stmt);

// emit_ops.cpp
llvm::Value* emit_op(KernelEmitter& e, const LoopStmt& stmt);

// emit_math.cpp
// Ops that are series of others (ir/loop/math.h). Operands and result have the type of `stmt`'s value.
llvm::Value* emit_math(KernelEmitter& e, const LoopStmt& stmt, const std::vector<llvm::Value*>& operands);

// emit_entry.cpp
// The symbol of an entry: nnc_MODEL_step_b32.
std::string symbol_of(const LoopModule& module, const LoopEntry& entry);
// `profiled`: reads the time stamp counter behind each call and barrier, into nnc_context::ticks.
void emit_entry(llvm::Module& target, const LoopModule& module, const LoopEntry& entry,
                const MachineDescription& machine, bool profiled);

}  // namespace nnc
