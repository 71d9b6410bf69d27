#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "worker/client/redis/redis.h"
#include "worker/coordination/cluster/job_store.h"

namespace millrace::worker {

// A job's record in Redis (or Valkey): the scripts of job_scripts.h on the keys of one hash slot.
// Thread-compatible: one object per thread, each with a connection of its own. Blocks up to the
// client's command timeout; `stop` ends the waiting. Errors of the connection are kUnavailable or
// kUnknown, as the client can tell.
class RedisJobStore final : public JobStore {
 public:
  // `base`: J, "mr:{<namespace>/<job>/<jobId>}".
  RedisJobStore(std::unique_ptr<RedisClient> client, std::string base, std::stop_token stop);

  StoreReply Call(const StoreRequest& request) override;
  RedisClient& client() { return *client_; }

 private:
  std::unique_ptr<RedisClient> client_;
  std::string base_;
  std::string job_key_;
  std::stop_token stop_;
};

// "mr:{<namespace>/<job>/<jobId>}" and, for a key group, "mr:{<namespace>/<job>/<jobId>/<group>}".
std::string JobKey(const std::string& ns, const std::string& job, const std::string& job_id);
std::string GroupKey(const std::string& ns, const std::string& job, const std::string& job_id,
                     int group);

}  // namespace millrace::worker
