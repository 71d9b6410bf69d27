#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "worker/client/redis/connection.h"
#include "worker/client/redis/redis.h"
#include "worker/client/redis/topology.h"

namespace millrace::worker {

inline constexpr int kMaxRedirections = 16;  // that are followed without a pause

// The connections to the servers of one Redis. A login that is refused after it has worked before
// counts as a password that is being rotated, and so as kUnavailable, for two minutes.
// Thread-compatible; `settings` and `clock` outlive it.
class RedisNodes {
 public:
  RedisNodes(const RedisSettings& settings, Clock* clock) : settings_(settings), clock_(clock) {}

  // A connection that was alive a moment ago, new if need be. Owned by this. Errors as
  // RedisConnection::Open.
  Result<RedisConnection*> Get(const BrokerAddress& address, RedisRole role,
                               const std::stop_token& stop);
  void Drop(const BrokerAddress& address) { connections_.erase(address); }
  bool ever_connected() const { return ever_connected_; }
  void CountRoundTrip(size_t sent_bytes);

 private:
  Status AfterDenial(const Status& status);

  const RedisSettings& settings_;
  Clock* clock_;
  std::map<BrokerAddress, std::unique_ptr<RedisConnection>> connections_;
  bool ever_connected_ = false;
  std::optional<MonotonicTime> denied_since_;
};

// A command without its final reply: its number, and the node that a slot is being moved to.
struct RedisPending {
  size_t command = 0;
  std::optional<BrokerAddress> asking;
};

// One round of a pipeline: every pending command goes to its node, all nodes get theirs before the
// first is waited for. Thread-compatible; refers to what it is given.
class RedisExchange {
 public:
  RedisExchange(RedisTopology* topology, RedisNodes* nodes, std::span<const RedisCommand> commands,
                std::vector<RedisReply>* replies, const std::stop_token& stop)
      : topology_(topology), nodes_(nodes), commands_(commands), replies_(replies), stop_(stop) {}

  // Leaves in `pending` what may be sent again: the server did not execute it. `wait`: only after a
  // pause. kDeadline when a connection was lost before all replies of its node had come.
  Status Run(std::vector<RedisPending>* pending, bool* wait);

 private:
  struct Group {
    BrokerAddress address;
    RedisConnection* connection = nullptr;
    std::vector<RedisPending> members;
    std::string requests;
  };

  Status MakeGroups(const std::vector<RedisPending>& pending);
  Status Connect();
  Group& GroupOf(const BrokerAddress& address);
  void AddRequest(const RedisPending& member, Group* group) const;
  Status ReceiveGroup(Group* group);
  Status ReceiveMember(Group* group, const RedisPending& member);
  // Decides whether a reply is final.
  void Judge(Group* group, const RedisPending& member);
  void Redirect(const std::string& text, const Group& group, size_t command);
  void Lose(const BrokerAddress& address);

  RedisTopology* topology_;
  RedisNodes* nodes_;
  std::span<const RedisCommand> commands_;
  std::vector<RedisReply>* replies_;
  const std::stop_token& stop_;
  std::vector<Group> groups_;
  std::vector<RedisPending> again_;
  std::vector<BrokerAddress> lost_;  // connections to drop at the end of the round
  bool wait_ = false;
};

}  // namespace millrace::worker
