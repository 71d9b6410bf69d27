#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "crds/api/spec.h"
#include "crds/base/clock.h"
#include "worker/client/kafka/cluster.h"
#include "worker/source/kafka/kafka_planner.h"

namespace millrace::worker {

KafkaIsolation IsolationOf(const api::KafkaSource& spec);

struct KafkaWatcherOptions {
  std::string source;  // for messages
  api::KafkaSource spec;
  Duration poll_interval{0};      // between looks at how far partitions reach
  Duration metadata_interval{0};  // between looks for new partitions and topics
};

// Keeps a view of the topics of one source up to date from a thread of its own, so that offers
// never wait for a broker. Thread-safe. `cluster` and `clock` outlive it. Brokers that do not
// answer leave the view as it was (with a warning every 10 s); topics that are gone or were
// recreated, and refused access, are errors for good: view() returns them.
class KafkaWatcher {
 public:
  KafkaWatcher(KafkaWatcherOptions options, KafkaCluster* cluster, Clock* clock);
  ~KafkaWatcher();

  // Looks until every topic is found, blocking for about a second where one is not: brokers hear of
  // new topics one after the other. kNotFound for a listed topic that does not exist; kGone
  // ("SourceChanged: ...") where a topic of `topic_ids` is gone or has another id.
  Status LookNow(const std::map<std::string, std::string>& topic_ids, const std::stop_token& stop);
  // Goes on looking until destroyed. Requires: LookNow returned ok.
  void Start();
  // The last view, or the error that ended the watch.
  Result<KafkaView> view() const;

 private:
  Status FindTopics(const std::stop_token& stop);
  Status LookAtTopics(const std::stop_token& stop);
  Status LookAtOffsets(bool starts, const std::stop_token& stop);
  Status TakeTopic(const KafkaTopicInfo& topic, KafkaView* view);
  bool Wanted(const KafkaTopicInfo& topic) const;
  void Loop(const std::stop_token& stop);
  bool Keep(const Status& status);

  const KafkaWatcherOptions options_;
  KafkaCluster* const cluster_;
  Clock* const clock_;
  std::map<std::string, std::string>
      known_ids_;                       // of topics seen; watch thread (before Start: the caller's)
  std::map<std::string, int> missing_;  // looks in a row that did not find a known topic
  KafkaView current_;                   // watch thread's copy
  MonotonicTime next_warning_{};
  mutable std::mutex mutex_;
  KafkaView view_;  // guarded by mutex_
  Status failure_;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace millrace::worker
