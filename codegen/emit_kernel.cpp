#include <llvm/IR/DIBuilder.h>
#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <vector>

#include "codegen/emit.h"
#include "ir/check.h"

namespace nnc {
namespace {

void emit_block(KernelEmitter& e, std::span<const LoopStmt> block);

llvm::BasicBlock* new_block(KernelEmitter& e, const char* name) {
  return llvm::BasicBlock::Create(e.b.getContext(), name, e.function);
}

// Blames the next instructions on a place of the source.
void set_location(KernelEmitter& e, Location location) {
  if (e.subprogram == nullptr) return;
  llvm::DIScope* scope = e.subprogram;
  if (location.file < e.debug->files.size()) {
    llvm::DIFile* file = e.debug->files[location.file];
    if (file != e.subprogram->getFile()) scope = e.debug->builder->createLexicalBlockFile(e.subprogram, file);
  }
  e.b.SetCurrentDebugLocation(llvm::DILocation::get(e.b.getContext(), location.line, location.column, scope));
}

// A statement of the compiler's own counts to what stands before it.
void set_location(KernelEmitter& e, const LoopStmt& stmt) {
  if (!stmt.locations.empty()) set_location(e, stmt.locations.front());
}

// Opens the loop `for (base = first; base < end; base += step)`, known to run at least once; emits into its body
// afterwards.
struct OpenLoop {
  llvm::PHINode* base;
  llvm::BasicBlock* head;
  llvm::Value* end;
  int64_t step;
};

OpenLoop open_loop(KernelEmitter& e, llvm::Value* first, llvm::Value* end, int64_t step, const std::string& name) {
  llvm::BasicBlock* before = e.b.GetInsertBlock();
  llvm::BasicBlock* head = new_block(e, "head");
  llvm::BasicBlock* body = new_block(e, "body");
  e.b.CreateBr(head);
  e.b.SetInsertPoint(head);
  llvm::PHINode* base = e.b.CreatePHI(e.b.getInt64Ty(), 2, name);
  base->addIncoming(first, before);
  Scope scope;
  scope.anchor = e.b.CreateBr(body);
  e.scopes.push_back(std::move(scope));
  e.b.SetInsertPoint(body);
  return {base, head, end, step};
}

void close_loop(KernelEmitter& e, const OpenLoop& loop) {
  llvm::Value* next = e.b.CreateAdd(loop.base, e.b.getInt64(static_cast<uint64_t>(loop.step)), "", true, true);
  llvm::BasicBlock* after = new_block(e, "after");
  loop.base->addIncoming(next, e.b.GetInsertBlock());
  e.b.CreateCondBr(e.b.CreateICmpSLT(next, loop.end), loop.head, after);
  e.b.SetInsertPoint(after);
  e.scopes.pop_back();
}

// Main turns of `unroll` copies each, then the iterations that are left.
void emit_loop(KernelEmitter& e, const LoopStmt& stmt) {
  const VarId var = stmt.vars.front();
  const LoopVar& info = e.kernel[var];
  const int64_t copies = std::max<int64_t>(1, stmt.copies);
  const int64_t turns = (info.end - info.begin) / copies;
  VarBinding& binding = e.bindings[var.value];
  int64_t done = info.begin;
  if (turns >= 2) {
    done = info.begin + turns * copies;
    const OpenLoop loop = open_loop(e, e.b.getInt64(static_cast<uint64_t>(info.begin)),
                                    e.b.getInt64(static_cast<uint64_t>(done)), copies, info.name);
    for (int64_t copy = 0; copy < copies; ++copy) {
      binding = {loop.base, copy, e.scopes.size() - 1};
      emit_block(e, stmt.body);
    }
    set_location(e, stmt);
    close_loop(e, loop);
  }
  for (int64_t iteration = done; iteration < info.end; ++iteration) {
    binding = {nullptr, iteration, 0};
    emit_block(e, stmt.body);
  }
}

llvm::Value* larger(KernelEmitter& e, llvm::Value* a, int64_t b) {
  return e.b.CreateBinaryIntrinsic(llvm::Intrinsic::smax, a, e.b.getInt64(static_cast<uint64_t>(b)));
}
llvm::Value* smaller(KernelEmitter& e, llvm::Value* a, int64_t b) {
  return e.b.CreateBinaryIntrinsic(llvm::Intrinsic::smin, a, e.b.getInt64(static_cast<uint64_t>(b)));
}

// `body` for each value of `var` in [first, end), which may be empty.
template <class Body>
void emit_range(KernelEmitter& e, VarId var, llvm::Value* first, llvm::Value* end, Body body) {
  llvm::BasicBlock* enter = new_block(e, "enter");
  llvm::BasicBlock* skip = new_block(e, "skip");
  e.b.CreateCondBr(e.b.CreateICmpSLT(first, end), enter, skip);
  e.b.SetInsertPoint(enter);
  const OpenLoop loop = open_loop(e, first, end, 1, e.kernel[var].name);
  e.bindings[var.value] = {loop.base, 0, e.scopes.size() - 1};
  body(loop.base);
  close_loop(e, loop);
  e.b.CreateBr(skip);
  e.b.SetInsertPoint(skip);
}

// The thread's share of the items: [lo, hi) cut with the ranges of the item variables.
void emit_items(KernelEmitter& e, const LoopStmt& stmt) {
  const LoopVar& inner = e.kernel[stmt.vars.back()];
  if (stmt.vars.size() == 1) {
    emit_range(e, stmt.vars[0], larger(e, e.lo, inner.begin), smaller(e, e.hi, inner.end), [&](llvm::Value*) {
      emit_block(e, stmt.body);
      set_location(e, stmt);
    });
    return;
  }
  NNC_CHECK(stmt.vars.size() == 2 && stmt.inner_count > 0, "items with {} indices", stmt.vars.size());
  const LoopVar& outer = e.kernel[stmt.vars[0]];
  llvm::Value* count = e.b.getInt64(static_cast<uint64_t>(stmt.inner_count));
  llvm::Value* past = e.b.CreateAdd(e.hi, e.b.getInt64(static_cast<uint64_t>(stmt.inner_count - 1)));
  llvm::Value* first = larger(e, e.b.CreateUDiv(e.lo, count), outer.begin);
  llvm::Value* end = smaller(e, e.b.CreateUDiv(past, count), outer.end);
  emit_range(e, stmt.vars[0], first, end, [&](llvm::Value* row) {
    llvm::Value* start = e.b.CreateMul(row, count);
    emit_range(e, stmt.vars[1], larger(e, e.b.CreateSub(e.lo, start), inner.begin),
               smaller(e, e.b.CreateSub(e.hi, start), inner.end), [&](llvm::Value*) {
                 emit_block(e, stmt.body);
                 set_location(e, stmt);
               });
  });
}

// The body once for each combination of the unrolled indices, the last one running fastest.
void emit_unrolled(KernelEmitter& e, const LoopStmt& stmt, size_t depth) {
  if (depth == stmt.vars.size()) {
    emit_block(e, stmt.body);
    return;
  }
  const LoopVar& info = e.kernel[stmt.vars[depth]];
  for (int64_t value = info.begin; value < info.end; ++value) {
    e.bindings[stmt.vars[depth].value] = {nullptr, value, 0};
    emit_unrolled(e, stmt, depth + 1);
  }
}

void emit_when(KernelEmitter& e, const LoopStmt& stmt) {
  llvm::BasicBlock* body = new_block(e, "when");
  llvm::BasicBlock* after = new_block(e, "after");
  e.b.CreateCondBr(read_value(e, stmt.operands.front().value), body, after);
  e.b.SetInsertPoint(body);
  const auto columns = e.columns;
  emit_block(e, stmt.body);
  e.columns = columns;  // those made inside are not known behind it
  e.b.CreateBr(after);
  e.b.SetInsertPoint(after);
}

// Both sides in full, and then the others' instructions evenly between the operations of the first, so that a processor
// which looks only so far ahead finds work on both sides, and neither fills its queues alone. Control flow (of masked
// stores) leaves them one after the other, and so does a product without fma, whose operations are not calls.
void emit_weave(KernelEmitter& e, const LoopStmt& stmt) {
  llvm::BasicBlock* block = e.b.GetInsertBlock();
  const auto emitted = [&](std::span<const LoopStmt> side) {
    llvm::Instruction* before = block->empty() ? nullptr : &block->back();
    emit_block(e, side);
    std::vector<llvm::Instruction*> instructions;
    for (auto at = before == nullptr ? block->begin() : std::next(before->getIterator()); at != block->end(); ++at)
      instructions.push_back(&*at);
    return instructions;
  };
  const std::span<const LoopStmt> body = stmt.body;
  const std::vector<llvm::Instruction*> first = emitted(body.first(1)), others = emitted(body.subspan(1));
  if (e.b.GetInsertBlock() != block) return;
  std::vector<llvm::Instruction*> operations;
  std::copy_if(first.begin(), first.end(), std::back_inserter(operations),
               [](llvm::Instruction* instruction) { return llvm::isa<llvm::CallInst>(instruction); });
  if (operations.empty()) return;
  llvm::Instruction* last = nullptr;
  for (size_t k = 0; k < others.size(); ++k) {
    llvm::Instruction* operation = operations[k * operations.size() / others.size()];
    others[k]->moveAfter(last != nullptr && operation->comesBefore(last) ? last : operation);
    last = others[k];
  }
}

void emit_stmt(KernelEmitter& e, const LoopStmt& stmt) {
  switch (stmt.kind) {
    case LoopStmt::define:
    case LoopStmt::assign:
      write_value(e, stmt.value, emit_op(e, stmt));
      break;
    case LoopStmt::load:
      emit_load(e, stmt);
      break;
    case LoopStmt::store:
      emit_store(e, stmt);
      break;
    case LoopStmt::prefetch:
      emit_prefetch(e, stmt);
      break;
    case LoopStmt::tiles:
      emit_tiles(e, stmt);
      break;
    case LoopStmt::loop:
      emit_loop(e, stmt);
      break;
    case LoopStmt::items:
      emit_items(e, stmt);
      break;
    case LoopStmt::unroll:
      emit_unrolled(e, stmt, 0);
      break;
    case LoopStmt::when:
      emit_when(e, stmt);
      break;
    case LoopStmt::weave:
      emit_weave(e, stmt);
      break;
  }
}

void emit_block(KernelEmitter& e, std::span<const LoopStmt> block) {
  for (const LoopStmt& stmt : block) {
    set_location(e, stmt);
    emit_stmt(e, stmt);
  }
}

// The first place of the source that the kernel comes from.
Location first_location(const std::vector<LoopStmt>& block) {
  for (const LoopStmt& stmt : block) {
    for (const Location& location : stmt.locations) {
      if (location) return location;
    }
    if (Location inner = first_location(stmt.body)) return inner;
  }
  return {};
}

void attach_debug_info(KernelEmitter& e) {
  if (e.debug == nullptr) return;
  llvm::DIBuilder& builder = *e.debug->builder;
  const Location location = first_location(e.kernel.body);
  llvm::DIFile* file = location.file < e.debug->files.size() ? e.debug->files[location.file] : e.debug->unit->getFile();
  llvm::DISubroutineType* type = builder.createSubroutineType(builder.getOrCreateTypeArray({}));
  e.subprogram = builder.createFunction(e.debug->unit, e.kernel.name, "", file, location.line, type, location.line,
                                        llvm::DINode::FlagZero, llvm::DISubprogram::SPFlagDefinition);
  e.function->setSubprogram(e.subprogram);
  set_location(e, location);
}

void describe_arguments(KernelEmitter& e) {
  for (size_t index = 0; index < e.kernel.buffers.size(); ++index) {
    const LoopBuffer& buffer = e.kernel.buffers[index];
    const auto position = static_cast<unsigned>(index);
    llvm::Argument* argument = e.function->getArg(position);
    argument->setName(buffer.name);
    int64_t bytes = size_of(buffer.dtype);
    for (int64_t extent : buffer.dims) bytes *= extent;
    e.function->addParamAttr(position, llvm::Attribute::NoAlias);
    e.function->addParamAttr(position, llvm::Attribute::NoCapture);
    e.function->addParamAttr(
        position,
        llvm::Attribute::getWithAlignment(e.b.getContext(), llvm::Align(static_cast<uint64_t>(size_of(buffer.dtype)))));
    if (bytes > 0) e.function->addDereferenceableParamAttr(position, static_cast<uint64_t>(bytes));
    if (buffer.mode == LoopBuffer::in) e.function->addParamAttr(position, llvm::Attribute::ReadOnly);
    e.buffers.push_back(argument);
  }
  e.lo = e.function->getArg(static_cast<unsigned>(e.kernel.buffers.size()));
  e.hi = e.function->getArg(static_cast<unsigned>(e.kernel.buffers.size() + 1));
  e.lo->setName("lo");
  e.hi->setName("hi");
}

}  // namespace

llvm::Function* declare_kernel(llvm::Module& module, const Kernel& kernel) {
  if (llvm::Function* known = module.getFunction(kernel.name)) return known;
  llvm::LLVMContext& context = module.getContext();
  std::vector<llvm::Type*> parameters(kernel.buffers.size(), llvm::PointerType::getUnqual(context));
  parameters.insert(parameters.end(), 2, llvm::Type::getInt64Ty(context));
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), parameters, false);
  return llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, kernel.name, module);
}

void emit_kernel(llvm::Module& module, const Kernel& kernel, const MachineDescription& machine, DebugInfo* debug) {
  llvm::IRBuilder<> builder(module.getContext());
  KernelEmitter e{kernel, module, builder, debug};
  e.function = declare_kernel(module, kernel);
  e.bf16_dot = machine.features.find("+avx512bf16") != std::string::npos;
  set_machine_attributes(*e.function, machine);
  attach_debug_info(e);
  describe_arguments(e);
  e.bindings.resize(kernel.vars.size());
  builder.SetInsertPoint(new_block(e, "entry"));
  declare_variables(e);
  begin_tiles(e);
  llvm::BasicBlock* body = new_block(e, "body");
  Scope scope;
  scope.anchor = builder.CreateBr(body);
  e.scopes.push_back(std::move(scope));
  builder.SetInsertPoint(body);
  emit_block(e, kernel.body);
  end_tiles(e);
  builder.CreateRetVoid();
}

}  // namespace nnc
