#include <algorithm>
#include <set>

#include "crds/base/text.h"
#include "worker/client/url.h"
#include "worker/data/format.h"
#include "worker/expr/program.h"
#include "worker/sink/factory.h"
#include "worker/sink/kafka/kafka_setup.h"
#include "worker/sink/projection.h"
#include "worker/sink/redis/redis_setup.h"

namespace millrace::worker {
namespace {

// Headers that the client or the sink sets itself.
constexpr std::string_view kReservedHeaders[] = {"connection", "content-length", "host",
                                                 "idempotency-key", "transfer-encoding"};

class SinkChecker {
 public:
  SinkChecker(const api::Sink& spec, const Schema& schema, bool updating,
              api::Diagnostics* diagnostics, const std::string& path)
      : spec_(spec), schema_(schema), updating_(updating), diagnostics_(diagnostics), path_(path) {}

  void Check() {
    const bool fields_ok = CheckFields();
    std::visit([this](const auto& kind) { CheckKind(kind); }, spec_.kind);
    if (fields_ok && supported_ && spec_.format) CheckFormat();
  }

 private:
  void Error(std::string_view field, std::string message, int offset = -1) {
    api::AddError(diagnostics_, path_ + std::string(field), std::move(message), offset);
  }

  bool CheckFields() {
    if (!spec_.fields) return true;
    bool ok = true;
    std::set<std::string_view> seen;
    for (size_t i = 0; i < spec_.fields->size(); ++i) {
      const std::string& name = (*spec_.fields)[i];
      const std::string message = FieldProblem(name, seen.insert(name).second);
      if (message.empty()) continue;
      Error(".fields[" + std::to_string(i) + "]", message);
      ok = false;
    }
    if (spec_.fields->empty()) Error(".fields", "is empty: a sink writes at least one field");
    return ok && !spec_.fields->empty();
  }

  std::string FieldProblem(const std::string& name, bool first) const {
    if (Schema::IsHidden(name)) {
      return "field \"" + name +
             "\" is hidden and never written; copy it to a field of your own with a set step";
    }
    if (!first) return "field \"" + name + "\" is listed twice";
    if (schema_.Find(name) >= 0) return "";
    const std::vector<std::string> names = schema_.VisibleNames();
    std::string message = "no field \"" + name + "\" in this record; it has: " + Join(names, ", ");
    if (const std::optional<std::string> near = ClosestName(name, names)) {
      message += ". Did you mean \"" + *near + "\"?";
    }
    return message;
  }

  void CheckFormat() {
    const Projection projection(schema_, spec_.fields);
    const Result<std::unique_ptr<Encoder>> encoder =
        MakeEncoder(*spec_.format, projection.schema());
    const bool only_reads = std::holds_alternative<api::RegexFormat>(*spec_.format);
    if (!encoder.ok()) Error(only_reads ? ".format.regex" : ".format", encoder.status().message());
  }

  void NeedFormat() {
    if (!spec_.format) Error(".format", "is required for this kind of sink");
  }

  void CheckKind(const api::ConsoleSink& console) {
    if (console.rows < 1) Error(".console.rows", "must be at least 1");
    if (spec_.delivery == api::Delivery::kExactlyOnce) {
      Error(".delivery", "a console cannot deliver exactly once; it repeats rows after a failure");
    }
  }

  void CheckKind(const api::FileSink& file) {
    NeedFormat();
    if (file.path.empty()) Error(".file.path", "is empty");
    if (file.compression != api::Compression::kNone &&
        file.compression != api::Compression::kGzip &&
        file.compression != api::Compression::kZstd) {
      Error(".file.compression", "must be one of None, Gzip, Zstd");
    }
    if (!file.path_expr) return;
    const Type expected(Kind::kString);
    std::vector<ExprError> errors;
    const auto program = Program::Compile(*file.path_expr, {schema_, {}}, &errors, &expected);
    for (const ExprError& error : errors) Error(".file.pathExpr", error.message, error.offset);
    if (!program.ok() && errors.empty()) Error(".file.pathExpr", program.status().message());
  }

  void CheckKind(const api::HttpSink& http) {
    NeedFormat();
    const Result<Url> url = ParseUrl(http.url);
    if (!url.ok()) Error(".http.url", url.status().message());
    if (url.ok() && !url->tls && http.tls)
      Error(".http.tls", "is given, but the URL begins with http://");
    if (http.rows_per_request < 1) Error(".http.rowsPerRequest", "must be at least 1");
    for (const auto& [name, value] : http.headers) {
      const std::string lower = ToLowerAscii(name);
      if (std::find(std::begin(kReservedHeaders), std::end(kReservedHeaders), lower) !=
          std::end(kReservedHeaders)) {
        Error(".http.headers." + name, "is set by the sink itself");
      } else if (lower == "authorization") {
        Error(".http.headers." + name, "would put a secret into the manifest; use auth.secretName");
      }
    }
    if (updating_) {
      Error(".http",
            "an updating stream needs a sink that replaces rows, such as console or file; http "
            "does not");
    }
  }

  void CheckKind(const api::KafkaSink& kafka) {
    NeedFormat();
    CheckKafkaSink(kafka, schema_, updating_, diagnostics_, path_ + ".kafka");
  }
  void CheckKind(const api::RedisSink& redis) {
    CheckRedisSink(redis, spec_, schema_, updating_, diagnostics_, path_);
  }
  void CheckKind(const api::SqlSink&) { NotSupported(".sql", "sql"); }
  void CheckKind(const api::ElasticsearchSink&) { NotSupported(".elasticsearch", "elasticsearch"); }

  void NotSupported(std::string_view field, const std::string& kind) {
    supported_ = false;
    Error(field, kind + " sinks are not supported yet");
  }

  const api::Sink& spec_;
  const Schema& schema_;
  bool updating_;
  api::Diagnostics* diagnostics_;
  const std::string& path_;
  bool supported_ = true;
};

}  // namespace

void CheckSink(const api::Sink& spec, const Schema& schema, bool updating,
               api::Diagnostics* diagnostics, const std::string& path) {
  SinkChecker(spec, schema, updating, diagnostics, path).Check();
}

std::vector<std::string> SinkUses(const api::Sink& spec, const Schema& schema) {
  // A console keys its live table by fields that it may not show.
  const bool all = !spec.fields || std::holds_alternative<api::ConsoleSink>(spec.kind);
  std::vector<std::string> names = all ? schema.VisibleNames() : *spec.fields;
  if (schema.Find(kRemovalField) >= 0) names.emplace_back(kRemovalField);
  const auto* file = std::get_if<api::FileSink>(&spec.kind);
  if (file != nullptr && file->path_expr) {
    std::vector<ExprError> errors;
    const auto program = Program::Compile(*file->path_expr, {schema, {}}, &errors);
    if (program.ok()) {
      for (const FieldUse& use : (*program)->uses()) {
        if (!use.path.empty()) names.push_back(use.path.front());
      }
    }
  }
  if (const auto* kafka = std::get_if<api::KafkaSink>(&spec.kind)) {
    for (std::string& name : KafkaSinkUses(*kafka, schema)) names.push_back(std::move(name));
  }
  if (const auto* redis = std::get_if<api::RedisSink>(&spec.kind)) {
    for (std::string& name : RedisSinkUses(*redis, schema)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace millrace::worker
