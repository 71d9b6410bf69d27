#include <openssl/evp.h>

#include <algorithm>
#include <map>
#include <utility>

#include "crds/base/log.h"
#include "crds/base/text.h"
#include "worker/client/redis/connection.h"
#include "worker/client/redis/error.h"
#include "worker/client/redis/exchange.h"
#include "worker/client/redis/redis.h"
#include "worker/client/redis/topology.h"

namespace millrace::worker {
namespace {

constexpr Duration kFirstBackoff = std::chrono::milliseconds(20);
constexpr Duration kLastBackoff = std::chrono::milliseconds(500);

Duration Backoff(int attempt) {
  return std::min(kFirstBackoff * (int64_t{1} << std::min(attempt, 10)), kLastBackoff);
}

std::string Sha1Hex(std::string_view text) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  CHECK(EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
                   EVP_sha1(), nullptr) == 1);
  digest.resize(size);
  return HexEncode(digest);
}

}  // namespace

struct RedisClient::Impl {
  Impl(RedisSettings given, Clock* its_clock)
      : settings(std::move(given)), clock(its_clock), nodes(settings, its_clock) {}

  // The topology, found out first where the settings leave it open.
  Result<RedisTopology*> Topology(const std::stop_token& stop);
  Result<std::vector<RedisReply>> Pipeline(std::span<const RedisCommand> commands,
                                           const std::stop_token& stop);
  const std::string& DigestOf(const RedisScript& script);

  const RedisSettings settings;
  Clock* clock;
  RedisNodes nodes;
  std::unique_ptr<RedisTopology> topology;
  std::map<std::string, std::string, std::less<>> digests;  // by text
};

Result<RedisTopology*> RedisClient::Impl::Topology(const std::stop_token& stop) {
  if (topology != nullptr) return topology.get();
  ASSIGN_OR_RETURN(const BrokerAddress first, ParseBrokerAddress(settings.addresses.front()));
  RedisMode mode = settings.mode;
  if (mode == RedisMode::kDetect) {
    ASSIGN_OR_RETURN(RedisConnection * connection, nodes.Get(first, RedisRole::kAnyNode, stop));
    const std::string_view request[] = {"INFO", "cluster"};
    const Result<RedisReply> reply = connection->Call(request, stop);
    const bool cluster = reply.ok() && reply->text.find("cluster_enabled:1") != std::string::npos;
    nodes.Drop(first);  // the role that it was checked for may not be enough
    RETURN_IF_ERROR(reply.status());
    mode = cluster ? RedisMode::kCluster : RedisMode::kStandalone;
  }
  if (mode == RedisMode::kCluster) topology = MakeClusterTopology(settings, clock);
  if (mode == RedisMode::kSentinel) topology = MakeSentinelTopology(settings, clock);
  if (topology == nullptr) topology = MakeStandaloneTopology(first);
  return topology.get();
}

Result<std::vector<RedisReply>> RedisClient::Impl::Pipeline(std::span<const RedisCommand> commands,
                                                            const std::stop_token& stop) {
  std::vector<RedisReply> replies(commands.size());
  std::vector<RedisPending> pending;
  for (size_t i = 0; i < commands.size(); ++i) pending.push_back({i, std::nullopt});
  const MonotonicTime end = clock->Monotonic() + settings.command_timeout;
  for (int attempt = 0; !pending.empty(); ++attempt) {
    const bool used_before = nodes.ever_connected();
    bool wait = true;
    Status status;
    const Result<RedisTopology*> known = Topology(stop);
    status = known.status();
    if (known.ok()) {
      status = RedisExchange(*known, &nodes, commands, &replies, stop).Run(&pending, &wait);
    }
    if (!status.ok() && (status.code() != StatusCode::kUnavailable || !used_before)) return status;
    if (pending.empty()) break;
    if (clock->Monotonic() >= end) {
      if (!status.ok()) return status;
      break;
    }
    if ((wait || attempt >= kMaxRedirections) && !clock->SleepFor(Backoff(attempt), stop)) {
      return AbortedError("stopped while Redis refuses: " + status.message());
    }
  }
  return replies;
}

const std::string& RedisClient::Impl::DigestOf(const RedisScript& script) {
  const auto found = digests.find(script.text);
  if (found != digests.end()) return found->second;
  return digests.emplace(std::string(script.text), Sha1Hex(script.text)).first->second;
}

RedisClient::RedisClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RedisClient::~RedisClient() = default;

Result<std::unique_ptr<RedisClient>> RedisClient::Create(RedisSettings settings, Clock* clock) {
  if (settings.addresses.empty()) return InvalidError("Redis: no address is given");
  for (const std::string& address : settings.addresses) {
    const Status status = ParseBrokerAddress(address).status();
    if (!status.ok()) return status.WithContext("Redis");
  }
  if (settings.mode == RedisMode::kSentinel && settings.master_name.empty()) {
    return InvalidError("Redis: mode Sentinel needs a masterName");
  }
  return std::unique_ptr<RedisClient>(
      new RedisClient(std::make_unique<Impl>(std::move(settings), clock)));
}

Status RedisClient::Connect(const std::stop_token& stop) { return NodeOf("", stop).status(); }

Result<std::vector<RedisReply>> RedisClient::Pipeline(std::span<const RedisCommand> commands,
                                                      const std::stop_token& stop) {
  return impl_->Pipeline(commands, stop);
}

Result<RedisReply> RedisClient::Run(const RedisCommand& command, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(std::vector<RedisReply> replies, impl_->Pipeline({&command, 1}, stop));
  RETURN_IF_ERROR(replies.front().status());
  return std::move(replies.front());
}

Result<RedisReply> RedisClient::Eval(const RedisScript& script,
                                     std::span<const std::string_view> keys,
                                     std::span<const std::string_view> args,
                                     const std::stop_token& stop) {
  const std::string count = std::to_string(keys.size());
  RedisCommand command{keys.empty() ? std::string_view() : keys.front(),
                       {"EVALSHA", impl_->DigestOf(script), count}};
  command.args.insert(command.args.end(), keys.begin(), keys.end());
  command.args.insert(command.args.end(), args.begin(), args.end());
  ASSIGN_OR_RETURN(std::vector<RedisReply> replies, impl_->Pipeline({&command, 1}, stop));
  if (replies.front().is_error() && RedisErrorCode(replies.front().text) == "NOSCRIPT") {
    command.args[0] = "EVAL";
    command.args[1] = script.text;
    ASSIGN_OR_RETURN(replies, impl_->Pipeline({&command, 1}, stop));
  }
  const Status status = replies.front().status();
  if (!status.ok()) return status.WithContext("script " + std::string(script.name));
  return std::move(replies.front());
}

Result<bool> RedisClient::IsCluster(const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const RedisTopology* topology, impl_->Topology(stop));
  return topology->is_cluster();
}

Result<std::string> RedisClient::NodeOf(std::string_view key, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(RedisTopology * topology, impl_->Topology(stop));
  ASSIGN_OR_RETURN(const BrokerAddress address,
                   topology->Find(key.empty() ? -1 : RedisSlot(key), stop));
  const Status status = impl_->nodes.Get(address, topology->role(), stop).status();
  if (!status.ok()) {
    topology->Forget();
    return status;
  }
  return address.text();
}

RedisSettings RedisSettingsOf(const api::RedisState& state, const std::string& secrets_directory) {
  RedisSettings settings;
  settings.addresses = state.addresses;
  switch (state.mode) {
    case api::RedisState::Mode::kStandalone:
      settings.mode = RedisMode::kStandalone;
      break;
    case api::RedisState::Mode::kSentinel:
      settings.mode = RedisMode::kSentinel;
      break;
    case api::RedisState::Mode::kCluster:
      settings.mode = RedisMode::kCluster;
      break;
  }
  settings.master_name = state.master_name.value_or("");
  settings.auth = state.auth;
  settings.tls = state.tls;
  settings.secrets_directory = secrets_directory;
  return settings;
}

RedisSettings RedisSettingsOf(const std::string& address, const std::optional<api::Auth>& auth,
                              const std::optional<api::Tls>& tls,
                              const std::string& secrets_directory) {
  RedisSettings settings;
  settings.addresses = {address};
  settings.auth = auth;
  settings.tls = tls;
  settings.secrets_directory = secrets_directory;
  return settings;
}

}  // namespace millrace::worker
