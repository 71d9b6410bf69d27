#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "crds/base/clock.h"

namespace millrace::controller {

// How long keys wait for a pass and how long passes take, for the metrics of the queue.
// Thread-safe.
class QueueTimes {
 public:
  // A key that waits already keeps its time.
  void Added(const std::string& key, MonotonicTime now) {
    const std::lock_guard lock(mutex_);
    added_.try_emplace(key, now);
  }
  // How long it waited.
  Duration Taken(const std::string& key, MonotonicTime now) {
    const std::lock_guard lock(mutex_);
    working_[key] = now;
    const auto node = added_.extract(key);
    return node.empty() ? Duration(0) : now - node.mapped();
  }
  // How long the pass took.
  Duration Done(const std::string& key, MonotonicTime now) {
    const std::lock_guard lock(mutex_);
    const auto node = working_.extract(key);
    return node.empty() ? Duration(0) : now - node.mapped();
  }
  struct Unfinished {
    int64_t count = 0;
    Duration total{0};
    Duration longest{0};
  };
  Unfinished unfinished(MonotonicTime now) const {
    const std::lock_guard lock(mutex_);
    Unfinished result;
    for (const auto& [key, begun] : working_) {
      ++result.count;
      result.total += now - begun;
      result.longest = std::max(result.longest, now - begun);
    }
    return result;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, MonotonicTime> added_;    // guarded by mutex_
  std::map<std::string, MonotonicTime> working_;  // guarded by mutex_
};

}  // namespace millrace::controller
