#include "runtime/threads.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace nnc {
namespace {

void relax() {
#if defined(__SSE2__)
  _mm_pause();
#endif
}

// Sets flush-to-zero and denormals-are-zero; returns the mode before.
uint32_t flush_denormals() {
#if defined(__SSE2__)
  const uint32_t before = _mm_getcsr();
  _mm_setcsr(before | 0x8040);
  return before;
#else
  return 0;
#endif
}

void restore_mode([[maybe_unused]] uint32_t mode) {
#if defined(__SSE2__)
  _mm_setcsr(mode);
#endif
}

// Some tens of microseconds where each thread has a core; next to nothing where they share cores.
int spins_for(int64_t threads) { return threads <= available_cores() ? 4000 : 32; }

}  // namespace

void WaitWord::advance() {
  value.fetch_add(1);
  // Sequential consistency pairs this load with the sleeper's increment: either it sees the new value or we see it
  // asleep.
  if (sleepers.load() > 0) syscall(SYS_futex, &value, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void WaitWord::wait_while(uint32_t old, int spins) {
  for (int i = 0; i < spins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  sleepers.fetch_add(1);
  while (value.load() == old) syscall(SYS_futex, &value, FUTEX_WAIT_PRIVATE, old, nullptr, nullptr, 0);
  sleepers.fetch_sub(1);
}

int64_t available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
}

Team::Team(int64_t threads) : threads_(threads < 1 ? 1 : threads), spins_(spins_for(threads_)) {
  for (int64_t thread = 1; thread < threads_; ++thread) workers_.emplace_back([this, thread] { work(thread); });
}

Team::~Team() {
  stop_ = true;
  start_.advance();
  for (std::thread& worker : workers_) worker.join();
}

void Team::arrive() {
  const uint32_t generation = passed_.value.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<uint32_t>(threads_)) {
    arrived_.store(0, std::memory_order_relaxed);  // nobody arrives again before `passed_` moves on
    passed_.advance();
  } else {
    passed_.wait_while(generation, spins_);
  }
}

void Team::barrier(void* team, int64_t) { static_cast<Team*>(team)->arrive(); }

void Team::work(int64_t thread) {
  flush_denormals();
  uint32_t seen = 0;
  for (;;) {
    start_.wait_while(seen, spins_);
    ++seen;
    if (stop_) return;
    entry_(&contexts_[thread]);
    arrive();
  }
}

void Team::run(nnc_entry entry, std::span<const nnc_context> contexts) {
  const uint32_t mode = flush_denormals();
  if (threads_ > 1) {
    entry_ = entry;
    contexts_ = contexts.data();
    start_.advance();
  }
  entry(contexts.data());
  if (threads_ > 1) arrive();
  restore_mode(mode);
}

}  // namespace nnc
