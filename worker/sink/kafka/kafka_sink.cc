#include "worker/sink/kafka/kafka_sink.h"

#include <algorithm>
#include <iterator>

#include "crds/base/failpoint.h"
#include "crds/base/log.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxCommitTimes = 1000;  // kept until somebody asks
constexpr int kMaxSizeRounds = 24;        // halvings from the largest record to the smallest

}  // namespace

KafkaSink::KafkaSink(KafkaSinkOptions options, KafkaRowBuilder builder, KafkaSinkPeers peers)
    : options_(std::move(options)),
      builder_(std::move(builder)),
      peers_(std::move(peers)),
      topics_(options_.create_topic, options_.max_message_bytes, peers_.admin.get()) {}

Status KafkaSink::Fenced(const std::string& why) const {
  return AbortedError("another process has taken over the Kafka sink " + options_.name + ": " +
                      why + ". This one ends; only one process of a job may write");
}

Status KafkaSink::Open(const SinkSeat& seat) {
  CHECK(seat.slot >= 0 && seat.slot < seat.slots && seat.slots <= seat.max_slots);
  seat_ = seat;
  ledger_ = {};
  skip_ = {};
  if (!options_.topic.empty()) RETURN_IF_ERROR(topics_.Prepare(options_.topic, options_.stop));
  if (peers_.ledger != nullptr) RETURN_IF_ERROR(peers_.ledger->Prepare(options_.stop));
  ASSIGN_OR_RETURN(std::vector<Fence> others, TakeOthers());
  RETURN_IF_ERROR(Connect());
  if (!options_.topic.empty()) {
    RETURN_IF_ERROR(topics_.Find(options_.topic, producer_.get(), options_.stop).status());
  }
  return peers_.ledger == nullptr ? OkStatus() : OpenLedger(std::move(others));
}

Result<std::unique_ptr<KafkaProducer>> KafkaSink::Take(int slot) {
  KafkaProducerOptions options = options_.producer;
  options.max_message_bytes = topics_.max_message_bytes();
  options.max_batch_bytes = topics_.max_batch_bytes(options.max_batch_bytes);
  if (options_.exactly_once) {
    options.transactional_id = options_.transaction_prefix + std::to_string(slot);
  }
  ASSIGN_OR_RETURN(std::unique_ptr<KafkaProducer> producer, peers_.make_producer(options));
  RETURN_IF_ERROR(producer->Start(options_.stop));
  ++transactions_.producers;
  return producer;
}

// They are kept until they have written: an older holder that takes one of them back makes that
// fail, rather than go on unseen.
Result<std::vector<KafkaSink::Fence>> KafkaSink::TakeOthers() {
  std::vector<Fence> others;
  if (!options_.exactly_once) return others;
  for (int slot = seat_.slot + seat_.slots; slot < seat_.max_slots; slot += seat_.slots) {
    ASSIGN_OR_RETURN(std::unique_ptr<KafkaProducer> producer, Take(slot));
    others.push_back({slot, std::move(producer)});
  }
  return others;
}

// All ids are initialised, so none of their transactions is open. Those of other slots may be,
// until the seats that fence them come this far; the read waits for it.
Status KafkaSink::OpenLedger(std::vector<Fence> others) {
  std::set<std::string> keys = {std::to_string(seat_.slot)};
  for (const Fence& other : others) keys.insert(std::to_string(other.slot));
  const bool counts = seat_.slot == 0 && seat_.max_slots > 1;
  if (counts) keys.emplace(kLedgerSlotsKey);
  ASSIGN_OR_RETURN(LedgerView view, peers_.ledger->Read(keys, true, options_.stop));
  RETURN_IF_ERROR(CheckLedgerExists(view));
  for (const Fence& other : others) {
    const KafkaSettled settled = WriteAlone(other.producer.get(), std::to_string(other.slot),
                                            OpeningOf(view.records[other.slot]).Format());
    if (settled.outcome != KafkaOutcome::kCommitted) {
      return settled.status.WithContext("fence slot " + std::to_string(other.slot) + " in " +
                                        peers_.ledger->topic());
    }
  }
  ledger_ = OpeningOf(view.records[seat_.slot]);
  const KafkaSettled settled =
      WriteAlone(producer_.get(), std::to_string(seat_.slot), ledger_.Format());
  if (settled.outcome != KafkaOutcome::kCommitted || settled.spent) producer_.reset();
  if (settled.outcome != KafkaOutcome::kCommitted) {
    return settled.status.WithContext("open the ledger " + peers_.ledger->topic());
  }
  return counts && view.slots < seat_.max_slots ? WriteSlots() : OkStatus();
}

Status KafkaSink::WriteSlots() {
  if (producer_ == nullptr) RETURN_IF_ERROR(Settle());
  const KafkaSettled settled =
      WriteAlone(producer_.get(), std::string(kLedgerSlotsKey), FormatLedgerSlots(seat_.max_slots));
  if (settled.outcome != KafkaOutcome::kCommitted || settled.spent) producer_.reset();
  if (settled.outcome == KafkaOutcome::kCommitted) return OkStatus();
  return settled.status.WithContext("write the number of slots to " + peers_.ledger->topic());
}

Result<SinkLedger> KafkaSink::ReadLedger() {
  if (peers_.ledger == nullptr) return SinkLedger{};
  ASSIGN_OR_RETURN(const LedgerView view, peers_.ledger->Read({}, true, options_.stop));
  Result<SinkLedger> sum = view.Sum(seat_.generation);
  if (!sum.ok()) return InternalError(sum.status().message() + " (" + peers_.ledger->topic() + ")");
  return sum;
}

void KafkaSink::Skip(const SinkLedger& delivered) {
  skip_ = delivered;
  std::sort(skip_.tasks.begin(), skip_.tasks.end());
}

Status KafkaSink::CheckLedgerExists(const LedgerView& view) const {
  if (seat_.committed == 0) return OkStatus();
  ASSIGN_OR_RETURN(SinkLedger found, view.Sum(seat_.generation));
  if (!found.missing) return OkStatus();
  // A slot that is new, perhaps: others may have a history, further back.
  ASSIGN_OR_RETURN(const LedgerView all, peers_.ledger->Read({}, true, options_.stop));
  ASSIGN_OR_RETURN(found, all.Sum(seat_.generation));
  if (!found.missing) return OkStatus();
  const std::string& topic = peers_.ledger->topic();
  if (expects_history_) {
    return InternalError("StateLost: the ledger " + topic + " of Kafka sink " + options_.name +
                         " is gone, though batch " + std::to_string(seat_.committed) +
                         " is committed: the topic was deleted or emptied, or these are other "
                         "brokers. Restore it, or start the job with an empty state directory");
  }
  Log(LogLevel::kWarn, "a Kafka sink begins without a ledger; it is new or its ledger was removed",
      {{"sink", options_.name}, {"topic", topic}});
  return OkStatus();
}

// A new producer; older ones of the same id are fenced when it returns.
Status KafkaSink::Connect() {
  topics_.Forget();
  producer_.reset();
  ASSIGN_OR_RETURN(producer_, Take(seat_.slot));
  unknown_ = false;
  return OkStatus();
}

LedgerRecord KafkaSink::OpeningOf(LedgerRecord record) const {
  record.generation = seat_.generation;
  if (record.since.empty()) record.since = seat_.generation;
  return record;
}

KafkaSettled KafkaSink::WriteAlone(KafkaProducer* producer, const std::string& key,
                                   std::string text) {
  Status status = producer->Begin();
  if (status.ok()) status = ProduceRecord(producer, key, std::move(text));
  KafkaSettled settled = status.ok() ? Commit(producer) : producer->Abort(options_.stop);
  Count(settled);
  return settled;
}

Status KafkaSink::CheckOwner(bool settled) {
  ASSIGN_OR_RETURN(const LedgerView view,
                   peers_.ledger->Read({std::to_string(seat_.slot)}, settled, options_.stop));
  const auto found = view.records.find(seat_.slot);
  if (found == view.records.end()) {
    return InternalError("StateLost: the ledger " + peers_.ledger->topic() + " is empty");
  }
  const std::string& owner = found->second.generation;
  if (owner != seat_.generation) {
    return Fenced("its ledger names generation " + owner + ", this is " + seat_.generation);
  }
  ledger_ = found->second;
  return OkStatus();
}

// After an unknown outcome. Before the id is taken again the ledger must still name us: a process
// that has replaced this one must not be fenced by it.
Status KafkaSink::Settle() {
  if (peers_.ledger == nullptr) {
    if (!options_.exactly_once || !unknown_) return Connect();
    return InternalError(
        "the outcome of a Kafka transaction is unknown, and a job without state keeps no ledger; "
        "give the job a state directory");
  }
  RETURN_IF_ERROR(CheckOwner(false));
  RETURN_IF_ERROR(Connect());
  const Status status = CheckOwner(true);
  if (!status.ok()) producer_.reset();
  return status;
}

Status KafkaSink::CheckHistory(const SinkBatch& batch) const {
  if (peers_.ledger == nullptr || batch.batch < skip_.batch) return OkStatus();
  if (batch.batch == skip_.batch && batch.digest != skip_.digest) {
    return OtherHistory(skip_.batch, skip_.digest, batch);
  }
  if (ledger_.batch < batch.batch) return OkStatus();
  if (ledger_.batch == batch.batch && ledger_.digest == batch.digest) return OkStatus();
  return OtherHistory(ledger_.batch, ledger_.digest, batch);
}

Status KafkaSink::OtherHistory(int64_t batch, const std::string& digest,
                               const SinkBatch& now) const {
  return InternalError("StateRolledBack: the ledger " + peers_.ledger->topic() + " holds batch " +
                       std::to_string(batch) + " with digest " + digest +
                       ", this run delivers batch " + std::to_string(now.batch) + " with digest " +
                       now.digest +
                       "; they come from different histories of the job. Restore its state, or "
                       "give it another state.id and other topics");
}

bool KafkaSink::Delivered(const SinkBatch& batch, const SinkPart& part) const {
  const SinkTask task{part.stage, part.unit};
  if (batch.batch < skip_.batch) return true;
  if (batch.batch == skip_.batch &&
      std::binary_search(skip_.tasks.begin(), skip_.tasks.end(), task)) {
    return true;
  }
  return ledger_.batch == batch.batch && ledger_.tasks.contains(task);
}

// The ledger's record goes first, so that one request adds its partition and that of the first
// rows to the transaction: the client sends it a millisecond after the first of them.
Status KafkaSink::Produce(const KafkaRows& rows, Attempt* attempt) {
  if (!attempt->begun) {
    Failpoint("kafka.before_produce");
    attempt->begun = true;
    RETURN_IF_ERROR(producer_->Begin());
    if (peers_.ledger != nullptr) {
      RETURN_IF_ERROR(
          ProduceRecord(producer_.get(), std::to_string(seat_.slot), attempt->record.Format()));
    }
    Failpoint("kafka.mid_transaction");
  }
  return producer_->Produce(rows, options_.stop);
}

// Rows that are delivered already are built all the same, for what they reject.
Status KafkaSink::WritePart(const SinkPart& part, Attempt* attempt,
                            std::vector<RejectedRow>* rejected) {
  const auto lookup = [this](std::string_view name) {
    return topics_.Find(name, producer_.get(), options_.stop);
  };
  const bool delivered = Delivered(attempt->batch, part);
  for (const RecordBatch& rows : part.rows) {
    ASSIGN_OR_RETURN(const KafkaRows records,
                     builder_.Build(rows, attempt->batch.batch_time, lookup, rejected));
    if (!delivered && !records.rows.empty()) RETURN_IF_ERROR(Produce(records, attempt));
  }
  return OkStatus();
}

Status KafkaSink::ProduceRecord(KafkaProducer* producer, const std::string& slot,
                                std::string record) {
  const auto text = std::make_shared<const std::string>(std::move(record));
  ASSIGN_OR_RETURN(const int topic, producer->Topic(peers_.ledger->topic()));
  const std::string_view value = *text;
  const std::string_view key = slot;
  const int32_t partition = 0;
  const uint32_t row = 0;
  KafkaRows rows;
  rows.values = {&value, 1};
  rows.keys = {&key, 1};
  rows.partitions = {&partition, 1};
  rows.topics = {&topic, 1};
  rows.rows = {&row, 1};
  rows.owner = text;
  return producer->Produce(rows, options_.stop);
}

Status KafkaSink::WriteAll(const std::vector<SinkPart>& parts, Attempt* attempt,
                           std::vector<RejectedRow>* rejected) {
  for (const SinkPart& part : parts) attempt->record.tasks.insert({part.stage, part.unit});
  for (const SinkPart& part : parts) RETURN_IF_ERROR(WritePart(part, attempt, rejected));
  if (attempt->begun) Failpoint("kafka.before_commit");
  return OkStatus();
}

KafkaSettled KafkaSink::Attempted(const std::vector<SinkPart>& parts, Attempt* attempt,
                                  std::vector<RejectedRow>* rejected) {
  const Status written = WriteAll(parts, attempt, rejected);
  if (!attempt->begun) return {KafkaOutcome::kAborted, written, {}};  // nothing to write
  if (written.ok()) return Commit(producer_.get());
  KafkaSettled settled = producer_->Abort(options_.stop);
  // The writer knows better than the producer what went wrong, but not that it was fenced.
  if (settled.status.code() != StatusCode::kAborted) settled.status = written;
  return settled;
}

KafkaSettled KafkaSink::Commit(KafkaProducer* producer) {
  const MonotonicTime begin = options_.clock->Monotonic();
  KafkaSettled settled = producer->Commit(options_.stop);
  if (settled.status.ok() && transactions_.commit_times.size() < kMaxCommitTimes) {
    transactions_.commit_times.push_back(options_.clock->Monotonic() - begin);
  }
  return settled;
}

void KafkaSink::Count(const KafkaSettled& settled) {
  switch (settled.outcome) {
    case KafkaOutcome::kCommitted:
      ++transactions_.committed;
      break;
    case KafkaOutcome::kAborted:
      ++transactions_.aborted;
      break;
    case KafkaOutcome::kUnknown:
      ++transactions_.unknown;
      break;
  }
  if (settled.status.code() == StatusCode::kAborted && !options_.stop.stop_requested()) {
    ++transactions_.fenced;
  }
}

// What the batch's failure is, and what the next attempt must find out anew.
Status KafkaSink::AfterFailure(const KafkaSettled& settled) {
  topics_.Forget();
  // Also after a clean abort: the library may stumble over the gap that a refused record leaves.
  producer_.reset();
  unknown_ = settled.outcome == KafkaOutcome::kUnknown;
  const Status& status = settled.status;
  if (status.code() == StatusCode::kAborted && !options_.stop.stop_requested()) {
    if (peers_.ledger == nullptr) return Fenced(status.message());
    // By a successor, which says so in the ledger, or by brokers that waited too long.
    RETURN_IF_ERROR(CheckOwner(false));
    return UnavailableError("Kafka ended the transaction, which was open for too long; it is " +
                            std::string("written again (transactionTimeout): ") + status.message());
  }
  // A topic that went away: the next attempt looks for it and says what is wrong.
  if (status.code() == StatusCode::kNotFound) return UnavailableError("Kafka: " + status.message());
  return status.WithContext("Kafka");
}

Status KafkaSink::Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                          std::vector<RejectedRow>* rejected) {
  for (int round = 0; round < kMaxSizeRounds; ++round) {
    if (producer_ == nullptr) RETURN_IF_ERROR(Settle());
    RETURN_IF_ERROR(CheckHistory(batch));
    Attempt attempt{batch, {batch.batch, batch.digest, seat_.generation, {}, ledger_.since}};
    if (ledger_.batch == batch.batch) attempt.record.tasks = ledger_.tasks;
    if (skip_.batch == batch.batch) {
      attempt.record.tasks.insert(skip_.tasks.begin(), skip_.tasks.end());
    }
    std::vector<RejectedRow> refused;
    const KafkaSettled settled = Attempted(parts, &attempt, &refused);
    if (attempt.begun) Count(settled);
    if (settled.status.ok()) {
      if (settled.spent) producer_.reset();
      if (attempt.begun) {
        Failpoint("kafka.after_commit");
        if (peers_.ledger != nullptr) ledger_ = attempt.record;
      }
      std::move(refused.begin(), refused.end(), std::back_inserter(*rejected));
      return OkStatus();
    }
    if (!attempt.begun) return settled.status;
    const Status failure = AfterFailure(settled);
    if (settled.too_large_topic.empty()) return failure;
    if (!topics_.Lower(settled.too_large_topic, options_.stop)) return failure;
  }
  return InternalError("Kafka brokers refuse records of every size");
}

}  // namespace millrace::worker
