#include "worker/runtime/signals.h"

#include <unistd.h>

#include <csignal>
#include <ctime>
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

constexpr std::string_view kFinishing = "\nfinishing the batch; press Ctrl-C again to stop at once\n";

}  // namespace

SignalStop::SignalStop() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  waiter_ = std::jthread([this](const std::stop_token& done) {
    const sigset_t waited = StopSignals();
    const timespec poll{0, 200'000'000};
    while (!done.stop_requested()) {
      const int signal = sigtimedwait(&waited, nullptr, &poll);
      if (signal <= 0) continue;
      if (source_.stop_requested()) _exit(kExitInterrupted);
      if (isatty(STDERR_FILENO) != 0) {
        [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, kFinishing.data(), kFinishing.size());
      }
      source_.request_stop();
    }
  });
}

SignalStop::~SignalStop() = default;

}  // namespace millrace::worker
