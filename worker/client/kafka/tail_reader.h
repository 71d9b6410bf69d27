#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>
#include <thread>
#include <vector>

#include "worker/client/kafka/aborted_transactions.h"
#include "worker/client/kafka/cluster.h"
#include "worker/client/kafka/connection_pool.h"
#include "worker/client/kafka/directory.h"

namespace millrace::worker {

struct TailOptions {
  bool committed = true;
  Duration pace{0};  // least time between two requests
};

// Keeps what arrives behind the offsets that were read, so that the next range of a partition is
// there when it is planned: one request to each leader for all of its partitions, answered as soon
// as there is anything. Holds at most kMaxHeldBytes of each of at most kMaxPartitions partitions,
// and forgets those that fail or that nobody reads any more; ranges that it does not hold are
// fetched as usual. Thread-safe; asks from a thread of its own. `directory`, `pool`, `settings` and
// `clock` outlive it. Has no errors of its own.
class TailReader {
 public:
  static constexpr size_t kMaxHeldBytes = 1u << 20;
  static constexpr size_t kMaxPartitions = 64;
  static constexpr Duration kUnread = std::chrono::seconds(30);

  // Batches of offsets [from, next), in memory of `owner`, padded.
  struct Held {
    int64_t from = 0;
    int64_t next = 0;
    std::string_view records;
    std::shared_ptr<const void> owner;
    std::vector<AbortedTransaction> aborted;
  };

  TailReader(TailOptions options, Directory* directory, ConnectionPool* pool,
             const KafkaSettings& settings, Clock* clock);
  ~TailReader();

  bool committed() const { return options_.committed; }
  // Everything before `next` was read of the topic with this id.
  void Follow(const KafkaPartition& where, const TopicId& topic, int64_t next);
  void Forget(const KafkaPartition& where);
  // What is held from the answer with `from` on, without gaps; empty when that is not held.
  std::vector<Held> HeldFrom(const KafkaPartition& where, const TopicId& topic, int64_t from) const;
  // Where the partition ends for this isolation. None when it is not followed, or too far behind.
  std::optional<int64_t> End(const KafkaPartition& where) const;

 private:
  struct Tail {
    TopicId topic{};
    int64_t next = 0;  // to ask for
    int64_t end = -1;
    std::deque<Held> held;
    size_t held_bytes = 0;
    MonotonicTime read{};  // when Follow was last called
  };
  struct Wanted {
    KafkaPartition where;
    FetchPartition request;
  };
  struct Group;  // what is asked of one broker

  void Run(const std::stop_token& stop);
  std::vector<Wanted> Collect();
  std::map<BrokerAddress, Group> GroupByLeader(std::vector<Wanted> wanted, const CallLimit& limit);
  Status Ask(const BrokerAddress& address, bool alone, Group* group, const CallLimit& limit);
  Status Receive(Group* group, const CallLimit& limit);
  void Keep(const Wanted& wanted, FetchAnswer answer, const std::shared_ptr<const void>& owner);
  void Fail(const std::vector<Wanted>& wanted);
  static bool Full(const Tail& tail) { return tail.held_bytes >= kMaxHeldBytes; }

  const TailOptions options_;
  Directory* directory_;
  ConnectionPool* pool_;
  const KafkaSettings& settings_;
  Clock* clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<KafkaPartition, Tail> tails_;  // guarded by mutex_, as is the rest
  bool followed_ = false;                 // since it was last looked what there is to ask
  std::jthread thread_;
};

}  // namespace millrace::worker
