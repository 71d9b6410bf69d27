#pragma once

#include <stop_token>
#include <thread>

namespace millrace::worker {

// Turns SIGINT and SIGTERM into a stop request; a second one ends the process at once with exit
// code 130. One per process, made before other threads start (they inherit the blocked signals).
// Restores nothing: the process ends after it.
class SignalStop {
 public:
  SignalStop();
  ~SignalStop();
  SignalStop(const SignalStop&) = delete;
  SignalStop& operator=(const SignalStop&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  // The signal that asked to stop, 0 for none.
  bool requested() const { return source_.stop_requested(); }

 private:
  std::stop_source source_;
  std::jthread waiter_;
};

}  // namespace millrace::worker
