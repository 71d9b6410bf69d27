#include "worker/client/redis/safety.h"

#include <array>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

// The value of a "name:value" line of INFO.
std::string InfoValue(const std::string& info, std::string_view name) {
  for (const std::string_view line : Split(info, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || line.substr(0, colon) != name) continue;
    return std::string(Trim(line.substr(colon + 1)));
  }
  return "";
}

std::string ConfigValue(const RedisReply& reply) {
  return reply.items.size() == 2 ? reply.items[1].text : "";
}

}  // namespace

RedisSafety JudgeRedisSafety(const RedisPersistence& settings) {
  RedisSafety safety;
  if (settings.append_only == "no") {
    safety.losses.push_back(
        "appendonly is no: a Redis that crashes or restarts loses writes that it acknowledged; "
        "set appendonly yes");
  } else if (settings.append_only.empty()) {
    safety.warnings.push_back(
        "appendonly cannot be read; exactly once across a crash of Redis needs appendonly yes");
  } else if (settings.append_fsync != "always") {
    const std::string found = settings.append_fsync.empty() ? "unknown" : settings.append_fsync;
    safety.warnings.push_back("appendfsync is " + found +
                              ": the last seconds of writes are lost when the host of Redis fails; "
                              "always keeps them");
  }
  if (settings.eviction_policy.empty()) {
    safety.warnings.push_back("maxmemory-policy cannot be read; it must be noeviction");
  } else if (settings.eviction_policy != "noeviction") {
    safety.losses.push_back("maxmemory-policy is " + settings.eviction_policy +
                            ": a full Redis deletes keys; set maxmemory-policy noeviction");
  }
  return safety;
}

Result<RedisSafety> CheckRedisSafety(RedisClient* client, std::string_view key,
                                     const std::stop_token& stop) {
  const std::array<RedisCommand, 5> questions = {
      RedisCommand{key, {"CONFIG", "GET", "appendonly"}},
      RedisCommand{key, {"CONFIG", "GET", "appendfsync"}},
      RedisCommand{key, {"CONFIG", "GET", "maxmemory-policy"}},
      RedisCommand{key, {"INFO", "persistence"}},
      RedisCommand{key, {"INFO", "memory"}},
  };
  ASSIGN_OR_RETURN(const std::vector<RedisReply> replies, client->Pipeline(questions, stop));
  RedisPersistence found{ConfigValue(replies[0]), ConfigValue(replies[1]), ConfigValue(replies[2])};
  if (found.append_only.empty()) {
    const std::string enabled = InfoValue(replies[3].text, "aof_enabled");
    if (!enabled.empty()) found.append_only = enabled == "1" ? "yes" : "no";
  }
  if (found.eviction_policy.empty()) {
    found.eviction_policy = InfoValue(replies[4].text, "maxmemory_policy");
  }
  return JudgeRedisSafety(found);
}

}  // namespace millrace::worker
