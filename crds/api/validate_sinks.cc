#include "crds/api/validate.h"
#include "crds/api/validate_format.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

void CheckFormat(const Sink& sink, const std::string& path, Diagnostics* out) {
  const bool bytes = std::holds_alternative<FileSink>(sink.kind) ||
                     std::holds_alternative<KafkaSink>(sink.kind) ||
                     std::holds_alternative<HttpSink>(sink.kind);
  const bool rows = std::holds_alternative<SqlSink>(sink.kind) ||
                    std::holds_alternative<ElasticsearchSink>(sink.kind);
  if (bytes && !sink.format)
    AddError(out, path + ".format", "required and missing, for example {json: {}}");
  if (rows && sink.format)
    AddError(out, path + ".format",
             "this kind of sink writes fields, not bytes; remove the format");
  if (sink.format && !rows) CheckWriteFormat(*sink.format, path + ".format", out);
}

void CheckKafka(const KafkaSink& kafka, const StreamingJob& job, const std::string& path,
                Diagnostics* out) {
  if (kafka.transaction_timeout <= job.spec.batch_interval) {
    AddError(out, path + ".transactionTimeout",
             "must be longer than batchInterval (" + FormatDuration(job.spec.batch_interval) +
                 "), found " + FormatDuration(kafka.transaction_timeout));
  }
  if (kafka.delete_when && !kafka.key_expr)
    AddError(out, path + ".deleteWhen", "a tombstone needs a key; give the sink a keyExpr");
}

void CheckRedis(const RedisSink& redis, const Sink& sink, const std::string& path,
                Diagnostics* out) {
  using Type = RedisSink::Type;
  const bool sorted = redis.type == Type::kSortedSet;
  const bool single = sorted || redis.type == Type::kString || redis.type == Type::kList;
  if (sorted && !redis.score_expr) AddError(out, path, "type SortedSet needs a scoreExpr");
  if (!sorted && redis.score_expr)
    AddError(out, path + ".scoreExpr", "works with type SortedSet only");
  if (!single && redis.value_expr)
    AddError(out, path + ".valueExpr",
             "works with the types String, List and SortedSet; others write the record's fields");
  if (single && !redis.value_expr && !sink.format)
    AddError(out, path, "this type writes one value: give it a valueExpr, or the sink a format");
}

void CheckSql(const SqlSink& sql, const std::string& path, Diagnostics* out) {
  const bool upsert = sql.mode == SqlSink::Mode::kUpsert;
  if (upsert && sql.key.empty())
    AddError(out, path, "mode Upsert needs a key, for example key: [id]");
  if (!upsert && !sql.key.empty()) AddError(out, path + ".key", "works with mode: Upsert only");
  if (!upsert && sql.delete_when)
    AddError(out, path + ".deleteWhen", "works with mode: Upsert only");
}

void CheckKind(const Sink& sink, const StreamingJob& job, const std::string& path,
               Diagnostics* out) {
  if (const auto* kafka = std::get_if<KafkaSink>(&sink.kind))
    CheckKafka(*kafka, job, path + ".kafka", out);
  if (const auto* redis = std::get_if<RedisSink>(&sink.kind))
    CheckRedis(*redis, sink, path + ".redis", out);
  if (const auto* sql = std::get_if<SqlSink>(&sink.kind)) CheckSql(*sql, path + ".sql", out);
  const auto* search = std::get_if<ElasticsearchSink>(&sink.kind);
  if (search != nullptr && search->delete_when && !search->id_expr) {
    AddError(out, path + ".elasticsearch.deleteWhen",
             "deletes a document by its id; give the sink an idExpr");
  }
  if (std::holds_alternative<ConsoleSink>(sink.kind) && sink.delivery == Delivery::kExactlyOnce) {
    AddError(out, path + ".delivery",
             "a terminal cannot take rows back, so console is AtLeastOnce; remove it");
  }
}

}  // namespace

void ValidateSinks(const StreamingJob& job, Diagnostics* out) {
  for (size_t i = 0; i < job.spec.sinks.size(); ++i) {
    const std::string path = "spec.sinks[" + std::to_string(i) + "]";
    CheckFormat(job.spec.sinks[i], path, out);
    CheckKind(job.spec.sinks[i], job, path, out);
  }
}

}  // namespace millrace::api
