#include "worker/client/redis/exchange.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "crds/base/text.h"
#include "worker/client/redis/error.h"
#include "worker/client/redis/resp.h"

namespace millrace::worker {
namespace {

constexpr Duration kRotationGrace = std::chrono::minutes(2);
constexpr std::string_view kAsking[] = {"ASKING"};

}  // namespace

Result<RedisConnection*> RedisNodes::Get(const BrokerAddress& address, RedisRole role,
                                         const std::stop_token& stop) {
  const auto found = connections_.find(address);
  if (found != connections_.end()) {
    if (!found->second->stale()) return found->second.get();
    connections_.erase(found);
  }
  bool denied = false;
  Result<std::unique_ptr<RedisConnection>> opened =
      RedisConnection::Open(address, settings_, role, clock_, stop, &denied);
  if (!opened.ok()) return denied ? AfterDenial(opened.status()) : opened.status();
  ever_connected_ = true;
  denied_since_.reset();
  return connections_.emplace(address, std::move(opened).value()).first->second.get();
}

void RedisNodes::CountRoundTrip(size_t sent_bytes) {
  if (settings_.counts == nullptr) return;
  settings_.counts->round_trips.fetch_add(1);
  settings_.counts->sent_bytes.fetch_add(static_cast<int64_t>(sent_bytes));
}

Status RedisNodes::AfterDenial(const Status& status) {
  if (!ever_connected_) return status;
  const MonotonicTime now = clock_->Monotonic();
  if (!denied_since_) denied_since_ = now;
  if (now - *denied_since_ > kRotationGrace) return status;
  return UnavailableError(status.message() +
                          "; the login worked before, so the Secret is read again for a while");
}

RedisExchange::Group& RedisExchange::GroupOf(const BrokerAddress& address) {
  for (Group& group : groups_) {
    if (group.address == address) return group;
  }
  return groups_.emplace_back(Group{address, nullptr, {}, {}});
}

void RedisExchange::AddRequest(const RedisPending& member, Group* group) const {
  if (member.asking) AppendRequest(kAsking, &group->requests);
  AppendRequest(commands_[member.command].args, &group->requests);
}

Status RedisExchange::MakeGroups(const std::vector<RedisPending>& pending) {
  for (const RedisPending& member : pending) {
    Result<BrokerAddress> address = BrokerAddress{};
    if (member.asking) {
      address = *member.asking;
    } else {
      const std::string_view key = commands_[member.command].key;
      address = topology_->Find(key.empty() ? -1 : RedisSlot(key), stop_);
    }
    if (!address.ok()) return address.status();
    Group& group = GroupOf(*address);
    group.members.push_back(member);
    AddRequest(member, &group);
  }
  return OkStatus();
}

// Nothing is sent before all nodes are there, so that a failure leaves nothing executed.
Status RedisExchange::Connect() {
  for (Group& group : groups_) {
    const Result<RedisConnection*> connection =
        nodes_->Get(group.address, topology_->role(), stop_);
    if (!connection.ok()) {
      topology_->Forget();
      return connection.status();
    }
    group.connection = *connection;
  }
  return OkStatus();
}

void RedisExchange::Lose(const BrokerAddress& address) {
  lost_.push_back(address);
  topology_->Forget();
}

void RedisExchange::Redirect(const std::string& text, const Group& group, size_t command) {
  const std::vector<std::string_view> words = Split(text, ' ');
  std::string where(words.size() == 3 ? words[2] : "");
  if (where.starts_with(':')) where = group.address.host + where;
  const Result<BrokerAddress> address = ParseBrokerAddress(where);
  if (!address.ok()) return;  // stays the reply
  RedisPending member{command, std::nullopt};
  int slot = -1;
  if (words[0] == "ASK") {
    member.asking = *address;
  } else {
    (void)std::from_chars(words[1].data(), words[1].data() + words[1].size(), slot);
    topology_->Learn(slot, *address);
  }
  again_.push_back(std::move(member));
}

void RedisExchange::Judge(Group* group, const RedisPending& member) {
  const RedisReply& reply = (*replies_)[member.command];
  if (!reply.is_error()) return;
  const std::string_view code = RedisErrorCode(reply.text);
  if (topology_->is_cluster() && (code == "MOVED" || code == "ASK")) {
    Redirect(reply.text, *group, member.command);
    return;
  }
  if (!PassesByItself(reply.text)) return;
  wait_ = true;
  again_.push_back(member);
  if (code != "BUSY" && code != "TRYAGAIN") Lose(group->address);
}

Status RedisExchange::ReceiveMember(Group* group, const RedisPending& member) {
  RedisReply& reply = (*replies_)[member.command];
  if (member.asking) RETURN_IF_ERROR(group->connection->Receive(&reply, stop_));
  RETURN_IF_ERROR(group->connection->Receive(&reply, stop_));
  Judge(group, member);
  return OkStatus();
}

Status RedisExchange::ReceiveGroup(Group* group) {
  for (const RedisPending& member : group->members) {
    RETURN_IF_ERROR(ReceiveMember(group, member));
  }
  return OkStatus();
}

Status RedisExchange::Run(std::vector<RedisPending>* pending, bool* wait) {
  RETURN_IF_ERROR(MakeGroups(*pending));
  RETURN_IF_ERROR(Connect());
  std::vector<Status> sent;
  for (Group& group : groups_) {
    nodes_->CountRoundTrip(group.requests.size());
    sent.push_back(group.connection->Send(group.requests, stop_));
  }
  Status result;
  for (size_t i = 0; i < groups_.size(); ++i) {
    Status status = sent[i];
    if (status.ok()) status = ReceiveGroup(&groups_[i]);
    if (status.ok()) continue;
    Lose(groups_[i].address);
    // Lost after sending: whatever the reason, nobody knows what was executed.
    if (status.code() != StatusCode::kAborted && status.code() != StatusCode::kInternal) {
      status = DeadlineError("the outcome of a Redis command is unknown: " + status.message());
    }
    if (result.ok()) result = status;
  }
  for (const BrokerAddress& address : lost_) nodes_->Drop(address);
  std::sort(again_.begin(), again_.end(),
            [](const RedisPending& a, const RedisPending& b) { return a.command < b.command; });
  *pending = std::move(again_);
  *wait = wait_;
  return result;
}

}  // namespace millrace::worker
