#pragma once

#include <string_view>

#include "crds/base/status.h"

namespace millrace::api {

// The part of a rule that a JSON schema can say: all that `check` accepts has this shape.
struct TextShape {
  std::string_view pattern = {};  // RE2; empty: any text
  size_t min_length = 0;
  size_t max_length = 0;  // in bytes; 0: no limit of its own
};

// What a text field may hold. `check` gives an error whose message says what was found and
// expected; it never echoes a credential. All rules are constants.
struct TextRule {
  enum class Plain { kStringOnly, kNumberToo, kIntegerOnly };

  std::string_view type;  // for documentation: "name", "expression", "host:port"
  Status (*check)(std::string_view text);
  Plain plain = Plain::kStringOnly;
  TextShape shape = {};

  // `check`, and then the largest length.
  Status Check(std::string_view text) const;
};

// An error when the text is longer; 0 is no limit.
Status CheckLength(std::string_view text, size_t max_length);

constexpr std::string_view kQuantityPattern = R"(^([0-9]+\.?[0-9]*|\.[0-9]+)(m|k|Ki|[MGTP]i?)?$)";

extern const TextRule kAnyText;
extern const TextRule kNonEmptyText;
extern const TextRule kName;            // of sources, streams, ..., fields
extern const TextRule kReference;       // the name of another object: checked where it is resolved
extern const TextRule kFieldReference;  // a field of a record, hidden ones included
extern const TextRule kObjectName;      // DNS-1123 label: metadata.name
extern const TextRule kKubernetesName;  // DNS-1123 subdomain: Secrets, ConfigMaps, claims
extern const TextRule kSecretKey;       // a key of a Secret or ConfigMap
extern const TextRule kExpressionText;
extern const TextRule kTypeText;
extern const TextRule kRegexText;
extern const TextRule kHostPort;
extern const TextRule kHost;
extern const TextRule kTopic;
extern const TextRule kKafkaProperty;
extern const TextRule kTopicPartition;
extern const TextRule kOffset;
extern const TextRule kPath;     // a file or folder below a mount
extern const TextRule kSubpath;  // an HTTP path, begins with /
extern const TextRule kHttpUrl;
extern const TextRule kSqlUrl;
extern const TextRule kHeaderName;
extern const TextRule kImage;
extern const TextRule kQuantity;
extern const TextRule kResourceName;
extern const TextRule kSqlName;
extern const TextRule kIndexName;

}  // namespace millrace::api
