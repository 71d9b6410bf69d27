#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "worker/client/kafka/cluster.h"
#include "worker/client/kafka/offset_mirror.h"
#include "worker/source/factory.h"
#include "worker/source/kafka/kafka_cursor.h"
#include "worker/source/kafka/kafka_hidden.h"
#include "worker/source/kafka/kafka_planner.h"
#include "worker/source/kafka/kafka_watcher.h"
#include "worker/source/source.h"

namespace millrace::worker {

// Reads Kafka topics by explicit offsets: the plan fixes what each partition gives, no consumer
// group decides. A unit is a topic partition, numbered in the order of discovery (KafkaCursor); a
// range's `from` and `to` are offsets, its proof names topic, partition and topic id, so that a
// recreated topic is noticed by the read itself. See Source for threads and guarantees.
class KafkaSource final : public Source {
 public:
  // kInvalid for secrets that cannot be used. Does not connect.
  static Result<std::unique_ptr<Source>> Create(std::string name, const api::KafkaSource& spec,
                                                const SourceOptions& options);
  ~KafkaSource() override;

  int num_partitions() const override {
    return std::max<int>(1, static_cast<int>(cursor_.units.size()));
  }
  // Connects. kNotFound for topics or startFrom.offsets that do not exist, kUnavailable when no
  // broker answers in time.
  Status Start(const SourcePosition& position) override;
  Result<SourceOffer> Offer(const OfferRequest& request) override;
  Status Read(const PartitionRange& range, RecordConsumer* consumer) override;
  void Committed(const SourcePosition& position) override;
  std::vector<PartitionProgress> Progress(const SourcePosition& committed) const override;
  void Stop() override;

 private:
  KafkaSource(std::string name, const api::KafkaSource& spec, const SourceOptions& options,
              std::unique_ptr<KafkaCluster> cluster, std::unique_ptr<KafkaOffsetMirror> mirror);
  Result<KafkaOffsets> FindStarts(const KafkaView& view);
  Result<KafkaOffsets> FindEnds(const KafkaView& view);
  Result<KafkaOffsets> OffsetsAt(const KafkaView& view, TimePoint time);
  Status CheckGiven(const KafkaView& view, const KafkaOffsets& given) const;
  Status WaitForPosition(const SourcePosition& position);
  Status CheckPosition(const KafkaView& view, const SourcePosition& position) const;
  void DropTombstones(RawRecords* raw) const;

  const std::string name_;
  const api::KafkaSource spec_;
  const KafkaHiddenFields hidden_;
  Clock* const clock_;
  const KafkaOfferOptions offering_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> stop_with_job_;
  const Duration poll_interval_;
  std::unique_ptr<KafkaCluster> cluster_;
  std::unique_ptr<KafkaWatcher> watcher_;
  std::unique_ptr<KafkaOffsetMirror> mirror_;
  KafkaCursor cursor_;       // of the last offer
  std::string cursor_text_;  // the same, encoded
  std::string base_text_;    // the position's cursor that it extends
  KafkaBounds bounds_;       // as this start found them
};

}  // namespace millrace::worker
