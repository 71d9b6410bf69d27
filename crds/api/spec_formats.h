#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// What sources, sinks and tables share: names of fields and expressions, access, formats. Values.
namespace millrace::api {

using Expression = std::string;                           // CEL
using ExpressionMap = std::map<std::string, Expression>;  // field -> CEL
using TypeText = std::string;                             // "list<struct<sku: string, qty: int>>"
using SchemaMap = std::map<std::string, TypeText>;        // field -> type

struct Auth {
  std::string secret_name;
  std::optional<std::string> username;
};

enum class SaslMechanism { kPlain, kScramSha256, kScramSha512, kOAuthBearer };
struct Sasl {
  SaslMechanism mechanism = SaslMechanism::kPlain;
  std::string secret_name;
  std::optional<std::string> username;
};

struct Tls {
  std::optional<std::string> secret_name;
  std::optional<std::string> server_name;
};

struct ConfigMapKeyRef {
  std::string name;
  std::string key;
};
// Exactly one is set.
struct FileRef {
  std::optional<std::string> path;
  std::optional<ConfigMapKeyRef> config_map_key_ref;
};

enum class ErrorPolicy { kFail, kSkip, kSetNull, kDeadLetter };
enum class Compression { kAuto, kNone, kGzip, kZstd, kSnappy, kLz4 };

// kStrptime carries its layout in TimestampFormat::layout.
enum class TimestampKind { kRfc3339, kUnixSeconds, kUnixMillis, kUnixMicros, kStrptime };
struct TimestampFormat {
  TimestampKind kind = TimestampKind::kRfc3339;
  std::string layout;
};

struct Registry {
  std::string url;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
  std::optional<std::string> subject;
  bool auto_register = false;
};

struct TextFormat {};
struct RawFormat {};
struct JsonFormat {
  std::optional<SchemaMap> schema;  // none: one field `value: json`
  TimestampFormat timestamp_format;
  std::map<std::string, std::string> names;  // field -> name in the data
  enum class UnknownFields { kIgnore, kError } unknown_fields = UnknownFields::kIgnore;
  bool omit_null = false;
};
struct CsvFormat {
  std::optional<SchemaMap> schema;  // required to read
  std::optional<std::vector<std::string>> columns;
  bool header = false;
  char delimiter = ',';
  TimestampFormat timestamp_format;
};
struct RegexFormat {
  std::string pattern;
  SchemaMap schema;
  TimestampFormat timestamp_format;
};
struct AvroFormat {
  std::optional<SchemaMap> schema;
  std::optional<Registry> registry;
  std::optional<FileRef> definition;
};
struct ProtobufFormat {
  std::optional<SchemaMap> schema;
  std::string message;
  std::optional<Registry> registry;
  std::optional<FileRef> definition;
};
using Format = std::variant<TextFormat, RawFormat, JsonFormat, CsvFormat, RegexFormat, AvroFormat,
                            ProtobufFormat>;

}  // namespace millrace::api
