#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "crds/base/status.h"

namespace millrace::worker {

// The error codes of Kafka's protocol that a reader meets
// (kafka.apache.org/protocol#protocol_error_codes).
enum KafkaErrorCode : int16_t {
  kErrorNone = 0,
  kErrorOffsetOutOfRange = 1,
  kErrorUnknownTopicOrPartition = 3,
  kErrorLeaderNotAvailable = 5,
  kErrorNotLeader = 6,
  kErrorInvalidTopic = 17,
  kErrorTopicAuthorization = 29,
  kErrorUnsupportedSaslMechanism = 33,
  kErrorIllegalSaslState = 34,
  kErrorUnsupportedVersion = 35,
  kErrorSaslAuthentication = 58,
  kErrorUnknownTopicId = 100,
  kErrorInconsistentTopicId = 103,
};

// "NOT_LEADER_OR_FOLLOWER (6)"; "error 1234" for what is not known here.
std::string KafkaErrorName(int16_t code);

// The outcome `code` of `what` as a Status: "<what>: <name>[; <remedy>]". kUnavailable where asking
// again may help, kInvalid for authority and requests that no broker will serve, kNotFound for
// unknown topics, kInternal for damage on the broker's disk.
Status KafkaErrorStatus(int16_t code, std::string_view what);

}  // namespace millrace::worker
