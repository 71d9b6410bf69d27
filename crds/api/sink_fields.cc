#include "crds/api/slots.h"

namespace millrace::api {
namespace {

void DescribeDeleteWhen(Fields& fields, std::optional<Expression>& target,
                        std::string_view meaning) {
  Text(fields, Optional("deleteWhen", meaning, "none", "'op == \"d\"'"), target, kExpressionText);
}

}  // namespace

void Describe(Fields& fields, ConsoleSink& value) {
  Int(fields, Optional("rows", "Rows shown of each batch."), value.rows, 1, 1'000'000);
}

void Describe(Fields& fields, FileSink& value) {
  Text(fields, Required("path", "Folder for the files.", "/data/out"), value.path, kPath);
  Text(fields,
       Optional("pathExpr", "Folder below path, by record.", "none",
                "'formatTimestamp(at, \"dt=%Y-%m-%d\")'"),
       value.path_expr, kExpressionText);
  Enum(fields, Optional("compression", "Compression of the files."), value.compression,
       {"", "None", "Gzip", "Zstd", "", ""});
}

void Describe(Fields& fields, KafkaTopicCreation& value) {
  static const TextRule kSettingValue{"string", [](std::string_view) { return OkStatus(); },
                                      TextRule::Plain::kNumberToo};
  Int(fields, Optional("partitions", "Partitions of a new topic.", "the brokers' default", "8"),
      value.partitions, 1, 100'000);
  Int(fields, Optional("replicationFactor", "Copies of a new topic.", "the brokers' default", "3"),
      value.replication_factor, 1, 1000);
  StringMap(fields,
            Optional("config", "Settings of a new topic.", "{}", "{cleanup.policy: compact}"),
            value.config, kNonEmptyText, kSettingValue);
}

void Describe(Fields& fields, KafkaSink& value) {
  DescribeBrokers(fields, value.brokers);
  Text(fields, Optional("topic", "Topic to write to.", "none", "counts"), value.topic, kTopic);
  Text(fields, Optional("topicExpr", "Topic by record.", "none", "'\"counts-\" + kind'"),
       value.topic_expr, kExpressionText);
  fields.OneOf({"topic", "topicExpr"}, true);
  Text(fields, Optional("keyExpr", "Key of the Kafka record.", "none", "user"), value.key_expr,
       kExpressionText);
  StringMap(fields, Optional("headerExprs", "Header -> expression.", "{}", "{tenant: tenant}"),
            value.header_exprs, kNonEmptyText, kExpressionText);
  Text(fields, Optional("timestampExpr", "Time of the Kafka record.", "batch time", "at"),
       value.timestamp_expr, kExpressionText);
  Text(fields, Optional("partitionExpr", "Partition by record.", "by key", "hash(user) % 8"),
       value.partition_expr, kExpressionText);
  DescribeDeleteWhen(fields, value.delete_when, "Writes a tombstone instead of the record.");
  Enum(fields, Optional("compression", "Compression of the batches."), value.compression,
       {"", "None", "Gzip", "Zstd", "Snappy", "Lz4"});
  Interval(fields,
           Optional("transactionTimeout",
                    "After it the broker gives up an open transaction; longer than batchInterval."),
           value.transaction_timeout);
  Object(
      fields,
      Optional("createTopic", "Creates topics that do not exist; {} takes the brokers' defaults.",
               "none", "{partitions: 8}"),
      value.create_topic);
  DescribeTls(fields, value.tls);
  DescribeSasl(fields, value.sasl);
  DescribeProperties(fields, value.properties);
}

void Describe(Fields& fields, HttpSink& value) {
  Text(fields, Required("url", "Address that takes the records.", "\"http://pager:8080/alarms\""),
       value.url, kHttpUrl);
  Enum(fields, Optional("method", "Method of the requests."), value.method, {"Post", "Put"});
  StringMap(
      fields,
      Optional("headers", "Header -> value, sent with every request.", "{}", "{x-team: payments}"),
      value.headers, kHeaderName, kAnyText);
  DescribeAuth(fields, value.auth);
  DescribeTls(fields, value.tls);
  Int(fields, Optional("rowsPerRequest", "Records in one request at most."), value.rows_per_request,
      1, 100'000);
  Interval(fields, Optional("timeout", "How long one request may take."), value.timeout);
}

void Describe(Fields& fields, RedisSink& value) {
  Text(fields, Required("address", "Redis server as host:port.", "\"redis:6379\""), value.address,
       kHostPort);
  Text(fields, Required("keyExpr", "Redis key of a record.", "'\"user:\" + user'"), value.key_expr,
       kExpressionText);
  Enum(fields, Optional("type", "Redis type of the key."), value.type,
       {"Hash", "String", "List", "SortedSet", "Stream"});
  Text(fields, Optional("valueExpr", "Value, or member of the sorted set.", "the format", "status"),
       value.value_expr, kExpressionText);
  Text(fields, Optional("scoreExpr", "Score in the sorted set.", "none", "double(orders)"),
       value.score_expr, kExpressionText);
  Interval(fields, Optional("ttl", "The key expires after so long without a write.", "none", "24h"),
           value.ttl);
  DescribeDeleteWhen(fields, value.delete_when,
                     "Deletes the key instead; of a sorted set, the member.");
  DescribeAuth(fields, value.auth);
  DescribeTls(fields, value.tls);
}

void Describe(Fields& fields, SqlSink& value) {
  Text(fields, Required("url", "Database, without credentials.", "\"postgresql://db:5432/copy\""),
       value.url, kSqlUrl);
  Text(fields, Required("table", "Table to write to.", "orders"), value.table, kSqlName);
  Enum(fields, Optional("mode", "Adds rows, or replaces those with the same key."), value.mode,
       {"Insert", "Upsert"});
  Strings(fields,
          Optional("key", "Columns that identify a row; required for Upsert.", "none", "[id]"),
          value.key, kFieldReference, 1, kMaxObjects);
  DescribeDeleteWhen(fields, value.delete_when, "Deletes the row instead.");
  Text(fields, Optional("ledgerTable", "Table that notes the batches written."), value.ledger_table,
       kSqlName);
  DescribeAuth(fields, value.auth);
  DescribeTls(fields, value.tls);
}

void Describe(Fields& fields, ElasticsearchSink& value) {
  Strings(fields, Required("urls", "Nodes of the cluster.", "[\"https://search:9200\"]"),
          value.urls, kHttpUrl, 1, kMaxObjects);
  Text(fields, Optional("index", "Index to write to.", "none", "endpoints"), value.index,
       kIndexName);
  Text(fields, Optional("indexExpr", "Index by record.", "none", "'\"endpoints-\" + kind'"),
       value.index_expr, kExpressionText);
  fields.OneOf({"index", "indexExpr"}, true);
  Text(fields, Optional("idExpr", "Id of the document.", "job, unit, batch and sequence", "user"),
       value.id_expr, kExpressionText);
  DescribeDeleteWhen(fields, value.delete_when, "Deletes the document instead.");
  DescribeAuth(fields, value.auth);
  DescribeTls(fields, value.tls);
}

void Describe(Fields& fields, Sink& value) {
  Text(fields, Required("name", "Name of the sink.", "out"), value.name, kName);
  Text(fields, Required("from", "Stream or source it writes, or deadLetters.", "counts"),
       value.from, kReference);
  Strings(
      fields,
      Optional("fields", "Fields written, in this order.", "all visible fields", "[user, count]"),
      value.fields, kFieldReference, 1);
  Union(fields, Required("", ""), value.kind,
        {{"console", "Shows rows on the terminal."},
         {"file", "Writes files that appear whole."},
         {"kafka", "Writes to Kafka in transactions."},
         {"http", "Sends requests."},
         {"redis", "Writes Redis keys."},
         {"sql", "Writes to PostgreSQL or MySQL."},
         {"elasticsearch", "Indexes documents."}});
  DescribeFormat(
      fields,
      Optional("format", "How records become bytes; required for file, kafka and http.", "none"),
      value.format);
  Enum(fields, Optional("delivery", "The promise of the sink.", "the strongest of the kind"),
       value.delivery, {"ExactlyOnce", "AtLeastOnce"});
  DescribeOnError(fields, value.on_error, false,
                  "What a record that does not encode or is rejected does.");
}

}  // namespace millrace::api
