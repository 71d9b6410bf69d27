#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "crds/base/status.h"
#include "worker/client/kafka/cluster.h"
#include "worker/client/kafka/options.h"

namespace millrace::worker {

class RdkafkaHandle;

// Shows tools that watch the lag of consumer groups how far a job has read: commits offsets to a
// group of which it is no member. Nothing reads them back. Guarantee: Set never blocks on brokers,
// the newest offset of each partition is committed within about a second while brokers answer, and
// failures are warnings in the log, at most one a minute. Thread-safe. The destructor commits what
// is left, for at most two seconds.
class KafkaOffsetMirror {
 public:
  // Does not connect. kInvalid for settings and secrets that cannot be used.
  static Result<std::unique_ptr<KafkaOffsetMirror>> Create(const KafkaClientOptions& options,
                                                           const std::string& group_id);
  ~KafkaOffsetMirror();

  // `offset` is that of the next record to read.
  void Set(const std::map<KafkaPartition, int64_t>& offsets);

 private:
  KafkaOffsetMirror(std::unique_ptr<RdkafkaHandle> handle, std::string group_id);
  void Run(const std::stop_token& stop);
  Status Commit(const std::map<KafkaPartition, int64_t>& offsets, const std::stop_token& stop);

  const std::string group_id_;
  std::unique_ptr<RdkafkaHandle> handle_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<KafkaPartition, int64_t> pending_;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace millrace::worker
