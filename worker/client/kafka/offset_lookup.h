#pragma once

#include <stop_token>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/kafka/cluster.h"
#include "worker/client/kafka/connection_pool.h"
#include "worker/client/kafka/directory.h"

namespace millrace::worker {

// Asks the leaders of partitions for offsets, again and with fresh metadata while they change, for
// at most `patience`. Used once; thread-compatible.
class OffsetLookup {
 public:
  OffsetLookup(Directory* directory, ConnectionPool* pool, const KafkaSettings& settings,
               Clock* clock)
      : directory_(directory), pool_(pool), settings_(settings), clock_(clock) {}

  // One answer per query, in their order. An error only for kAborted.
  Result<std::vector<KafkaOffsetAnswer>> Run(const std::vector<KafkaOffsetQuery>& queries,
                                             bool committed, Duration patience,
                                             const std::stop_token& stop);

 private:
  using Group =
      std::vector<size_t>;  // indices of queries, each partition once: brokers refuse repetitions

  std::map<BrokerAddress, Group> GroupByLeader(const CallLimit& limit);
  Status AskGroup(const BrokerAddress& address, const Group& group, const CallLimit& limit);
  void Settle(size_t index, const ListOffsetsAnswer& answer);
  void Fail(size_t index, Status status);

  Directory* directory_;
  ConnectionPool* pool_;
  const KafkaSettings& settings_;
  Clock* clock_;
  const std::vector<KafkaOffsetQuery>* queries_ = nullptr;
  bool committed_ = true;
  std::vector<KafkaOffsetAnswer> answers_;
  std::vector<int> epochs_;
  std::vector<bool> settled_;
};

}  // namespace millrace::worker
