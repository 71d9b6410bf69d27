#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "operator/queue/key_queue.h"

namespace millrace::controller {

// The KeyQueue that watches fill and reconciling threads empty. Any number of threads; each key is
// with one of them at a time. Thread-safe. `clock` must outlive the queue. Adding never blocks: the
// queue holds each key once.
class WorkQueue {
 public:
  WorkQueue(const Clock* clock, KeyQueueOptions options = {}) : clock_(clock), keys_(options) {}

  void Add(const std::string& key);
  void AddAfter(const std::string& key, Duration wait);
  Duration Retry(const std::string& key);
  void Forget(const std::string& key);
  // Blocks until a key is ready; nothing once `stop` is requested.
  std::optional<std::string> Take(std::stop_token stop);
  // As Take without waiting.
  std::optional<std::string> TryTake();
  void Done(const std::string& key);
  size_t ready() const;

 private:
  // Longest sleep in one go, so that a clock that was moved is looked at again.
  static constexpr Duration kLongestNap = std::chrono::seconds(1);

  const Clock* clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  KeyQueue keys_;  // guarded by mutex_
};

}  // namespace millrace::controller
