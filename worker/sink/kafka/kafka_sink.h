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
  std::string transaction_prefix;  // of transactional ids, before the slot; exactly once only
  std::optional<api::KafkaTopicCreation> create_topic;
  std::optional<int64_t> max_message_bytes;  // the user's; none: the topics'
  KafkaProducerOptions producer;             // the sink sets the transactional id
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
// are one transaction. Open initialises the transactional ids of this seat's share of all slots
// that ever were (those that leave the remainder `slot` divided by `slots`), after which older
// holders can commit nothing, and writes this generation into the ledger's record of each; tasks
// that the ledger names are not written again. A transaction of unknown outcome is settled by the
// next Deliver: the id is initialised again, the ledger read, the batch skipped or written. That
// fences nobody newer for good: the ledger's record of this very id names whoever opened the sink
// since, and then this process has been replaced; a successor that had not written its name yet
// fails to do so and opens again. Brokers that only gave up waiting for a transaction (its timeout)
// let this process go on. At least once: records are acknowledged by all in-sync replicas when
// Deliver returns. Thread-compatible; blocks on brokers. Errors: kAborted when fenced or stopped,
// kUnavailable (retryable) for brokers, kInvalid for authorisation, kNotFound for a missing topic,
// kInternal "StateRolledBack" for output of another history and "StateLost" for a ledger that is
// gone.
class KafkaSink final : public Sink {
 public:
  KafkaSink(KafkaSinkOptions options, KafkaRowBuilder builder, KafkaSinkPeers peers);

  void ExpectHistory() override { expects_history_ = true; }
  Status Open(const SinkSeat& seat) override;
  Result<SinkLedger> ReadLedger() override;
  void Skip(const SinkLedger& delivered) override;
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

  // A slot that this seat fences and does not write as.
  struct Fence {
    int slot = 0;
    std::unique_ptr<KafkaProducer> producer;
  };

  Status Connect();
  // Initialises the transactional id of `slot`.
  Result<std::unique_ptr<KafkaProducer>> Take(int slot);
  Result<std::vector<Fence>> TakeOthers();
  Status OpenLedger(std::vector<Fence> others);
  Status WriteSlots();
  Status Settle();
  // Reads the ledger, which must name this generation.
  Status CheckOwner(bool settled);
  Status CheckLedgerExists(const LedgerView& view) const;
  // Says who writes from now on, and repeats what is delivered.
  LedgerRecord OpeningOf(LedgerRecord record) const;
  // A transaction of one record in the ledger.
  KafkaSettled WriteAlone(KafkaProducer* producer, const std::string& key, std::string text);
  Status CheckHistory(const SinkBatch& batch) const;
  Status OtherHistory(int64_t batch, const std::string& digest, const SinkBatch& now) const;
  bool Delivered(const SinkBatch& batch, const SinkPart& part) const;
  Status WritePart(const SinkPart& part, Attempt* attempt, std::vector<RejectedRow>* rejected);
  Status WriteAll(const std::vector<SinkPart>& parts, Attempt* attempt,
                  std::vector<RejectedRow>* rejected);
  Status Produce(const KafkaRows& rows, Attempt* attempt);
  Status ProduceRecord(KafkaProducer* producer, const std::string& key, std::string text);
  KafkaSettled Attempted(const std::vector<SinkPart>& parts, Attempt* attempt,
                         std::vector<RejectedRow>* rejected);
  KafkaSettled Commit(KafkaProducer* producer);
  void Count(const KafkaSettled& settled);
  Status AfterFailure(const KafkaSettled& settled);
  Status Fenced(const std::string& why) const;

  KafkaSinkOptions options_;
  KafkaRowBuilder builder_;
  KafkaSinkPeers peers_;
  TopicBook topics_;
  SinkSeat seat_;
  SinkTransactions transactions_;
  LedgerRecord ledger_;  // what this slot is known to have delivered
  SinkLedger skip_;      // what all slots had delivered before this generation
  bool expects_history_ = false;
  bool unknown_ = false;  // the outcome of the last transaction of a producer that is gone
  std::unique_ptr<KafkaProducer> producer_;  // null: Settle makes one
};

}  // namespace millrace::worker
