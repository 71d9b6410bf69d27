#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "worker/coordination/cluster/job_store.h"
#include "worker/coordination/redis/redis_state_log.h"
#include "worker/runtime/query/committed_state.h"

namespace millrace::worker {

// State of a job of several workers, read from Redis on connections of its own: any worker answers
// for all key groups, and none of them is held up. What a view reads stays there for the garbage
// delay. Thread-compatible. `stop` ends waits.
class RedisCommittedState final : public CommittedState {
 public:
  // `sources`: names, in the order of the job. `group_key` of a (stage, unit): where blobs are.
  RedisCommittedState(std::unique_ptr<JobStore> store, std::unique_ptr<RedisClient> client,
                      RedisStateLog::Options options, std::vector<std::string> sources,
                      std::stop_token stop);

  // kUnavailable also before the first commit.
  Result<std::unique_ptr<CommittedView>> Open(const std::string& stage,
                                              const std::vector<int>& units) override;

 private:
  class View;
  Result<std::unique_ptr<CommittedView>> ReadCommit(const std::string& stage, bool* moved);

  std::unique_ptr<JobStore> store_;
  std::unique_ptr<RedisClient> client_;
  RedisStateLog::Options options_;
  std::vector<std::string> sources_;
  std::stop_token stop_;
};

}  // namespace millrace::worker
