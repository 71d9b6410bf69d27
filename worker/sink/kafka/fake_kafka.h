#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "worker/sink/kafka/kafka_sink.h"

// A Kafka of one process for tests: committed records by topic, transactional ids with an epoch,
// and endings of transactions that a test prescribes.
namespace millrace::worker {

struct FakeRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  int64_t timestamp_ms = -1;
  int partition = -1;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

struct FakeKafka {
  enum class End { kCommit, kAbort, kLate, kExpire, kUnknownCommitted, kUnknownAborted, kTooLarge };

  std::map<std::string, std::vector<FakeRecord>> topics;  // that exist, with what is committed
  std::map<std::string, int> epochs;                      // by transactional id
  std::map<std::string, int64_t> limits;                  // max.message.bytes
  std::deque<End> ends;                                   // of the next commits; commits when empty
  std::function<void(const std::string&)> on_start;  // of the transactional id, before it is taken
  int producers = 0;
  int commits = 0;
};

inline std::optional<std::string> Owned(std::string_view text) {
  return text.data() == nullptr ? std::nullopt : std::optional<std::string>(text);
}

class FakeProducer final : public KafkaProducer {
 public:
  FakeProducer(FakeKafka* kafka, std::string id) : kafka_(kafka), id_(std::move(id)) {
    ++kafka_->producers;
  }

  Status Start(const std::stop_token&) override {
    if (const auto before = kafka_->on_start) before(id_);
    epoch_ = ++kafka_->epochs[id_];
    return OkStatus();
  }
  Result<int> Topic(const std::string& name) override {
    names_.push_back(name);
    return static_cast<int>(names_.size()) - 1;
  }
  Result<int> PartitionCount(int topic, const std::stop_token&) override {
    const std::string& name = names_[static_cast<size_t>(topic)];
    if (!kafka_->topics.contains(name)) return NotFoundError(name + " does not exist");
    return 4;
  }
  Status Begin() override {
    open_.clear();
    return OkStatus();
  }
  Status Produce(const KafkaRows& rows, const std::stop_token&) override {
    for (const uint32_t row : rows.rows) {
      FakeRecord record;
      record.value = Owned(rows.values[row]);
      if (!rows.keys.empty()) record.key = Owned(rows.keys[row]);
      if (!rows.timestamps_ms.empty()) record.timestamp_ms = rows.timestamps_ms[row];
      if (!rows.partitions.empty()) record.partition = rows.partitions[row];
      for (const KafkaRows::Header& header : rows.headers) {
        record.headers.emplace_back(header.name, Owned(header.values[row]));
      }
      open_.emplace_back(names_[static_cast<size_t>(rows.topics[row])], std::move(record));
    }
    return OkStatus();
  }
  KafkaSettled Commit(const std::stop_token&) override {
    if (epoch_ != kafka_->epochs[id_]) return {KafkaOutcome::kUnknown, AbortedError("fenced"), ""};
    FakeKafka::End end = FakeKafka::End::kCommit;
    if (!kafka_->ends.empty()) {
      end = kafka_->ends.front();
      kafka_->ends.pop_front();
    }
    const bool written = end == FakeKafka::End::kCommit || end == FakeKafka::End::kLate ||
                         end == FakeKafka::End::kUnknownCommitted;
    for (auto& [topic, record] : open_) {
      if (written) kafka_->topics[topic].push_back(std::move(record));
    }
    if (written) ++kafka_->commits;
    switch (end) {
      case FakeKafka::End::kCommit:
        return {};
      case FakeKafka::End::kLate:
        return {KafkaOutcome::kCommitted, OkStatus(), "", true};
      case FakeKafka::End::kExpire:
        return {KafkaOutcome::kUnknown, AbortedError("an epoch of the brokers"), ""};
      case FakeKafka::End::kAbort:
        return {KafkaOutcome::kAborted, UnavailableError("broker down"), ""};
      case FakeKafka::End::kUnknownCommitted:
      case FakeKafka::End::kUnknownAborted:
        return {KafkaOutcome::kUnknown, UnavailableError("no answer"), ""};
      case FakeKafka::End::kTooLarge:
        return {KafkaOutcome::kAborted, UnavailableError("too large"), open_.back().first};
    }
    return {};
  }
  KafkaSettled Abort(const std::stop_token&) override {
    return {KafkaOutcome::kAborted, UnavailableError("given up"), ""};
  }

 private:
  FakeKafka* kafka_;
  std::string id_;
  int epoch_ = 0;
  std::vector<std::string> names_;
  std::vector<std::pair<std::string, FakeRecord>> open_;
};

class FakeAdmin final : public KafkaAdmin {
 public:
  explicit FakeAdmin(FakeKafka* kafka) : kafka_(kafka) {}
  Result<bool> CreateTopic(const KafkaTopicSettings& topic, const std::stop_token&) override {
    return kafka_->topics.try_emplace(topic.name).second;
  }
  Result<std::map<std::string, std::string>> TopicConfig(const std::string& topic,
                                                         const std::stop_token&) override {
    const auto limit = kafka_->limits.find(topic);
    if (limit == kafka_->limits.end()) return InvalidError("no authority");
    return std::map<std::string, std::string>{{"max.message.bytes", std::to_string(limit->second)}};
  }

 private:
  FakeKafka* kafka_;
};

class FakeLedger final : public Ledger {
 public:
  explicit FakeLedger(FakeKafka* kafka) : kafka_(kafka) {}
  const std::string& topic() const override { return topic_; }
  Status Prepare(const std::stop_token&) override {
    kafka_->topics.try_emplace(topic_);
    return OkStatus();
  }
  // No more than is asked for.
  Result<LedgerView> Read(const std::set<std::string>& keys, bool,
                          const std::stop_token&) override {
    std::map<std::string, std::string> last;
    for (const FakeRecord& record : kafka_->topics[topic_]) {
      if (keys.empty() || keys.contains(*record.key)) last[*record.key] = *record.value;
    }
    return LedgerView::Parse(last);
  }

 private:
  FakeKafka* kafka_;
  const std::string topic_ = "ledger";
};

}  // namespace millrace::worker
