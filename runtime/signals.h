// SIGINT and SIGTERM as a flag to be polled between steps. A second one ends the process at once.
#pragma once

namespace nnc {

// While it lives, the first SIGINT or SIGTERM is remembered instead of ending the process; afterwards the old handlers
// are back.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct Saved;
  Saved* saved_;
};

// The signal that arrived since the watch began, or 0. Exit code: 128 + signal.
int pending_signal();

}  // namespace nnc
