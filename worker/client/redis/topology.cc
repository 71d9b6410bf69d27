#include "worker/client/redis/topology.h"

#include <algorithm>
#include <optional>

namespace millrace::worker {
namespace {

class StandaloneTopology final : public RedisTopology {
 public:
  explicit StandaloneTopology(BrokerAddress address) : address_(std::move(address)) {}

  Result<BrokerAddress> Find(int, const std::stop_token&) override { return address_; }
  void Learn(int, const BrokerAddress&) override {}
  void Forget() override {}
  RedisRole role() const override { return RedisRole::kMaster; }

 private:
  const BrokerAddress address_;
};

// Asks the Sentinels in turn, beginning with the one that answered last
// (redis.io, "Guidelines for Redis clients with support for Redis Sentinel").
class SentinelTopology final : public RedisTopology {
 public:
  SentinelTopology(const RedisSettings& settings, Clock* clock)
      : settings_(settings), clock_(clock), sentinels_(settings.addresses) {}

  Result<BrokerAddress> Find(int, const std::stop_token& stop) override {
    if (master_) return *master_;
    Status last;
    for (size_t i = 0; i < sentinels_.size(); ++i) {
      const Result<BrokerAddress> found = Ask(sentinels_[i], stop);
      if (found.ok()) {
        std::rotate(sentinels_.begin(), sentinels_.begin() + static_cast<std::ptrdiff_t>(i),
                    sentinels_.end());
        master_ = *found;
        return *master_;
      }
      last = found.status();
      if (last.code() == StatusCode::kAborted) return last;
    }
    return last;
  }
  void Learn(int, const BrokerAddress&) override {}
  void Forget() override { master_.reset(); }
  RedisRole role() const override { return RedisRole::kMaster; }

 private:
  Result<BrokerAddress> Ask(const std::string& sentinel, const std::stop_token& stop) {
    ASSIGN_OR_RETURN(const BrokerAddress address, ParseBrokerAddress(sentinel));
    ASSIGN_OR_RETURN(auto connection,
                     RedisConnection::Open(address, settings_, RedisRole::kSentinel, clock_, stop));
    const std::string_view request[] = {"SENTINEL", "GET-MASTER-ADDR-BY-NAME",
                                        settings_.master_name};
    const Result<RedisReply> reply = connection->Call(request, stop);
    const std::string context = "ask the Sentinel " + sentinel;
    if (!reply.ok()) return reply.status().WithContext(context);
    if (reply->is_error()) return reply->status().WithContext(context);
    if (reply->items.size() != 2) {
      return UnavailableError(context + ": it knows no master \"" + settings_.master_name + "\"");
    }
    return ParseBrokerAddress(reply->items[0].text + ":" + reply->items[1].text);
  }

  const RedisSettings& settings_;
  Clock* clock_;
  std::vector<std::string> sentinels_;
  std::optional<BrokerAddress> master_;
};

}  // namespace

std::unique_ptr<RedisTopology> MakeStandaloneTopology(const BrokerAddress& address) {
  return std::make_unique<StandaloneTopology>(address);
}

std::unique_ptr<RedisTopology> MakeSentinelTopology(const RedisSettings& settings, Clock* clock) {
  return std::make_unique<SentinelTopology>(settings, clock);
}

}  // namespace millrace::worker
