#include <algorithm>
#include <optional>
#include <vector>

#include "worker/client/redis/topology.h"

namespace millrace::worker {
namespace {

constexpr int kSlots = 16384;

// A map from slot to master, read by CLUSTER SLOTS from any node that answers, corrected by MOVED.
class ClusterTopology final : public RedisTopology {
 public:
  ClusterTopology(const RedisSettings& settings, Clock* clock)
      : settings_(settings), clock_(clock) {}

  Result<BrokerAddress> Find(int slot, const std::stop_token& stop) override {
    if (!fresh_) RETURN_IF_ERROR(Read(stop));
    if (slot < 0) return nodes_.front();
    const int node = node_of_slot_[static_cast<size_t>(slot)];
    if (node >= 0) return nodes_[static_cast<size_t>(node)];
    fresh_ = false;
    return UnavailableError("no node of the Redis Cluster holds slot " + std::to_string(slot));
  }

  void Learn(int slot, const BrokerAddress& address) override {
    if (slot >= 0 && slot < kSlots && !node_of_slot_.empty()) {
      node_of_slot_[static_cast<size_t>(slot)] = NumberOf(address);
    }
  }
  void Forget() override { fresh_ = false; }
  RedisRole role() const override { return RedisRole::kAnyNode; }
  bool is_cluster() const override { return true; }

 private:
  int NumberOf(const BrokerAddress& address) {
    const auto found = std::find(nodes_.begin(), nodes_.end(), address);
    if (found != nodes_.end()) return static_cast<int>(found - nodes_.begin());
    nodes_.push_back(address);
    return static_cast<int>(nodes_.size()) - 1;
  }

  // Known nodes first: the configured ones may be gone.
  std::vector<BrokerAddress> Candidates() const {
    std::vector<BrokerAddress> candidates = nodes_;
    for (const std::string& text : settings_.addresses) {
      const Result<BrokerAddress> address = ParseBrokerAddress(text);
      if (address.ok()) candidates.push_back(*address);
    }
    return candidates;
  }

  Status Read(const std::stop_token& stop) {
    Status last = UnavailableError("no node of the Redis Cluster is known");
    for (const BrokerAddress& candidate : Candidates()) {
      last = ReadFrom(candidate, stop);
      if (last.ok() || last.code() == StatusCode::kAborted) return last;
    }
    return last;
  }

  Status ReadFrom(const BrokerAddress& address, const std::stop_token& stop) {
    ASSIGN_OR_RETURN(auto connection,
                     RedisConnection::Open(address, settings_, RedisRole::kAnyNode, clock_, stop));
    const std::string_view request[] = {"CLUSTER", "SLOTS"};
    const Result<RedisReply> reply = connection->Call(request, stop);
    const std::string context = "CLUSTER SLOTS of " + address.text();
    if (!reply.ok()) return reply.status().WithContext(context);
    if (reply->is_error()) return reply->status().WithContext(context);
    return Apply(*reply, address).WithContext(context);
  }

  // Ranges: [first, last, [host, port, ...] of the master, ... of replicas].
  Status Apply(const RedisReply& ranges, const BrokerAddress& from) {
    nodes_.clear();
    node_of_slot_.assign(kSlots, -1);
    for (const RedisReply& range : ranges.items) {
      if (range.items.size() < 3 || range.items[2].items.size() < 2) {
        return InternalError("unexpected reply");
      }
      const int64_t first = range.items[0].integer;
      const int64_t last = range.items[1].integer;
      const RedisReply& master = range.items[2];
      BrokerAddress address{master.items[0].text, static_cast<int>(master.items[1].integer)};
      if (address.host.empty() || address.host == "?") address.host = from.host;
      if (first < 0 || last >= kSlots || first > last || address.port < 1) {
        return InternalError("unexpected reply");
      }
      std::fill(node_of_slot_.begin() + first, node_of_slot_.begin() + last + 1, NumberOf(address));
    }
    if (nodes_.empty()) return UnavailableError("the Cluster has no slots assigned");
    fresh_ = true;
    return OkStatus();
  }

  const RedisSettings& settings_;
  Clock* clock_;
  bool fresh_ = false;
  std::vector<BrokerAddress> nodes_;
  std::vector<int> node_of_slot_;  // number of a node; -1: nobody
};

}  // namespace

std::unique_ptr<RedisTopology> MakeClusterTopology(const RedisSettings& settings, Clock* clock) {
  return std::make_unique<ClusterTopology>(settings, clock);
}

}  // namespace millrace::worker
