#include "codegen/emit_module.h"

#include <llvm/BinaryFormat/Dwarf.h>
#include <llvm/IR/DIBuilder.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/Path.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include <algorithm>

#include "ir/check.h"

namespace nnc {
namespace {

// About how many instructions an operation becomes: functions are written out where they are used.
int64_t size_of_op(LoopOp op) {
  switch (op) {
    case LoopOp::exp:
    case LoopOp::expm1:
    case LoopOp::log:
    case LoopOp::log1p:
    case LoopOp::tanh:
    case LoopOp::sigmoid:
    case LoopOp::erf:
    case LoopOp::sin:
    case LoopOp::cos:
    case LoopOp::pow:
    case LoopOp::philox:
    case LoopOp::normal:
      return 25;
    default:
      return 1;
  }
}

// Copies of its body that a loop is written as: those of a turn and of what the turns leave, all if it has one turn.
int64_t written_copies(const Kernel& kernel, const LoopStmt& loop) {
  const int64_t all = kernel[loop.vars.front()].end - kernel[loop.vars.front()].begin;
  const int64_t copies = std::max<int64_t>(1, loop.copies);
  return all / copies < 2 ? all : copies + all % copies;
}

// Statements after unrolling: what compile time grows with.
int64_t size_of_block(const Kernel& kernel, const std::vector<LoopStmt>& block) {
  int64_t size = 0;
  for (const LoopStmt& stmt : block) {
    int64_t copies = stmt.kind == LoopStmt::loop ? written_copies(kernel, stmt) : 1;
    if (stmt.kind == LoopStmt::unroll) {
      for (VarId var : stmt.vars) copies *= kernel[var].end - kernel[var].begin;
    }
    const bool computes = stmt.kind == LoopStmt::define || stmt.kind == LoopStmt::assign;
    size += (computes ? size_of_op(stmt.op) : 1) + copies * size_of_block(kernel, stmt.body);
  }
  return size;
}

// Parts of about equal size, the largest first; entries, which are small, go into the smallest. Two threads take them,
// so there is an even number, unless all is small; few, since each has its fixed costs.
std::vector<ModulePart> share_out(const LoopModule& module, const std::vector<size_t>& kernels,
                                  const std::vector<size_t>& entries) {
  constexpr int64_t part_size = 3000, small = 200;
  struct Share {
    ModulePart part;
    int64_t size = 0;
  };
  int64_t all = 0;
  std::vector<std::pair<int64_t, size_t>> largest_first;
  for (size_t kernel : kernels) {
    const int64_t size = size_of_block(module.kernels[kernel], module.kernels[kernel].body);
    largest_first.emplace_back(-size, kernel);
    all += size;
  }
  std::sort(largest_first.begin(), largest_first.end());
  std::vector<Share> shares((all + part_size - 1) / part_size);
  if (shares.size() % 2 != 0 && all > small) shares.emplace_back();
  shares.resize(std::min(shares.size(), kernels.size()));
  if (shares.empty() && !entries.empty()) shares.emplace_back();
  const auto smallest = [&] {
    return std::min_element(shares.begin(), shares.end(),
                            [](const Share& a, const Share& b) { return a.size < b.size; });
  };
  for (const auto& [minus_size, kernel] : largest_first) {
    const auto share = smallest();
    share->part.kernels.push_back(kernel);
    share->size -= minus_size;
  }
  if (!entries.empty()) smallest()->part.entries = entries;
  std::stable_sort(shares.begin(), shares.end(), [](const Share& a, const Share& b) { return a.size > b.size; });
  std::vector<ModulePart> parts;
  for (Share& share : shares) {
    std::sort(share.part.kernels.begin(), share.part.kernels.end());
    parts.push_back(std::move(share.part));
  }
  return parts;
}

DebugInfo describe_sources(llvm::DIBuilder& builder, const LoopModule& module) {
  DebugInfo debug;
  debug.builder = &builder;
  for (const std::string& file : module.files) {
    debug.files.push_back(builder.createFile(llvm::sys::path::filename(file), llvm::sys::path::parent_path(file)));
  }
  llvm::DIFile* first = debug.files.empty() ? builder.createFile(module.name, "") : debug.files.front();
  debug.unit = builder.createCompileUnit(llvm::dwarf::DW_LANG_C, first, "nnc", true, "", 0, "",
                                         llvm::DICompileUnit::LineTablesOnly);
  return debug;
}

}  // namespace

ModuleParts cut_into_parts(const LoopModule& module, const std::vector<std::pair<std::string, int64_t>>& awaited,
                           const std::string& omitted) {
  enum class When : uint8_t { never, now, later };
  const When unless_awaited = awaited.empty() ? When::now : When::later;
  std::vector<When> entry_when(module.entries.size(), unless_awaited);
  std::vector<When> kernel_when(module.kernels.size(), unless_awaited);
  const auto mark = [&](size_t index, When when) {
    entry_when[index] = when;
    for (const LoopPhase& phase : module.entries[index].phases) {
      for (const KernelCall& call : phase.calls) kernel_when[call.kernel.value] = when;
    }
  };
  // A kernel of several entries is made for the one that needs it first.
  for (const When when : {When::never, When::later, When::now}) {
    for (size_t index = 0; index < module.entries.size(); ++index) {
      const LoopEntry& entry = module.entries[index];
      const bool wanted =
          std::find(awaited.begin(), awaited.end(), std::pair(entry.name, entry.batch)) != awaited.end();
      const When own = !omitted.empty() && entry.name == omitted ? When::never : wanted ? When::now : unless_awaited;
      if (own == when) mark(index, when);
    }
  }
  ModuleParts cut;
  for (const When when : {When::now, When::later}) {
    std::vector<size_t> kernels, entries;
    for (size_t index = 0; index < module.kernels.size(); ++index) {
      if (kernel_when[index] == when) kernels.push_back(index);
    }
    for (size_t index = 0; index < module.entries.size(); ++index) {
      if (entry_when[index] == when) entries.push_back(index);
    }
    for (ModulePart& part : share_out(module, kernels, entries)) cut.parts.push_back(std::move(part));
    if (when == When::now) cut.awaited = cut.parts.size();
  }
  return cut;
}

std::unique_ptr<llvm::Module> emit_part(llvm::LLVMContext& context, const LoopModule& module, const ModulePart& part,
                                        const MachineDescription& description, llvm::TargetMachine& machine,
                                        bool profiled) {
  auto result = std::make_unique<llvm::Module>(module.name, context);
  result->setTargetTriple(machine.getTargetTriple().str());
  result->setDataLayout(machine.createDataLayout());
  result->addModuleFlag(llvm::Module::Warning, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
  llvm::DIBuilder builder(*result);
  DebugInfo debug = describe_sources(builder, module);
  for (size_t kernel : part.kernels) emit_kernel(*result, module.kernels[kernel], description, &debug);
  for (size_t entry : part.entries) emit_entry(*result, module, module.entries[entry], description, profiled);
  builder.finalize();
  std::string wrong;
  llvm::raw_string_ostream stream(wrong);
  NNC_CHECK(!llvm::verifyModule(*result, &stream), "LLVM refuses what was emitted: {}", stream.str());
  return result;
}

}  // namespace nnc
