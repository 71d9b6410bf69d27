#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/client/redis/redis.h"

namespace millrace::worker {

// What the settings of a Redis mean for data that must not be lost. A value of sentences.
struct RedisSafety {
  std::vector<std::string> losses;    // acknowledged writes can vanish while Redis works as set up
  std::vector<std::string> warnings;  // can vanish with the host, or cannot be looked at
};

// The part of CheckRedisSafety without a server. Empty texts: unknown.
struct RedisPersistence {
  std::string append_only;      // appendonly: yes, no
  std::string append_fsync;     // appendfsync: always, everysec, no
  std::string eviction_policy;  // maxmemory-policy
};
RedisSafety JudgeRedisSafety(const RedisPersistence& settings);

// Asks the node that holds `key` by CONFIG GET or, where that is forbidden, by INFO. Blocks.
// Errors as RedisClient::Run; refused questions are answers.
Result<RedisSafety> CheckRedisSafety(RedisClient* client, std::string_view key,
                                     const std::stop_token& stop);

}  // namespace millrace::worker
