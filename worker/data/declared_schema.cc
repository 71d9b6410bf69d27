#include <re2/re2.h>

#include <algorithm>
#include <set>

#include "crds/base/text.h"
#include "worker/data/format.h"
#include "worker/data/regex_pattern.h"
#include "worker/data/text_value.h"
#include "worker/data/time_layout.h"

namespace millrace::worker {
namespace {

// Reads one format's fields and notes everything that is wrong with them.
class SchemaBuilder {
 public:
  SchemaBuilder(api::Diagnostics* diagnostics, const std::string& path)
      : diagnostics_(diagnostics), path_(path), before_(diagnostics->size()) {}

  void operator()(const api::TextFormat&) { schema_.Set({"value", Type(Kind::kString)}); }
  void operator()(const api::RawFormat&) { schema_.Set({"value", Type(Kind::kBytes)}); }
  void operator()(const api::JsonFormat& json) {
    path_ += ".json";
    CheckLayout(json.timestamp_format);
    if (!json.schema) {
      schema_.Set({"value", Type(Kind::kJson)});
      return;
    }
    ReadFields(*json.schema);
    std::set<std::string> taken;
    for (const auto& [field, type] : *json.schema) {
      const auto name = json.names.find(field);
      if (!taken.insert(name == json.names.end() ? field : name->second).second)
        Error(".names", "two fields have the name of \"" + field + "\" in the data");
    }
    for (const auto& [field, name] : json.names) {
      if (!json.schema->contains(field)) Error(".names." + field, "no such field in the schema");
    }
  }
  void operator()(const api::CsvFormat& csv) {
    path_ += ".csv";
    CheckLayout(csv.timestamp_format);
    if (csv.delimiter == '"' || csv.delimiter == '\n' || csv.delimiter == '\r')
      Error(".delimiter", "cannot be a quote or a line break");
    if (!csv.schema) return Error(".schema", "is required to read csv");
    ReadFields(*csv.schema);
    CheckTextKinds();
    if (!csv.columns && !csv.header)
      return Error(".columns", "is required to read csv without header: true");
    if (csv.columns && !csv.header) CheckColumns(*csv.columns);
  }
  void operator()(const api::RegexFormat& regex) {
    path_ += ".regex";
    CheckLayout(regex.timestamp_format);
    ReadFields(regex.schema);
    CheckTextKinds();
    const auto pattern = CompilePattern(regex.pattern);
    if (!pattern.ok()) return Error(".pattern", pattern.status().message());
    const auto& groups = (*pattern)->NamedCapturingGroups();
    for (const Field& field : schema_.fields()) {
      if (!groups.contains(field.name))
        Error(".schema." + field.name, "the pattern has no group (?P<" + field.name + ">...)");
    }
    for (const auto& [name, number] : groups) {
      if (schema_.Find(name) < 0)
        Error(".pattern", "the group \"" + name + "\" has no type in the schema");
    }
  }
  void operator()(const api::AvroFormat&) { Error(".avro", "not supported yet: format avro"); }
  void operator()(const api::ProtobufFormat&) {
    Error(".protobuf", "not supported yet: format protobuf");
  }

  Result<Schema> Finish() {
    if (diagnostics_->size() == before_) return std::move(schema_);
    const api::Diagnostic& first = (*diagnostics_)[before_];
    return InvalidError(first.path + ": " + first.message);
  }

 private:
  void Error(const std::string& field, std::string message) {
    api::AddError(diagnostics_, path_ + field, std::move(message));
  }
  void ReadFields(const api::SchemaMap& fields) {
    if (fields.empty()) Error(".schema", "has no fields");
    for (const auto& [name, text] : fields) {
      Result<Type> type = ParseType(text);
      if (type.ok()) {
        schema_.Set({name, std::move(type).value()});
      } else {
        Error(".schema." + name, type.status().message());
      }
    }
  }
  void CheckTextKinds() {
    for (const Field& field : schema_.fields()) {
      if (IsTextKind(field.type.kind())) continue;
      Error(".schema." + field.name,
            "one text cannot hold a " + field.type.ToString() + "; declare it as json");
    }
  }
  void CheckColumns(const std::vector<std::string>& columns) {
    std::set<std::string> seen;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (!seen.insert(columns[i]).second)
        Error(".columns[" + std::to_string(i) + "]", "\"" + columns[i] + "\" stands there twice");
    }
    for (const Field& field : schema_.fields()) {
      if (!field.type.nullable() && !seen.contains(field.name))
        Error(".columns", "field \"" + field.name + "\" of the schema is missing");
    }
  }
  void CheckLayout(const api::TimestampFormat& format) {
    if (format.kind != api::TimestampKind::kStrptime) return;
    if (const Status status = CheckTimeLayout(format.layout); !status.ok())
      Error(".timestampFormat", status.message());
  }

  api::Diagnostics* diagnostics_;
  std::string path_;
  size_t before_;
  Schema schema_;
};

}  // namespace

Result<Schema> DeclaredSchema(const api::Format& format, api::Diagnostics* diagnostics,
                              const std::string& path) {
  SchemaBuilder builder(diagnostics, path);
  std::visit(builder, format);
  return builder.Finish();
}

}  // namespace millrace::worker
