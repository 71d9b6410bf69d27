#include "worker/runtime/cluster/job_redis.h"

#include <utility>

#include "crds/base/log.h"
#include "crds/base/text.h"
#include "worker/client/redis/safety.h"

namespace millrace::worker {
namespace {

constexpr RedisScript kSecret{
    "secret", "redis.call('SET', KEYS[1], ARGV[1], 'NX') return redis.call('GET', KEYS[1])"};

}  // namespace

Result<JobRedis> JobRedis::Create(const api::StreamingJob& job, const std::string& job_id,
                                  const std::string& secrets_directory, Clock* clock,
                                  std::stop_token stop) {
  const auto* state =
      job.spec.state ? std::get_if<api::RedisState>(&job.spec.state->kind) : nullptr;
  if (state == nullptr) {
    return InvalidError(
        "spec.state: workers of one job meet in Redis; add, for example, state: {redis: "
        "{addresses: [\"redis:6379\"]}}, or use `millrace run`");
  }
  JobRedis redis;
  redis.settings_ = RedisSettingsOf(*state, secrets_directory);
  redis.ns_ = job.metadata.ns;
  redis.job_ = job.metadata.name;
  redis.job_id_ = !job_id.empty() ? job_id : job.spec.state->id.value_or(job.metadata.name);
  redis.base_ = JobKey(redis.ns_, redis.job_, redis.job_id_);
  redis.clock_ = clock;
  redis.stop_ = std::move(stop);
  return redis;
}

Result<std::unique_ptr<RedisClient>> JobRedis::Connect(RedisCounts* counts) const {
  RedisSettings settings = settings_;
  settings.counts = counts;
  return RedisClient::Create(std::move(settings), clock_);
}

Result<std::unique_ptr<JobStore>> JobRedis::MakeStore(RedisCounts* counts) const {
  ASSIGN_OR_RETURN(std::unique_ptr<RedisClient> client, Connect(counts));
  return std::unique_ptr<JobStore>(
      std::make_unique<RedisJobStore>(std::move(client), base_, stop_));
}

Status JobRedis::CheckSafety(bool accept_loss) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<RedisClient> client, Connect());
  RETURN_IF_ERROR(client->Connect(stop_));
  ASSIGN_OR_RETURN(const RedisSafety safety, CheckRedisSafety(client.get(), base_, stop_));
  for (const std::string& warning : safety.warnings)
    Log(LogLevel::kWarn, "state in redis", {{"text", warning}});
  if (safety.losses.empty()) return OkStatus();
  if (!accept_loss) {
    return InvalidError(
        "spec.state.redis: UnsafeStateStore: " + Join(safety.losses, "; ") +
        ". Change the server's settings, or accept the loss with --accept-redis-loss");
  }
  for (const std::string& loss : safety.losses)
    Log(LogLevel::kWarn, "loss accepted", {{"text", loss}});
  return OkStatus();
}

Status JobRedis::JoinJob(const OwnSpec& own) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<JobStore> store, MakeStore());
  const StoreReply reply = store->Call(InitJob{own.generation, own.hash, EncodeSpec(own.record)});
  if (reply.ok()) return OkStatus();
  if (reply.code != StoreCode::kRefused) return UnavailableError("state in redis: " + reply.detail);
  const StoreReply found = store->Call(ReadJob{});
  if (!found.ok()) return UnavailableError("state in redis: " + found.detail);
  const JobFacts& facts = *found.facts;
  RETURN_IF_ERROR(CheckEdit(facts, own));
  if (own.generation < facts.spec_gen) {
    Log(LogLevel::kWarn, "the job has gone on to a newer job file; this worker stands by",
        {{"generation", std::to_string(own.generation)},
         {"running", std::to_string(facts.spec_gen)}});
  } else if (own.hash != facts.spec_hash) {
    Log(LogLevel::kInfo,
        "the job runs another job file; this worker stands by until its workers leave or enough of "
        "this one wait",
        {{"spec", own.hash.substr(0, 8)}, {"running", facts.spec_hash.substr(0, 8)}});
  }
  return OkStatus();
}

Result<std::string> JobRedis::Secret() const {
  ASSIGN_OR_RETURN(const std::unique_ptr<RedisClient> client, Connect());
  const std::string key = base_ + ":secret";
  const std::string fresh = RandomHex(32);
  const std::string_view keys[] = {key};
  const std::string_view args[] = {fresh};
  ASSIGN_OR_RETURN(const RedisReply reply, client->Eval(kSecret, keys, args, stop_));
  return reply.AsText();
}

}  // namespace millrace::worker
