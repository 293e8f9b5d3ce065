#include "runtime/signals.h"

#include <signal.h>
#include <unistd.h>

namespace nnc {
namespace {

// A handler can reach nothing but static storage.
volatile sig_atomic_t arrived = 0;

void remember(int signal) {
  if (arrived != 0) _exit(128 + signal);
  arrived = signal;
}

}  // namespace

struct SignalWatch::Saved {
  struct sigaction interrupt, terminate;
};

SignalWatch::SignalWatch() : saved_(new Saved) {
  arrived = 0;
  struct sigaction action = {};
  action.sa_handler = remember;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &saved_->interrupt);
  sigaction(SIGTERM, &action, &saved_->terminate);
}

SignalWatch::~SignalWatch() {
  sigaction(SIGINT, &saved_->interrupt, nullptr);
  sigaction(SIGTERM, &saved_->terminate, nullptr);
  arrived = 0;
  delete saved_;
}

int pending_signal() { return arrived; }

}  // namespace nnc
