#include "worker/client/kafka/error_code.h"

#include <algorithm>
#include <array>

namespace millrace::worker {
namespace {

struct Known {
  int16_t code;
  std::string_view name;
  StatusCode status;
  std::string_view remedy;
};

constexpr std::string_view kGrant = "; grant the user READ and DESCRIBE on the topic";

constexpr std::array kKnown{
    Known{-1, "UNKNOWN_SERVER_ERROR", StatusCode::kUnavailable, "; see the broker's log"},
    Known{1, "OFFSET_OUT_OF_RANGE", StatusCode::kGone, ""},
    Known{2, "CORRUPT_MESSAGE", StatusCode::kInternal, "; the broker's copy is damaged"},
    Known{3, "UNKNOWN_TOPIC_OR_PARTITION", StatusCode::kNotFound,
          "; create the topic or correct its name"},
    Known{5, "LEADER_NOT_AVAILABLE", StatusCode::kUnavailable, ""},
    Known{6, "NOT_LEADER_OR_FOLLOWER", StatusCode::kUnavailable, ""},
    Known{7, "REQUEST_TIMED_OUT", StatusCode::kUnavailable, ""},
    Known{8, "BROKER_NOT_AVAILABLE", StatusCode::kUnavailable, ""},
    Known{9, "REPLICA_NOT_AVAILABLE", StatusCode::kUnavailable, ""},
    Known{13, "NETWORK_EXCEPTION", StatusCode::kUnavailable, ""},
    Known{17, "INVALID_TOPIC_EXCEPTION", StatusCode::kInvalid, "; this cannot be a topic's name"},
    Known{29, "TOPIC_AUTHORIZATION_FAILED", StatusCode::kInvalid, kGrant},
    Known{31, "CLUSTER_AUTHORIZATION_FAILED", StatusCode::kInvalid,
          "; the user has no authority for this"},
    Known{33, "UNSUPPORTED_SASL_MECHANISM", StatusCode::kInvalid, ""},
    Known{34, "ILLEGAL_SASL_STATE", StatusCode::kInvalid, ""},
    Known{35, "UNSUPPORTED_VERSION", StatusCode::kInvalid, "; Kafka 3.1 or newer is needed"},
    Known{42, "INVALID_REQUEST", StatusCode::kInvalid, ""},
    Known{43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", StatusCode::kInvalid,
          "; written before Kafka 0.11"},
    Known{56, "KAFKA_STORAGE_ERROR", StatusCode::kUnavailable, "; the broker cannot read its disk"},
    Known{58, "SASL_AUTHENTICATION_FAILED", StatusCode::kInvalid,
          "; wrong user name, password or token"},
    Known{74, "FENCED_LEADER_EPOCH", StatusCode::kUnavailable, ""},
    Known{75, "UNKNOWN_LEADER_EPOCH", StatusCode::kUnavailable, ""},
    Known{78, "OFFSET_NOT_AVAILABLE", StatusCode::kUnavailable, ""},
    Known{100, "UNKNOWN_TOPIC_ID", StatusCode::kUnavailable, ""},
    Known{103, "INCONSISTENT_TOPIC_ID", StatusCode::kUnavailable, ""},
};

const Known* Find(int16_t code) {
  const auto found =
      std::find_if(kKnown.begin(), kKnown.end(), [code](const Known& k) { return k.code == code; });
  return found == kKnown.end() ? nullptr : &*found;
}

}  // namespace

std::string KafkaErrorName(int16_t code) {
  const Known* known = Find(code);
  if (known == nullptr) return "error " + std::to_string(code);
  return std::string(known->name) + " (" + std::to_string(code) + ")";
}

Status KafkaErrorStatus(int16_t code, std::string_view what) {
  if (code == kErrorNone) return OkStatus();
  const Known* known = Find(code);
  const std::string message = std::string(what) + ": " + KafkaErrorName(code);
  if (known == nullptr) return UnavailableError(message);
  return {known->status, message + std::string(known->remedy)};
}

}  // namespace millrace::worker
