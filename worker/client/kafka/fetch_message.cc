#include "worker/client/kafka/messages.h"
#include "worker/client/kafka/wire.h"

namespace millrace::worker {
namespace {

constexpr int kConsumer = -1;     // replica_id
constexpr int kNoSession = 0;     // session_id
constexpr int kSessionless = -1;  // session_epoch: neither use nor make a session
constexpr int kUnknownEpoch = -1;
constexpr int64_t kUnknownOffset = -1;

void ReadPartition(KafkaReader* reader, FetchResponse* response) {
  reader->I32();  // partition_index
  const int16_t error = reader->I16();
  if (response->error == 0) response->error = error;
  response->high_watermark = reader->I64();
  response->last_stable_offset = reader->I64();
  response->log_start_offset = reader->I64();
  for (size_t count = reader->CompactCount(17); count > 0; --count) {
    AbortedTransaction aborted;
    aborted.producer_id = reader->I64();
    aborted.first_offset = reader->I64();
    reader->SkipTags();
    response->aborted.push_back(aborted);
  }
  response->preferred_replica = reader->I32();
  response->records = reader->CompactBytes();
  reader->SkipTags();
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
  writer.CompactCount(1);
  writer.Raw(std::string_view(request.topic.data(), request.topic.size()));
  writer.CompactCount(1);
  writer.I32(request.partition);
  writer.I32(request.leader_epoch);
  writer.I64(request.offset);
  writer.I32(kUnknownEpoch);   // last_fetched_epoch
  writer.I64(kUnknownOffset);  // log_start_offset
  writer.I32(request.partition_max_bytes);
  writer.NoTags();
  writer.NoTags();
  writer.CompactCount(0);  // forgotten_topics_data
  writer.CompactString(request.rack);
  writer.NoTags();
  return body;
}

Result<FetchResponse> DecodeFetch(std::string_view body) {
  KafkaReader reader(body);
  FetchResponse response;
  response.throttle_ms = reader.I32();
  response.error = reader.I16();
  reader.I32();  // session_id
  for (size_t topics = reader.CompactCount(18); topics > 0; --topics) {
    reader.Raw(TopicId{}.size());
    for (size_t count = reader.CompactCount(37); count > 0; --count)
      ReadPartition(&reader, &response);
    reader.SkipTags();
  }
  RETURN_IF_ERROR(reader.Finish("answer to Fetch"));
  return response;
}

}  // namespace millrace::worker
