// A team of threads, started once: every thread calls the same compiled entry with its own context and meets the others
// at barriers. A barrier spins for a short while, then sleeps, so more threads than cores are slow but never stuck.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include "runtime/executable.h"

namespace nnc {

// A 32-bit word that threads wait on: spinning at first, asleep in the kernel after that.
struct WaitWord {
  std::atomic<uint32_t> value{0};
  std::atomic<uint32_t> sleepers{0};

  void advance();                            // adds one and wakes all who wait
  void wait_while(uint32_t old, int spins);  // returns once the value differs from `old`
};

class Team {
 public:
  // threads ≥ 1. The caller of `run` is thread 0; the others are started here, with denormals flushed to zero.
  explicit Team(int64_t threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int64_t threads() const { return threads_; }

  // Calls `entry(&contexts[t])` on thread t of the team and returns when all are done. contexts.size() == threads().
  // Denormals are zero inside; the caller's floating-point mode is restored. One thread: a plain call.
  void run(nnc_entry entry, std::span<const nnc_context> contexts);

  // For nnc_context::team and nnc_context::barrier; `barrier_function` is null for one thread, as the ABI says.
  void* handle() { return this; }
  auto barrier_function() const -> void (*)(void*, int64_t) { return threads_ == 1 ? nullptr : &Team::barrier; }

 private:
  static void barrier(void* team, int64_t thread);
  void arrive();
  void work(int64_t thread);

  int64_t threads_;
  int spins_;
  nnc_entry entry_ = nullptr;
  const nnc_context* contexts_ = nullptr;
  bool stop_ = false;
  alignas(64) WaitWord start_;
  alignas(64) WaitWord passed_;
  alignas(64) std::atomic<uint32_t> arrived_{0};
  std::vector<std::thread> workers_;
};

// Cores this process may run on (its affinity mask), at least 1.
int64_t available_cores();

}  // namespace nnc
