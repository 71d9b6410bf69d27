#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "crds/api/spec_formats.h"
#include "crds/base/clock.h"

// Where records go. Values.
namespace millrace::api {

struct ConsoleSink {
  int64_t rows = 10;
};
struct FileSink {
  std::string path;
  std::optional<Expression> path_expr;
  Compression compression = Compression::kNone;  // None Gzip Zstd
};
struct KafkaTopicCreation {
  std::optional<int32_t> partitions;  // none: the brokers' default
  std::optional<int32_t> replication_factor;
  std::map<std::string, std::string> config;
};
struct KafkaSink {
  std::vector<std::string> brokers;
  std::optional<std::string> topic;
  std::optional<Expression> topic_expr;
  std::optional<Expression> key_expr;
  ExpressionMap header_exprs;
  std::optional<Expression> timestamp_expr;
  std::optional<Expression> partition_expr;
  std::optional<Expression> delete_when;
  Compression compression = Compression::kLz4;
  Duration transaction_timeout = std::chrono::seconds(60);
  std::optional<KafkaTopicCreation> create_topic;
  std::optional<Tls> tls;
  std::optional<Sasl> sasl;
  std::map<std::string, std::string> properties;
};
struct HttpSink {
  std::string url;
  enum class Method { kPost, kPut } method = Method::kPost;
  std::map<std::string, std::string> headers;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
  int64_t rows_per_request = 1;
  Duration timeout = std::chrono::seconds(10);
};
struct RedisSink {
  std::string address;
  Expression key_expr;
  enum class Type { kHash, kString, kList, kSortedSet, kStream } type = Type::kHash;
  std::optional<Expression> value_expr;
  std::optional<Expression> score_expr;
  std::optional<Duration> ttl;
  std::optional<Expression> delete_when;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
struct SqlSink {
  std::string url;
  std::string table;
  enum class Mode { kInsert, kUpsert } mode = Mode::kInsert;
  std::vector<std::string> key;
  std::optional<Expression> delete_when;
  std::string ledger_table = "millrace_ledger";
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
struct ElasticsearchSink {
  std::vector<std::string> urls;
  std::optional<std::string> index;
  std::optional<Expression> index_expr;
  std::optional<Expression> id_expr;
  std::optional<Expression> delete_when;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
using SinkKind =
    std::variant<ConsoleSink, FileSink, KafkaSink, HttpSink, RedisSink, SqlSink, ElasticsearchSink>;
enum class Delivery { kExactlyOnce, kAtLeastOnce };

struct Sink {
  std::string name;
  std::string from;  // a stream, a source, or "deadLetters"
  std::optional<std::vector<std::string>> fields;
  SinkKind kind;
  std::optional<Format> format;
  std::optional<Delivery> delivery;  // default: the strongest the kind has
  std::optional<ErrorPolicy> on_error;
};

}  // namespace millrace::api
