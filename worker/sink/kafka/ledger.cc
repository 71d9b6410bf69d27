#include "worker/sink/kafka/ledger.h"

#include <algorithm>

#include "crds/base/log.h"

namespace millrace::worker {
namespace {

constexpr int64_t kTailRecords = 1000;  // read first: usually all wanted keys are among them
constexpr Duration kCreateTimeout = std::chrono::seconds(20);
constexpr Duration kCreatePoll = std::chrono::milliseconds(20);

class KafkaLedger final : public Ledger {
 public:
  KafkaLedger(std::string topic, KafkaCluster* cluster, KafkaAdmin* admin, Clock* clock)
      : topic_(std::move(topic)), cluster_(cluster), admin_(admin), clock_(clock) {}

  const std::string& topic() const override { return topic_; }
  Status Prepare(const std::stop_token& stop) override;
  Result<LedgerView> Read(const std::set<std::string>& keys, bool settled,
                          const std::stop_token& stop) override;

 private:
  Result<KafkaTopicInfo> Info(const std::stop_token& stop);
  Status Create(const std::stop_token& stop);
  Status Check(const KafkaTopicInfo& info, const std::stop_token& stop);
  Result<int64_t> Offset(int64_t timestamp, KafkaIsolation isolation, const std::stop_token& stop);
  // Adds the last value of each key in [from, to) that `found` has not.
  Status ReadRange(int64_t from, int64_t to, std::map<std::string, std::string>* found,
                   const std::stop_token& stop);

  const std::string topic_;
  KafkaCluster* cluster_;
  KafkaAdmin* admin_;
  Clock* clock_;
  std::string topic_id_;
};

Result<KafkaTopicInfo> KafkaLedger::Info(const std::stop_token& stop) {
  ASSIGN_OR_RETURN(std::vector<KafkaTopicInfo> topics, cluster_->Metadata({topic_}, stop));
  if (topics.size() != 1) return InternalError("no metadata of Kafka topic " + topic_);
  return std::move(topics.front());
}

Status KafkaLedger::Create(const std::stop_token& stop) {
  KafkaTopicSettings settings{topic_, 1, std::nullopt, {}};
  settings.config = {{"cleanup.policy", "compact"},
                     {"segment.bytes", "16777216"},
                     {"min.cleanable.dirty.ratio", "0.1"}};
  const Result<bool> created = admin_->CreateTopic(settings, stop);
  return created.ok() ? OkStatus() : created.status().WithContext("the ledger of a Kafka sink");
}

Status KafkaLedger::Prepare(const std::stop_token& stop) {
  const MonotonicTime deadline = clock_->Monotonic() + kCreateTimeout;
  bool created = false;
  while (true) {
    ASSIGN_OR_RETURN(const KafkaTopicInfo info, Info(stop));
    const bool missing = info.status.code() == StatusCode::kNotFound;
    if (missing && !created) {
      RETURN_IF_ERROR(Create(stop));
      created = true;
      continue;
    }
    if (info.status.code() == StatusCode::kInvalid) return info.status;
    if (info.status.ok() && !info.partitions.empty() && info.partitions[0].status.ok()) {
      topic_id_ = info.id;
      return Check(info, stop);
    }
    if (clock_->Monotonic() >= deadline) {
      return UnavailableError("Kafka topic " + topic_ + " has no leader");
    }
    if (!clock_->SleepFor(kCreatePoll, stop)) return AbortedError("stopped while opening a sink");
  }
}

Status KafkaLedger::Check(const KafkaTopicInfo& info, const std::stop_token& stop) {
  if (info.partitions.size() != 1) {
    return InvalidError("Kafka topic " + topic_ + " has " + std::to_string(info.partitions.size()) +
                        " partitions; a ledger has one. Remove the topic, or use another state.id");
  }
  const auto config = admin_->TopicConfig(topic_, stop);
  if (!config.ok()) {
    Log(LogLevel::kInfo, "the settings of a ledger topic cannot be checked",
        {{"topic", topic_}, {"error", config.status().message()}});
    return OkStatus();
  }
  const auto policy = config->find("cleanup.policy");
  if (policy != config->end() && policy->second != "compact") {
    return InvalidError("Kafka topic " + topic_ + " has cleanup.policy " + policy->second +
                        ", which forgets what was delivered; set cleanup.policy=compact");
  }
  return OkStatus();
}

Result<int64_t> KafkaLedger::Offset(int64_t timestamp, KafkaIsolation isolation,
                                    const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::vector<KafkaOffsetAnswer> answers,
                   cluster_->ListOffsets({{{topic_, 0}, timestamp}}, isolation, stop));
  if (answers.size() != 1) return InternalError("no offsets of Kafka topic " + topic_);
  RETURN_IF_ERROR(answers[0].status);
  return answers[0].offset;
}

Status KafkaLedger::ReadRange(int64_t from, int64_t to, std::map<std::string, std::string>* found,
                              const std::stop_token& stop) {
  std::map<std::string, std::string> last;
  const auto visit = [&](const KafkaRecords& records) -> Status {
    for (size_t i = 0; i < records.size(); ++i) {
      last[std::string(records.keys[i])] = std::string(records.values[i]);
    }
    return OkStatus();
  };
  KafkaColumns columns;
  columns.keys = true;
  RETURN_IF_ERROR(cluster_->Fetch({{topic_, 0}, topic_id_, from, to},
                                  KafkaIsolation::kReadCommitted, columns, visit, stop));
  found->merge(last);
  return OkStatus();
}

Result<LedgerView> KafkaLedger::Read(const std::set<std::string>& keys, bool settled,
                                     const std::stop_token& stop) {
  std::map<std::string, std::string> found;
  const KafkaIsolation end_of =
      settled ? KafkaIsolation::kReadUncommitted : KafkaIsolation::kReadCommitted;
  ASSIGN_OR_RETURN(const int64_t first,
                   Offset(kKafkaEarliest, KafkaIsolation::kReadUncommitted, stop));
  ASSIGN_OR_RETURN(const int64_t end, Offset(kKafkaLatest, end_of, stop));
  const int64_t tail = std::max(first, end - kTailRecords);
  if (tail < end) RETURN_IF_ERROR(ReadRange(tail, end, &found, stop));
  const bool complete = !keys.empty() && std::all_of(keys.begin(), keys.end(), [&](const auto& k) {
    return found.contains(k);
  });
  if (!complete && first < tail) RETURN_IF_ERROR(ReadRange(first, tail, &found, stop));
  Result<LedgerView> view = LedgerView::Parse(found);
  if (!view.ok()) return view.status().WithContext("Kafka topic " + topic_);
  return view;
}

}  // namespace

std::unique_ptr<Ledger> MakeKafkaLedger(std::string topic, KafkaCluster* cluster, KafkaAdmin* admin,
                                        Clock* clock) {
  return std::make_unique<KafkaLedger>(std::move(topic), cluster, admin, clock);
}

}  // namespace millrace::worker
