#include "worker/coordination/redis/redis_table_versions.h"

namespace millrace::worker {
namespace {

// version, bytes, how many stay
constexpr RedisScript kPut{"put table", R"lua(
local order = KEYS[1] .. ':order'
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local last = redis.call('ZREVRANGE', order, 0, 0, 'WITHSCORES')
redis.call('ZADD', order, tonumber(last[2] or '0') + 1, ARGV[1])
for _, version in ipairs(redis.call('ZRANGE', order, 0, -1 - tonumber(ARGV[3]))) do
  redis.call('HDEL', KEYS[1], version)
  redis.call('ZREM', order, version)
end
return 1
)lua"};

}  // namespace

Status RedisTableVersions::PutTable(const std::string& table, const std::string& version,
                                    std::string_view bytes) {
  const std::string key = base_ + ":table:" + table;
  const std::string kept = std::to_string(kKept);
  const std::string_view keys[] = {key};
  const std::string_view args[] = {version, bytes, kept};
  return client_->Eval(kPut, keys, args, stop_).status();
}

Result<std::string> RedisTableVersions::GetTable(const std::string& table,
                                                 const std::string& version) const {
  const std::string key = base_ + ":table:" + table;
  ASSIGN_OR_RETURN(const RedisReply reply, client_->Run({key, {"HGET", key, version}}, stop_));
  if (reply.nil())
    return InternalError("StateLost: table \"" + table + "\" version " + version + " is not kept");
  return reply.AsText();
}

}  // namespace millrace::worker
