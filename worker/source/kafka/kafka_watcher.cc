#include "worker/source/kafka/kafka_watcher.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "crds/base/log.h"

namespace millrace::worker {
namespace {

constexpr Duration kStartsInterval = std::chrono::seconds(5);
constexpr Duration kWarnInterval = std::chrono::seconds(10);
constexpr Duration kRetryDelay = std::chrono::milliseconds(200);
// A topic counts as deleted when so many looks in a row did not find it: brokers that just started
// may not know it yet.
constexpr int kMissingLooks = 5;

// The job's own bookkeeping, which a pattern such as ".*" must not read.
bool IsLedger(const std::string& topic) {
  return topic.starts_with("millrace.") && topic.ends_with(".ledger");
}

bool Less(const KafkaPartitionView& a, const KafkaPartitionView& b) {
  return std::tie(a.topic, a.partition) < std::tie(b.topic, b.partition);
}

Status Deleted(const std::string& topic, const std::string& id) {
  return GoneError("SourceChanged: topic \"" + topic + "\" (id " + id +
                   ") was deleted while the job reads it");
}

}  // namespace

KafkaIsolation IsolationOf(const api::KafkaSource& spec) {
  return spec.isolation == api::KafkaSource::Isolation::kReadCommitted
             ? KafkaIsolation::kReadCommitted
             : KafkaIsolation::kReadUncommitted;
}

KafkaWatcher::KafkaWatcher(KafkaWatcherOptions options, KafkaCluster* cluster, Clock* clock)
    : options_(std::move(options)), cluster_(cluster), clock_(clock) {}

KafkaWatcher::~KafkaWatcher() = default;

bool KafkaWatcher::Wanted(const KafkaTopicInfo& topic) const {
  if (!options_.spec.topic_pattern) return true;
  return !topic.internal && !IsLedger(topic.name) &&
         RE2::FullMatch(topic.name, *options_.spec.topic_pattern);
}

Status KafkaWatcher::TakeTopic(const KafkaTopicInfo& topic, KafkaView* view) {
  const auto known = known_ids_.find(topic.name);
  if (topic.status.code() == StatusCode::kNotFound) {
    if (known == known_ids_.end()) return topic.status;
    return ++missing_[topic.name] >= kMissingLooks ? Deleted(topic.name, known->second)
                                                   : OkStatus();
  }
  RETURN_IF_ERROR(topic.status);
  missing_.erase(topic.name);
  if (known != known_ids_.end() && known->second != topic.id) {
    return GoneError("SourceChanged: topic \"" + topic.name +
                     "\" was recreated: the job reads id " + known->second +
                     ", the broker has id " + topic.id +
                     "; give the source another name, or the job new state, to read the new topic");
  }
  known_ids_[topic.name] = topic.id;
  view->topic_ids[topic.name] = topic.id;
  for (const KafkaPartitionInfo& partition : topic.partitions) {
    const KafkaPartitionView fresh{topic.name, partition.partition, 0, -1};
    const auto old =
        std::lower_bound(view->partitions.begin(), view->partitions.end(), fresh, Less);
    if (old == view->partitions.end() || Less(fresh, *old)) view->partitions.insert(old, fresh);
  }
  return OkStatus();
}

Status KafkaWatcher::LookAtTopics(const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::vector<KafkaTopicInfo> topics,
                   cluster_->Metadata(options_.spec.topics, stop));
  KafkaView next = current_;
  std::map<std::string, std::string> unseen = known_ids_;
  for (const KafkaTopicInfo& topic : topics) {
    if (!Wanted(topic)) continue;
    unseen.erase(topic.name);
    RETURN_IF_ERROR(TakeTopic(topic, &next));
  }
  for (const auto& [name, id] : unseen) {
    if (++missing_[name] >= kMissingLooks) return Deleted(name, id);
  }
  current_ = std::move(next);
  return OkStatus();
}

Status KafkaWatcher::LookAtOffsets(bool starts, const std::stop_token& stop) {
  if (current_.partitions.empty()) return OkStatus();
  std::vector<KafkaOffsetQuery> queries;
  for (KafkaPartitionView& partition : current_.partitions) {
    const KafkaPartition where{partition.topic, partition.partition};
    const std::optional<int64_t> end = starts ? std::nullopt : cluster_->EndAhead(where);
    if (end)
      partition.end = std::max(partition.end, *end);
    else
      queries.push_back({where, starts ? kKafkaEarliest : kKafkaLatest});
  }
  if (queries.empty()) return OkStatus();
  ASSIGN_OR_RETURN(const std::vector<KafkaOffsetAnswer> answers,
                   cluster_->ListOffsets(queries, IsolationOf(options_.spec), stop));
  Status worst;
  for (const KafkaOffsetAnswer& answer : answers) {
    if (!answer.status.ok()) {
      worst = answer.status;
      continue;
    }
    const KafkaPartitionView at{answer.where.topic, answer.where.partition, 0, 0};
    const auto partition =
        std::lower_bound(current_.partitions.begin(), current_.partitions.end(), at, Less);
    if (partition == current_.partitions.end() || Less(at, *partition)) continue;
    (starts ? partition->first : partition->end) = answer.offset;
  }
  return worst;
}

Status KafkaWatcher::FindTopics(const std::stop_token& stop) {
  for (int looks = 1;; ++looks) {
    const Status status = LookAtTopics(stop);
    const bool unsure = status.ok() ? !missing_.empty()
                                    : status.retryable() || status.code() == StatusCode::kNotFound;
    if (!unsure || looks >= kMissingLooks) return status;
    if (!clock_->SleepFor(kRetryDelay, stop))
      return AbortedError("stopped while looking for topics");
  }
}

Status KafkaWatcher::LookNow(const std::map<std::string, std::string>& topic_ids,
                             const std::stop_token& stop) {
  known_ids_ = topic_ids;
  RETURN_IF_ERROR(FindTopics(stop));
  RETURN_IF_ERROR(LookAtOffsets(true, stop));
  RETURN_IF_ERROR(LookAtOffsets(false, stop));
  std::lock_guard lock(mutex_);
  view_ = current_;
  return OkStatus();
}

void KafkaWatcher::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Loop(stop); });
}

// Takes the result of a look; false when the watch is over.
bool KafkaWatcher::Keep(const Status& status) {
  if (!status.ok() && status.retryable()) {
    if (clock_->Monotonic() >= next_warning_) {
      Log(LogLevel::kWarn, "kafka does not answer, trying again",
          {{"source", options_.source}, {"error", status.message()}});
      next_warning_ = clock_->Monotonic() + kWarnInterval;
    }
    return true;
  }
  KafkaView shown;
  shown.topic_ids = current_.topic_ids;
  // A partition is shown once its offsets are known.
  for (const KafkaPartitionView& partition : current_.partitions) {
    if (partition.end >= 0) shown.partitions.push_back(partition);
  }
  std::lock_guard lock(mutex_);
  view_ = std::move(shown);
  failure_ = status;
  return status.ok();
}

void KafkaWatcher::Loop(const std::stop_token& stop) {
  MonotonicTime next_topics = clock_->Monotonic() + options_.metadata_interval;
  MonotonicTime next_starts = clock_->Monotonic() + kStartsInterval;
  Duration wait = options_.poll_interval;
  while (clock_->SleepFor(wait, stop)) {
    const MonotonicTime now = clock_->Monotonic();
    Status status;
    const bool topics = now >= next_topics;
    if (topics) status = LookAtTopics(stop);
    const bool starts = topics || now >= next_starts;
    if (status.ok() && starts) status = LookAtOffsets(true, stop);
    if (status.ok()) status = LookAtOffsets(false, stop);
    if (stop.stop_requested() || !Keep(status)) return;
    if (status.ok() && topics)
      next_topics = now + (missing_.empty() ? options_.metadata_interval : kRetryDelay);
    if (status.ok() && starts) next_starts = now + kStartsInterval;
    wait = status.ok() ? options_.poll_interval : std::max(options_.poll_interval, kRetryDelay);
  }
}

Result<KafkaView> KafkaWatcher::view() const {
  std::lock_guard lock(mutex_);
  if (!failure_.ok()) return failure_;
  return view_;
}

}  // namespace millrace::worker
