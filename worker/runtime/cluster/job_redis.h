#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "crds/api/spec.h"
#include "crds/base/clock.h"
#include "worker/client/redis/redis.h"
#include "worker/coordination/cluster/spec_edit.h"
#include "worker/coordination/redis/redis_job_store.h"

namespace millrace::worker {

// The Redis of one job: settings, keys and connections. Connections are made one per thread.
// Thread-compatible.
class JobRedis {
 public:
  // kInvalid unless the job has state.redis. `clock` outlives it.
  static Result<JobRedis> Create(const api::StreamingJob& job, const std::string& job_id,
                                 const std::string& secrets_directory, Clock* clock,
                                 std::stop_token stop);

  // Counted in `counts`, which outlives the connection, when there is one.
  Result<std::unique_ptr<RedisClient>> Connect(RedisCounts* counts = nullptr) const;
  Result<std::unique_ptr<JobStore>> MakeStore(RedisCounts* counts = nullptr) const;
  // Refuses a Redis that loses acknowledged writes by its settings, unless `accept_loss`; logs what
  // else it does not guarantee.
  Status CheckSafety(bool accept_loss) const;
  // Makes the job's record when there is none. A job with a ledger in some sink notices at its
  // first generation when there should have been one. kInvalid "UpgradeBlocked: ..." when the job
  // cannot go on with `own`.
  Status JoinJob(const OwnSpec& own) const;
  // The secret by which the job's workers know each other; made by the first of them.
  Result<std::string> Secret() const;

  const std::string& base() const { return base_; }
  const std::string& ns() const { return ns_; }
  const std::string& job() const { return job_; }
  const std::string& job_id() const { return job_id_; }

 private:
  RedisSettings settings_;
  std::string ns_;
  std::string job_;
  std::string job_id_;
  std::string base_;
  Clock* clock_ = nullptr;
  std::stop_token stop_;
};

}  // namespace millrace::worker
