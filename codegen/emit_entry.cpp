#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <array>
#include <cctype>
#include <cstddef>
#include <map>

#include "codegen/emit.h"
#include "ir/check.h"
#include "runtime/executable.h"

namespace nnc {
namespace {

// Loads of the fields of nnc_context, and what is computed from them once per call.
struct EntryEmitter {
  llvm::IRBuilder<>& b;
  llvm::Function* function;
  llvm::Value *state, *arena, *scratch, *thread, *threads, *team, *barrier;
  std::vector<llvm::Value*> io = {};
  llvm::Value* next_thread = nullptr;
  std::map<int64_t, std::pair<llvm::Value*, llvm::Value*>> shares = {};  // by the items of a grid: lo, hi
};

llvm::Value* load_field(llvm::IRBuilder<>& b, llvm::Value* context, size_t offset, llvm::Type* type, const char* name) {
  return b.CreateAlignedLoad(type, b.CreatePtrAdd(context, b.getInt64(offset)), llvm::Align(8), name);
}

EntryEmitter read_context(llvm::IRBuilder<>& b, llvm::Function* function, const LoopEntry& entry) {
  llvm::Value* context = function->getArg(0);
  llvm::Type* pointer = b.getPtrTy();
  EntryEmitter e{b,
                 function,
                 load_field(b, context, offsetof(nnc_context, state), pointer, "state"),
                 load_field(b, context, offsetof(nnc_context, arena), pointer, "arena"),
                 load_field(b, context, offsetof(nnc_context, scratch), pointer, "scratch"),
                 load_field(b, context, offsetof(nnc_context, thread), b.getInt64Ty(), "thread"),
                 load_field(b, context, offsetof(nnc_context, threads), b.getInt64Ty(), "threads"),
                 load_field(b, context, offsetof(nnc_context, team), pointer, "team"),
                 load_field(b, context, offsetof(nnc_context, barrier), pointer, "barrier")};
  if (!entry.io.empty()) {
    llvm::Value* io = load_field(b, context, offsetof(nnc_context, io), pointer, "io");
    for (size_t index = 0; index < entry.io.size(); ++index) {
      e.io.push_back(load_field(b, io, index * sizeof(void*), pointer, ""));
    }
  }
  e.next_thread = b.CreateAdd(e.thread, b.getInt64(1));
  return e;
}

// [items * t / T, items * (t + 1) / T)
std::pair<llvm::Value*, llvm::Value*> share_of(EntryEmitter& e, int64_t items) {
  auto [found, fresh] = e.shares.try_emplace(items);
  if (fresh) {
    llvm::Value* count = e.b.getInt64(static_cast<uint64_t>(items));
    found->second = {e.b.CreateUDiv(e.b.CreateMul(count, e.thread), e.threads, "lo"),
                     e.b.CreateUDiv(e.b.CreateMul(count, e.next_thread), e.threads, "hi")};
  }
  return found->second;
}

llvm::Value* bind(EntryEmitter& e, const BufferBinding& binding) {
  llvm::Value* base = nullptr;
  switch (binding.space) {
    case BufferBinding::state:
      base = e.state;
      break;
    case BufferBinding::arena:
      base = e.arena;
      break;
    case BufferBinding::scratch:
      base = e.scratch;
      break;
    case BufferBinding::io:
      return e.io.at(static_cast<size_t>(binding.offset));
  }
  return binding.offset == 0 ? base : e.b.CreatePtrAdd(base, e.b.getInt64(static_cast<uint64_t>(binding.offset)));
}

void emit_call(EntryEmitter& e, llvm::Module& target, const Kernel& kernel, const KernelCall& call) {
  NNC_CHECK(call.buffers.size() == kernel.buffers.size(), "call of {} with {} buffers", kernel.name,
            call.buffers.size());
  const auto [lo, hi] = share_of(e, kernel.items);
  std::vector<llvm::Value*> arguments;
  for (const BufferBinding& binding : call.buffers) arguments.push_back(bind(e, binding));
  arguments.push_back(lo);
  arguments.push_back(hi);
  llvm::BasicBlock* run = llvm::BasicBlock::Create(e.b.getContext(), "run", e.function);
  llvm::BasicBlock* skip = llvm::BasicBlock::Create(e.b.getContext(), "skip", e.function);
  e.b.CreateCondBr(e.b.CreateICmpSLT(lo, hi), run, skip);
  e.b.SetInsertPoint(run);
  e.b.CreateCall(declare_kernel(target, kernel), arguments);
  e.b.CreateBr(skip);
  e.b.SetInsertPoint(skip);
}

void emit_barrier(EntryEmitter& e, llvm::Value* several) {
  llvm::BasicBlock* wait = llvm::BasicBlock::Create(e.b.getContext(), "wait", e.function);
  llvm::BasicBlock* go_on = llvm::BasicBlock::Create(e.b.getContext(), "go_on", e.function);
  e.b.CreateCondBr(several, wait, go_on);
  e.b.SetInsertPoint(wait);
  auto* type = llvm::FunctionType::get(e.b.getVoidTy(), {e.b.getPtrTy(), e.b.getInt64Ty()}, false);
  e.b.CreateCall(type, e.barrier, {e.team, e.thread});
  e.b.CreateBr(go_on);
  e.b.SetInsertPoint(go_on);
}

// Adds the ticks since `last` to a counter; returns the time now.
llvm::Value* count_ticks(llvm::IRBuilder<>& b, llvm::Value* ticks, size_t counter, llvm::Value* last) {
  llvm::Value* now = b.CreateIntrinsic(llvm::Intrinsic::readcyclecounter, {}, {});
  llvm::Value* at = b.CreatePtrAdd(ticks, b.getInt64(counter * sizeof(uint64_t)));
  llvm::Value* sum = b.CreateAlignedLoad(b.getInt64Ty(), at, llvm::Align(8));
  b.CreateAlignedStore(b.CreateAdd(sum, b.CreateSub(now, last)), at, llvm::Align(8));
  return now;
}

}  // namespace

std::string symbol_of(const LoopModule& module, const LoopEntry& entry) {
  std::string symbol = "nnc_" + module.name + "_" + entry.name;
  if (entry.batch > 0) symbol += "_b" + std::to_string(entry.batch);
  for (char& c : symbol) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return symbol;
}

void emit_entry(llvm::Module& target, const LoopModule& module, const LoopEntry& entry,
                const MachineDescription& machine, bool profiled) {
  llvm::IRBuilder<> b(target.getContext());
  auto* type = llvm::FunctionType::get(b.getVoidTy(), {b.getPtrTy()}, false);
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, symbol_of(module, entry), target);
  set_machine_attributes(*function, machine);
  b.SetInsertPoint(llvm::BasicBlock::Create(target.getContext(), "entry", function));
  EntryEmitter e = read_context(b, function, entry);
  llvm::Value* several = b.CreateICmpSGT(e.threads, b.getInt64(1));
  // Every share is computed in the first block, which comes before all uses.
  for (const LoopPhase& phase : entry.phases) {
    for (const KernelCall& call : phase.calls) share_of(e, module.kernels[call.kernel.value].items);
  }
  llvm::Value *ticks = nullptr, *last = nullptr;
  size_t calls = 0, counter = 0, phases = 0;
  for (const LoopPhase& phase : entry.phases) calls += phase.calls.size();
  if (profiled) {
    ticks = load_field(b, function->getArg(0), offsetof(nnc_context, ticks), b.getPtrTy(), "ticks");
    last = b.CreateIntrinsic(llvm::Intrinsic::readcyclecounter, {}, {});
  }
  for (const LoopPhase& phase : entry.phases) {
    for (const KernelCall& call : phase.calls) {
      emit_call(e, target, module.kernels[call.kernel.value], call);
      if (profiled) last = count_ticks(b, ticks, counter++, last);
    }
    emit_barrier(e, several);
    if (profiled) last = count_ticks(b, ticks, calls + phases++, last);
  }
  b.CreateRetVoid();
}

}  // namespace nnc
