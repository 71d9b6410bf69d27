#include "worker/runtime/signals.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

#include "worker/runtime/exit_code.h"

namespace millrace::worker {
namespace {

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

constexpr std::string_view kFinishing =
    "\nfinishing the batch; press Ctrl-C again to stop at once\n";

}  // namespace

SignalStop::SignalStop() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  waiter_ = std::jthread([this](const std::stop_token& done) {
    const sigset_t waited = StopSignals();
    while (!done.stop_requested()) {
      if (sigwaitinfo(&waited, nullptr) <= 0) continue;
      if (done.stop_requested()) return;
      if (source_.stop_requested()) _exit(kExitInterrupted);
      if (isatty(STDERR_FILENO) != 0) {
        [[maybe_unused]] const ssize_t n =
            ::write(STDERR_FILENO, kFinishing.data(), kFinishing.size());
      }
      source_.request_stop();
    }
  });
}

// The signal goes to the waiting thread alone: it wakes it, and ends nothing.
SignalStop::~SignalStop() {
  waiter_.request_stop();
  pthread_kill(waiter_.native_handle(), SIGTERM);
}

}  // namespace millrace::worker
