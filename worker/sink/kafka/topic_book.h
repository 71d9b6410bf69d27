#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "crds/api/spec.h"
#include "worker/client/kafka/admin.h"
#include "worker/client/kafka/producer.h"
#include "worker/sink/kafka/row_builder.h"

namespace millrace::worker {

// What a sink knows of the topics it writes to: their partitions and how large a record may be.
// Creates missing ones where the job asks for it. Thread-compatible. Errors: kNotFound for a topic
// that does not exist or cannot have this name, else those of KafkaProducer and KafkaAdmin.
class TopicBook {
 public:
  // Bytes of a record batch around a record's key, value and headers.
  static constexpr int64_t kRecordOverhead = 512;

  // `admin` outlives it. `fixed_limit`: the user's message.max.bytes.
  TopicBook(std::optional<api::KafkaTopicCreation> creation, std::optional<int64_t> fixed_limit,
            KafkaAdmin* admin)
      : creation_(std::move(creation)), fixed_limit_(fixed_limit), admin_(admin) {}

  // Creates the topic if wanted and reads how large a record may be; a topic whose settings cannot
  // be read has the usual limit.
  Status Prepare(const std::string& name, const std::stop_token& stop);
  Result<KafkaTopicFacts> Find(std::string_view name, KafkaProducer* producer,
                               const std::stop_token& stop);
  // Numbers and partitions of topics belong to one producer and one attempt.
  void Forget() { facts_.clear(); }
  // A broker refused a record that had passed the limit: the topic's setting, or half as much.
  // False when no less is left.
  bool Lower(const std::string& name, const std::stop_token& stop);

  // For the producer: of any record, and of a request's records of one partition.
  int64_t max_message_bytes() const;
  int64_t max_batch_bytes(int64_t wanted) const;

 private:
  static constexpr int64_t kUsualLimit = 1'000'000;
  static constexpr int64_t kLeastLimit = 1024;

  int64_t LimitOf(const std::string& name) const;

  const std::optional<api::KafkaTopicCreation> creation_;
  const std::optional<int64_t> fixed_limit_;
  KafkaAdmin* admin_;
  std::map<std::string, int64_t> limits_;  // max.message.bytes, where known
  std::map<std::string, KafkaTopicFacts, std::less<>> facts_;
};

// Letters, digits, ".", "_" and "-", 1 to 249 of them, but neither "." nor "..".
bool IsTopicName(std::string_view name);

}  // namespace millrace::worker
