#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "worker/client/redis/redis.h"
#include "worker/runtime/cluster/job_redis.h"

namespace millrace::worker {

// Keys of one job as they are in Redis now, whoever wrote them.
struct JobKeys {
  std::vector<std::string> job;     // begin with J, all in one slot
  std::vector<std::string> groups;  // blobs and indexes of key groups
};

// The keys of a job, by name: SCAN over every node that holds slots. Sees every key that is there
// from begin to end of the call. Blocking. Errors of the client.
Result<JobKeys> FindJobKeys(RedisClient* client, const JobRedis& job, const std::stop_token& stop);

// J of every job in this Redis, sorted.
Result<std::vector<std::string>> FindJobs(RedisClient* client, const std::stop_token& stop);

// Which of `keys` belong to the job of `base` ("mr:{<namespace>/<job>/<jobId>}"). Pure.
JobKeys SortJobKeys(const std::string& base, const std::vector<std::string>& keys);

}  // namespace millrace::worker
