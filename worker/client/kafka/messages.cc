#include "worker/client/kafka/messages.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "crds/base/text.h"
#include "worker/client/kafka/error_code.h"
#include "worker/client/kafka/wire.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kSoftwareName = "millrace";
constexpr std::string_view kSoftwareVersion = "1";
constexpr int kNoReplica = -1;

TopicId ReadTopicId(KafkaReader* reader) {
  TopicId id{};
  const std::string_view bytes = reader->Raw(id.size());
  if (reader->ok()) std::memcpy(id.data(), bytes.data(), id.size());
  return id;
}

}  // namespace

std::string FormatTopicId(const TopicId& id) {
  std::string text = Base64Encode(std::string_view(id.data(), id.size()));
  text.resize(22);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

Result<TopicId> ParseTopicId(std::string_view text) {
  std::string base64(text);
  std::replace(base64.begin(), base64.end(), '-', '+');
  std::replace(base64.begin(), base64.end(), '_', '/');
  const Result<std::string> bytes = Base64Decode(base64 + "==");
  TopicId id{};
  if (!bytes.ok() || bytes->size() != id.size())
    return InvalidError("\"" + Excerpt(text) + "\" is no topic id");
  std::memcpy(id.data(), bytes->data(), id.size());
  return id;
}

std::string EncodeApiVersions() {
  std::string body;
  KafkaWriter writer(&body);
  writer.CompactString(kSoftwareName);
  writer.CompactString(kSoftwareVersion);
  writer.NoTags();
  return body;
}

Status CheckApiVersions(std::string_view body) {
  KafkaReader reader(body);
  const int16_t error = reader.I16();
  if (error == kErrorUnsupportedVersion)
    return InvalidError("too old: Kafka 3.1 or newer is needed");
  RETURN_IF_ERROR(KafkaErrorStatus(error, "ApiVersions"));
  std::map<int16_t, std::pair<int16_t, int16_t>> ranges;
  for (size_t count = reader.CompactCount(7); count > 0; --count) {
    const int16_t key = reader.I16();
    const int16_t least = reader.I16();
    ranges[key] = {least, reader.I16()};
    reader.SkipTags();
  }
  RETURN_IF_ERROR(reader.Finish("answer to ApiVersions"));
  for (const KafkaApi& api : {kApiFetch, kApiListOffsets, kApiMetadata}) {
    const auto range = ranges.find(api.key);
    if (range != ranges.end() && range->second.first <= api.version &&
        api.version <= range->second.second)
      continue;
    return InvalidError("no " + std::string(api.name) + " of version " +
                        std::to_string(api.version) + "; Kafka 3.1 or newer is needed");
  }
  return OkStatus();
}

std::string EncodeSaslHandshake(std::string_view mechanism) {
  std::string body;
  KafkaWriter(&body).String(mechanism);
  return body;
}

Result<SaslHandshakeResponse> DecodeSaslHandshake(std::string_view body) {
  KafkaReader reader(body);
  SaslHandshakeResponse response;
  response.error = reader.I16();
  for (size_t count = reader.Count(2); count > 0; --count)
    response.mechanisms.emplace_back(reader.String());
  RETURN_IF_ERROR(reader.Finish("answer to SaslHandshake"));
  return response;
}

std::string EncodeSaslAuthenticate(std::string_view bytes) {
  std::string body;
  KafkaWriter writer(&body);
  writer.CompactBytes(bytes);
  writer.NoTags();
  return body;
}

Result<SaslAuthenticateResponse> DecodeSaslAuthenticate(std::string_view body) {
  KafkaReader reader(body);
  SaslAuthenticateResponse response;
  response.error = reader.I16();
  response.message = reader.CompactString();
  response.bytes = reader.CompactBytes();
  response.session_lifetime_ms = reader.I64();
  RETURN_IF_ERROR(reader.Finish("answer to SaslAuthenticate"));
  return response;
}

std::string EncodeMetadata(const std::vector<std::string>& topics) {
  std::string body;
  KafkaWriter writer(&body);
  if (topics.empty()) {
    writer.NullCompact();
  } else {
    writer.CompactCount(topics.size());
    for (const std::string& topic : topics) {
      writer.Raw(std::string_view(TopicId{}.data(), TopicId{}.size()));
      writer.CompactString(topic);
      writer.NoTags();
    }
  }
  writer.Bool(false);  // allow_auto_topic_creation
  writer.Bool(false);  // include_topic_authorized_operations
  writer.NoTags();
  return body;
}

namespace {

MetadataResponse::Partition ReadPartition(KafkaReader* reader) {
  MetadataResponse::Partition partition;
  partition.error = reader->I16();
  partition.index = reader->I32();
  partition.leader = reader->I32();
  partition.leader_epoch = reader->I32();
  for (int list = 0; list < 3; ++list) {  // replicas, in sync, offline
    for (size_t count = reader->CompactCount(4); count > 0; --count) reader->I32();
  }
  reader->SkipTags();
  return partition;
}

MetadataResponse::Topic ReadTopic(KafkaReader* reader) {
  MetadataResponse::Topic topic;
  topic.error = reader->I16();
  topic.name = reader->CompactString();
  topic.id = ReadTopicId(reader);
  topic.internal = reader->Bool();
  for (size_t count = reader->CompactCount(18); count > 0; --count)
    topic.partitions.push_back(ReadPartition(reader));
  std::sort(topic.partitions.begin(), topic.partitions.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  reader->I32();  // topic_authorized_operations
  reader->SkipTags();
  return topic;
}

}  // namespace

Result<MetadataResponse> DecodeMetadata(std::string_view body) {
  KafkaReader reader(body);
  MetadataResponse response;
  reader.I32();  // throttle_time_ms
  for (size_t count = reader.CompactCount(10); count > 0; --count) {
    MetadataResponse::Broker broker;
    broker.id = reader.I32();
    broker.host = reader.CompactString();
    broker.port = reader.I32();
    reader.CompactString();  // rack
    reader.SkipTags();
    response.brokers.push_back(std::move(broker));
  }
  reader.CompactString();  // cluster_id
  reader.I32();            // controller_id
  for (size_t count = reader.CompactCount(26); count > 0; --count)
    response.topics.push_back(ReadTopic(&reader));
  RETURN_IF_ERROR(reader.Finish("answer to Metadata"));
  return response;
}

std::string EncodeListOffsets(const std::vector<ListOffsetsPartition>& partitions, bool committed) {
  std::map<std::string_view, std::vector<const ListOffsetsPartition*>> topics;
  for (const ListOffsetsPartition& partition : partitions)
    topics[partition.topic].push_back(&partition);
  std::string body;
  KafkaWriter writer(&body);
  writer.I32(kNoReplica);
  writer.I8(committed ? 1 : 0);
  writer.CompactCount(topics.size());
  for (const auto& [topic, list] : topics) {
    writer.CompactString(topic);
    writer.CompactCount(list.size());
    for (const ListOffsetsPartition* partition : list) {
      writer.I32(partition->partition);
      writer.I32(partition->leader_epoch);
      writer.I64(partition->timestamp_ms);
      writer.NoTags();
    }
    writer.NoTags();
  }
  writer.NoTags();
  return body;
}

Result<std::vector<ListOffsetsAnswer>> DecodeListOffsets(std::string_view body) {
  KafkaReader reader(body);
  std::vector<ListOffsetsAnswer> answers;
  reader.I32();  // throttle_time_ms
  for (size_t topics = reader.CompactCount(3); topics > 0; --topics) {
    const std::string topic(reader.CompactString());
    for (size_t count = reader.CompactCount(27); count > 0; --count) {
      ListOffsetsAnswer answer;
      answer.topic = topic;
      answer.partition = reader.I32();
      answer.error = reader.I16();
      reader.I64();  // timestamp
      answer.offset = reader.I64();
      answer.leader_epoch = reader.I32();
      reader.SkipTags();
      answers.push_back(std::move(answer));
    }
    reader.SkipTags();
  }
  RETURN_IF_ERROR(reader.Finish("answer to ListOffsets"));
  return answers;
}

}  // namespace millrace::worker
