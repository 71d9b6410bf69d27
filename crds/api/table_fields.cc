#include "crds/api/slots.h"

namespace millrace::api {
namespace {

void DescribeTraining(Fields& fields, TrainedModel& value, bool clusters) {
  Text(fields, Required("from", "Stream that trains the model.", "transfers"), value.from,
       kReference);
  Text(fields,
       Required("featuresExpr", "The features of a record, a list of double.",
                "\"[ln(amount), hour]\""),
       value.features_expr, kExpressionText);
  if (clusters) {
    Int(fields, Required("k", "Number of clusters.", "5"), value.k, 1, 10'000);
  } else {
    Text(fields, Required("labelExpr", "The value to predict.", "amount"), value.label_expr,
         kExpressionText);
  }
  Double(fields, Optional("stepSize", "Size of a step of the descent."), value.step_size, 0);
  Double(fields, Optional("halfLife", "Batches after which old records count half.", "none"),
         value.half_life, 0);
}

}  // namespace

void Describe(Fields& fields, FileTable& value) { Describe(fields, value.ref); }
void Describe(Fields& fields, JsonModel& value) { Describe(fields, value.ref); }
void Describe(Fields& fields, OnnxModel& value) { Describe(fields, value.ref); }

void Describe(Fields& fields, HttpTable& value) {
  Text(fields, Required("url", "Address that gives the rows.", "\"http://crm:8080/customers\""),
       value.url, kHttpUrl);
  DescribeAuth(fields, value.auth);
  DescribeTls(fields, value.tls);
}

void Describe(Fields& fields, SqlTable& value) {
  Text(fields, Required("url", "Database, without credentials.", "\"postgresql://db:5432/crm\""),
       value.url, kSqlUrl);
  Text(fields, Required("query", "Query that gives the rows.", "SELECT id, region FROM customers"),
       value.query, kNonEmptyText);
  DescribeSchema(
      fields,
      Required("schema", "Columns of the result and their types.", "{id: int, region: string}"),
      value.schema);
  DescribeAuth(fields, value.auth);
  DescribeTls(fields, value.tls);
}

void Describe(Fields& fields, RedisTable& value) {
  Text(fields, Required("address", "Redis server as host:port.", "\"redis:6379\""), value.address,
       kHostPort);
  Text(fields, Required("hash", "Hash whose fields are the keys.", "campaigns"), value.hash,
       kNonEmptyText);
  DescribeSchema(
      fields,
      Required("schema", "Fields of a row and their types.", "{ad: string, campaign: string}"),
      value.schema);
  DescribeAuth(fields, value.auth);
  DescribeTls(fields, value.tls);
}

void Describe(Fields& fields, KafkaTable& value) {
  DescribeBrokers(fields, value.brokers);
  Text(fields,
       Required("topic", "Compacted topic, read to its end before the first batch.", "rules"),
       value.topic, kTopic);
  DescribeTls(fields, value.tls);
  DescribeSasl(fields, value.sasl);
}

void Describe(Fields& fields, StreamTable& value) {
  Text(fields, Required("from", "Stream whose records are the rows.", "stats"), value.from,
       kReference);
}

void Describe(Fields& fields, Table& value) {
  Text(
      fields,
      Required("name", "Name of the table, unique among sources, streams and tables.", "customers"),
      value.name, kName);
  Strings(fields, Required("key", "Fields that identify a row.", "[id]"), value.key,
          kFieldReference, 1, kMaxObjects);
  Union(fields, Required("", ""), value.kind,
        {{"file", "A file, read at the start and at each refresh."},
         {"http", "The answer to a request."},
         {"sql", "The result of a query."},
         {"redis", "A Redis hash."},
         {"kafka", "The last record of each key of a compacted topic."},
         {"stream", "What a stream of this job wrote in earlier batches."}});
  DescribeFormat(
      fields,
      Optional("format", "How bytes become rows; required for file, http and kafka.", "none"),
      value.format);
  Interval(
      fields,
      Optional("refreshInterval", "How often file, http, sql and redis are read again.", "never"),
      value.refresh_interval);
  Enum(fields, Optional("onRefreshError", "What a failed refresh does."), value.on_refresh_error,
       {"KeepLast", "Fail"});
  Text(fields,
       Optional("deleteWhen", "Removes the row, in stream and kafka tables.", "none",
                "'op == \"d\"'"),
       value.delete_when, kExpressionText);
  Enum(fields,
       Optional("distribution", "Every worker holds all rows, or each its share of the keys."),
       value.distribution, {"Broadcast", "Partitioned"});
  Int(fields, Optional("maxRows", "More rows are an error."), value.max_rows, 1);
}

void Describe(Fields& fields, LinearRegressionModel& value) {
  DescribeTraining(fields, value, false);
}
void Describe(Fields& fields, LogisticRegressionModel& value) {
  DescribeTraining(fields, value, false);
}
void Describe(Fields& fields, KMeansModel& value) { DescribeTraining(fields, value, true); }

void Describe(Fields& fields, Model& value) {
  Text(fields, Required("name", "Name that predict() takes.", "risk"), value.name, kName);
  Int(fields, Required("features", "Number of features.", "2"), value.features, 1, 100'000);
  Interval(fields, Optional("refreshInterval", "How often the file is read again.", "never"),
           value.refresh_interval);
  Union(fields, Required("", ""), value.kind,
        {{"json", "Weights in a JSON file."},
         {"onnx", "A linear, logistic or tree model in an ONNX file."},
         {"linearRegression", "Linear regression trained by a stream."},
         {"logisticRegression", "Logistic regression trained by a stream."},
         {"kMeans", "Clusters trained by a stream."}});
}

}  // namespace millrace::api
