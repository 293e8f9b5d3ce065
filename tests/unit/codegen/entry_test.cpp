// Entries: phases, shares, barriers, segments; what the Executable says of them; the text forms.
#include <gtest/gtest.h>
#include <immintrin.h>

#include <barrier>
#include <cstring>
#include <thread>

#include "harness.h"

namespace nnc::test {
namespace {

constexpr int64_t rows = 37;

struct Segments {
  std::vector<float> state = std::vector<float>(64, 0), arena = std::vector<float>(256, 0);
  std::vector<std::vector<float>> scratch;
  std::vector<float> x = std::vector<float>(rows), y = std::vector<float>(rows, -1);
  std::vector<void*> io;
  explicit Segments(int64_t threads)
      : scratch(static_cast<size_t>(threads), std::vector<float>(64, 0)), io{x.data(), y.data()} {
    for (int64_t row = 0; row < rows; ++row) x[static_cast<size_t>(row)] = static_cast<float>(row) * 0.75f - 3;
    for (size_t k = 0; k < state.size(); ++k) state[k] = static_cast<float>(k);
  }
};

// to[r] = from[sign * r + first] * state[r] for the rows of the share; the last product stays in a cell of scratch.
Kernel row_kernel(const Target& target, const std::string& name, int64_t first, int64_t sign) {
  KernelBuilder b(target);
  const BufferId from = b.buffer("from", DType::f32, {rows}, LoopBuffer::in),
                 factors = b.buffer("factors", DType::f32, {64}, LoopBuffer::in);
  const BufferId cell = b.buffer("cell", DType::f32, {1}, LoopBuffer::out),
                 to = b.buffer("to", DType::f32, {rows}, LoopBuffer::out);
  const VarId r = b.var("r", LoopVar::item, 0, rows);
  const ValueId value = b.value("v", DType::f32, false), factor = b.value("f", DType::f32, false);
  const ValueId product = b.value("p", DType::f32, false);
  LoopStmt items;
  items.kind = LoopStmt::items;
  items.vars = {r};
  items.inner_count = rows;
  items.locations = {{0, 7, 3}};
  items.body = {b.load(value, from, Affine::of(first) + Affine::of(r, sign)), b.load(factor, factors, Affine::of(r)),
                b.define(product, LoopOp::mul, {{value, 0}, {factor, 0}}), b.store(cell, Affine::of(0), product),
                b.store(to, Affine::of(r), product)};
  for (LoopStmt& stmt : items.body) stmt.locations = {{0, 9, 5}};
  b.kernel.body = {items};
  b.kernel.items = rows;
  b.kernel.name = name;
  return b.kernel;
}

// state[0] += 1, by the one thread whose share holds the one item.
Kernel counter_kernel(const Target& target) {
  KernelBuilder b(target);
  const BufferId count = b.buffer("count", DType::f32, {64}, LoopBuffer::inout);
  const VarId r = b.var("r", LoopVar::item, 0, 1);
  const ValueId old = b.value("old", DType::f32, false), next = b.value("next", DType::f32, false);
  LoopStmt items;
  items.kind = LoopStmt::items;
  items.vars = {r};
  items.inner_count = 1;
  items.body = {b.load(old, count, Affine::of(0)), b.define(next, LoopOp::add, {{old, 0}, {{}, 1.0}}),
                b.store(count, Affine::of(0), next)};
  b.kernel.body = {items};
  b.kernel.name = "step_r2_count";
  return b.kernel;
}

// Phase 0 fills the arena from x; phase 1 reads it backwards, other threads' rows among them; phase 2 counts.
LoopModule two_products(const Target& target) {
  LoopModule module;
  module.name = "two products";
  module.target = target;
  module.files = {"models/two.nn"};
  StateDecl state;
  state.name = "factors";
  state.type = {DType::f32, 0, {8, 8}};
  state.trained = true;
  module.states = {state};
  module.placements = {{StateId(0), 0, 256, {{0, 1, 8, 8}, {1, 1, 8, 1}}}};
  module.state_bytes = 256;
  module.arena_bytes = 1024;
  module.scratch_bytes = 256;
  module.kernels = {row_kernel(target, "step_r0_forth", 0, 1), row_kernel(target, "step_r1_back", rows - 1, -1),
                    counter_kernel(target)};
  const BufferBinding factors{BufferBinding::state, 0}, cell{BufferBinding::scratch, 64},
      middle{BufferBinding::arena, 128};
  LoopEntry entry;
  entry.name = "step";
  entry.batch = rows;
  entry.flops = 2 * rows;
  entry.io = {{Root::output, true, false, "x", {DType::f32, 0, {rows}}},
              {Root::loss, false, false, "y", {DType::f32, 0, {rows}}}};
  entry.phases = {{{{KernelId(0), {{BufferBinding::io, 0}, factors, cell, middle}}}},
                  {{{KernelId(1), {middle, factors, cell, {BufferBinding::io, 1}}}}},
                  {{{KernelId(2), {factors}}}}};
  module.entries = {entry};
  entry.name = "predict";
  entry.phases.pop_back();
  module.entries.push_back(entry);
  return module;
}

void run_team(nnc_entry call, Segments& s, int64_t threads) {
  std::barrier<> meeting(threads);
  auto wait = [](void* team, int64_t) { static_cast<std::barrier<>*>(team)->arrive_and_wait(); };
  std::vector<std::thread> team;
  for (int64_t thread = 0; thread < threads; ++thread) {
    team.emplace_back([&, thread] {
      _mm_setcsr(_mm_getcsr() | 0x8040);
      const nnc_context context{s.state.data(),
                                s.arena.data(),
                                s.scratch[static_cast<size_t>(thread)].data(),
                                s.io.data(),
                                thread,
                                threads,
                                &meeting,
                                threads > 1 ? +wait : nullptr};
      for (int turn = 0; turn < 3; ++turn) call(&context);
    });
  }
  for (std::thread& thread : team) thread.join();
}

TEST(Entry, PhasesOnSeveralThreads) {
  for (const Target& target : targets()) {
    const LoopModule module = two_products(target);
    auto executable = compile(module);
    ASSERT_TRUE(executable.has_value()) << executable.error();
    Segments expected(1);
    for (int turn = 0; turn < 3; ++turn) {
      interpret(module, module.entries[0], expected.state.data(), expected.arena.data(), expected.scratch[0].data(),
                expected.io);
    }
    EXPECT_EQ(expected.y[1], expected.x[rows - 2] * (rows - 2) * 1.0f);
    for (int64_t threads : {1, 2, 3}) {
      Segments native(threads);
      run_team(executable->entries[0].call, native, threads);
      EXPECT_EQ(native.y, expected.y) << threads << " threads";
      EXPECT_EQ(native.state, expected.state);
      EXPECT_EQ(native.arena, expected.arena);
      EXPECT_EQ(native.state[0], 3);
      EXPECT_EQ(native.scratch.back()[16], expected.scratch[0][16]);  // the last thread has the last row
    }
  }
}

TEST(Entry, ExecutableDescribesStatesAndIo) {
  CompileTimings timings;
  auto executable = compile(two_products(target_sse2()), &timings);
  ASSERT_TRUE(executable.has_value()) << executable.error();
  EXPECT_EQ(executable->model, "two products");
  EXPECT_EQ(executable->state_bytes, 256);
  EXPECT_EQ(executable->arena_bytes, 1024);
  EXPECT_EQ(executable->scratch_bytes, 256);
  ASSERT_EQ(executable->states.size(), 1u);
  EXPECT_EQ(executable->states[0].name, "factors");
  EXPECT_EQ(executable->states[0].dims, (std::vector<int64_t>{8, 8}));
  EXPECT_TRUE(executable->states[0].trained);
  ASSERT_EQ(executable->states[0].layout.size(), 2u);
  EXPECT_EQ(executable->states[0].layout[0].stride, 8);
  ASSERT_EQ(executable->entries.size(), 2u);
  const Entry& step = executable->entries[0];
  EXPECT_EQ(step.name, "step");
  EXPECT_EQ(step.batch, rows);
  EXPECT_EQ(step.barriers, 3);
  EXPECT_EQ(step.flops, 2 * rows);
  ASSERT_EQ(step.io.size(), 2u);
  EXPECT_EQ(step.io[0].role, IoTensor::input);
  EXPECT_FALSE(step.io[0].written);
  EXPECT_EQ(step.io[1].role, IoTensor::loss);
  EXPECT_TRUE(step.io[1].written);
  EXPECT_EQ(executable->entries[1].barriers, 2);
  EXPECT_GT(timings.emit_ms, 0);
  EXPECT_GT(timings.optimise_ms, 0);
  EXPECT_GT(timings.link_ms, 0);
}

TEST(Entry, CodeOutlivesTheExecutable) {
  const LoopModule module = two_products(targets().front());
  auto executable = compile(module);
  ASSERT_TRUE(executable.has_value()) << executable.error();
  const nnc_entry call = executable->entries[1].call;
  const std::shared_ptr<void> code = executable->code;
  executable = Executable{};
  Segments native(1);
  run_team(call, native, 1);
  EXPECT_EQ(native.y[0], native.x[rows - 1] * (rows - 1) * 0);
}

TEST(Entry, TextFormsNameSymbolsAndSources) {
  for (const Target& target : targets()) {
    const LoopModule module = two_products(target);
    for (const std::string& text : {emit_llvm(module), emit_llvm(module, false), emit_assembly(module)}) {
      for (const char* symbol :
           {"step_r0_forth", "step_r1_back", "step_r2_count", "nnc_two_products_step_b37", "two.nn"}) {
        EXPECT_NE(text.find(symbol), std::string::npos) << symbol;
      }
    }
    EXPECT_NE(emit_llvm(module).find("line: 9, column: 5"), std::string::npos);
  }
}

TEST(Entry, VectorWidthFollowsTheTarget) {
  for (const Target& target : targets()) {
    KernelBuilder b(target);
    const BufferId x = b.buffer("x", DType::f32, {256}, LoopBuffer::inout);
    const VarId n = b.var("n", LoopVar::loop, 0, 256 / target.lanes);
    const ValueId value = b.value("v", DType::f32, true), result = b.value("r", DType::f32, true);
    b.once({b.loop(n,
                   {b.load(value, x, Affine::of(n, target.lanes)),
                    b.define(result, LoopOp::fma, {{value, 0}, {value, 0}, {value, 0}}),
                    b.store(x, Affine::of(n, target.lanes), result)},
                   4)});
    const std::string assembly = emit_assembly(module_of({b.kernel}));
    EXPECT_EQ(assembly.find("zmm") != std::string::npos, target.name == "avx512") << target.name;
    EXPECT_EQ(assembly.find("ymm") != std::string::npos, target.name == "avx2") << target.name;
    EXPECT_EQ(assembly.find("vfmadd") != std::string::npos, target.fma) << target.name;
  }
}

TEST(Host, BestTargetFirstAndBaselineLast) {
  const Host host = detect_host();
  EXPECT_FALSE(host.cpu.empty());
  EXPECT_FALSE(host.features.empty());
  ASSERT_FALSE(host.targets.empty());
  EXPECT_EQ(host.targets.back().name, "sse2");
  for (size_t index = 1; index < host.targets.size(); ++index)
    EXPECT_GT(host.targets[index - 1].lanes, host.targets[index].lanes);
  EXPECT_EQ(llvm_version().substr(0, 3), "19.");
}

}  // namespace
}  // namespace nnc::test
