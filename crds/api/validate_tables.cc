#include <algorithm>

#include "crds/api/field_reader.h"
#include "crds/api/validate.h"
#include "crds/api/validate_format.h"

namespace millrace::api {
namespace {

template <typename T>
bool Is(const Table& table) {
  return std::holds_alternative<T>(table.kind);
}

const SchemaMap* SchemaOf(const Table& table) {
  if (const auto* sql = std::get_if<SqlTable>(&table.kind)) return &sql->schema;
  if (const auto* redis = std::get_if<RedisTable>(&table.kind)) return &redis->schema;
  if (!table.format) return nullptr;
  if (const auto* json = std::get_if<JsonFormat>(&*table.format))
    return json->schema ? &*json->schema : nullptr;
  if (const auto* csv = std::get_if<CsvFormat>(&*table.format))
    return csv->schema ? &*csv->schema : nullptr;
  if (const auto* regex = std::get_if<RegexFormat>(&*table.format)) return &regex->schema;
  return nullptr;
}

void CheckKey(const Table& table, const std::string& path, Diagnostics* out) {
  const SchemaMap* schema = SchemaOf(table);
  if (schema == nullptr || schema->empty()) return;
  std::vector<std::string> fields;
  for (const auto& entry : *schema) fields.push_back(entry.first);
  for (size_t i = 0; i < table.key.size(); ++i) {
    if (schema->contains(table.key[i])) continue;
    AddError(out, path + ".key[" + std::to_string(i) + "]",
             "no field \"" + table.key[i] + "\" in the schema" + SuggestName(table.key[i], fields));
  }
}

void CheckTable(const Table& table, const std::string& path, Diagnostics* out) {
  const bool bytes = Is<FileTable>(table) || Is<HttpTable>(table) || Is<KafkaTable>(table);
  if (bytes && !table.format)
    AddError(out, path + ".format",
             "required and missing, for example {csv: {schema: {id: int, region: string}, header: "
             "true}}");
  if (!bytes && table.format)
    AddError(out, path + ".format", "this kind of table gives rows, not bytes; remove the format");
  if (bytes && table.format) CheckReadFormat(*table.format, path + ".format", out);
  const bool changes = Is<StreamTable>(table) || Is<KafkaTable>(table);
  if (changes && table.refresh_interval)
    AddError(out, path + ".refreshInterval",
             "stream and kafka tables change with every batch; remove it");
  if (!changes && table.delete_when)
    AddError(out, path + ".deleteWhen",
             "works in stream and kafka tables only; others are replaced as a whole");
  if (!changes && table.distribution == Table::Distribution::kPartitioned) {
    AddError(out, path + ".distribution", "Partitioned works for stream and kafka tables only");
  }
  CheckKey(table, path, out);
}

void CheckModel(const Model& model, const std::string& path, Diagnostics* out) {
  const bool file = std::holds_alternative<JsonModel>(model.kind) ||
                    std::holds_alternative<OnnxModel>(model.kind);
  if (!file && model.refresh_interval)
    AddError(out, path + ".refreshInterval",
             "a model trained by a stream changes with every batch; remove it");
}

}  // namespace

void ValidateTables(const StreamingJob& job, Diagnostics* out) {
  for (size_t i = 0; i < job.spec.tables.size(); ++i)
    CheckTable(job.spec.tables[i], "spec.tables[" + std::to_string(i) + "]", out);
  for (size_t i = 0; i < job.spec.models.size(); ++i)
    CheckModel(job.spec.models[i], "spec.models[" + std::to_string(i) + "]", out);
}

}  // namespace millrace::api
