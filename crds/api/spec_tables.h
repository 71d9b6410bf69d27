#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "crds/api/spec_formats.h"
#include "crds/base/clock.h"

// What records are looked up in: tables and models. Values.
namespace millrace::api {

struct FileTable {
  FileRef ref;
};
struct HttpTable {
  std::string url;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
struct SqlTable {
  std::string url;
  std::string query;
  SchemaMap schema;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
struct RedisTable {
  std::string address;
  std::string hash;
  SchemaMap schema;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
struct KafkaTable {
  std::vector<std::string> brokers;
  std::string topic;
  std::optional<Tls> tls;
  std::optional<Sasl> sasl;
};
struct StreamTable {
  std::string from;
};
using TableKind = std::variant<FileTable, HttpTable, SqlTable, RedisTable, KafkaTable, StreamTable>;

struct Table {
  std::string name;
  std::vector<std::string> key;
  TableKind kind;
  std::optional<Format> format;  // file, http, kafka
  std::optional<Duration> refresh_interval;
  enum class OnRefreshError { kKeepLast, kFail } on_refresh_error = OnRefreshError::kKeepLast;
  std::optional<Expression> delete_when;
  enum class Distribution { kBroadcast, kPartitioned } distribution = Distribution::kBroadcast;
  int64_t max_rows = 1'000'000;
};

struct TrainedModel {
  std::string from;
  Expression features_expr;
  std::optional<Expression> label_expr;
  std::optional<int64_t> k;
  double step_size = 0.1;
  std::optional<double> half_life;
};
struct JsonModel {
  FileRef ref;
};
struct OnnxModel {
  FileRef ref;
};
struct LinearRegressionModel : TrainedModel {};
struct LogisticRegressionModel : TrainedModel {};
struct KMeansModel : TrainedModel {};
using ModelKind =
    std::variant<JsonModel, OnnxModel, LinearRegressionModel, LogisticRegressionModel, KMeansModel>;
struct Model {
  std::string name;
  int64_t features = 0;
  std::optional<Duration> refresh_interval;
  ModelKind kind;
};

}  // namespace millrace::api
