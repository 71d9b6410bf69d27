#include <unistd.h>

#include <csignal>
#include <thread>

#include "crds/base/log.h"
#include "operator/runtime/options.h"
#include "operator/runtime/process.h"

namespace {

// Before other threads start: they inherit the blocked signals.
sigset_t BlockStopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

}  // namespace

int main(int argc, char** argv) {
  millrace::controller::OperatorOptions options;
  if (const int code = ParseOptions(argc, argv, &options); code >= 0) return code;
  millrace::ConfigureLog(options.log_level, options.log_format);
  const sigset_t signals = BlockStopSignals();
  std::stop_source stop;
  std::jthread waiter([&](const std::stop_token& ended) {
    const timespec nap{0, 100'000'000};
    while (!ended.stop_requested()) {
      if (sigtimedwait(&signals, nullptr, &nap) <= 0) continue;
      if (stop.stop_requested()) _exit(130);  // the second one
      stop.request_stop();
    }
  });
  const millrace::Status status = millrace::controller::RunOperator(options, stop.get_token());
  if (status.ok()) return 0;
  millrace::Log(millrace::LogLevel::kError, "operator ends", {{"error", status.ToString()}});
  return 1;
}
