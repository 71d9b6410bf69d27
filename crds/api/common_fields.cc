#include <array>

#include "crds/api/slots.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

// No sign: a negative duration is refused everywhere.
constexpr TextShape kDurationShape{
    .pattern = "^[0-9.a-z\u00B5\u03BC]+[smh]$", .min_length = 2, .max_length = 40};
// Longer than 0s: some digit is not zero.
constexpr TextShape kPositiveDurationShape{
    .pattern = "^[0-9.a-z\u00B5\u03BC]*[1-9][0-9.a-z\u00B5\u03BC]*[smh]$",
    .min_length = 2,
    .max_length = 40};
constexpr TextShape kQuantityShape{.pattern = kQuantityPattern, .min_length = 1, .max_length = 64};

constexpr std::array<std::string_view, 4> kTimestampKinds{"RFC3339", "UnixSeconds", "UnixMillis",
                                                          "UnixMicros"};

template <typename T>
TextSlot SlotOf(T& target, const TextRule& rule) {
  return {.type = rule.type,
          .choices = {},
          .plain = rule.plain,
          .get = [&]() -> std::optional<std::string> { return Get(target); },
          .set =
              [&](const std::string& text) {
                target = text;  // kept even when refused, so that references to it still resolve
                return rule.Check(text);
              },
          .shape = rule.shape};
}

template <typename T>
TextSlot DurationSlot(T& target, Duration min) {
  return {.type = "duration",
          .choices = {},
          .plain = TextRule::Plain::kNumberToo,
          .get = [&]() -> std::optional<std::string> {
            const std::optional<Duration> value = Get(target);
            return value ? std::optional<std::string>(FormatDuration(*value)) : std::nullopt;
          },
          .set = [&target, min](const std::string& text) -> Status {
            if (text == "0" && min == Duration(0))
              return InvalidError("a unit is missing; write 0s");
            ASSIGN_OR_RETURN(const Duration value, ParseDuration(text));
            RETURN_IF_ERROR(CheckLength(text, kDurationShape.max_length));
            target = value;
            if (value >= min) return OkStatus();
            const std::string found = ", found " + Excerpt(text);
            if (min == Duration(0)) return InvalidError("must not be negative" + found);
            if (min == Duration(1)) return InvalidError("must be longer than 0s" + found);
            return InvalidError("must be at least " + FormatDuration(min) + found);
          },
          .shape = min == Duration(0) ? kDurationShape : kPositiveDurationShape,
          .least = min};
}

}  // namespace

void Text(Fields& fields, const Field& field, std::string& target, const TextRule& rule) {
  fields.OnText(field, SlotOf(target, rule));
}

void Text(Fields& fields, const Field& field, std::optional<std::string>& target,
          const TextRule& rule) {
  fields.OnText(field, SlotOf(target, rule));
}

void Quantity(Fields& fields, const Field& field, int64_t& bytes) {
  fields.OnText(field, {.type = "quantity",
                        .choices = {},
                        .plain = TextRule::Plain::kNumberToo,
                        .get = [&]() -> std::optional<std::string> {
                          if (bytes % (1 << 20) == 0) return std::to_string(bytes >> 20) + "Mi";
                          if (bytes % (1 << 10) == 0) return std::to_string(bytes >> 10) + "Ki";
                          return std::to_string(bytes);
                        },
                        .set = [&](const std::string& text) -> Status {
                          ASSIGN_OR_RETURN(const int64_t milli, ParseQuantityMilli(text));
                          RETURN_IF_ERROR(CheckLength(text, kQuantityShape.max_length));
                          bytes = milli / 1000;
                          return bytes > 0
                                     ? OkStatus()
                                     : InvalidError("must be at least 1, found " + Excerpt(text));
                        },
                        .shape = kQuantityShape});
}

void Layout(Fields& fields, TimestampFormat& target) {
  fields.OnText(Optional("timestampFormat",
                         "How timestamps are written: RFC3339, UnixSeconds, UnixMillis, UnixMicros "
                         "or a strptime layout.",
                         {}, "\"%d/%b/%Y:%H:%M:%S %z\""),
                {.type = "string",
                 .choices = {},
                 .get = [&]() -> std::optional<std::string> {
                   if (target.kind == TimestampKind::kStrptime) return target.layout;
                   return std::string(kTimestampKinds[static_cast<size_t>(target.kind)]);
                 },
                 .set = [&](const std::string& text) -> Status {
                   for (size_t i = 0; i < kTimestampKinds.size(); ++i) {
                     if (text == kTimestampKinds[i]) {
                       target = {.kind = static_cast<TimestampKind>(i), .layout = {}};
                       return OkStatus();
                     }
                   }
                   target = {.kind = TimestampKind::kStrptime, .layout = text};
                   if (text.find('%') != std::string::npos) return OkStatus();
                   return InvalidError(
                       "expected RFC3339, UnixSeconds, UnixMillis, UnixMicros or a layout such as "
                       "%Y-%m-%d, found \"" +
                       Excerpt(text) + "\"");
                 }});
}

void Time(Fields& fields, const Field& field, TimePoint& target) {
  fields.OnText(field,
                {.type = "RFC 3339 time",
                 .choices = {},
                 .get = [&]() -> std::optional<std::string> { return FormatRfc3339(target); },
                 .set = [&](const std::string& text) -> Status {
                   ASSIGN_OR_RETURN(target, ParseRfc3339(text));
                   return OkStatus();
                 }});
}

void Interval(Fields& fields, const Field& field, Duration& target, Duration min) {
  fields.OnText(field, DurationSlot(target, min));
}

void Interval(Fields& fields, const Field& field, std::optional<Duration>& target, Duration min) {
  fields.OnText(field, DurationSlot(target, min));
}

void DescribeTls(Fields& fields, std::optional<Tls>& target) {
  Object(fields, Optional("tls", "Encrypts the connection; {} trusts the system's roots.", "none"),
         target);
}

void DescribeAuth(Fields& fields, std::optional<Auth>& target) {
  Object(fields, Optional("auth", "Credentials, by the name of a Secret.", "none"), target);
}

void DescribeSasl(Fields& fields, std::optional<Sasl>& target) {
  Object(fields, Optional("sasl", "How the client signs in to Kafka.", "none"), target);
}

void DescribeBrokers(Fields& fields, std::vector<std::string>& target) {
  Strings(fields,
          Required("brokers", "Kafka brokers to start from, as host:port.", "[\"kafka:9092\"]"),
          target, kHostPort, 1, kMaxObjects);
}

void DescribeProperties(Fields& fields, std::map<std::string, std::string>& target) {
  static const TextRule kPropertyValue{"string", [](std::string_view) { return OkStatus(); },
                                       TextRule::Plain::kNumberToo};
  StringMap(fields,
            Optional("properties", "Tuning properties of the Kafka client, from an allow-list.", {},
                     "{fetch.min.bytes: \"1000\"}"),
            target, kKafkaProperty, kPropertyValue);
}

void DescribeOnError(Fields& fields, std::optional<ErrorPolicy>& target, bool with_null,
                     std::string_view meaning) {
  Enum(fields, Optional("onError", meaning, "spec.onError"), target,
       {"Fail", "Skip", with_null ? "SetNull" : "", "DeadLetter"});
}

void Describe(Fields& fields, TimePoint& value) {
  Time(fields, Required("", "A point in time (RFC 3339).", "\"2024-06-01T00:00:00Z\""), value);
}

void Describe(Fields& fields, Auth& value) {
  Text(fields,
       Required("secretName", "Secret with the keys username and password, or token.", "search"),
       value.secret_name, kKubernetesName);
  Text(fields, Optional("username", "User name when the Secret holds none.", "from the Secret"),
       value.username, kNonEmptyText);
}

void Describe(Fields& fields, Sasl& value) {
  Enum(fields, Required("mechanism", "SASL mechanism.", "ScramSha512"), value.mechanism,
       {"Plain", "ScramSha256", "ScramSha512", "OAuthBearer"});
  Text(fields,
       Required("secretName",
                "Secret with the keys username and password, or token for OAuthBearer.",
                "kafka-client"),
       value.secret_name, kKubernetesName);
  Text(fields, Optional("username", "User name when the Secret holds none.", "from the Secret"),
       value.username, kNonEmptyText);
}

void Describe(Fields& fields, Tls& value) {
  Text(fields,
       Optional("secretName", "Secret with the keys ca.crt, tls.crt and tls.key.", "system roots"),
       value.secret_name, kKubernetesName);
  Text(fields, Optional("serverName", "Name expected in the server's certificate.", "the host"),
       value.server_name, kHost);
}

void Describe(Fields& fields, ConfigMapKeyRef& value) {
  Text(fields, Required("name", "ConfigMap of the job's namespace.", "risk"), value.name,
       kKubernetesName);
  Text(fields, Required("key", "Key in the ConfigMap.", "risk.onnx"), value.key, kSecretKey);
}

void Describe(Fields& fields, FileRef& value) {
  Text(fields, Optional("path", "File in a mounted volume.", "none", "/data/known.csv"), value.path,
       kPath);
  Object(fields, Optional("configMapKeyRef", "File kept in a ConfigMap.", "none"),
         value.config_map_key_ref);
  fields.OneOf({"path", "configMapKeyRef"}, true);
}

}  // namespace millrace::api
