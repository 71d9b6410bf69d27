#include <set>

#include "crds/api/diagnostic.h"
#include "crds/base/text.h"
#include "worker/client/url.h"
#include "worker/data/format.h"
#include "worker/table/redis_table.h"
#include "worker/table/table.h"

namespace millrace::worker {
namespace {

bool IsScalar(Kind kind) {
  switch (kind) {
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kTimestamp:
    case Kind::kDuration:
      return true;
    case Kind::kJson:
    case Kind::kList:
    case Kind::kMap:
    case Kind::kStruct:
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      break;
  }
  return false;
}

std::string KeyProblem(const Schema& schema, const std::string& name, bool first) {
  const int index = schema.Find(name);
  if (index < 0) {
    const std::vector<std::string> names = schema.VisibleNames();
    std::string message = "no field \"" + name + "\" in this table; it has: " + Join(names, ", ");
    if (const auto near = ClosestName(name, names)) message += ". Did you mean \"" + *near + "\"?";
    return message;
  }
  if (!first) return "field \"" + name + "\" is listed twice";
  const Type& type = schema[static_cast<size_t>(index)].type;
  if (IsScalar(type.kind())) return "";
  return "field \"" + name + "\" is " + type.ToString() +
         "; a key is a bool, number, string, bytes, timestamp or duration";
}

// "not supported yet" where this build cannot load the kind, or a problem of its fields.
std::string KindProblem(const api::FileTable& file, std::string* field) {
  *field = ".file";
  if (!file.ref.path) return "";
  for (const std::string_view part : Split(*file.ref.path, '/')) {
    if (part == "..") return "path \"" + Excerpt(*file.ref.path) + "\" has a part \"..\"";
  }
  return file.ref.path->empty() ? "path is empty" : "";
}
std::string KindProblem(const api::HttpTable& http, std::string* field) {
  *field = ".http.url";
  const Result<Url> url = ParseUrl(http.url);
  if (!url.ok()) return url.status().message();
  if (http.tls && !url->tls) return "begins with http://, but tls is given";
  return "";
}
std::string NotSupported(const std::string& kind, std::string* field) {
  *field = "." + kind;
  return kind + " tables are not supported yet";
}
std::string KindProblem(const api::SqlTable&, std::string* field) {
  return NotSupported("sql", field);
}
std::string KindProblem(const api::RedisTable&, std::string*) { return ""; }
std::string KindProblem(const api::KafkaTable&, std::string*) { return ""; }
std::string KindProblem(const api::StreamTable&, std::string* field) {
  *field = ".stream";
  return "a table that a stream fills has the fields of that stream";
}

Result<Schema> DeclaredFields(const api::Table& table, api::Diagnostics* diagnostics,
                              const std::string& path) {
  if (const auto* redis = std::get_if<api::RedisTable>(&table.kind)) {
    if (table.key.size() > 1) {
      api::AddError(diagnostics, path + ".key", "the field of a hash is one key, not several");
    }
    return RedisTableSchema(*redis, diagnostics, path + ".redis");
  }
  if (!table.format) {
    api::AddError(diagnostics, path + ".format", "is required for this kind of table");
    return InvalidError(path + ".format: is required for this kind of table");
  }
  return DeclaredSchema(*table.format, diagnostics, path + ".format");
}

}  // namespace

Result<Schema> TableSchema(const api::Table& table, api::Diagnostics* diagnostics,
                           const std::string& path) {
  const size_t before = diagnostics->size();
  std::string field;
  const std::string problem =
      std::visit([&field](const auto& kind) { return KindProblem(kind, &field); }, table.kind);
  if (!problem.empty()) {
    api::AddError(diagnostics, path + field, problem);
    return InvalidError(path + field + ": " + problem);
  }
  ASSIGN_OR_RETURN(Schema schema, DeclaredFields(table, diagnostics, path));
  std::set<std::string_view> seen;
  for (size_t i = 0; i < table.key.size(); ++i) {
    const std::string wrong = KeyProblem(schema, table.key[i], seen.insert(table.key[i]).second);
    if (!wrong.empty()) api::AddError(diagnostics, path + ".key[" + std::to_string(i) + "]", wrong);
  }
  if (table.key.empty())
    api::AddError(diagnostics, path + ".key", "is empty: a table needs at least one key field");
  if (diagnostics->size() > before) {
    const api::Diagnostic& first = (*diagnostics)[before];
    return InvalidError(first.path + ": " + first.message);
  }
  return schema;
}

}  // namespace millrace::worker
