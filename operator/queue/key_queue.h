#pragma once

#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "operator/queue/backoff.h"
#include "operator/queue/token_bucket.h"

namespace millrace::controller {

struct KeyQueueOptions {
  BackoffOptions backoff;
  Duration retry_interval = std::chrono::milliseconds(100);  // between retries of all keys
  int retry_burst = 100;
  uint64_t seed = 0;  // of the jitter
};

// Decides which key is worked on next. A key that is waiting is kept once, whatever is added; a key
// in work is never handed out a second time, and one added meanwhile is handed out again after
// Done, so no change is lost. Delayed keys come at the earliest time asked for. Failures count per
// key.
//
//   state of a key        left by
//   absent                Add -> ready, AddAt -> delayed
//   delayed               its time -> ready, Add -> ready
//   ready                 Take -> working
//   working               Done -> absent; Add -> working and dirty
//   working and dirty     Done -> ready
// A key may be delayed beside any other state.
//
// Holds no key twice, so its size is bounded by the number of objects. Thread-compatible; no clock
// of its own: time is an argument.
class KeyQueue {
 public:
  explicit KeyQueue(KeyQueueOptions options = {});

  void Add(const std::string& key);
  // Add at `time`; of two times the earlier one stays.
  void AddAt(const std::string& key, MonotonicTime time);
  // Add after the back-off of one more failure of the key; returns the wait.
  Duration Retry(const std::string& key, MonotonicTime now);
  // The key succeeded: its failures no longer count.
  void Forget(const std::string& key) { failures_.erase(key); }
  // The key longest ready, which is in work from now on.
  std::optional<std::string> Take(MonotonicTime now);
  // Ends the work on a key that was taken; on any other it does nothing.
  void Done(const std::string& key);

  // When the next delayed key is due.
  std::optional<MonotonicTime> NextDue() const;
  int64_t failures(const std::string& key) const;
  size_t ready() const { return ready_.size(); }
  size_t working() const { return working_.size(); }
  size_t delayed() const { return due_.size(); }

 private:
  void MoveDue(MonotonicTime now);

  KeyQueueOptions options_;
  TokenBucket retries_;
  std::mt19937_64 random_;
  std::deque<std::string> ready_;
  std::set<std::string> waiting_;  // keys of ready_, and the dirty ones in work
  std::set<std::string> working_;
  std::set<std::pair<MonotonicTime, std::string>> due_;
  std::map<std::string, MonotonicTime> due_of_;
  std::map<std::string, int64_t> failures_;
};

}  // namespace millrace::controller
