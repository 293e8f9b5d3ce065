#include "runtime/threads.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <vector>

#include "runtime/memory.h"

namespace nnc {
namespace {

// Threads pass a value around: between two barriers each reads what its neighbour wrote before the first.
void pass_around(const nnc_context* context) {
  auto* slots = static_cast<volatile int64_t*>(context->state);
  auto* wrong = static_cast<std::atomic<int64_t>*>(context->arena);
  const int64_t me = context->thread, next = (me + 1) % context->threads;
  for (int64_t round = 1; round <= 2000; ++round) {
    slots[me * 8] = round * 100 + me;
    if (context->barrier != nullptr) context->barrier(context->team, me);
    if (slots[next * 8] != round * 100 + next) wrong->fetch_add(1);
    if (context->barrier != nullptr) context->barrier(context->team, me);
  }
}

std::vector<nnc_context> contexts_of(Team& team, void* state, void* arena) {
  std::vector<nnc_context> contexts(static_cast<size_t>(team.threads()), nnc_context{});
  for (size_t i = 0; i < contexts.size(); ++i) {
    contexts[i].state = state;
    contexts[i].arena = arena;
    contexts[i].thread = static_cast<int64_t>(i);
    contexts[i].threads = team.threads();
    contexts[i].team = team.handle();
    contexts[i].barrier = team.barrier_function();
  }
  return contexts;
}

TEST(Team, BarriersHoldAtAnyNumberOfThreads) {
  for (int64_t threads : {1, 2, 3, 8}) {
    Team team(threads);
    alignas(64) int64_t slots[64] = {};
    std::atomic<int64_t> wrong{0};
    const auto contexts = contexts_of(team, slots, &wrong);
    for (int round = 0; round < 3; ++round) team.run(pass_around, contexts);
    EXPECT_EQ(wrong.load(), 0) << threads;
    EXPECT_EQ(slots[(threads - 1) * 8], 2000 * 100 + threads - 1);
    EXPECT_EQ(team.barrier_function() == nullptr, threads == 1);
  }
}

void count(const nnc_context* context) {
  static_cast<std::atomic<int64_t>*>(context->arena)->fetch_add(context->thread + 1);
}

TEST(Team, ShortRunsFollowEachOther) {
  for (int64_t threads : {1, 2, 3, 8}) {
    Team team(threads);
    std::atomic<int64_t> sum{0};
    const auto contexts = contexts_of(team, nullptr, &sum);
    for (int round = 0; round < 3000; ++round) team.run(count, contexts);
    EXPECT_EQ(sum.load(), 3000 * threads * (threads + 1) / 2);
  }
}

TEST(Team, SleepsBetweenRuns) {
  Team team(3);
  std::atomic<int64_t> sum{0};
  const auto contexts = contexts_of(team, nullptr, &sum);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    team.run(count, contexts);
  }
  EXPECT_EQ(sum.load(), 5 * 6);
}

TEST(Team, ManyTeamsComeAndGo) {
  for (int round = 0; round < 100; ++round) Team(4);
  SUCCEED();
}

void halve_smallest(const nnc_context* context) {
  volatile float smallest = std::numeric_limits<float>::min();
  static_cast<float*>(context->state)[context->thread] = smallest / 2;
}

TEST(Team, DenormalsAreZeroInsideOnly) {
  Team team(2);
  float halves[2] = {1, 1};
  const auto contexts = contexts_of(team, halves, nullptr);
  team.run(halve_smallest, contexts);
  volatile float smallest = std::numeric_limits<float>::min();
  const float here = smallest / 2;
#if defined(__SSE2__)
  EXPECT_EQ(halves[0], 0.0f);
  EXPECT_EQ(halves[1], 0.0f);
#endif
  EXPECT_GT(here, 0.0f);
}

TEST(Memory, IsAlignedZeroAndRefusedPolitely) {
  for (int64_t bytes : {int64_t{0}, int64_t{1}, int64_t{100000}, int64_t{9} << 20}) {
    auto buffer = allocate(bytes, "a test");
    ASSERT_TRUE(buffer);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 64, 0u);
    EXPECT_EQ(buffer->bytes(), bytes);
    for (int64_t i = 0; i < bytes; i += 997) ASSERT_EQ(buffer->data()[i], std::byte{0});
    if (bytes > 0) std::memset(buffer->data(), 1, static_cast<size_t>(bytes));
  }
  auto refused = allocate(int64_t{1} << 60, "a test");
  ASSERT_FALSE(refused);
  EXPECT_EQ(exit_code(refused.error().code), 6);
  EXPECT_EQ(refused.error().message.substr(0, 30), "a test needs 1.0 EiB, but only");
  EXPECT_FALSE(allocate(-1, "a test"));
}

TEST(Executable, StatesCopyThroughTheirLayout) {
  // [4, 3] in panels of 2 rows: [rows / 2, columns, rows % 2]
  StateTensor tensor;
  tensor.dims = {4, 3};
  tensor.offset = 64;
  tensor.layout = {{0, 2, 2, 6}, {1, 1, 3, 2}, {0, 1, 2, 1}};
  std::vector<float> logical(12), back(12), segment(16 + 12, -1.0f);
  for (size_t i = 0; i < 12; ++i) logical[i] = static_cast<float>(i);
  write_state(tensor, logical.data(), segment.data());
  EXPECT_EQ(std::vector<float>(segment.begin() + 16, segment.end()),
            (std::vector<float>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}));
  EXPECT_EQ(segment[15], -1.0f);
  read_state(tensor, segment.data(), back.data());
  EXPECT_EQ(back, logical);
}

}  // namespace
}  // namespace nnc
