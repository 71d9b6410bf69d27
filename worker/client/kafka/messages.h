#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/client/kafka/aborted_transactions.h"

namespace millrace::worker {

// The requests a reader sends, each in one version that Kafka 3.1 up to 4.x serve, without the
// headers. Encode functions return the body; Decode functions take the body of a response and never
// read past it (kInternal "malformed ..." for what is none).

struct KafkaApi {
  int16_t key;
  int16_t version;
  std::string_view name;
  bool flexible = true;  // tagged fields in the headers; the response of ApiVersions has none for
                         // history's sake
};
inline constexpr KafkaApi kApiFetch{1, 13, "Fetch"};
inline constexpr KafkaApi kApiListOffsets{2, 7, "ListOffsets"};
inline constexpr KafkaApi kApiMetadata{3, 12, "Metadata"};
inline constexpr KafkaApi kApiSaslHandshake{17, 1, "SaslHandshake", false};
inline constexpr KafkaApi kApiVersions{18, 3, "ApiVersions"};
inline constexpr KafkaApi kApiSaslAuthenticate{36, 2, "SaslAuthenticate"};

using TopicId = std::array<char, 16>;
// As the Kafka tools print it: base64url without padding, 22 characters.
std::string FormatTopicId(const TopicId& id);
Result<TopicId> ParseTopicId(std::string_view text);

std::string EncodeApiVersions();
// ok when the broker speaks all of ours; else kInvalid with the first that it does not.
Status CheckApiVersions(std::string_view body);

std::string EncodeSaslHandshake(std::string_view mechanism);
struct SaslHandshakeResponse {
  int16_t error = 0;
  std::vector<std::string> mechanisms;
};
Result<SaslHandshakeResponse> DecodeSaslHandshake(std::string_view body);

std::string EncodeSaslAuthenticate(std::string_view bytes);
struct SaslAuthenticateResponse {
  int16_t error = 0;
  std::string message;
  std::string bytes;
  int64_t session_lifetime_ms = 0;  // 0: no limit
};
Result<SaslAuthenticateResponse> DecodeSaslAuthenticate(std::string_view body);

// All topics when empty.
std::string EncodeMetadata(const std::vector<std::string>& topics);
struct MetadataResponse {
  struct Broker {
    int id = -1;
    std::string host;
    int port = 0;
  };
  struct Partition {
    int16_t error = 0;
    int index = 0;
    int leader = -1;
    int leader_epoch = -1;
  };
  struct Topic {
    int16_t error = 0;
    std::string name;
    TopicId id{};
    bool internal = false;
    std::vector<Partition> partitions;
  };
  std::vector<Broker> brokers;
  std::vector<Topic> topics;
};
Result<MetadataResponse> DecodeMetadata(std::string_view body);

struct ListOffsetsPartition {
  std::string topic;
  int partition = 0;
  int leader_epoch = -1;
  int64_t timestamp_ms = 0;
};
std::string EncodeListOffsets(const std::vector<ListOffsetsPartition>& partitions, bool committed);
struct ListOffsetsAnswer {
  std::string topic;
  int partition = 0;
  int16_t error = 0;
  int64_t offset = -1;
  int leader_epoch = -1;
};
Result<std::vector<ListOffsetsAnswer>> DecodeListOffsets(std::string_view body);

// Outside of any fetch session.
struct FetchPartition {
  TopicId topic{};
  int partition = 0;
  int leader_epoch = -1;
  int64_t offset = 0;
  int max_bytes = 0;
};
struct FetchRequest {
  int max_wait_ms = 500;
  int min_bytes = 1;
  int max_bytes = 0;
  bool committed = true;
  std::string rack;
  std::vector<FetchPartition> partitions;
};
std::string EncodeFetch(const FetchRequest& request);
// What is said of one partition.
struct FetchAnswer {
  TopicId topic{};
  int partition = 0;
  int16_t error = 0;
  int64_t high_watermark = -1;
  int64_t last_stable_offset = -1;
  int64_t log_start_offset = -1;
  int preferred_replica = -1;
  std::vector<AbortedTransaction> aborted;
  std::string_view records;  // of `body`
};
struct FetchResponse {
  int16_t error = 0;  // of the whole request
  std::vector<FetchAnswer> partitions;
};
Result<FetchResponse> DecodeFetch(std::string_view body);

}  // namespace millrace::worker
