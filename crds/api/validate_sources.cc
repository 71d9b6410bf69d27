#include <algorithm>
#include <map>

#include "crds/api/validate.h"
#include "crds/api/validate_format.h"

namespace millrace::api {
namespace {

const SchemaMap* SchemaOf(const Format& format) {
  if (const auto* json = std::get_if<JsonFormat>(&format))
    return json->schema ? &*json->schema : nullptr;
  if (const auto* csv = std::get_if<CsvFormat>(&format))
    return csv->schema ? &*csv->schema : nullptr;
  if (const auto* regex = std::get_if<RegexFormat>(&format)) return &regex->schema;
  if (const auto* avro = std::get_if<AvroFormat>(&format))
    return avro->schema ? &*avro->schema : nullptr;
  if (const auto* protobuf = std::get_if<ProtobufFormat>(&format))
    return protobuf->schema ? &*protobuf->schema : nullptr;
  return nullptr;
}

// A tombstone that is kept has a null in every field.
void CheckTombstones(const Source& source, const std::string& path, Diagnostics* out) {
  const auto* kafka = std::get_if<KafkaSource>(&source.kind);
  if (kafka == nullptr || kafka->tombstones != KafkaSource::Tombstones::kKeep || !source.format)
    return;
  const SchemaMap* schema = SchemaOf(*source.format);
  if (schema == nullptr) return;
  for (const auto& [field, type] : *schema) {
    if (type.ends_with('?')) continue;
    AddError(out, path + ".kafka.tombstones",
             "Keep needs every field nullable, since a tombstone has no values; write " + field +
                 ": \"" + type + "?\"");
    return;
  }
}

void CheckSource(const Source& source, const std::string& path, Diagnostics* out) {
  const bool generator = std::holds_alternative<GeneratorSource>(source.kind);
  if (generator && source.format)
    AddError(out, path + ".format", "a generator makes records, not bytes; remove the format");
  if (!generator && !source.format)
    AddError(out, path + ".format", "required and missing, for example {json: {}} or {text: {}}");
  if (source.format) CheckReadFormat(*source.format, path + ".format", out);
  CheckTombstones(source, path, out);
  const auto* file = std::get_if<FileSource>(&source.kind);
  if (file != nullptr && file->follow && !file->watch) {
    AddError(out, path + ".file.follow",
             "follows growing files, which watch: false does not; remove one of them");
  }
  if (file != nullptr && file->follow &&
      (file->compression == Compression::kGzip || file->compression == Compression::kZstd)) {
    AddError(out, path + ".file.follow",
             "a compressed file cannot be followed as it grows; use compression: None");
  }
}

// Two listeners of one worker cannot share a port.
void CheckPorts(const StreamingJob& job, Diagnostics* out) {
  std::map<int, std::string> taken{{job.spec.metrics.port, "metrics.port"}};
  for (size_t i = 0; i < job.spec.sources.size(); ++i) {
    const auto* http = std::get_if<HttpSource>(&job.spec.sources[i].kind);
    if (http == nullptr || http->port == 0) continue;
    const auto [first, added] =
        taken.emplace(http->port, "the source \"" + job.spec.sources[i].name + "\"");
    if (added) continue;
    AddError(out, "spec.sources[" + std::to_string(i) + "].http.port",
             "the port " + std::to_string(http->port) + " is taken by " + first->second);
  }
}

}  // namespace

void CheckReadFormat(const Format& format, const std::string& path, Diagnostics* out) {
  if (const auto* csv = std::get_if<CsvFormat>(&format)) {
    if (!csv->schema)
      AddError(out, path + ".csv",
               "reading needs a schema, for example {schema: {user: string, at: timestamp}}");
    if (!csv->header && !csv->columns)
      AddError(out, path + ".csv",
               "reading needs header: true, or the order of the columns: columns: [user, at]");
    if (csv->schema) CheckColumns(*csv, path + ".csv", out);
  }
  if (const auto* json = std::get_if<JsonFormat>(&format)) CheckNames(*json, path + ".json", out);
  if (const auto* regex = std::get_if<RegexFormat>(&format))
    CheckGroups(*regex, path + ".regex", out);
  const auto* avro = std::get_if<AvroFormat>(&format);
  if (avro != nullptr && !avro->schema)
    AddError(out, path + ".avro", "reading needs a schema of the fields wanted");
  const auto* protobuf = std::get_if<ProtobufFormat>(&format);
  if (protobuf != nullptr && !protobuf->schema)
    AddError(out, path + ".protobuf", "reading needs a schema of the fields wanted");
}

void ValidateSources(const StreamingJob& job, Diagnostics* out) {
  size_t stdin_sources = 0;
  for (size_t i = 0; i < job.spec.sources.size(); ++i) {
    const std::string path = "spec.sources[" + std::to_string(i) + "]";
    CheckSource(job.spec.sources[i], path, out);
    if (!std::holds_alternative<StdinSource>(job.spec.sources[i].kind)) continue;
    if (++stdin_sources == 2)
      AddError(out, path + ".stdin", "standard input can be read by one source only");
  }
  CheckPorts(job, out);
}

}  // namespace millrace::api
