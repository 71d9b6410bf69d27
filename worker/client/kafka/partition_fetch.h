#pragma once

#include <memory>
#include <stop_token>

#include "worker/client/kafka/cluster.h"
#include "worker/client/kafka/connection_pool.h"
#include "worker/client/kafka/directory.h"
#include "worker/client/kafka/fetch_size.h"
#include "worker/client/kafka/record_walker.h"
#include "worker/client/kafka/tail_reader.h"

namespace millrace::worker {

// Where a fetch gets what it needs; all outlive it.
struct FetchContext {
  Directory* directory;
  ConnectionPool* pool;
  FetchSize* sizes;
  const KafkaSettings& settings;
  Clock* clock;
  TailReader* tails;  // null: nothing is read ahead
};

// One call of KafkaCluster::Fetch, with its guarantees and errors. Begins with what was read ahead.
// While one response is walked, the next is already asked for. Used once; thread-compatible.
class PartitionFetch {
 public:
  // Without a record for so long the fetch gives up.
  static constexpr Duration kPatience = std::chrono::seconds(30);
  // A topic that is missing, or has another id, for so long is gone: brokers hear of changes at
  // different times.
  static constexpr Duration kTopicPatience = std::chrono::seconds(3);

  PartitionFetch(const FetchContext& context, const KafkaRange& range, KafkaIsolation isolation,
                 KafkaColumns columns, std::shared_ptr<BufferPool> buffers,
                 const KafkaVisitor* visitor, const std::stop_token& stop);

  Status Run();

 private:
  // From the leader, or the replica it named, until the range is done, the leader names another
  // replica, or something fails.
  Status ReadFromBroker();
  Status ReadResponses(KafkaConnection* connection, const PartitionLeader& leader);
  Result<PartitionLeader> FindLeader();
  Status Send(KafkaConnection* connection, const PartitionLeader& leader, int64_t offset);
  Result<FetchAnswer> TakeAnswer(std::string_view body, const PartitionLeader& leader);
  Status CheckAnswer(int16_t error, const PartitionLeader& leader);
  Status OutOfRange();
  Status TopicGone(const std::string& found);
  Status CheckProgress(const FetchAnswer& answer);
  Status ReadHeld(const TopicId& topic);
  Status ReadFromBrokers();
  CallLimit Limit() const;
  std::string Name() const;

  FetchContext context_;
  const KafkaRange& range_;
  bool committed_;
  std::stop_token stop_;
  RecordWalker walker_;
  bool visitor_failed_ = false;
  KafkaVisitor watched_;  // the caller's visitor, noting its failure
  MonotonicTime progress_;
  MonotonicTime topic_seen_;
  int replica_ = -1;  // to read from instead of the leader
};

}  // namespace millrace::worker
