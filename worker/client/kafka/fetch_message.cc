#include <algorithm>
#include <map>

#include "worker/client/kafka/messages.h"
#include "worker/client/kafka/wire.h"

namespace millrace::worker {
namespace {

constexpr int kConsumer = -1;     // replica_id
constexpr int kNoSession = 0;     // session_id
constexpr int kSessionless = -1;  // session_epoch: neither use nor make a session
constexpr int kUnknownEpoch = -1;
constexpr int64_t kUnknownOffset = -1;

FetchAnswer ReadPartition(KafkaReader* reader) {
  FetchAnswer answer;
  answer.partition = reader->I32();
  answer.error = reader->I16();
  answer.high_watermark = reader->I64();
  answer.last_stable_offset = reader->I64();
  answer.log_start_offset = reader->I64();
  for (size_t count = reader->CompactCount(17); count > 0; --count) {
    AbortedTransaction aborted;
    aborted.producer_id = reader->I64();
    aborted.first_offset = reader->I64();
    reader->SkipTags();
    answer.aborted.push_back(aborted);
  }
  answer.preferred_replica = reader->I32();
  answer.records = reader->CompactBytes();
  reader->SkipTags();
  return answer;
}

void WritePartition(const FetchPartition& partition, KafkaWriter* writer) {
  writer->I32(partition.partition);
  writer->I32(partition.leader_epoch);
  writer->I64(partition.offset);
  writer->I32(kUnknownEpoch);   // last_fetched_epoch
  writer->I64(kUnknownOffset);  // log_start_offset
  writer->I32(partition.max_bytes);
  writer->NoTags();
}

}  // namespace

std::string EncodeFetch(const FetchRequest& request) {
  std::string body;
  KafkaWriter writer(&body);
  writer.I32(kConsumer);
  writer.I32(request.max_wait_ms);
  writer.I32(request.min_bytes);
  writer.I32(request.max_bytes);
  writer.I8(request.committed ? 1 : 0);
  writer.I32(kNoSession);
  writer.I32(kSessionless);
  std::map<TopicId, std::vector<const FetchPartition*>> topics;
  for (const FetchPartition& partition : request.partitions)
    topics[partition.topic].push_back(&partition);
  writer.CompactCount(topics.size());
  for (const auto& [topic, partitions] : topics) {
    writer.Raw(std::string_view(topic.data(), topic.size()));
    writer.CompactCount(partitions.size());
    for (const FetchPartition* partition : partitions) WritePartition(*partition, &writer);
    writer.NoTags();
  }
  writer.CompactCount(0);  // forgotten_topics_data
  writer.CompactString(request.rack);
  writer.NoTags();
  return body;
}

Result<FetchResponse> DecodeFetch(std::string_view body) {
  KafkaReader reader(body);
  FetchResponse response;
  reader.I32();  // throttle_time_ms
  response.error = reader.I16();
  reader.I32();  // session_id
  for (size_t topics = reader.CompactCount(18); topics > 0; --topics) {
    TopicId topic{};
    const std::string_view id = reader.Raw(topic.size());
    std::copy(id.begin(), id.end(), topic.begin());
    for (size_t count = reader.CompactCount(37); count > 0; --count) {
      response.partitions.push_back(ReadPartition(&reader));
      response.partitions.back().topic = topic;
    }
    reader.SkipTags();
  }
  RETURN_IF_ERROR(reader.Finish("answer to Fetch"));
  return response;
}

}  // namespace millrace::worker
