#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "crds/api/spec_formats.h"
#include "crds/base/clock.h"

// Where records come from. Values.
namespace millrace::api {

struct StartFromEarliest {};
struct StartFromLatest {};
struct StartFromOffsets {
  std::map<std::string, int64_t> offsets;  // "topic/partition" -> offset
};
using KafkaStart = std::variant<StartFromEarliest, StartFromLatest, TimePoint, StartFromOffsets>;
using KafkaEnd = std::variant<StartFromLatest, TimePoint>;

struct KafkaSource {
  std::vector<std::string> brokers;
  std::vector<std::string> topics;           // one of topics,
  std::optional<std::string> topic_pattern;  // topic_pattern
  KafkaStart start_from = StartFromLatest{};
  std::optional<KafkaEnd> end_at;
  std::optional<std::string> group_id;
  enum class MissingOffsets {
    kFail,
    kEarliest,
    kLatest
  } on_missing_offsets = MissingOffsets::kFail;
  enum class Tombstones { kError, kSkip, kKeep } tombstones = Tombstones::kError;
  enum class Isolation { kReadCommitted, kReadUncommitted } isolation = Isolation::kReadCommitted;
  std::optional<Tls> tls;
  std::optional<Sasl> sasl;
  std::map<std::string, std::string> properties;
};
struct FileSource {
  std::string path;  // directory or glob
  bool watch = true;
  bool follow = false;
  enum class Start { kEarliest, kLatest } start_from = Start::kEarliest;
  int64_t max_files_per_batch = 1000;
  Compression compression = Compression::kAuto;  // Auto None Gzip Zstd
};
struct SocketSource {
  std::string host;
  int port = 0;
  Duration reconnect_delay = std::chrono::seconds(2);
};
struct HttpSource {
  int port = 0;
  std::string path = "/";
  int64_t max_body_bytes = 1 << 20;
  std::optional<Auth> auth;
};
struct GeneratorSource {
  enum class Preset { kNexmark, kYsb };
  ExpressionMap fields;          // one of fields,
  std::optional<Preset> preset;  // preset
  int64_t rate = 1;              // records/s over all partitions
  std::optional<int64_t> count;
  int partitions = 1;
};
struct StdinSource {};
using SourceKind =
    std::variant<FileSource, SocketSource, HttpSource, GeneratorSource, StdinSource, KafkaSource>;

struct EventTime {
  Expression timestamp_expr;
  Duration watermark_delay{0};
  Duration idle_timeout = std::chrono::seconds(30);
  Duration max_future = std::chrono::hours(1);
};

struct Source {
  std::string name;
  SourceKind kind;
  std::optional<Format> format;  // none only for generator
  std::optional<EventTime> event_time;
  std::optional<int64_t> max_rate_per_partition;  // records/s
  std::optional<ErrorPolicy> on_error;
};

}  // namespace millrace::api
