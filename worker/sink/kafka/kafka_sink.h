#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "worker/client/kafka/admin.h"
#include "worker/client/kafka/cluster.h"
#include "worker/client/kafka/producer.h"
#include "worker/sink/kafka/ledger.h"
#include "worker/sink/kafka/row_builder.h"
#include "worker/sink/kafka/topic_book.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

struct KafkaSinkOptions {
  std::string name;
  std::string topic;  // empty where a topic expression decides
  bool exactly_once = true;
  // Of one member that writes this sink, and how many there are.
  int slot = 0;
  int slots = 1;
  std::optional<api::KafkaTopicCreation> create_topic;
  std::optional<int64_t> max_message_bytes;  // the user's; none: the topics'
  KafkaProducerOptions producer;             // transactional_id for exactly once
  Clock* clock = nullptr;                    // outlives the sink
  std::stop_token stop;
};

// What the sink talks to.
struct KafkaSinkPeers {
  std::unique_ptr<KafkaCluster> cluster;  // of the ledger; may be null
  std::unique_ptr<KafkaAdmin> admin;
  std::unique_ptr<Ledger> ledger;  // null: at least once, or a job that keeps no state
  std::function<Result<std::unique_ptr<KafkaProducer>>(const KafkaProducerOptions&)> make_producer;
};

// Records of one job's sink in Kafka. Exactly once: a batch's rows and the ledger's record of it
// are one transaction; Open initialises the transactional id, after which older holders can commit
// nothing, and then reads the ledger, so that a batch which is there already is not written again.
// A transaction of unknown outcome is settled by the next Deliver: the id is initialised again, the
// ledger read, the batch skipped or written. A ledger in which somebody else opened the sink since
// means that this process has been replaced; brokers that only gave up waiting for it (the
// transaction's timeout) let it go on.
// At least once: records are acknowledged by all in-sync replicas when Deliver returns.
// Thread-compatible; blocks on brokers. Errors: kAborted when fenced or stopped, kUnavailable
// (retryable) for brokers, kInvalid for authorisation, kNotFound for a missing topic, kInternal
// "StateRolledBack" for output of another history and "StateLost" for a ledger that is gone.
class KafkaSink final : public Sink {
 public:
  KafkaSink(KafkaSinkOptions options, KafkaRowBuilder builder, KafkaSinkPeers peers);

  void ExpectHistory() override { expects_history_ = true; }
  Status Open(const std::string& generation, int64_t committed) override;
  Result<int64_t> DeliveredBatch() override { return ledger_.batch; }
  Status Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                 std::vector<RejectedRow>* rejected) override;
  Status Committed(int64_t) override { return OkStatus(); }
  SinkTransactions TakeTransactions() override { return std::exchange(transactions_, {}); }

 private:
  // A transaction that is begun when the first record needs it.
  struct Attempt {
    const SinkBatch& batch;
    LedgerRecord record;
    bool begun = false;
  };

  Status Connect();
  Status Settle();
  // Reads the ledger, which must name this generation.
  Status CheckOwner(bool settled);
  Status ReadLedger();
  Status CheckLedgerExists(int64_t committed) const;
  Status WriteOpening();
  Status CheckHistory(const SinkBatch& batch) const;
  bool Delivered(const SinkBatch& batch, const SinkPart& part) const;
  Status WritePart(const SinkPart& part, Attempt* attempt, std::vector<RejectedRow>* rejected);
  Status WriteAll(const std::vector<SinkPart>& parts, Attempt* attempt,
                  std::vector<RejectedRow>* rejected);
  Status Produce(const KafkaRows& rows, Attempt* attempt);
  Status ProduceRecord(const LedgerRecord& record);
  KafkaSettled Attempted(const std::vector<SinkPart>& parts, Attempt* attempt,
                         std::vector<RejectedRow>* rejected);
  KafkaSettled Commit();
  void Count(const KafkaSettled& settled);
  Status AfterFailure(const KafkaSettled& settled);
  Status Fenced(const std::string& why) const;

  KafkaSinkOptions options_;
  KafkaRowBuilder builder_;
  KafkaSinkPeers peers_;
  TopicBook topics_;
  std::string generation_;
  SinkTransactions transactions_;
  LedgerRecord ledger_;  // what is known to be delivered
  bool expects_history_ = false;
  bool unknown_ = false;  // the outcome of the last transaction of a producer that is gone
  std::unique_ptr<KafkaProducer> producer_;  // null: Settle makes one
};

}  // namespace millrace::worker
